"""Take the README's pictures of the explorer on the built page: ``python tools/screenshot.py``.

Writes ``book/_static/explorer-light.png`` and ``explorer-dark.png``. Needs ``make book`` and
Chromium, as the tests do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))
STATIC = ROOT / "book" / "_static"
MARGIN = 16  # pixels


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
    from browsing import chromium, served

    with served(ROOT / "_build" / "html") as address, chromium() as browser:
        for scheme in ("light", "dark"):
            path = shoot(browser, f"{address}/book/intro.html", scheme)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
