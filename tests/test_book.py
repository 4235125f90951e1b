"""The built book in a real browser: every page, light and dark, wide and narrow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from unittest.mock import MagicMock
from urllib.parse import quote

import nbformat
import numpy as np
import pytest
import running
import widget_page
import yaml
from conftest import fresh_page
from docutils import nodes
from PIL import Image
from seeing.pages import EMBEDDED, as_webp, without_look
from seeing.percent import join_percent
from seeing.sheet import deferred, lighter_head, used_icons, without_unused
from seeing.stills import HEIGHTS, Still
from seeing.widgets import (
    PAGE_HOST,
    keep_file,
    known_kinds,
    lighten,
    module_script,
    unknown_kinds,
)
from sphinx.search import IndexBuilder

from benchmarks import page_weight, widget_appearance
from benchmarks.pages import documents
from cnnlib.widgets.common.photos import cat_photo

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = [320, 360, 768, 1024, 1440]


PAGES = documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))


def code(name: str) -> str:
    """Return the code of a page's notebook; none where the page is no notebook."""
    path = ROOT / f"{name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else []
    return "\n".join("".join(each["source"]) for each in cells if each["cell_type"] == "code")


CODE = {name: code(name) for name in PAGES}
WITH_WIDGET = [name for name in PAGES if "cnnlib.widgets" in CODE[name]]
WITH_EXPLORER = [name for name in PAGES if "ConvolutionExplorer(" in CODE[name]]
WITH_JSLINK = [name for name in PAGES if "jslink(" in CODE[name]]


@pytest.fixture
def visit(new_page, book):
    """Open pages of the built book: ``visit("book/intro", width=360, color_scheme="dark")``."""

    def open_page(name: str, anchor: str = "", **options):
        page = new_page(**options)
        page.goto(f"{book}/{name}.html{anchor}")
        if options.get("java_script_enabled", True):
            page.evaluate("document.fonts.ready.then(() => {})")
            widget_page.wait_until_alive(page)
        return page

    return open_page


def wait_for_all(page) -> None:
    """Wait until a page's letters and widgets are there."""
    page.evaluate("document.fonts.ready.then(() => {})")
    widget_page.wait_until_alive(page)


@pytest.fixture(scope="module", params=[*PAGES, "search", "genindex"])
def opened(request, browser, book):
    """Each page, opened once for the tests that only look; pytest puts them side by side."""
    page = fresh_page(browser)
    page.name = request.param
    page.untouched, page.asked = page_weight.requested(page, book, page.name)
    wait_for_all(page)
    yield page
    page.context.close()


@pytest.fixture(scope="module", params=WITH_WIDGET)
def lively(request, browser, book):
    """Each page with widgets, opened once for the tests that press and turn."""
    page = fresh_page(browser)
    page.goto(f"{book}/{request.param}.html")
    wait_for_all(page)
    yield page
    page.context.close()


def no_trouble(page) -> None:
    """Assert that nothing went wrong on a page, and nothing was asked of another host."""
    assert page.trouble.console == []
    assert page.trouble.failed == []
    assert page.trouble.foreign == []


# --- Every page -------------------------------------------------------------------------------


@pytest.mark.browser
def test_page_opens_quietly(opened):
    page = opened
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(500)  # for what comes late
    assert page.locator("main h1:visible").count() == 1
    no_trouble(page)


@pytest.mark.browser
def test_page_is_light(opened, built):
    weight = page_weight.weigh(built / "html", opened.asked)
    assert weight["bytes"] <= page_weight.LIMIT, weight["largest"]
    if opened.name == page_weight.FIRST:
        weight = page_weight.weigh(built / "html", opened.untouched)
        assert weight["bytes"] <= page_weight.FIRST_LIMIT, weight["largest"]


@pytest.mark.browser
def test_page_fetches_nothing_that_it_does_not_use(opened):
    """Not the theme's whole icon fonts, not what only a search needs."""
    unused = re.compile(r"vendor/fontawesome|vendor/katex|searchindex|searchtools|language_data")
    found = {path for path in opened.asked if unused.search(path)}
    assert found == set() or opened.name == "search"


# What one can see to be wrong on a page, each as a function that returns what it found.

# What reaches beyond the page's right edge, unless a box around it scrolls. (The copy of a formula
# for screen readers is as wide as it is, and cut to a point; a root's line is cut to its root.)
SPILLS = """() => [...document.querySelectorAll("body *")].filter((element) => {
  if (element.closest(".katex-mathml, .katex .hide-tail")) return false;
  const { right, width } = element.getBoundingClientRect();
  if (!width || right <= document.documentElement.clientWidth + 1) return false;
  for (let box = element; box; box = box.parentElement)
    if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
  return true;
}).map((element) => element.outerHTML.slice(0, 120))"""

# Notes in the margin that lie on each other, or on text, code or a picture of the article. Of a
# text it is the lines that count: its box runs on below a note that floats.
OVERLAPS = """() => {
  const range = document.createRange();
  const places = (element) => {
    if (element.matches("pre, figure, table, aside")) return [element.getBoundingClientRect()];
    range.selectNodeContents(element);
    return [...range.getClientRects()];
  };
  const notes = [...document.querySelectorAll("aside.margin")];
  const texts = [...document.querySelectorAll("article :is(p, li, pre, figure, table, h1, h2, h3)")]
    .filter((element) => !element.closest("aside.margin") && element.checkVisibility());
  return notes.flatMap((note, i) => [...texts, ...notes.slice(i + 1)].filter((text) => {
    const a = note.getBoundingClientRect();
    return !text.contains(note) && places(text).some((b) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1);
  }).map((text) => `${note.innerText.slice(0, 40)} / ${text.innerText.slice(0, 40)}`));
}"""

# What scrolls sideways and cannot be reached by keyboard.
UNREACHABLE = """() => [...document.querySelectorAll("article *")].filter((element) =>
  /auto|scroll/.test(getComputedStyle(element).overflowX)
  && element.scrollWidth > element.clientWidth + 1 && element.checkVisibility()
  && element.tabIndex < 0 && !element.querySelector("a, button, input, select, [tabindex]")
).map((element) => element.outerHTML.slice(0, 120))"""

