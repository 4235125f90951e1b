"""The built book in a real browser: every page, light and dark, wide and narrow."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
WIDTHS = [360, 768, 1024, 1440]


def documents(node) -> list[str]:
    """Return every page that a table of contents names, in order."""
    if isinstance(node, list):
        return [name for child in node for name in documents(child)]
    own = [node[key] for key in ("root", "file") if key in node]
    return own + [
        name for key in ("parts", "chapters", "sections") for name in documents(node.get(key, []))
    ]


PAGES = documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))
WITH_EXPLORER = ["book/intro", "book/02_convolution"]


def load_extension():
    """Import the book's Sphinx extension, which lies outside every package."""
    path = ROOT / "book" / "_ext" / "seeing.py"
    spec = importlib.util.spec_from_file_location("seeing", path)
    module = sys.modules["seeing"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def visit(new_page, serve):
    """Open pages of the built book: ``visit("book/intro", width=360, color_scheme="dark")``."""
    if not (HTML / "index.html").exists():
        pytest.fail("The book is not built: run `make book`.", pytrace=False)
    base = serve(HTML)

    def open_page(name: str, anchor: str = "", **options):
        page = new_page(**options)
        page.goto(f"{base}/{name}.html{anchor}")
        page.wait_for_load_state("networkidle")
        if options.get("java_script_enabled", True):
            page.evaluate("window.MathJax?.startup?.promise")
            page.evaluate("document.fonts.ready")
        return page

    return open_page


def no_trouble(page) -> None:
    """Assert that nothing went wrong on a page, and nothing was asked of another host."""
    assert page.trouble.console == []
    assert page.trouble.failed == []
    assert page.trouble.foreign == []


# --- Every page -------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_page_opens_quietly(visit, name):
    page = visit(name)
    page.mouse.wheel(0, 100_000)
    page.wait_for_load_state("networkidle")
    assert page.locator("main h1:visible").count() == 1
    no_trouble(page)


@pytest.mark.browser
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_page_is_accessible(visit, name, color_scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(name, color_scheme=color_scheme, reduced_motion="reduce")
    assert page.locator("html").get_attribute("data-theme") == color_scheme
    # Without "preload", axe would ask for style sheets by addresses that are not theirs.
    result = Axe().run(page, options={"preload": False})
    assert result.violations_count == 0, result.generate_report()
    assert result.response["passes"]


# What reaches beyond the page's right edge, unless a box around it scrolls.
SPILLS = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const { right, width } = element.getBoundingClientRect();
  if (!width || right <= document.documentElement.clientWidth + 1) return false;
  for (let box = element; box; box = box.parentElement)
    if (/auto|scroll/.test(getComputedStyle(box).overflowX)) return false;
  return true;
}).map((element) => element.outerHTML.slice(0, 120))"""

# Notes in the margin that lie on text, code or a picture of the article.
OVERLAPS = """() => {
  const box = (element) => element.getBoundingClientRect();
  const notes = [...document.querySelectorAll("aside.margin")];
  const texts = [...document.querySelectorAll("article :is(p, pre, figure, table, h2, h3)")]
    .filter((element) => !element.closest("aside.margin") && box(element).width);
  return notes.flatMap((note) => texts.filter((text) => {
    const [a, b] = [box(note), box(text)];
    const [width, height] = [Math.min(a.right, b.right) - Math.max(a.left, b.left),
                             Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
    return width > 1 && height > 1 && getComputedStyle(note).float === "none";
  }).map((text) => `${note.innerText.slice(0, 40)} / ${text.innerText.slice(0, 40)}`));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_page_fits(visit, name, width):
    page = visit(name, width=width)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    assert page.evaluate(SPILLS) == []
    assert page.evaluate(OVERLAPS) == []


@pytest.mark.browser
def test_spills_are_seen(visit):
    page = visit(PAGES[0], width=360)
    page.locator("article p").first.evaluate("p => { p.style.width = '900px'; }")
    assert page.evaluate(SPILLS)


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_what_scrolls_sideways_can_be_reached(visit, name):
    page = visit(name, width=360)
    unreachable = """() => [...document.querySelectorAll("article *")].filter((element) =>
      /auto|scroll/.test(getComputedStyle(element).overflowX)
      && element.scrollWidth > element.clientWidth + 1 && element.checkVisibility()
      && element.tabIndex < 0 && !element.querySelector("a, button, input, select, [tabindex]")
    ).map((element) => element.outerHTML.slice(0, 120))"""
    page.wait_for_function(f"({unreachable})().length === 0")


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_a_text_and_a_caption(visit, name):
    page = visit(name)
    for picture in page.locator("article :is(img, svg[role=img], canvas)").all():
        text = picture.get_attribute("alt") or picture.get_attribute("aria-label") or ""
        assert len(text) > 20, picture.evaluate("element => element.outerHTML.slice(0, 200)")
    for figure in page.locator("article figure").all():
        assert figure.locator("figcaption").inner_text().strip()


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
    stride.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([text]) => document.querySelector('.cnn-formula').innerText !== text", arg=[before]
    )
    assert stride.input_value() == "2"
    assert explorer.locator(".cnn-output table").first.locator("tr").count() < rows
    no_trouble(page)


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_widget_follows_the_theme(visit, name):
    page = visit(name)
    colour = "getComputedStyle(document.querySelector('.cnn-widget')).color"
    seen = {}
    for _ in range(3):
        page.locator(".theme-switch-button").first.click()
        theme = page.locator("html").get_attribute("data-theme")
        seen[theme] = page.evaluate(colour)
    assert seen == {"light": "rgb(31, 35, 40)", "dark": "rgb(230, 230, 230)"}


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_without_scripts_a_widget_is_a_picture(visit, name):
    page = visit(name, java_script_enabled=False)
    still = page.locator("[data-widget-fallback]").first
    assert still.is_visible()
    assert still.locator("svg, table, img").first.is_visible()
    assert page.locator("article h1").first.is_visible()
    assert not page.locator(".search-button-field").first.is_visible()
    assert page.trouble.foreign == []


@pytest.mark.browser
@pytest.mark.parametrize("name", WITH_EXPLORER)
def test_with_scripts_the_still_picture_steps_back(visit, name):
    page = visit(name)
    page.locator(".cnn-explorer").first.wait_for()
    for still in page.locator("[data-widget-fallback]").all():
        assert not still.is_visible()


@pytest.mark.browser
def test_mathematics_is_set(visit):
    page = visit("book/02_convolution")
    assert page.locator("mjx-container[display=true]").count() >= 1
    assert page.locator("mjx-container mjx-assistive-mml math").count() >= 1
    assert page.locator("mjx-merror").count() == 0
    no_trouble(page)


@pytest.mark.browser
def test_search_works_without_a_server(visit):
    page = visit("search", anchor="?q=kernel")
    page.locator("#search-results li").first.wait_for()
    assert "book/" in page.locator("#search-results li a").first.get_attribute("href")
    no_trouble(page)


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
@pytest.mark.parametrize("name", [name for name in PAGES if (ROOT / f"{name}.ipynb").exists()])
def test_launch_button_names_the_notebook(visit, name):
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    slug = url.removeprefix("https://github.com/")
    page = visit(name)
    links = [link.get_attribute("href") for link in page.locator("header a, main a").all()]
    assert f"https://colab.research.google.com/github/{slug}/blob/main/{name}.ipynb" in links
    assert url in links


@pytest.mark.browser
def test_a_number_in_a_sentence_is_printed_as_it_was_made(visit):
    # MyST-NB reads what a cell glued as a Python literal: "269,722" would come out as a pair.
    numbers = visit("book/intro").locator(".pasted-text").all_inner_texts()
    assert "269,722" in numbers
    assert not any(number.startswith("(") for number in numbers)


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
    assert {"book/intro", "book/02_convolution", "book/17_cifar10_resnet"} <= set(PAGES)
    assert documents({"root": "a", "parts": [{"chapters": [{"file": "b"}]}]}) == ["a", "b"]


def test_the_page_host_says_what_it_can_do():
    seeing = load_extension()
    kinds = seeing.known_kinds(seeing.PAGE_HOST.read_text())
    assert {"AnyModel", "IntSliderModel", "LinkModel"} <= kinds
    with pytest.raises(ValueError, match="KINDS"):
        seeing.known_kinds("const OTHER = [];")


def test_an_unknown_widget_is_named():
    seeing = load_extension()
    names = ["AnyModel", "PlayModel", "LayoutModel", "SliderStyleModel"]
    state = {str(i): {"model_name": name} for i, name in enumerate(names)}
    assert seeing.unknown_kinds(state, {"AnyModel"}) == ["PlayModel"]
    assert seeing.unknown_kinds(state, {"AnyModel", "PlayModel"}) == []


def test_icons_in_use_are_found():
    seeing = load_extension()
    style = r'.fa-bars:before,.fa-navicon:before{content:"\f0c9"}.fa-sun:before{content:"\f185"}'
    style += ':root{--pst-icon-bell:"\uf0f3"}'
    assert seeing.used_icons(style, ['<i class="fa-solid fa-bars">']) == {0xF0C9, 0xF0F3}


def test_the_icon_script_goes_or_the_build_says_so():
    seeing = load_extension()
    head = '<script defer src="../_static/scripts/fontawesome.js?digest=1"></script><link>'
    assert seeing.without_icon_script(head) == "<link>"
    with pytest.raises(ValueError, match=r"fontawesome\.js"):
        seeing.without_icon_script("<link>")
