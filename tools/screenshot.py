"""Take the README's pictures of the explorer on the built page: ``python tools/screenshot.py``.

Writes ``book/_static/explorer-light.png`` and ``explorer-dark.png``. Needs ``make book`` and
Chromium, as the tests do.
"""

from __future__ import annotations

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "book" / "_static"
MARGIN = 16  # pixels
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]


def shoot(browser: Browser, url: str, scheme: str) -> Path:
    """Photograph the opening page's explorer in the middle of its sweep, at twice the size."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 1000}, color_scheme=scheme, device_scale_factor=2
    )
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    explorer = page.locator(".cnn-explorer").first
    step = explorer.get_by_role("button", name="One step on")
    for _ in range(34):
        step.click()
    page.mouse.move(0, 0)
    top, end = explorer.bounding_box(), explorer.locator(".cnn-strip").bounding_box()
    clip = {
        "x": top["x"] - MARGIN,
        "y": top["y"] - MARGIN,
        "width": top["width"] + 2 * MARGIN,
        "height": end["y"] + end["height"] - top["y"] + 2 * MARGIN,
    }
    path = STATIC / f"explorer-{scheme}.png"
    page.screenshot(path=path, clip=clip, full_page=True)
    context.close()
    # A picture of flat colours: a palette halves its bytes and costs nothing that one sees.
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    return path


def main() -> None:
    """Serve the built book, and take both pictures."""
    handler = partial(SimpleHTTPRequestHandler, directory=ROOT / "_build" / "html")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/book/intro.html"
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            path = shoot(browser, url, scheme)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