# Code, equations, tables and figures that scroll and do not fade where there is more to see.
UNHINTED = """() => [...document.querySelectorAll(
    "article pre, div.math, div.math *, .output:has(svg text, .cnn-table)")]
  .filter((element) => {
    const style = getComputedStyle(element);
    return /auto|scroll/.test(style.overflowX)
      && element.scrollWidth > element.clientWidth + 1 && element.checkVisibility()
      && (style.maskImage === "none" || !parseFloat(style.getPropertyValue("--fade-right")));
  }).map((element) => element.outerHTML.slice(0, 120))"""

# Letters that are shown smaller than 12 px in a widget or a table, smaller than 8 px in a drawing.
# Not what stands below or above a line, nor the copy of a formula for screen readers. (Letters in a
# picture of pixels, a PNG, cannot be read off.)
SMALL = """() => {
  const aside = ".cnn-hidden, sub, sup, .katex-mathml, .katex .vlist";
  const scale = (e) => {
    if (e instanceof SVGElement) {
      const { a, b, c, d } = e.getScreenCTM();
      return Math.sqrt(Math.abs(a * d - b * c));
    }
    const { width } = e.getBoundingClientRect();
    return Math.abs(width - e.offsetWidth) < 1 ? 1 : width / e.offsetWidth; // it is rounded
  };
  const hasLetters = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const least = { ".live-widget .cnn-widget *": 12, "article table *": 12, "article svg *": 8 };
  return Object.entries(least).flatMap(([selector, limit]) =>
    [...document.querySelectorAll(selector)]
      .filter((e) => hasLetters(e) && !e.closest(aside) && e.checkVisibility({
        checkVisibilityCSS: true }))
      .map((e) => [parseFloat(getComputedStyle(e).fontSize) * scale(e), e])
      .filter(([size]) => size < limit - 0.01)
      .map(([size, e]) => `${size.toFixed(1)} px: ${e.outerHTML.slice(0, 120)}`));
}"""

# Pictures without a text that says what one should see, canvases without a name, figures without a
# caption. A widget's canvas may be named by its label, or by what it is the picture of.
UNTOLD = """() => {
  const all = (selector) => [...document.querySelectorAll(`article ${selector}`)];
  const named = (id) => document.getElementById(id)?.textContent;
  const pictures = all(":is(img, svg[role=img])")
    .filter((e) => (e.getAttribute("alt") || e.ariaLabel || "").length <= 20);
  const canvases = all("canvas").filter((e) => e.checkVisibility() && (e.ariaLabel
    ?? named(e.getAttribute("aria-labelledby")) ?? e.closest("[aria-label]")?.ariaLabel ?? "")
    .length <= 10);
  const figures = all("figure").filter((e) => !e.querySelector("figcaption")?.innerText.trim());
  return [...pictures, ...canvases, ...figures].map((e) => e.outerHTML.slice(0, 200));
}"""

# Numbers that a line's end may part from their percent sign.
PARTED = r"""() => [...document.querySelectorAll("article :is(p, li, .caption-text)")]
  .filter((each) => !each.closest(".widget"))
  .map((each) => {
    const text = each.cloneNode(true);
    text.querySelectorAll("code, pre, svg, script, .widget").forEach((e) => e.remove());
    return text.textContent;
  })
  .flatMap((text) => text.match(/\d(?!\u00a0)\s?%/g) ?? [])"""

# Digits that their cell cuts off, words that leave their button.
CLIPPED = """() => [...document.querySelectorAll(".live-widget .cnn-widget *")].filter((e) => {
  if (!e.checkVisibility({ checkVisibilityCSS: true })) return false;
  if (e.closest(".cnn-hidden, thead, th")) return false;
  if (e.matches("td input")) return e.scrollWidth > e.clientWidth + 1;
  if (!e.matches("td, button, output, label, legend") || !e.firstChild) return false;
  const range = document.createRange();
  range.selectNodeContents(e);
  const [text, box] = [range.getBoundingClientRect(), e.getBoundingClientRect()];
  return text.width > box.width + 1 && !e.matches(".cnn-segments label");
}).map((e) => e.outerHTML.slice(0, 160))"""

# Controls of a widget that lie on one another.
COLLISIONS = """() => [...document.querySelectorAll(".live-widget .cnn-widget")].flatMap((root) => {
  const controls = [...root.querySelectorAll("button, select, output, input, .cnn-label")]
    .filter((e) => e.checkVisibility({ checkVisibilityCSS: true })
      && !e.matches(".cnn-segments input") && !e.closest(".cnn-hidden, .cnn-grid"));
  const box = new Map(controls.map((e) => [e, e.getBoundingClientRect()]));
  return controls.flatMap((a, i) => controls.slice(i + 1).filter((b) => {
    if (a.contains(b) || b.contains(a)) return false;
    const [p, q] = [box.get(a), box.get(b)];
    return Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
      && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1;
  }).map((b) => `${a.outerHTML.slice(0, 90)} / ${b.outerHTML.slice(0, 90)}`));
})"""

# Still pictures beside the living widget.
LEFT_BEHIND = """() => [...document.querySelectorAll("[data-widget-fallback]")]
  .filter((still) => still.checkVisibility()).map((still) => still.outerHTML.slice(0, 120))"""

# What stood elsewhere before the widgets came to life: their still pictures take another room.
MOVED = """() => {
  const [living, stills] = [".live-widget", "[data-widget-fallback]"]
    .map((selector) => [...document.querySelectorAll(selector)]);
  const show = (alive) => {
    living.forEach((e) => { e.hidden = !alive; });
    stills.forEach((e) => { e.hidden = alive; });
  };
  const marks = [...document.querySelectorAll("article :is(h2, h3, figcaption), footer")];
  const places = () => marks.map((e) => Math.round(e.getBoundingClientRect().bottom + scrollY));
  const now = places();
  show(false);
  const before = places();
  show(true);
  return marks.filter((_, i) => Math.abs(now[i] - before[i]) > 2)
    .map((e) => `${e.innerText.slice(0, 80)}`);
}"""

LOOKS = {
    "beyond the page's edge": SPILLS,
    "a note on something else": OVERLAPS,
    "scrolls out of the keyboard's reach": UNREACHABLE,
    "scrolls without a hint": UNHINTED,
    "too small to read": SMALL,
    "without a text or a caption": UNTOLD,
    "a number apart from its percent sign": PARTED,
    "cut off in a widget": CLIPPED,
    "controls on each other": COLLISIONS,
    "a still picture beside its widget": LEFT_BEHIND,
    "moved when a widget came to life": MOVED,
}
NOTHING = {what: [] for what in LOOKS}
NAMES = {look: what for what, look in LOOKS.items()}


