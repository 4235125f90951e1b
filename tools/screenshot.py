"""Take pictures of the explorer on the built page: ``python tools/screenshot.py``.

Writes ``explorer-light.png`` and ``explorer-dark.png`` for the README, and ``card.png``, which
stands beside a link to the book where one is passed on, into ``book/_static/``. Needs ``make book``
and Chromium, as the tests do.
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
CARD = (1200, 630)  # pixels, as those who show links want it


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
    save(Image.open(path).convert("RGB"), path)
    return path


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture of flat colours: a palette halves its bytes and costs nothing one sees."""
    picture.quantize(128).save(path, optimize=True)


def card(explorer: Path) -> Path:
    """Cut the card from the explorer's picture: its width, and as much of its height."""
    path = STATIC / "card.png"
    with Image.open(explorer) as picture:
        width, height = CARD
        high = picture.width * height // width
        save(picture.convert("RGB").crop((0, 0, picture.width, high)).resize(CARD), path)
    return path


def main() -> None:
    """Serve the built book, and take the pictures."""
    from browsing import chromium, served

    with served(ROOT / "_build" / "html") as address, chromium() as browser:
        for scheme in ("light", "dark"):
            path = shoot(browser, f"{address}/book/intro.html", scheme)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    print(f"{card(STATIC / 'explorer-light.png').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
