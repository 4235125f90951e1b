"""Widgets for other eyes and hands: forced colours, a keyboard, a finger, a phone."""

from __future__ import annotations

import pytest
import widget_page
from widget_page import NUMBERS, one_of_each

from cnnlib.widgets import ConvolutionExplorer, PoolingExplorer

pytestmark = [pytest.mark.browser, pytest.mark.slow]


# --- Forced colours ---------------------------------------------------------------------------

#: What cannot be told apart where the system chooses the colours, by computed colours.
UNSEEN = (
    """() => {"""
    + NUMBERS
    + """
  const over = ([r, g, b, a], ground) => [r, g, b].map((v, i) => a * v + (1 - a) * ground[i]);
  /** What an element's text stands on: its own ground over those that it lies in. */
  const ground = (e) => e === null ? numbers("Canvas").slice(0, 3)
    : over(numbers(getComputedStyle(e).backgroundColor), ground(e.parentElement));
  const light = (color) => color
    .map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const ink = (e, name, pseudo) => over(numbers(getComputedStyle(e, pseudo)[name]), ground(e));
  const all = (selector) => [...document.querySelectorAll(`.cnn-widget ${selector}`)]
    .filter((e) => e.checkVisibility());
  const told = (e) => e.outerHTML.slice(0, 120);

  const icons = all(".cnn-icon").filter((e) => {
    const name = e.matches(".cnn-icon-reset") ? "borderTopColor" : "backgroundColor";
    return contrast(ink(e, name), ground(e.parentElement)) < 3;
  });
  const signs = all(".cnn-arch-sign")
    .filter((e) => contrast(ink(e, "backgroundColor", "::before"), ground(e)) < 3);
  const segments = all(".cnn-segments").filter((e) => {
    const [on, off] = [":checked", ":not(:checked)"]
      .map((state) => e.querySelector(`input${state} + span`));
    return on && off && contrast(ground(on), ground(off)) < 3;
  });
  const texts = all(":is(button, label span, option, td, th, p, legend, output)")
    .filter((e) => !e.closest(":disabled, .cnn-hidden") && !e.querySelector("*"))
    .filter((e) => e.innerText?.trim() && contrast(ink(e, "color"), ground(e)) < 4.5);
  const flat = all(".cnn-input .cnn-grid")
    .filter((e) => new Set([...e.querySelectorAll("td")].map((td) => `${ground(td)}`)).size < 3);
  const outline = (e) => e && getComputedStyle(e).outlineStyle;
  const choices = [[".cnn-ch-card:has(:checked)", ".cnn-ch-card:not(:has(:checked))"],
    [".cnn-arch-chosen", "tbody tr:not(.cnn-arch-chosen)"]]
    .filter(([on, off]) => outline(all(on)[0]) === outline(all(off)[0]));
  return [...icons, ...signs, ...segments, ...texts, ...flat].map(told).concat(choices);
}"""
)


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_forced_colours_hide_nothing(show, system, theme):
    """Whatever the page's own theme: a reader may have chosen it against the system's."""
    page = show(*one_of_each(), theme=theme, color_scheme=system, forced_colors="active")
    page.get_by_role("row", name="block").click()
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert page.evaluate(UNSEEN) == []


# --- A keyboard -------------------------------------------------------------------------------

#: How many stops of the Tab key lie in each table that arrow keys walk or one can type into, and in
#: each of the others.
STOPS = """() => {
  const stops = (e) => [...e.querySelectorAll("input, [tabindex]")]
    .filter((each) => each.tabIndex >= 0).length;
  const grids = [...document.querySelectorAll(".cnn-widget :is(.cnn-grid, [role=treegrid])")]
    .filter((grid) => grid.checkVisibility());
  const isWalked = (e) => e.matches("[role=grid], [role=treegrid]") || e.querySelector("input");
  return { walked: grids.filter(isWalked).map(stops),
    others: grids.filter((grid) => !isWalked(grid)).map(stops) };
}"""
FOCUSED = "document.activeElement.getAttribute('aria-label')"


def check_stops(page):
    stops = page.evaluate(STOPS)
    assert set(stops["walked"]) == {1}
    assert set(stops["others"]) == {0}


def test_the_tab_key_stops_once_at_each_grid(show):
    page = show(*one_of_each())
    check_stops(page)
    page.get_by_role("slider", name="Kernel size").first.fill("5")  # new fields, and no old ones
    check_stops(page)