def looked_at(page) -> dict[str, list[str]]:
    """Return what each look finds on a page."""
    return {what: page.evaluate(look) for what, look in LOOKS.items()}


def living(page):
    """Return the living widgets of a page, drawn."""
    views = page.locator('script[type$="widget-view+json"]').count()
    page.wait_for_function(
        "(views) => document.querySelectorAll('.live-widget').length === views", arg=views
    )
    return page.locator(".live-widget .cnn-widget")


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_page_looks_right(opened, width):
    """Look at a page once for everything: to open it takes longer than all that one looks for."""
    page = opened
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()  # a phone's page is narrow from the first
    wait_for_all(page)
    widget_page.settle(page)
    if page.name in WITH_WIDGET:
        living(page).first.wait_for()
    page.wait_for_function(f"({UNREACHABLE})().length === 0")  # book.js sees to it, soon
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    assert looked_at(page) == NOTHING


# Where letters of twice the size may do harm.
LARGE_LETTERS = {name: LOOKS[name] for name in (
    "beyond the page's edge", "cut off in a widget", "controls on each other"
)}  # fmt: skip
TWICE = "(is) => { document.documentElement.style.fontSize = is ? '200%' : ''; }"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_letters_of_twice_the_size_fit(opened, width):
    page = opened
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(TWICE, True)
    widget_page.settle(page)
    root = "document.documentElement"
    wide = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    found = {name: page.evaluate(look) for name, look in LARGE_LETTERS.items()}
    page.evaluate(TWICE, False)
    assert wide == 0
    assert found == {name: [] for name in LARGE_LETTERS}


WIDGET = '<div class="live-widget"><div class="cnn-widget">{}</div></div>'
WORDS = "<p>" + 60 * "words and more words " + "</p>"
OVER = "position: absolute; top: 3rem; left: 2rem; width: 8rem; height: 4rem"
SPOILED = [
    (SPILLS, '<p style="width: 900px">Too long a line</p>'),
    (OVERLAPS, f'<aside class="margin" style="{OVER}">A note</aside>{WORDS}'),
    (OVERLAPS, f'<aside class="margin" style="float: right; margin-left: -9rem">A</aside>{WORDS}'),
    (OVERLAPS, 2 * f'<aside class="margin" style="{OVER}">A note</aside>'),
    (UNREACHABLE, '<div style="overflow-x: auto"><pre style="width: 900px">code</pre></div>'),
    (UNHINTED, '<div class="math" style="overflow-x: auto"><i style="padding: 300px">x</i></div>'),
    (UNHINTED, '<pre style="overflow-x: auto"><i style="padding: 300px">x</i></pre>'),
    (SMALL, WIDGET.format('<b style="font-size: 11.9px">7</b>')),
    (SMALL, '<table style="transform: scale(0.7)"><tr><td style="font-size: 16px">7</table>'),
    (SMALL, '<svg width="75" viewBox="0 0 100 20"><text y="15" font-size="10">7</text></svg>'),
    (UNTOLD, '<img alt="A cat" src="data:,">'),
    (UNTOLD, "<figure>A picture</figure>"),
    (UNTOLD, '<canvas aria-label="Output"></canvas>'),
    (PARTED, "<p>It is right for 93 % of them.</p>"),
    (CLIPPED, WIDGET.format('<table><td><input value="−123.456" style="width: 2rem"></table>')),
    (CLIPPED, WIDGET.format('<button style="width: 2rem; padding: 0">Incomprehensible</button>')),
    (COLLISIONS, WIDGET.format(2 * f'<button style="{OVER}">Play</button>')),
    (LEFT_BEHIND, "<div data-widget-fallback>A still picture</div>"),
    (MOVED, f"{WIDGET.format('7')}<div data-widget-fallback hidden>{WORDS}</div><h2>On</h2>"),
]
SOUND = f"""<h1>A chapter</h1>
<aside class="margin" style="float: right; width: 8rem">A note</aside>{WORDS}
<p>It is right for 93&nbsp;% of them.</p>
<div class="math" tabindex="0" style="overflow-x: auto; --fade-right: 3rem; mask-image:
  linear-gradient(#000, #000)"><i style="padding: 300px">x</i></div>
<figure><svg role="img" width="100" viewBox="0 0 100 20" aria-label="A seven, drawn in full">
<text y="15" font-size="10">7</text></svg><figcaption>Seven</figcaption></figure>
{WIDGET.format('<table><td style="font-size: 12px">7</table><button>Play</button>')}"""


def show_article(page, body: str) -> None:
    """Show an article of a test's own."""
    page.set_content(f'<!DOCTYPE html><html lang="en"><article>{body}</article></html>')


@pytest.mark.browser
@pytest.mark.parametrize(("look", "body"), SPOILED, ids=lambda value: NAMES.get(value, ""))
def test_a_look_sees_what_is_wrong(new_page, look, body):
    page = new_page(width=360)
    show_article(page, body)
    assert page.evaluate(look)


@pytest.mark.browser
def test_no_look_finds_fault_with_a_sound_page(new_page):
    page = new_page(width=360)
    show_article(page, SOUND)
    assert looked_at(page) == NOTHING
    assert {look for look, _ in SPOILED} == set(LOOKS.values())


