"""What Lighthouse makes of five pages of the book on a phone.

The goal that it checks, of which no result is recorded yet: performance at least 85 of 100;
accessibility, best practices and findability at least 95.
Lighthouse as it comes: a phone's screen, a slow network (1.6 Mbit/s, 150 ms) and a processor slowed
to a quarter, both simulated from what was observed. Each page is loaded LOADS times without a
cache; of performance and its times it is the median that counts. The pages are served as GitHub
Pages serves them: texts compressed by gzip, connections kept. Other work on the machine makes the
observed times longer: the load average is recorded.

    make book && python -m benchmarks.lighthouse

It fetches Lighthouse from the npm registry by npx; 12.8 is the last that runs on Node 20.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from benchmarks.page_weight import TEXTS
from benchmarks.pages import HTML, QuietHandler, find_chromium, start_server
from benchmarks.recording import RESULTS, conditions, save

RESULT = RESULTS / "lighthouse.json"
VERSION = "12.8.2"
PAGES = [
    "book/intro",
    "book/02_convolution",
    "book/05_pooling",
    "book/12_googlenet",
    "book/19_cifar10_resnet",
]
LOADS = 5
LEAST = {"performance": 85, "accessibility": 95, "best-practices": 95, "seo": 95}
#: The times that performance is made of, by the names of their audits.
TIMES = ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time"]


class LikeGitHubPages(QuietHandler):
    """Serve files as GitHub Pages does: texts compressed, one connection for many."""

    protocol_version = "HTTP/1.1"

    def send_head(self):
        """Answer with a text, compressed, or as its parent does."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in TEXTS or not path.is_file():
            return super().send_head()
        content = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        return BytesIO(content)


def audit(url: str, browser: str) -> dict:
    """Return Lighthouse's report on one load of a page."""
    command = [
        "npx", "--yes", f"lighthouse@{VERSION}", url, "--quiet", "--output=json",
        "--chrome-flags=--headless --no-sandbox --disable-gpu",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=os.environ | {"CHROME_PATH": browser}, check=True, capture_output=True
    )
    return json.loads(done.stdout)


def scores(reports: list[dict]) -> dict:
    """Return the scores of a page out of 100, and the times behind the first of them."""
    found = {
        name: median(round(100 * report["categories"][name]["score"]) for report in reports)
        for name in LEAST
    }
    times = {
        name: round(median(report["audits"][name]["numericValue"] for report in reports))
        for name in TIMES
    }
    missed = {
        audit["title"]
        for report in reports
        for name in LEAST
        if name != "performance"
        for audit in (
            report["audits"][each["id"]] for each in report["categories"][name]["auditRefs"]
        )
        if audit["score"] is not None and audit["score"] < 1
    }
    return {"scores": found, "milliseconds": times, "missed": sorted(missed)}


def main() -> int:
    with sync_playwright() as playwright:
        browser = find_chromium(playwright)
    address, server = start_server(HTML, LikeGitHubPages)
    pages, before = {}, conditions()
    for name in PAGES:
        reports = [audit(f"{address}/{name}.html", browser) for _ in range(LOADS)]
        pages[name] = scores(reports)
        print(name, *pages[name].values(), sep="\n  ")
    server.shutdown()
    result = {
        "what": f"Lighthouse's scores of 100 on a phone, the medians of {LOADS} loads",
        "lighthouse": VERSION,
        "chromium": reports[0]["environment"]["hostUserAgent"],
        "node": subprocess.check_output(["node", "--version"], text=True).strip(),
        "least": LEAST,
        "pages": pages,
        "load_average_at_the_end": conditions()["load_average"],
        **before,
    }
    save(RESULT, result)
    short = [
        f"{name}: {category} {found} of {LEAST[category]}"
        for name, page in pages.items()
        for category, found in page["scores"].items()
        if found < LEAST[category]
    ]
    print(*short, sep="\n")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
