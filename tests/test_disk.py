"""The built book as files on a disk, as a reader has it who unpacked the archive: no server."""

from __future__ import annotations

from pathlib import Path

import pytest
import widget_page
import yaml
from conftest import fresh_page

from benchmarks.pages import documents

ROOT = Path(__file__).resolve().parent.parent
PAGES = documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))

pytestmark = pytest.mark.browser

#: Chromium refuses to load ahead what asks for leave, as fonts must, and loads them when they are
#: needed.
REFUSED = ("was preloaded", "Access to font", "Failed to load resource: net::ERR_FAILED")
FONTS = (
    """[...document.fonts].filter((font) => font.status === "loaded").map((font) => font.family)"""
)


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory) -> Path:
    """The built book in a folder with a name as readers give them."""
    folder = tmp_path_factory.mktemp("disk") / "Seeing Convolutions (é) #1"
    folder.symlink_to(built / "html", target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def disk(browser, folder):
    """Open pages of the book from disk: ``disk("book/intro")``."""
    page = fresh_page(browser)

    def open_page(name: str, query: str = ""):
        page.goto((folder / f"{name}.html").as_uri() + query)
        widget_page.wait_until_alive(page)
        return page

    yield open_page
    page.context.close()


def troubles(page) -> list[str]:
    """Return what went wrong on the pages so far, but for fonts that cannot be loaded ahead."""
    found = [text for text in page.trouble.console if not text.startswith(REFUSED)]
    failed = [url for url in page.trouble.failed if not url.endswith(".woff2")]
    return found + failed + page.trouble.foreign


#: Move the first slider of each widget by a step, or its window, if it has none; return those
#: widgets in which nothing else moves with it.
UNMOVED = f"""async () => {{
  const rest = {widget_page.REST};
  const unmoved = [];
  for (const widget of document.querySelectorAll(".live-widget .cnn-widget")) {{
    const slider = widget.querySelector("input[type=range]:enabled");
    const control = slider ??
      [...widget.querySelectorAll("button")].find((one) => one.ariaLabel === "One step on");
    const before = rest(widget, control);
    if (slider) {{
      slider.value === slider.max ? slider.stepDown() : slider.stepUp();
      slider.dispatchEvent(new Event("input", {{ bubbles: true }}));
    }} else {{
      control.click();
    }}
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    if (rest(widget, control) === before) unmoved.push(widget.outerHTML.slice(0, 120));
  }}
  return unmoved;
}}"""
#: Keep all widgets from hearing what a reader does.
DEAFEN = """() => {
  for (const kind of ["input", "click"]) {
    addEventListener(kind, (event) => event.stopImmediatePropagation(), true);
  }
}"""


def test_every_page_has_its_letters_its_formulas_and_living_widgets(disk):
    living = 0
    for name in PAGES:
        page = disk(name)
        page.evaluate("document.fonts.ready.then(() => {})")
        assert "Source Serif 4" in " ".join(page.evaluate(FONTS)), name
        unset = page.locator(".math:not(.highlight *):not(:has(.katex math))")
        assert unset.all_text_contents() == [], name
        assert page.locator(".live-widget .lw-alert").count() == 0, name
        living += page.locator(".live-widget .cnn-widget").count()
        assert page.evaluate(UNMOVED) == [], name
        assert troubles(page) == [], name
    assert living >= 6


def test_a_widget_of_which_the_slider_alone_moves_is_found(disk):
    page = disk("book/06_receptive_fields")
    page.evaluate(DEAFEN)
    widgets = page.locator(".live-widget .cnn-widget").count()
    assert len(page.evaluate(UNMOVED)) == widgets > 0


def test_a_link_to_a_widget_s_state_works_there_too(disk):
    page = disk("book/02_convolution")
    explorer = page.locator(".live-widget .cnn-explorer").first
    explorer.get_by_role("slider", name="stride").press("ArrowRight")
    explorer.get_by_role("button", name="Copy a link").click()
    page.wait_for_function("location.hash.length > 5")
    stride = explorer.get_by_role("slider", name="stride").input_value()
    page.reload()
    page.get_by_text("Set as the link says.").wait_for()
    assert explorer.get_by_role("slider", name="stride").input_value() == stride
    assert troubles(page) == []


def test_the_search_finds_pages(disk):
    page = disk("search", "?q=kernel")
    first = page.locator("#search-results li a").first
    first.wait_for()
    page.locator("#search-results li a").first.click()
    page.locator("article h1").wait_for()
    assert page.url.startswith("file:")
    assert troubles(page) == []


def test_the_way_in_is_the_first_page(disk):
    page = disk("index")
    page.locator("article h1").wait_for()
    assert page.url.endswith("/book/intro.html")