# Words of code of one kind that look as one before them in their block: one of a look is enough to
# tell its contrast, and axe takes most of its time for the thousands of others.
SAME_WORDS = """() => {
  const same = [...document.querySelectorAll("pre")].flatMap((block) => {
    const [seen, { right }] = [new Set(), block.getBoundingClientRect()];
    return [...block.querySelectorAll("span[class]")].filter((word) => {
      if (word.attributes.length > 1 || word.childElementCount) return false;
      if (word.getBoundingClientRect().right > right) return false;
      const { color, backgroundColor, fontSize, fontWeight, opacity } = getComputedStyle(word);
      const around = `${word.parentElement.className} ${word.className}`;
      const look = [around, color, backgroundColor, fontSize, fontWeight, opacity].join();
      return seen.has(look) || !seen.add(look);
    });
  });
  same.forEach((word) => word.replaceWith(word.textContent));
  document.querySelectorAll("pre").forEach((block) => block.normalize());
}"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_is_accessible(opened, theme):
    """Ask axe, after all else that only looks: it changes the page."""
    page = opened
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.locator(f"html[data-theme={theme}]").wait_for()
    page.evaluate(SAME_WORDS)
    # With "preload", axe would ask for style sheets by addresses that are not theirs.
    assert widget_page.violations(page, preload=False) == []


# --- What a finger can do ---------------------------------------------------------------------

# What a finger may miss, and how many links were looked at: all but those in a sentence, which has
# words of its own.
TINY = r"""() => {
  const isInSentence = (link) => {
    const block = link.closest("p, li, td, figcaption, nav");
    if (!block || block.matches("nav") || link.matches(".headerlink")) return false;
    const rest = block.cloneNode(true);
    for (const each of rest.querySelectorAll("a, ul, ol")) each.remove();
    return /\p{L}/u.test(rest.textContent);
  };
  const targets = [...document.querySelectorAll("a, button, summary, select, input")]
    .filter((e) => e.checkVisibility({ checkVisibilityCSS: true, opacityProperty: true }))
    .filter((e) => e.tagName !== "A" || !isInSentence(e));
  const tiny = targets.map((e) => [e, (e.closest("label") ?? e).getBoundingClientRect()])
    .filter(([, { width, height }]) => width && (width < 24 || height < 24))
    .map(([e, { width, height }]) => `${width} x ${height}: ${e.outerHTML.slice(0, 120)}`);
  return [tiny, targets.filter((e) => e.matches("li > a")).length];
}"""


@pytest.mark.browser
def test_a_finger_finds_what_a_mouse_does(visit):
    page = visit("book/12_googlenet", width=360, has_touch=True, is_mobile=True)
    copies = page.locator(".highlight:visible > button.copybtn")
    assert copies.count() > 10
    assert min(copies.evaluate_all("(all) => all.map((e) => getComputedStyle(e).opacity)")) > "0.8"
    tiny, closed = page.evaluate(TINY)
    assert tiny == []
    for side, links in (("primary", len(PAGES) - 1), ("secondary", 5)):
        page.locator(f"button.{side}-toggle").click()
        page.locator("dialog[open] li > a").first.wait_for()
        tiny, opened = page.evaluate(TINY)
        assert tiny == []
        assert opened - closed >= links
        page.keyboard.press("Escape")


@pytest.mark.browser
def test_a_link_alone_in_a_list_is_no_sentence(page):
    page.set_content(
        "<style>a { font: 10px/1 monospace }</style>"
        "<p>Read <a>this</a>.</p><ul><li><p><a>alone</a></p></li>"
        "<li><a>folded</a><ul><li>See <a>that</a>, too.</li></ul></li></ul>"
        "<h2>Heading<a class='headerlink'>#</a></h2>"
    )
    tiny, _ = page.evaluate(TINY)
    assert [re.search(r">(.*)</a>", each)[1] for each in tiny] == ["alone", "folded", "#"]


# --- What a page can do -----------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_explorer_is_alive(visit, name):
    page = visit(name)
    explorer = page.locator(".cnn-explorer").first
    explorer.scroll_into_view_if_needed()
    before = explorer.locator(".cnn-formula").inner_text()
    rows = explorer.locator(".cnn-output table").first.locator("tr").count()
    stride = explorer.get_by_role("slider", name="stride")
    start = int(stride.input_value())
    stride.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([text]) => document.querySelector('.cnn-formula').innerText !== text", arg=[before]
    )
    assert int(stride.input_value()) == start + 1
    assert explorer.locator(".cnn-output table").first.locator("tr").count() < rows
    no_trouble(page)


# Everything in a widget that a reader can set, as it stands.
SETTINGS = """(widget) => [...widget.querySelectorAll("input, select")]
  .filter((field) => field.type !== "text" || !field.readOnly)
  .map((field) => field.type === "radio" || field.type === "checkbox"
    ? field.checked : field.value)"""


def nudge(page, widget):
    """Move the first slider of a widget by a step, by keyboard; or its window, if it has none."""
    slider = widget.locator("input[type=range]:enabled").first
    if slider.count() == 0:
        widget.get_by_role("button", name="One step on").press("Enter")
        return page.wait_for_timeout(100)
    slider.scroll_into_view_if_needed()
    at_the_end = slider.evaluate("(e) => e.value === e.max")
    slider.press("ArrowLeft" if at_the_end else "ArrowRight")
    page.wait_for_timeout(100)


@pytest.mark.browser
def test_every_widget_is_alive(lively):
    page = lively
    widgets = living(page)
    assert widgets.count() > 0
    assert page.locator(".live-widget .lw-alert").count() == 0
    for widget in widgets.all():
        assert widget.bounding_box()["height"] > 200
        before = widget.evaluate("(e) => e.textContent"), widget.evaluate(SETTINGS)
        nudge(page, widget)
        after = widget.evaluate("(e) => e.textContent"), widget.evaluate(SETTINGS)
        assert before != after
    no_trouble(page)


# Where the Tab key must stop in a widget: at each control, at one radio button of a group, and at
# one cell of a map.
STOPS = """(widget) => [...widget.querySelectorAll("a, button, input, select, [tabindex='0']")]
  .filter((e) => !e.disabled && e.tabIndex >= 0 && e.checkVisibility({ checkVisibilityCSS: true }))
  .filter((e, _, all) => e.type !== "radio" || e === (all.find((one) =>
    one.name === e.name && one.checked) ?? all.find((one) => one.name === e.name)))"""
# What has the focus, as one sees it: where it is, whether a line is drawn round it, and whether
# it can be seen, or something lies over it. A radio button is drawn by its label, a map's place
# by the frame over the map.
FOCUSED = """([widget, stops]) => {
  const focused = document.activeElement;
  if (!widget.contains(focused)) return null;
  const radio = focused.type === "radio" ? focused : null;
  const frame = focused.matches("td") ? focused.closest(".cnn-grid").nextElementSibling : null;
  const card = focused.closest(".cnn-ch-card");
  const drawn = [radio?.nextElementSibling, card, frame, focused].filter(Boolean);
  const isOutlined = drawn.some((e) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(e);
    return e.checkVisibility() && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  });
  const { left, top, right, bottom } = (radio?.closest("label") ?? focused).getBoundingClientRect();
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const there = document.elementFromPoint(x, y);
  const isSeen = left >= -2 && right <= innerWidth + 2
    && (bottom - top > innerHeight || (top >= -2 && bottom <= innerHeight + 2))
    && (focused.contains(there) || focused.closest("label, .cnn-ch-card")?.contains(there));
  return {
    name: focused.outerHTML.slice(0, 120), at: stops.indexOf(focused), isOutlined, isSeen,
    box: [left, top + scrollY, right, bottom + scrollY],
  };
}"""


def goes_back(one: list[float], other: list[float]) -> bool:
    """Tell whether a place is above another in its column, or left of it in its row."""
    (left, top, right, bottom), (after_left, after_top, after_right, after_bottom) = one, other
    is_above = after_bottom <= top + 1 and after_left < right and left < after_right
    is_left = after_right <= left + 1 and after_top < bottom and top < after_bottom
    return is_above or is_left


@pytest.mark.browser
def test_the_tab_key_walks_over_every_control_and_shows_where_it_is(lively):
    page = lively
    widgets = living(page).element_handles()
    assert widgets
    for widget in widgets:
        stops = widget.evaluate_handle(STOPS)
        widget.evaluate(
            "(e) => { const start = document.createElement('span'); start.tabIndex = -1;"
            " e.before(start); start.focus(); }"
        )
        walk = []
        while True:
            page.keyboard.press("Tab")
            place = page.evaluate(FOCUSED, [widget, stops])
            if place is None:
                break
            walk.append(place)
        assert [place["at"] for place in walk] == list(range(stops.evaluate("(s) => s.length")))
        assert len(walk) > 3
        assert [place["name"] for place in walk if not place["isOutlined"]] == []
        assert [place["name"] for place in walk if not place["isSeen"]] == []
        back = [b["name"] for a, b in pairwise(walk) if goes_back(a["box"], b["box"])]
        assert back == []
    no_trouble(page)


@pytest.mark.browser
def test_widget_follows_the_theme(lively):
    page = lively
    colour = "getComputedStyle(document.querySelector('.live-widget .cnn-widget')).color"
    living(page).first.wait_for()
    seen = {}
    for _ in range(3):
        page.locator(".theme-switch-button").first.click()
        theme = page.locator("html").get_attribute("data-theme")
        seen[theme] = page.evaluate(colour)
    assert seen == {"light": "rgb(31, 35, 40)", "dark": "rgb(230, 230, 230)"}


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGET)
def test_without_scripts_a_widget_is_a_picture(visit, name):
    page = visit(name, java_script_enabled=False)
    stills = page.locator("[data-widget-fallback]")
    assert stills.count() == page.locator('script[type$="widget-view+json"]').count() > 0
    for still in stills.all():
        assert still.is_visible()
        assert still.locator("svg, table, img").first.is_visible()
        assert still.bounding_box()["height"] > 150
        figure = still.locator("xpath=ancestor::figure")
        if figure.count():
            assert figure.locator("figcaption").is_visible()
    assert page.locator("article h1").first.is_visible()
    assert not page.locator(".search-button-field").first.is_visible()
    assert page.trouble.foreign == []
    # Without scripts the browser gives up what it had begun to load of them ahead.
    assert [url for url in page.trouble.failed if ".js" not in url] == []


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGET)
def test_a_shared_link_brings_every_widget_back(visit, name):
    page = visit(name)
    widgets = living(page)
    for i in range(widgets.count()):
        widget = widgets.nth(i)
        nudge(page, widget)
        wanted = widget.evaluate(SETTINGS)
        widget.get_by_role("button", name="Copy a link").click()
        page.wait_for_function("location.hash.length > 5")
        other = visit(name, anchor=page.evaluate("location.hash"))
        restored = living(other).nth(i)
        restored.get_by_text("Set as the link says.").wait_for()
        assert restored.evaluate(SETTINGS) == wanted
        assert -10 < restored.bounding_box()["y"] < 250
        no_trouble(other)
        other.close()
        page.evaluate("history.replaceState(null, '', location.pathname)")


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_JSLINK)
def test_sliders_joined_by_jslink_move_the_explorer(visit, name):
    page = visit(name)
    box = page.locator(".live-widget .lw-box").filter(has=page.locator(".cnn-explorer")).first
    for control in box.locator(".lw-control input[type=range]").all():
        formula = box.locator(".cnn-formula-numbers").first
        before = formula.inner_text()
        control.press("ArrowRight")
        page.wait_for_timeout(100)
        assert formula.inner_text() != before
    no_trouble(page)


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGET)
def test_nothing_jumps_when_a_widget_comes(browser, book, name):
    seen = widget_appearance.appearance(browser, f"{book}/{name}.html", width=360)
    assert seen["shift"] < widget_appearance.LIMIT_SHIFT, seen["moved"]


@pytest.mark.browser
def test_a_font_that_comes_late_moves_nothing(new_page, book):
    page, held = new_page(360), []
    page.add_init_script(widget_appearance.WATCH)
    page.route("**/*.woff2", lambda route: held.append(route))
    page.goto(f"{book}/book/14_residual_blocks.html", wait_until="domcontentloaded")
    page.wait_for_function("seen.arrived")
    page.wait_for_timeout(1000)
    assert held
    for font in held:
        font.continue_()
    wait_for_all(page)
    page.wait_for_timeout(500)
    assert page.evaluate("seen.shift") < widget_appearance.LIMIT_SHIFT, page.evaluate("seen.moved")


# What a widget needs of the page's files: the styles, the page host, its own module and photograph.
NEEDED = re.compile(r"\.html$|\.css$|/static-widgets\.js$|/\w+-[0-9a-f]{12}\.(js|png)$")


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGET)
def test_widgets_wait_for_nothing_that_they_do_not_need(new_page, book, name):
    """How soon they come is for `benchmarks/widget_appearance.py` to say; here, before what."""
    page, held = new_page(), []

    def hold(route):
        if NEEDED.search(route.request.url.partition("?")[0]):
            return route.continue_()
        held.append(route.request.url)
        # Letters get no answer, for as long as the page is open. The rest is refused: of what can
        # wait, Chromium asks for six files at a time, and for no seventh.
        return None if ".woff" in route.request.url else route.abort()

    page.route("**/*", hold)
    page.goto(f"{book}/{name}.html", wait_until="commit")
    page.locator(".live-widget").first.wait_for()
    page.wait_for_function(widget_page.ALIVE)
    assert page.locator(".live-widget .lw-alert").count() == 0
    for other in ("bootstrap", "documentation_options", ".woff"):
        assert any(other in url for url in held)


# What one has to push aside to see whole.
WIDER = """(all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.outerHTML.slice(0, 120))"""


@pytest.mark.browser
@pytest.mark.parametrize("name", ["book/07_backpropagation", "book/08_training_a_cnn"])
def test_a_phone_shows_figures_and_summaries_whole(visit, name):
    page = visit(name, width=360)
    pictured = page.locator(".bd-article :is(figure .output, div:has(> .cnn-summary))")
    assert pictured.count() >= 2
    assert pictured.evaluate_all(WIDER) == []


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_formulas_are_set(visit, scripts):
    page = visit("book/02_convolution", java_script_enabled=scripts)
    formulas = page.locator("article .math")
    assert formulas.count() > 20
    assert formulas.count() == page.locator("article .katex-html:visible").count()
    assert formulas.count() == page.locator("article .math .katex-mathml > math").count()
    numbers = page.locator("article div.math .eqno").all_inner_texts()
    assert [number.rstrip("#") for number in numbers] == [
        f"(2.{i})" for i in range(1, len(numbers) + 1)
    ]
    assert numbers


@pytest.mark.browser
def test_search_works_without_a_server(visit):
    page = visit("search", anchor="?q=kernel")
    page.locator("#search-results li").first.wait_for()
    assert "book/" in page.locator("#search-results li a").first.get_attribute("href")
    no_trouble(page)


KEEPS_NOTHING = """Object.defineProperty(window, "localStorage", { configurable: true,
  get() { throw new DOMException("denied", "SecurityError") } })"""


@pytest.mark.browser
def test_a_browser_that_keeps_nothing_is_served_as_well(new_page, book):
    page = new_page(color_scheme="dark")
    page.add_init_script(KEEPS_NOTHING)
    page.goto(f"{book}/search.html?q=kernel")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_load_state("networkidle")  # what is found is shown with its sentence
    page.goto(f"{book}/{PAGES[0]}.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator(".theme-switch-button").first.click()
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    no_trouble(page)


# What a reader looks for, in the words that others use, and the page that teaches it.
SOUGHT = {
    "batch norm": "book/08_training_a_cnn",
    "batch normalization": "book/08_training_a_cnn",
    "learning rate": "book/07_backpropagation",
    "finetuning": "book/19_cifar10_resnet",
    "cross-correlation": "book/02_convolution",
    "dropout": "book/10_alexnet",
    "skip connection": "book/14_residual_blocks",
    "transfer learning": "book/19_cifar10_resnet",
    "1x1 convolution": "book/04_channels_and_filters",
    "backprop": "book/07_backpropagation",
}


@pytest.mark.browser
def test_the_search_finds_the_right_page_first(new_page, book):
    page, found = new_page(), {}
    for words in SOUGHT:
        page.goto(f"{book}/search.html?q={quote(words)}")
        first = page.locator("#search-results li a").first
        found[words] = first.get_attribute("href").partition(".html")[0]
    assert found == SOUGHT


def test_the_search_index_takes_no_word_of_a_still():
    stood = nodes.document("", "")
    stood += [nodes.raw("", "<p>kernel</p>", format="html"), Still(html="<p>whisker</p>")]
    words = IndexBuilder(MagicMock(), "en", {}, "")._word_collector(stood).words
    assert words == ["kernel"]


@pytest.mark.browser
def test_a_formula_stands_once_in_what_the_search_shows(visit):
    page = visit("search", anchor="?q=coefficient+of+statistics")
    sentence = page.locator("#search-results .context").first
    assert "of the template w and of the patch x below it" in sentence.inner_text()


@pytest.mark.browser
def test_search_opens_by_keyboard(visit):
    page = visit(PAGES[0])
    page.keyboard.press("Control+k")
    field = page.locator("#pst-search-dialog input")
    assert field.is_visible()
    field.fill("kernel")
    field.press("Enter")
    page.locator("#search-results li").first.wait_for()
    no_trouble(page)


@pytest.mark.browser
def test_a_dark_page_is_never_white(visit):
    page = visit(PAGES[0], color_scheme="dark")
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert max(red, green, blue) < 60


@pytest.mark.browser
def test_icons_are_drawn_from_the_small_font(visit):
    page = visit(PAGES[0])
    requests = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert any(name.endswith("_static/fa-solid-900.woff") for name in requests)
    assert not any("fontawesome" in name for name in requests)


@pytest.mark.browser
def test_a_number_in_a_sentence_is_printed_as_it_was_made(visit):
    # MyST-NB reads what a cell glued as a Python literal: "269,722" would come out as a pair.
    numbers = visit("book/intro").locator(".pasted-text").all_inner_texts()
    assert "269,722" in numbers
    assert not any(number.startswith("(") for number in numbers)


def test_a_percent_sign_keeps_its_number():
    assert join_percent("74.1 % of 93%, not 5 %d or %") == (
        "74.1\xa0% of 93\xa0%, not 5\xa0%d or %"
    )


@pytest.mark.browser
def test_chapters_are_numbered_by_their_files(visit):
    page = visit("book/02_convolution")
    assert page.locator("article h1").first.inner_text().startswith("2. ")
    labels = page.locator("figcaption .caption-number").all_inner_texts()
    figures = [label.strip() for label in labels]
    assert figures == [f"Fig. 2.{i}" for i in range(1, len(figures) + 1)]
    assert figures


# --- The book's extension ---------------------------------------------------------------------


def test_every_page_of_the_contents_is_found():
    assert {"book/intro", "book/02_convolution", "book/19_cifar10_resnet"} <= set(PAGES)
    assert documents({"root": "a", "parts": [{"chapters": [{"file": "b"}]}]}) == ["a", "b"]


def test_the_page_host_says_what_it_can_do():
    kinds = known_kinds(PAGE_HOST.read_text())
    assert {"AnyModel", "IntSliderModel", "LinkModel"} <= kinds
    with pytest.raises(ValueError, match="KINDS"):
        known_kinds("const OTHER = [];")


def test_an_unknown_widget_is_named():
    names = ["AnyModel", "PlayModel", "LayoutModel", "SliderStyleModel"]
    state = {str(i): {"model_name": name} for i, name in enumerate(names)}
    assert unknown_kinds(state, {"AnyModel"}) == ["PlayModel"]
    assert unknown_kinds(state, {"AnyModel", "PlayModel"}) == []


def test_what_widgets_share_goes_into_files():
    files = {}

    def keep(name, ending, content):
        files[f"{name}.{ending}"] = content
        return f"../_static/{name}.{ending}"

    photo = "data:image/png;base64," + "iVBORw0K" * 400
    module = "export default 3;"
    traits = {"_anywidget_id": "cnnlib.widgets.Lab", "_esm": module, "_css": "p {}", "size": 3}
    state = {name: {"state": traits | {"photo": photo}} for name in "ab"}
    scripts, styles = lighten(state, keep)
    assert scripts == {"../_static/lab.js", "../_static/picture.js"}
    assert styles == {"../_static/lab.css"}
    assert files["lab.js"].decode() == module_script(module)
    assert files["picture.js"].decode() == f'document.currentScript.held = "{photo}";\n'
    for model in state.values():
        assert model["state"] == {
            "_anywidget_id": "cnnlib.widgets.Lab",
            "_esm": "../_static/lab.js",
            "size": 3,
            "photo": "../_static/picture.js",
        }
    assert lighten(state, keep) == (set(), set())  # once is enough


def test_a_module_that_no_function_can_be_stays_in_the_page():
    for text in (
        'import x from "y";\nexport default x;',
        "export { a };\nexport default a;",
        "const a = 1;",
    ):
        assert module_script(text) is None
        state = {"a": {"state": {"_esm": text}}}
        assert lighten(state, lambda *file: pytest.fail(file)) == (set(), set())
        assert state["a"]["state"]["_esm"] == text
    script = module_script("export const a = 1;\nconst text = 'export default';\nexport default a;")
    assert "\nconst a = 1;\nconst text = 'export default';\nconst entry = a;\n" in script


def test_a_picture_in_a_drawing_is_lighter_and_the_same():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 1), np.uint8).repeat(4, axis=2)
    pixels[..., 3] = 255
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    drawn = f'<image href="data:image/png;base64,\n{b64encode(buffer.getvalue()).decode()}\n"/>'
    lighter = EMBEDDED.sub(as_webp, drawn)
    address = re.fullmatch('<image href="data:image/webp;base64,([^"]+)"/>', lighter)[1]
    assert len(lighter) < 0.8 * len(drawn)
    with Image.open(BytesIO(b64decode(address))) as picture:
        np.testing.assert_array_equal(picture.convert("RGBA"), pixels)


def test_a_photograph_in_a_drawing_is_much_lighter_and_nearly_the_same():
    cat = cat_photo(128, gray=False)
    buffer = BytesIO()
    Image.fromarray(cat).save(buffer, "PNG")
    drawn = f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
    lighter = EMBEDDED.sub(as_webp, drawn)
    assert len(lighter) < 0.5 * len(drawn)
    with Image.open(BytesIO(b64decode(lighter.partition(",")[2]))) as picture:
        difference = np.asarray(picture.convert("RGB")) - cat.astype(float)
    assert np.sqrt(np.mean(difference**2)) < 4  # of 255 levels


def test_the_name_of_a_kept_file_changes_with_its_content(tmp_path):
    names = [keep_file(tmp_path, "lab", "js", text) for text in (b"a", b"b", b"a")]
    assert names[0] == names[2] != names[1]
    assert (tmp_path / names[1]).read_bytes() == b"b"
    assert re.fullmatch(r"lab-[0-9a-f]{12}\.js", names[0])


# A box of two sliders and an explorer, as chapter 3 shows it, and a widget that no page can draw.
BOXED = """\
from ipywidgets import IntSlider, VBox, jslink

