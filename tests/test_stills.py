"""The stills of widgets: what was drawn once, and stands where no script runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import anywidget
import ipywidgets
import pytest
import widget_page
from ipywidgets.embed import dependency_state, embed_data
from seeing import stills
from seeing.stills import Views, box, differs, draw, text_of

from cnnlib import widgets

EXTENSION = Path(stills.__file__).parents[1]
BOOKS = [getattr(widgets, name) for name in widgets.__all__]


def controls() -> ipywidgets.VBox:
    """Return a box of every kind of control."""
    return ipywidgets.VBox(
        [
            ipywidgets.HBox([ipywidgets.IntSlider(7, description="whole")]),
            ipywidgets.FloatSlider(description="real"),
            ipywidgets.Dropdown(options=["x", "y"], index=1, description="pick"),
            ipywidgets.Checkbox(True, description="tick"),
            ipywidgets.ToggleButtons(options=["p", "q"], index=1, description="which"),
            ipywidgets.Button(description="Run"),
            ipywidgets.Label("a label"),
            ipywidgets.HTML("some <b>words</b>"),
        ]
    )


def views(*shown) -> Views:
    """Return widgets as a page of the book shows them."""
    saved = embed_data(views=shown, state=dependency_state(shown, drop_defaults=False))
    return Views([each.model_id for each in shown], saved["manager_state"]["state"], "en")


WORKING = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const scrolls = (e) => /auto|scroll/.test(getComputedStyle(e).overflow);
  return [
    ...all("canvas, script[type=module]:not([src]), [aria-live], [data-share]"),
    ...all("[role=alert], [role=status], [role=application], [role=grid], [role=treegrid]"),
    ...all(":is(button, input, select, textarea):enabled"),
    ...all("[tabindex]").filter((e) => !scrolls(e)),
    ...all(".cnn-segments input").filter((e) => getComputedStyle(e).opacity !== "0"), // unseen
  ].map((e) => e.outerHTML.slice(0, 120));
}"""
NAMED_TWICE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i);
}"""
NAMING_NOTHING = """() => ["for", "aria-labelledby", "aria-describedby", "aria-controls"]
  .flatMap((name) => [...document.querySelectorAll(`[${name}]`)].filter((e) =>
    e.getAttribute(name).split(" ").some((id) => !document.getElementById(id))))
  .map((e) => e.outerHTML.slice(0, 120))"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_still_does_nothing_and_is_accessible(show_still, theme):
    page = show_still(*(kind() for kind in BOOKS), controls(), theme=theme)
    assert page.locator(".cnn-still").count() == len(BOOKS)
    assert page.evaluate(WORKING) == []
    assert page.evaluate(NAMED_TWICE) == []
    assert page.evaluate(NAMING_NOTHING) == []
    assert widget_page.violations(page) == []


@pytest.mark.browser
def test_a_still_leaves_the_names_of_the_living_ones_alone(browser, new_page, serve, tmp_path):
    """Else their radio buttons would be one group, and only one of all could be on."""
    shown = [*(kind() for kind in BOOKS), controls()]
    stand_ins = widget_page.stills(browser, *shown)
    page = new_page()
    body = widget_page.joined(*shown) + stand_ins
    page.goto(serve(widget_page.write(tmp_path, body)))
    widget_page.wait_until_alive(page)
    assert page.evaluate(NAMED_TWICE) == []
    checked = "(all) => all.map((e) => e.checked)"
    living, still = (
        page.locator(f"{where} input[type=radio]").evaluate_all(checked)
        for where in (".live-widget", "[data-widget-fallback]")
    )
    assert sum(living) > len(BOOKS) / 2
    assert still == living


@pytest.mark.browser
def test_fields_keep_what_they_hold(show_still):
    page = show_still(controls())
    assert page.get_by_label("whole").input_value() == "7"
    assert page.get_by_label("pick").input_value() == "y"
    assert page.get_by_label("tick").is_checked()
    assert not page.get_by_label("p", exact=True).is_checked()
    assert page.get_by_label("q", exact=True).is_checked()
    assert page.locator("output").all_text_contents() == ["7", "0.00"]


#: A still's pictures are loaded when they come into view.
LOADED = """(all) => Promise.all(all.map(async (image) => {
    image.loading = "eager";
    await image.decode();
    return image.naturalWidth;
}))"""


