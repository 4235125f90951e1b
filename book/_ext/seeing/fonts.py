"""Fonts, cut to what is shown of them."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

# One of the theme's styles turns on the log of all packages, at build's end.
logging.getLogger("fontTools").setLevel(logging.ERROR)


def cut(path: Path, codes: set[int]) -> bytes | None:
    """Return a font with the letters of these code points alone, as WOFF; None if it has none."""
    font = TTFont(path)
    wanted = codes & set(font.getBestCmap())
    if not wanted:
        return None
    subsetter = Subsetter(Options(hinting=False))
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font.flavor = "woff"
    buffer = BytesIO()
    font.save(buffer)
    return buffer.getvalue()