from cnnlib.widgets import ConvolutionExplorer

explorer = ConvolutionExplorer(kernel=[[1, 2], [3, 4]], stride=3)
step, frame = IntSlider(3, 1, 4, description="Step"), IntSlider(0, 0, 6, description="Frame")
jslink((step, "value"), (explorer, "stride"))
jslink((frame, "value"), (explorer, "padding"))
VBox([step, frame, explorer])"""
UNKNOWN = "import ipywidgets\n\nipywidgets.Play()"


def build(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Build a book as a reader of the manual would; return what the build said."""
    command = [Path(sys.executable).parent / "jupyter-book", "build", ".", "-W", "-n"]
    return subprocess.run(
        [*command, "--keep-going"],
        cwd=folder, capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def little_book(tmp_path_factory):
    """Build a little book of two notebooks; return its folder and what the build said."""
    folder = tmp_path_factory.mktemp("little")
    (folder / "book").mkdir()
    shutil.copy(ROOT / "_config.yml", folder)
    for name in ("_static", "_ext", "_templates"):
        shutil.copytree(ROOT / "book" / name, folder / "book" / name)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    for name, source in (("boxed", BOXED), ("unknown", UNKNOWN)):
        cells = [nbformat.v4.new_markdown_cell(f"# {name}"), nbformat.v4.new_code_cell(source)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(book, folder / "book" / f"{name}.ipynb")
    contents = {"format": "jb-book", "root": "book/boxed", "chapters": [{"file": "book/unknown"}]}
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents))
    return folder, build(folder)


