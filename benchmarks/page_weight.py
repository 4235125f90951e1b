"""What each page of the built book weighs on its way to a reader, and what the largest parts are.

Claim: a chapter's page transfers at most 1.0 MB, compressed, fonts apart; we aim at 0.5 MB.
Each page of the table of contents is opened in Chromium, wide, and scrolled to its end; every file
that it asks for is counted: text compressed by gzip as GitHub Pages serves it, all else as it is.
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
LIMIT, AIM = 1_000_000, 500_000  # bytes
TEXTS = {".html", ".css", ".js", ".json", ".svg", ".txt", ".xml"}
FONTS = {".woff", ".woff2", ".ttf", ".otf"}
LARGEST = 8  # parts to list


def transferred(path: Path) -> int:
    """Return the bytes that a file takes on its way."""
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in TEXTS else len(content)


def requested(page: Page, base: str, name: str) -> set[str]:
    """Open a page and scroll through it; return the paths of the files that it asked for."""
    seen = set()

    def note(request) -> None:
        if request.url.startswith(base):
            seen.add(unquote(urlsplit(request.url).path).lstrip("/"))

    page.on("request", note)
    page.goto(f"{base}/{name}.html", wait_until="networkidle")
    page.mouse.wheel(0, 1_000_000)
    page.wait_for_load_state("networkidle")
    page.remove_listener("request", note)
    return seen


def weigh(html: Path, paths: set[str], kept: set[str] = frozenset()) -> dict:
    """Return what a page transfers, in bytes, if some files are kept from an earlier one."""
    sizes = {path: transferred(html / path) for path in paths - kept}
    fonts = sum(size for path, size in sizes.items() if Path(path).suffix in FONTS)
    parts = {path: size for path, size in sizes.items() if Path(path).suffix not in FONTS}
    largest = sorted(parts.items(), key=lambda part: (-part[1], part[0]))[:LARGEST]
    return {"bytes": sum(parts.values()), "fonts": fonts, "largest": dict(largest)}


def measure(html: Path, names: list[str]) -> dict[str, dict]:
    """Return the weight of each page, seen first and seen after the one before it."""
    asked = {}
    with served(html) as base, chromium() as browser:
        for name in names:  # each without a cache
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            asked[name] = requested(page, base, name)
            page.close()
    before = {name: asked[names[i - 1]] for i, name in enumerate(names)}
    return {
        name: {
            "first_view": weigh(html, paths),
            "after_the_page_before": weigh(html, paths, before[name])["bytes"],
        }
        for name, paths in asked.items()
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
    result = {
        "what": "bytes transferred for each page, compressed by gzip -6, fonts apart",
        "limit_bytes": LIMIT,
        "aim_bytes": AIM,
        "heaviest_bytes": heaviest,
        "pages": pages,
        "date": date.today().isoformat(),
    }
    save(RESULT, result)
    print(f"heaviest {heaviest / 1e3:.0f} kB (limit {LIMIT / 1e3:.0f} kB, aim {AIM / 1e3:.0f} kB)")
    return 0 if heaviest <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