@pytest.mark.browser
def test_every_picture_says_in_which_widget_it_is_and_what_it_shows(show_still):
    page = show_still(*(kind() for kind in BOOKS), widgets.PoolingExplorer(view="photo"))
    alts = page.locator("img").evaluate_all("(all) => all.map((e) => e.alt)")
    assert len(alts) == 2 + 2 + 4  # lab, receptive field, pooling
    assert [alt for alt in alts if not re.match(r"\S.{10,}: \S.+", alt)] == []
    sizes = page.locator("img").evaluate_all(LOADED)
    assert min(sizes) > 1


@pytest.mark.slow
@pytest.mark.browser
def test_the_same_is_drawn_every_time(browser):
    first, second = (draw(browser, views(*(kind() for kind in BOOKS))) for _ in range(2))
    assert first == second


class Broken(anywidget.AnyWidget):
    _esm = """export default { render() { throw new Error("the lens is cracked"); } };"""


@pytest.mark.browser
@pytest.mark.parametrize("words", ["</SCRIPT>", "</script >", "<!--<script>"])
def test_what_a_widget_says_ends_no_script(browser, words):
    (still,) = draw(browser, views(ipywidgets.Label(words)))
    assert escape(words) in still["html"]


@pytest.mark.browser
def test_what_cannot_be_drawn_says_why(browser):
    works, fails = draw(browser, views(ipywidgets.Label("whole"), Broken()))
    assert works["failed"] == ""
    assert "whole" in works["html"]
    assert "the lens is cracked" in fails["failed"]


def test_a_still_is_known_by_all_that_it_depends_on(monkeypatch, tmp_path):
    def key(**changes):
        return views(widgets.ConvolutionExplorer(**changes)).key

    assert key() == key()  # whatever the models' ids
    assert len({key(), key(stride=2), key(row=1)}) == 3
    now = views(widgets.ConvolutionExplorer())
    before = now.key
    for name in ("PAGE_HOST", "STILL"):
        changed = tmp_path / name
        changed.write_text(getattr(stills, name).read_text() + "\n")
        with monkeypatch.context() as patch:
            patch.setattr(stills, name, changed)
            assert now.key != before
    for trait in ("_esm", "_css"):
        other = views(widgets.ConvolutionExplorer())
        (model,) = (each for each in other.state.values() if trait in each["state"])
        model["state"][trait] += "\n"
        assert other.key != before


# --- Without Chromium -------------------------------------------------------------------------


def said_of(chromium: Path | str) -> str:
    """Return what is said where the environment names this browser, in a process of its own."""
    code = "import browsing\nwith browsing.chromium(): pass"
    environment = os.environ | {"CHROMIUM": str(chromium), "PYTHONPATH": str(EXTENSION)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True).stderr


def test_without_a_browser_one_is_told_what_would_help():
    told = r"NoChromium: No Chromium was found\.\n.*\n.*playwright install"
    assert re.search(told, said_of("none"))


def test_a_browser_that_does_not_start_is_none(tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert f"NoChromium: {broken} does not start: " in said_of(broken)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "height"),
    [(360, 800), (419, 800), (420, 900), (599, 950), (768, 500), (2000, 400)],
)
def test_a_box_is_as_high_as_the_table_says(new_page, width, height):
    page = new_page(width=width)
    style = (widget_page.ROOT / "book" / "_static" / "book.css").read_text()
    widths = json.loads(stills.HEIGHTS.read_text())["widths"]
    shown = box(widths, [800, 900, 950, 970, 500, 500, 400])
    page.set_content(f"<!DOCTYPE html><style>{style}</style>{shown}")
    assert page.locator(".widget-box").bounding_box()["height"] == pytest.approx(height, abs=1)


def test_a_box_of_unknown_height_is_as_high_as_its_words():
    assert "style" not in box([360, 480], [])


# --- The table of heights ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ([[800, 500]], [[801, 499]], False),
        ([[800, 500]], [[802, 500]], True),
        ([[800, 500]], [[800, 500], [300, 300]], True),
        ([], [[800, 500]], True),
        ([], [], False),
    ],
)
def test_heights_differ_by_more_than_a_pixel_or_not(old, new, wanted):
    assert differs(old, new) == wanted


def test_the_table_is_written_as_it_is_kept():
    text = stills.HEIGHTS.read_text(encoding="utf-8")
    assert text_of(json.loads(text)) == text