@pytest.mark.slow
def test_the_build_fails_for_a_widget_that_no_page_can_draw_and_names_it(little_book):
    _, built = little_book
    assert built.returncode != 0
    said = built.stdout + built.stderr
    assert re.search(r"unknown.*static-widgets\.js does not know the widget PlayModel", said)
    assert re.search(r"unknown.*a widget cannot be drawn: .*PlayModel", said)
    assert "boxed" not in "".join(line for line in said.splitlines() if "does not know" in line)


def test_the_line_of_a_notebook_that_failed_says_so():
    run = {"runtime": 61.6, "succeeded": False}
    assert running.line("09_lenet", run, 3) == "   62 s  09_lenet, where it failed; 3 left"


@pytest.mark.slow
def test_the_build_says_how_long_each_notebook_took_and_how_many_are_left(little_book):
    _, built = little_book
    ends = re.findall(r"^ +\d+ s  (\w+); (\d) left$", built.stdout, re.MULTILINE)
    assert {name for name, _ in ends} == {"boxed", "unknown"}
    assert [number for _, number in ends] == ["1", "0"]
    assert "Running 2 notebooks" in built.stdout
    assert "IPKernelApp" not in built.stdout + built.stderr


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_a_box_has_a_still_form_in_the_measures_of_the_living_one(
    little_book, new_page, serve, width
):
    address = serve(little_book[0] / "_build" / "html") + "/book/boxed.html"
    still_page = new_page(width, java_script_enabled=False)
    still_page.goto(address)
    still = still_page.locator("[data-widget-fallback]")
    assert still.is_visible()
    assert "Step 3" in " ".join(still.inner_text().split())
    assert "Output row 2, column 2:" in still.inner_text()
    assert "where scripts run, one can change it" in still.inner_text()
    page = new_page(width)
    page.route("**/static-widgets.js*", lambda route: route.abort())
    page.goto(address)
    height = page.locator("[data-widget-fallback]").bounding_box()["height"]
    page.unroute_all()
    page.reload()
    page.locator(".live-widget .cnn-explorer").wait_for()
    assert page.locator(".live-widget").bounding_box()["height"] == pytest.approx(height, abs=2)
    living = page.locator(".live-widget")
    living.get_by_label("Step", exact=True).press("ArrowRight")
    living.get_by_label("Frame", exact=True).press("ArrowRight")
    words = living.locator(".cnn-formula-numbers").first.inner_text()
    assert words == "4 = ⌊(12 + 2 × 1 − 1 × (2 − 1) − 1) / 4⌋ + 1"


