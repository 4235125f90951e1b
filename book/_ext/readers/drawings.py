"""Drawings as pictures: JupyterLab and GitHub show no SVG of a notebook that nobody has run."""

from __future__ import annotations

from base64 import b64decode, b64encode

from browsing import NoChromium, chromium
from nbformat import NotebookNode
from telling import tell

WIDTH = 720  # pixels, as wide as a page's text
PAGE = '<!DOCTYPE html><body style="margin: 0; width: {width}px">{drawing}</body>'
#: What stands for a drawing where there is no Chromium.
NOT_DRAWN = "A drawing: run this cell to see it."


def double(png: str) -> dict:
    """Return the metadata of a PNG in base64 that has two pixels for each one of the screen."""
    pixels = int.from_bytes(b64decode(png[:32])[16:20], "big")
    return {"image/png": {"width": pixels // 2}}


def draw_all(outputs: list[NotebookNode]) -> None:
    """Make a PNG of each SVG within HTML, or where there is no Chromium, a line."""
    drawings = [each for each in outputs if "<svg" in each.get("data", {}).get("text/html", "")]
    try:
        with chromium() as browser:
            draw(browser, drawings)
    except NoChromium as reason:
        first, *_ = str(reason).splitlines()
        tell(f"NOTICE: {first} In the notebooks a line stands for each drawing.")
        for output in drawings:
            output.data = NotebookNode({"text/plain": NOT_DRAWN})


def draw(browser, outputs: list[NotebookNode]) -> None:
    """Make a PNG of each output."""
    page = browser.new_page(device_scale_factor=2)
    for output in outputs:
        page.set_content(PAGE.format(width=WIDTH, drawing=output.data.pop("text/html")))
        png = b64encode(page.locator("body > *").screenshot()).decode()
        output.data["image/png"], output.metadata = png, NotebookNode(double(png))
    page.close()
