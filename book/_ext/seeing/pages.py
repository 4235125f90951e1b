"""Lighter pages: pictures as WebP beside them, the theme's scripts in time; and what they need."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image

from seeing.sheet import deferred, lighter_head
from seeing.widgets import PICTURE, keeper, picture_file

#: How the theme's script begins to look for what scrolls.
LOOK = re.compile(
    r',"complete"===document\.readyState\?(\w+)\(\):window\.addEventListener\("load",\1\)'
)


def without_look(script: str) -> str:
    """Drop from the theme's script its look for what scrolls, which `book.js` does at less cost.

    It measures and marks block after block, and so lays the page out once for each.
    """
    lighter, count = LOOK.subn("", script)
    if count != 1:
        raise ValueError("The theme's script does not look for what scrolls as it did.")
    return lighter


def mend_theme(app, exception) -> None:
    """Write the theme's script anew, without what costs more than it gives."""
    if exception or app.builder.format != "html":
        return
    path = Path(app.outdir) / "_static/scripts/pydata-sphinx-theme.js"
    path.write_text(without_look(path.read_text(encoding="utf-8")), encoding="utf-8")


#: A picture within a drawing, as matplotlib embeds one.
EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]{700,})")


#: A picture with more pixels a side is a photograph, or one that was filtered.
SMALL = 48


def as_webp(match: re.Match) -> str:
    """Return a picture's data URL as WebP, several times lighter.

    A small picture, whose pixels one can see, stays the same pixel for pixel.
    """
    buffer = BytesIO()
    with Image.open(BytesIO(b64decode(match[1]))) as picture:
        if max(picture.size) <= SMALL:
            picture.save(buffer, "WEBP", lossless=True, method=6, exact=True)
        else:
            picture.save(buffer, "WEBP", quality=90, method=6, use_sharp_yuv=True)
    return "data:image/webp;base64," + b64encode(buffer.getvalue()).decode()


def prepare_page(app, pagename, templatename, context, doctree) -> None:
    """Give the templates what they need, and mend what docutils writes."""
    context |= {"lighter_head": lighter_head, "deferred": deferred}
    # A bibliography's roles: one is deprecated, the other wrong, since the list holds more.
    for role in (' role="doc-biblioentry"', ' role="list" class="citation-list"'):
        context["body"] = context.get("body", "").replace(role, "")
    body = EMBEDDED.sub(as_webp, context.get("body", ""))
    keep = keeper(app, context, "pictures")
    context["body"] = PICTURE.sub(lambda match: picture_file(match[0], keep), body)