@pytest.mark.slow
@pytest.mark.browser
def test_without_chromium_a_box_as_high_as_the_widget_stands_there(little_book, new_page, serve):
    folder, _ = little_book
    shutil.rmtree(folder / "_build")
    contents = {"format": "jb-book", "root": "book/boxed"}  # a build that nothing else would fail
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents))
    built = build(folder, CHROMIUM="none")
    said = built.stdout + built.stderr
    assert built.returncode == 0, said
    notice = r"^NOTICE: No Chromium was found\. Where scripts are off, a box"
    assert len(re.findall(notice, said, re.MULTILINE)) == 1
    address = serve(folder / "_build" / "html") + "/book/boxed.html"
    for width in (360, 620, 1024):
        page = new_page(width, java_script_enabled=False)
        page.goto(address)
        box = page.locator("[data-widget-fallback]")
        assert "draws it by a script" in box.inner_text()
        height = box.bounding_box()["height"]
        page = new_page(width)
        page.goto(address)
        page.locator(".live-widget .cnn-explorer").wait_for()
        living = page.locator(".live-widget").bounding_box()["height"]
        assert height == pytest.approx(living, abs=60 if width == 620 else 2)  # between two widths
        assert page.locator("[data-widget-fallback]").is_hidden()


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_WIDGET)
def test_the_table_of_heights_is_that_of_the_book(visit, name):
    """As far as another machine's letters allow: the build writes it where it is off by a pixel."""
    table = json.loads(HEIGHTS.read_text())
    page = visit(name, width=360, java_script_enabled=False)
    stills = page.locator("[data-widget-fallback]").all()
    known = table["pages"][name]
    for width, heights in zip(table["widths"], zip(*known, strict=True), strict=True):
        page.set_viewport_size({"width": width, "height": 900})
        measured = [still.bounding_box()["height"] for still in stills]
        assert measured == pytest.approx(heights, rel=0.1, abs=40)  # and the word beside a still


