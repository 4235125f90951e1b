"""What each page of the built book weighs on its way to a reader, and what the largest parts are.

Claim: a page transfers at most 450 kB, compressed, the fonts of its text apart, and the opening
page at most 300 kB before one touches it.
Each page of the table of contents is opened in Chromium, wide, and scrolled to its end, screen by
screen; every file that it asks for is counted: text compressed by gzip as GitHub Pages serves it,
all else as it is. "Before a touch" is what it asks for until it rests, unscrolled.
"After the page before" is the same page for a reader who comes from the one before it in the book,
and whose browser has kept what they share.

    make book && python -m benchmarks.page_weight
"""

from __future__ import annotations

import gzip
import sys
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Page

from benchmarks.pages import HTML, chromium, of_the_book, served
from benchmarks.recording import RESULTS, save

RESULT = RESULTS / "page_weight.json"
LIMIT = 450_000  # bytes of a page, scrolled to its end
FIRST, FIRST_LIMIT = "book/intro", 300_000  # the page one comes to, and its bytes before a touch
TEXTS = {".html", ".css", ".js", ".json", ".svg", ".txt", ".xml"}
TEXT_FONTS = "_static/vendor/source-serif-4/"
LARGEST = 8  # parts to list


def transferred(path: Path) -> int:
    """Return the bytes that a file takes on its way."""
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in TEXTS else len(content)


# Scroll to the end as a reader does, screen by screen: what waits until it is seen must see itself.
SCROLL = """async () => {
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  while (scrollY + innerHeight < document.documentElement.scrollHeight - 1) {
    scrollBy({ top: innerHeight, behavior: "instant" });
    await frame();
    await frame();
  }
}"""


def requested(page: Page, base: str, name: str) -> tuple[set[str], set[str]]:
    """Open a page and scroll to its end.

    Returns
    -------
    (set of str, set of str)
        The paths of the files that it asked for before it was scrolled, and of all.
    """
    seen = set()

    def note(request) -> None:
        if request.url.startswith(base):
            seen.add(unquote(urlsplit(request.url).path).lstrip("/"))

    page.on("request", note)
    page.goto(f"{base}/{name}.html", wait_until="networkidle")
    before = set(seen)
    page.evaluate(SCROLL)
    page.wait_for_timeout(500)  # for what comes late
    page.remove_listener("request", note)
    return before, seen


def weigh(html: Path, paths: set[str], kept: set[str] = frozenset()) -> dict:
    """Return what a page transfers, in bytes, if some files are kept from an earlier one."""
    sizes = {path: transferred(html / path) for path in paths - kept}
    parts = {path: size for path, size in sizes.items() if not path.startswith(TEXT_FONTS)}
    fonts = sum(sizes.values()) - sum(parts.values())
    largest = sorted(parts.items(), key=lambda part: (-part[1], part[0]))[:LARGEST]
    return {"bytes": sum(parts.values()), "text_fonts": fonts, "largest": dict(largest)}


def measure(html: Path, names: list[str]) -> dict[str, dict]:
    """Return the weight of each page, seen first and seen after the one before it."""
    asked = {}
    with served(html) as base, chromium() as browser:
        for name in names:  # each without a cache
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            asked[name] = requested(page, base, name)
            page.close()
    kept = {name: asked[names[i - 1]][1] for i, name in enumerate(names)}
    return {
        name: {
            "before_a_touch": weigh(html, before)["bytes"],
            "first_view": weigh(html, paths),
            "after_the_page_before": weigh(html, paths, kept[name])["bytes"],
        }
        for name, (before, paths) in asked.items()
    }


def main() -> int:
    pages = measure(HTML, of_the_book())
    for name, weights in pages.items():
        first = weights["first_view"]
        after = weights["after_the_page_before"]
        print(f"{first['bytes'] / 1e3:7.0f} kB, later {after / 1e3:5.0f} kB  {name}")
        for path, size in first["largest"].items():
            print(f"{size / 1e3:17.1f} kB  {path}")
    heaviest = max(weights["first_view"]["bytes"] for weights in pages.values())
    first = pages[FIRST]["before_a_touch"]
    result = {
        "what": "bytes transferred for each page, compressed by gzip -6, fonts of the text apart",
        "limit_bytes": LIMIT,
        "heaviest_bytes": heaviest,
        "first_page_limit_bytes": FIRST_LIMIT,
        "first_page_before_a_touch_bytes": first,
        "pages": pages,
        "date": date.today().isoformat(),
    }
    save(RESULT, result)
    print(f"heaviest {heaviest / 1e3:.0f} kB of {LIMIT / 1e3:.0f} kB")
    print(f"{FIRST} before a touch {first / 1e3:.0f} kB of {FIRST_LIMIT / 1e3:.0f} kB")
    return 0 if heaviest <= LIMIT and first <= FIRST_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