def test_arrow_keys_walk_over_numbers_until_one_types(show):
    page = show(ConvolutionExplorer(kernel=[[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    walked = []

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)
            walked.append(page.evaluate(FOCUSED).removeprefix("kernel, row ").split(", column "))

    page.get_by_label("kernel, row 1, column 1").focus()
    press("ArrowRight", "ArrowDown", "End", "ArrowRight", "ArrowLeft", "ArrowUp", "Home")
    at = ["".join(place) for place in walked]
    assert at == ["12", "22", "23", "31", "23", "13", "11"]
    page.keyboard.type("34")
    press("ArrowLeft", "Home")  # the caret's, now
    page.keyboard.type("1")
    press("Enter", "ArrowRight", "Shift+Tab", "Tab")
    assert [*map("".join, walked[7:10])] == ["11", "11", "11"]
    assert [walked[10], walked[12]] == [["1", "2"], ["1", "2"]]  # and Tab comes back to it
    kernel = page.locator(".live-widget .cnn-kernel")
    assert widget_page.cells(kernel)[0] == ["134", "2", "3"]


# --- A mouse and a finger ---------------------------------------------------------------------


def test_dragging_marks_no_text(show):
    page = show(*one_of_each())
    selectors = [".cnn-grid[role=grid]", ".cnn-lab-area", ".cnn-rf-plane"]
    areas = [each for name in selectors for each in page.locator(name).all() if each.is_visible()]
    assert len(areas) > 8
    for area in areas:
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + box["width"] / 2, y + box["height"] / 2, steps=4)
        page.mouse.up()
        assert page.evaluate("getSelection().toString()") == "", area


#: Controls that a finger may miss. Not the cells of a grid, through which buttons or sliders go
#: too, and not what lies in a label that is large enough.
SMALL = """() => [...document.querySelectorAll(
    ".cnn-widget :is(button, select, input, a, [role=application], .cnn-arch-sign)")]
  .filter((e) => e.checkVisibility() && !e.closest(".cnn-hidden"))
  .map((e) => [e, (e.closest("label") ?? e).getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 24 || height < 24)
  .map(([e, { width, height }]) => `${width} x ${height}: ${e.outerHTML.slice(0, 100)}`)"""


@pytest.mark.parametrize("width", [320, 360])
def test_controls_are_large_enough_for_a_finger(show, width):
    page = show(*one_of_each(), width=width, has_touch=True, is_mobile=True)
    assert page.evaluate(SMALL) == []
    for grid in page.locator("[role=grid]").all():  # what stands in for its cells
        widget = grid.locator("xpath=ancestor::*[contains(@class, 'cnn-widget')]")
        assert widget.get_by_role("button", name="One step on").count() == 1


# --- A phone ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 5])
def test_a_phone_shows_buttons_input_and_products_together(show, size):
    page = show(ConvolutionExplorer(kernel=[[1] * size] * size), width=360, height=740)
    boxes = [page.locator(f".cnn-explorer {part}").first.bounding_box() for part in (
        ".cnn-player", ".cnn-input", ".cnn-products"
    )]  # fmt: skip
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
    last = boxes[2]["y"] + boxes[2]["height"]
    # What a browser's own bars leave of 740 px; a kernel of 5 by 5 needs two rows of grids.
    assert last - boxes[0]["y"] < {3: 560, 5: 680}[size]


@pytest.mark.parametrize("width", [320, 360, 700, 1280])
def test_a_kernel_that_does_not_fit_says_so_and_moves_nothing(show, width):
    explorer = ConvolutionExplorer()
    page = show(explorer, body=widget_page.BELOW, width=width)
    page.get_by_role("slider", name="Input size").fill("3")
    before = widget_page.below(page)
    page.get_by_role("slider", name="Dilation").fill("2")
    said = page.locator(".cnn-reading").inner_text()
    assert said.startswith("No output: the kernel is larger than the padded input.")
    assert "It spans 5 pixels, and there are only 3." in said
    assert widget_page.below(page) == before
    if width > 608:  # a phone has no room for a kernel of 5 by 5 where one of 3 by 3 was
        page.get_by_role("slider", name="Kernel size").fill("5")
        assert widget_page.below(page) == before


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_a_photograph_says_why_controls_are_grey(show, width):
    page = show(PoolingExplorer(), width=width)
    page.get_by_role("radio", name="Photograph").check()
    page.get_by_role("slider", name="Times pooled").fill("4")
    assert page.get_by_role("button", name="Play").is_disabled()
    notes = page.locator(".cnn-pool-repeats .cnn-pool-reading")
    assert "The grey controls are for numbers" in notes.inner_text()
    strip, notes = page.locator(".cnn-pool-strip").bounding_box(), notes.bounding_box()
    assert notes["y"] + notes["height"] <= strip["y"] + strip["height"]


def test_lists_in_a_still_picture_look_off(show_still):
    page = show_still(PoolingExplorer())
    lists = page.locator(".cnn-still select").all()
    assert lists
    for each in lists:
        assert each.evaluate("(e) => getComputedStyle(e).appearance") == "none"
        assert each.evaluate("(e) => getComputedStyle(e).cursor") == "default"