def test_icons_in_use_are_found():
    style = r'.fa-bars:before,.fa-navicon:before{content:"\f0c9"}.fa-sun:before{content:"\f185"}'
    style += ':root{--pst-icon-bell:"\uf0f3"}'
    style += '.hide:after{font-weight:900;content:"\\f107"}'
    assert used_icons(style, ['<i class="fa-solid fa-bars">']) == {0xF0C9, 0xF0F3, 0xF107}


HEAD = """\
<link href="../_static/styles/theme.css?digest=1" rel="stylesheet" />
<link rel="stylesheet" type="text/css" href="../_static/mystnb.11b3.css" />
<link rel="stylesheet" type="text/css" href="../_static/formulas.css" />
<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<link rel="preload" as="script" href="../_static/scripts/bootstrap.js" />
"""


def test_a_head_loads_one_sheet_and_what_is_the_page_s_own():
    assert re.findall(r'(?:href|src)="([^"]*)"', lighter_head(HEAD, "one.css")) == [
        "one.css",
        "../_static/formulas.css",
    ]
    with pytest.raises(ValueError, match=r"fontawesome\.js"):
        lighter_head("<link>", "one.css")


def test_scripts_wait_until_the_page_is_read():
    now = [
        '<script src="documentation_options.js"></script>',
        "<script>DOCUMENTATION_OPTIONS.pagename = 'one';</script>",
        '<script async="async" src="static-widgets.js"></script>',
    ]
    assert deferred("".join(now)) == "".join(now)
    assert deferred('<script src="doctools.js?v=1">') == '<script defer src="doctools.js?v=1">'


@pytest.mark.parametrize(
    ("style", "used"),
    [
        (".a{x:1}.b{x:2}", ".a{x:1}"),
        (".a,.b .a,p{x:1}", ".a,p{x:1}"),
        (".a:not(.b,.c),.a:is(p,.b:not(.c)){x:1}", ".a:not(.b,.c),.a:is(p,.b:not(.c)){x:1}"),
        ("@media print{.b{x:1}}@media print{.a{x:1}}", "@media print{.a{x:1}}"),
        ("@font-face{x:1}@keyframes k{from{x:1}50%,to{x:2}}", None),
        ('/* .a */[href$=".pdf"]{x:1}', '[href$=".pdf"]{x:1}'),
        (".bs-tooltip-auto{x:1}", None),
    ],
)
def test_a_style_sheet_loses_what_no_page_uses(style, used):
    assert without_unused(style, {"a"}) == (style if used is None else used)


def test_the_theme_leaves_what_scrolls_to_the_book():
    begin = '"complete"===document.readyState?I():window.addEventListener("load",I)'
    assert without_look(f"(()=>{{e(1),{begin}}})();") == "(()=>{e(1)})();"
    with pytest.raises(ValueError, match="what scrolls"):
        without_look("window.addEventListener('load', look)")
