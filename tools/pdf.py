"""Print the built book as one PDF: ``python tools/pdf.py``.

Chromium joins the pages (``pdf.js``) and prints them by the book's print.css and ``pdf.css``. It
cannot write on which page a heading will stand, so it prints twice: what the first print shows is
written into the second, and must be true of it. Needs ``make book`` and Chromium, as the tests do.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import pikepdf
import yaml
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))
HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "seeing-convolutions.pdf"
MOST_PRINTS = 5
PATIENCE = 300_000  # milliseconds, on however slow a machine

LICENCES = "Code: MIT. Text and figures: CC BY 4.0."
ON_PAPER = (
    "Printed from the book's pages. What moves there rests here, solutions stand at the end of "
    "their chapter, and code that only draws a figure is left out."
)
#: All that is to be seen is there.
READY = """async () => {
  await Promise.all([...document.images].map((image) => image.decode()));
  await document.fonts.ready;
}"""
PAGE_WIDTH, PAGE_HEIGHT = 635, 964  # pixels of an A4 page within its margins
#: Write page numbers. Those of the first print are guesses, with as many digits as the true ones
#: where they can be: pages are not filled to the last line.
FILL = """([numbers, height]) => {
  for (const link of document.querySelectorAll("a[data-page]")) {
    const name = decodeURIComponent(link.hash.slice(1));
    const { top } = document.getElementById(name).getBoundingClientRect();
    link.dataset.page = numbers[name] ?? Math.ceil((1.2 * (top + scrollY)) / height);
  }
}"""


def parts_of(contents: dict) -> list[dict]:
    """Return the parts of a table of contents, the opening page first.

    Returns
    -------
    list of dict
        Of each part its ``caption``, which may be empty, and the names of its ``pages``.
    """
    parts = [{"caption": "", "pages": [contents["root"]]}]
    for part in contents["parts"]:
        pages = [chapter["file"] for chapter in part["chapters"]]
        parts.append({"caption": part["caption"], "pages": pages})
    return parts


def page_numbers(pdf: bytes) -> dict[str, int]:
    """Return on which page each place stands that a link of a PDF leads to, the first being 1."""
    with pikepdf.open(BytesIO(pdf)) as book:
        numbers = {page.objgen: number for number, page in enumerate(book.pages, start=1)}
        places = book.Root.Dests.items()
        return {name.removeprefix("/"): numbers[place[0].objgen] for name, place in places}


def print_twice(page: Page) -> bytes:
    """Print a page whose links tell page numbers, until they tell the truth.

    Raises
    ------
    RuntimeError
        If they never do: each number that is written moves something to another page.
    """
    told = {}
    for _ in range(MOST_PRINTS):
        page.evaluate(FILL, [told, PAGE_HEIGHT])
        # The first is for its numbers alone: no marks for bookmarks and screen readers.
        printed = page.pdf(format="A4", tagged=bool(told), outline=bool(told))
        before, told = told, page_numbers(printed)
        if told == before:
            return printed
    raise RuntimeError(f"After {MOST_PRINTS} prints some page numbers are not true.")


def write(pdf: bytes, author: str) -> int:
    """Write the PDF with its author, packed to less than half; return how many pages it has."""
    with pikepdf.open(BytesIO(pdf)) as book:
        book.docinfo["/Author"] = author  # its title and language are Chromium's work
        book.save(PDF, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return len(book.pages)


def join_pages(page: Page, address: str, parts: list[dict], front: list[str]) -> None:
    """Join the pages of a served book in one document."""
    page.goto(f"{address}/{parts[0]['pages'][0]}.html")
    page.evaluate((ROOT / "tools" / "pdf.js").read_text("utf-8"), {"parts": parts, "front": front})
    page.add_style_tag(path=ROOT / "tools" / "pdf.css")
    page.evaluate(READY)


def main() -> None:
    """Print the built book."""
    from browsing import chromium, served

    config, contents = (
        yaml.safe_load((ROOT / name).read_text("utf-8")) for name in ("_config.yml", "_toc.yml")
    )
    front = [config["author"], LICENCES, ON_PAPER]
    with served(HTML) as address, chromium() as browser:
        page = browser.new_page(
            color_scheme="light",
            reduced_motion="reduce",
            viewport={"width": PAGE_WIDTH, "height": PAGE_HEIGHT},
        )
        page.emulate_media(media="print")
        page.set_default_timeout(PATIENCE)
        join_pages(page, address, parts_of(contents), front)
        printed = print_twice(page)
    pages = write(printed, config["author"])
    print(f"{PDF.relative_to(ROOT)}: {pages} pages, {PDF.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
