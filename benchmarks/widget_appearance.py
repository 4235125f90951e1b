"""How soon a page's widgets live after its text is there, and whether anything jumps then.

Claim: on a phone-class processor (Chromium with its processor slowed to a quarter) every widget is
drawn within 1 s of the text around it, and from then on the layout shift is about 0.
Every page of the book with widgets, 360 and 1440 pixels wide, 5 loads each with an empty cache;
from the browser's own first-contentful-paint, or from the moment at which it has read the widget's
place, where that comes later, to the first frame that has the widget; of the slowest on the page.

    make book && python -m benchmarks.widget_appearance
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from benchmarks.pages import HTML, chromium, of_the_book, served
from benchmarks.recording import RESULTS, conditions, save

RESULT = RESULTS / "widget_appearance.json"
LIMIT_MS, LIMIT_SHIFT = 1000, 0.01
SLOWER = 4
WIDTHS, LOADS = (360, 1440), 5

# Note what moved in the article once widgets began to arrive, and when each view's place was read
# and its first frame drawn. (The theme's header fills as the page is read, which is not a widget's
# doing, and moves nothing in the article.)
WATCH = """
  globalThis.seen = { shift: 0, moved: [], arrived: undefined, views: new Map() };
  const inArticle = (node) => (node?.closest ? node : node?.parentElement)?.closest("article");
  const hasMoved = ({ previousRect: a, currentRect: b }) =>
    Math.abs(a.top - b.top) > 1 || Math.abs(a.left - b.left) > 1;
  new PerformanceObserver((list) => {
    for (const { startTime, value, sources } of list.getEntries()) {
      if (!(startTime >= seen.arrived)) continue;
      const moved = sources.filter((each) => inArticle(each.node) && hasMoved(each));
      if (moved.length > 0) seen.shift += value;
      seen.moved.push(...moved.map(({ node }) => (node.outerHTML ?? node.data).slice(0, 80)));
    }
  }).observe({ type: "layout-shift", buffered: true });
  new MutationObserver(() => {
    for (const view of document.querySelectorAll('script[type$="widget-view+json"]')) {
      if (!seen.views.has(view)) seen.views.set(view, { read: performance.now() });
      const times = seen.views.get(view);
      const widget = ":scope > .live-widget .cnn-widget"; // and not the still picture beside it
      if (times.coming || !view.parentElement.querySelector(widget)) continue;
      times.coming = true;
      seen.arrived ??= performance.now();
      requestAnimationFrame(() => setTimeout(() => { times.drawn = performance.now(); }));
    }
  }).observe(document, { childList: true, subtree: true });
"""
# Every view of the page is drawn, and no still picture is shown.
DONE = """() => {
  const views = [...document.querySelectorAll('script[type$="widget-view+json"]')];
  const stills = [...document.querySelectorAll("[data-widget-fallback]")];
  return document.readyState === "complete" && stills.every((still) => still.hidden)
    && views.every((view) => seen.views.get(view)?.drawn);
}"""
TIMES = """() => {
  const text = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const waits = [...seen.views.values()].map(({ read, drawn }) => drawn - Math.max(text, read));
  return { text_ms: text, wait_ms: Math.max(...waits), shift: seen.shift, moved: seen.moved };
}"""


def appearance(browser: Browser, url: str, width: int, slower: int = SLOWER) -> dict:
    """Load a page once; return its times in milliseconds, its layout shift and what moved."""
    context = browser.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(url)
    page.wait_for_function(DONE)
    page.wait_for_timeout(500)  # what comes later may move things, too
    times = page.evaluate(TIMES)
    context.close()
    return times


def has_widgets(html: Path, name: str) -> bool:
    """Tell whether a built page shows a widget."""
    return "data-widget-fallback" in (html / f"{name}.html").read_text(encoding="utf-8")


def measure(html: Path, names: list[str]) -> dict[str, dict]:
    """Return what each load of each page with widgets took, at each width."""
    results = {}
    with served(html) as base, chromium() as browser:
        for name in filter(lambda name: has_widgets(html, name), names):
            for width in WIDTHS:
                loads = [appearance(browser, f"{base}/{name}.html", width) for _ in range(LOADS)]
                results[f"{name}, {width} px"] = {
                    "text_ms": round(median(load["text_ms"] for load in loads)),
                    "wait_ms": round(median(load["wait_ms"] for load in loads)),
                    "longest_wait_ms": round(max(load["wait_ms"] for load in loads)),
                    "layout_shift": round(max(load["shift"] for load in loads), 4),
                }
    return results


def main() -> int:
    pages = measure(HTML, of_the_book())
    for name, page in pages.items():
        print(f"{page['wait_ms']:5} ms after {page['text_ms']:5} ms", end=", ")
        print(f"shift {page['layout_shift']:.4f}  {name}")
    waits = [page["wait_ms"] for page in pages.values()]
    shifts = [page["layout_shift"] for page in pages.values()]
    result = {
        "what": "from a widget's text to the widget alive, the slowest of each page, median ms",
        "slower": SLOWER,
        "loads": LOADS,
        "limit_ms": LIMIT_MS,
        "limit_layout_shift": LIMIT_SHIFT,
        "pages": pages,
    } | conditions()
    save(RESULT, result)
    return 0 if max(waits) <= LIMIT_MS and max(shifts) < LIMIT_SHIFT else 1


if __name__ == "__main__":
    sys.exit(main())
