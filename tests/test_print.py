"""A page on paper: what its print style sheet makes of it."""

from __future__ import annotations

import pypdfium2
import pytest
import widget_page
from conftest import fresh_page

pytestmark = pytest.mark.browser

A4 = 635  # pixels between the margins

#: What is wider than the paper, or would have to be scrolled there.
CUT = """() => [...document.querySelectorAll("article *:not(svg *, .katex *)")]
  .filter((e) => e.checkVisibility() && !e.closest(".cnn-hidden"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
    || (e.matches("pre, figure, .output, .katex-display, .pst-scrollable-table-container")
      && e.scrollWidth > e.clientWidth + 1))
  .map((e) => e.outerHTML.slice(0, 160))"""
#: What is for hands.
NAVIGATION = """() => [...document.querySelectorAll(
    "header, nav, dialog, summary, .prev-next-footer, .headerlink, .copybtn, .cnn-share")]
  .filter((e) => e.checkVisibility()).map((e) => e.outerHTML.slice(0, 160))"""
#: What a page's end may tear apart.
TORN = """() => [...document.querySelectorAll("article :is(figure, .admonition, .widget, pre)")]
  .filter((e) => e.checkVisibility() && getComputedStyle(e).breakInside !== "avoid")
  .map((e) => e.outerHTML.slice(0, 160))"""
#: Whose shade the browser may leave out to save ink.
UNSHADED = """() => [...document.querySelectorAll("article *")]
  .filter((e) => getComputedStyle(e).printColorAdjust !== "exact")
  .map((e) => e.outerHTML.slice(0, 160))"""

#: The shades of a widget's cells and of what is pressed, as they lie on white.
SHADES = """() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  const shown = document.querySelectorAll(".live-widget td, .live-widget :checked + span");
  return [...shown].map((e) => {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = getComputedStyle(e).backgroundColor;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  });
}"""


@pytest.fixture(scope="module")
def paper(browser, book):
    """Open pages as paper shows them: ``paper("book/intro")``."""
    page = fresh_page(browser, width=A4, color_scheme="dark")

    def open_page(name: str):
        page.emulate_media(media="screen")
        page.goto(f"{book}/{name}.html")
        widget_page.wait_until_alive(page)
        page.emulate_media(media="print")
        return page

    yield open_page
    page.context.close()


@pytest.mark.parametrize("name", ["book/02_convolution", "book/05_pooling", "book/survival"])
def test_nothing_is_cut_or_torn_or_for_hands_alone(paper, name):
    page = paper(name)
    assert page.evaluate(CUT) == []
    assert page.evaluate(NAVIGATION) == []
    assert page.evaluate(TORN) == []
    assert page.evaluate(UNSHADED) == []
    assert page.locator("article h1").is_visible()
    assert page.locator("article").evaluate("(e) => e.getBoundingClientRect().x") == 0


def test_the_looks_see_what_is_wrong(new_page):
    page = new_page(width=A4)
    page.set_content("""<nav>Next</nav><article><figure><pre style="overflow: auto">"""
                     + 200 * "word" + "</pre></figure></article>")  # fmt: skip
    for look in (CUT, NAVIGATION, TORN, UNSHADED):
        assert page.evaluate(look)


def test_code_is_wrapped(paper):
    page = paper("book/02_convolution")
    block = page.locator("article div.cell:not([class*=hide]) pre").first
    block.evaluate("(e) => { e.textContent = 'x'.repeat(300); }")
    assert block.bounding_box()["height"] > 50
    assert page.evaluate(CUT) == []


def printed_colours(pdf: bytes, words: str) -> dict[tuple[int, int, int], int]:
    """Return how often each colour occurs on the printed page on which some words stand."""
    for page in pypdfium2.PdfDocument(pdf):
        if words in page.get_textpage().get_text_range():
            picture = page.render(scale=1).to_pil().convert("RGB")
            return {colour: count for count, colour in picture.getcolors(1 << 24)}
    raise AssertionError(f"{words!r} is nowhere in print.")


def test_a_dark_page_is_printed_light_with_its_shades_and_icons(paper):
    page = paper("book/02_convolution")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    printed = page.pdf(format="A4")
    colours = printed_colours(printed, "Fig. 2.5")
    assert max(colours, key=colours.get) == (255, 255, 255)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.emulate_media(media="screen", color_scheme="light")
    page.reload()
    widget_page.wait_until_alive(page)
    shades = {tuple(shade) for shade in page.evaluate(SHADES)}
    assert len(shades) >= 4
    assert {shade for shade in shades if count_near(colours, shade) < 50} == set()


def count_near(colours: dict[tuple, int], wanted: tuple) -> int:
    """Count the pixels of a colour, or of one next to it: paper rounds otherwise than a screen."""
    near = (max(abs(a - b) for a, b in zip(colour, wanted, strict=True)) <= 2 for colour in colours)
    return sum(count for count, is_near in zip(colours.values(), near, strict=True) if is_near)
