"""Lighter pages: only the icons in use, pictures as WebP; and what else a page needs."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from PIL import Image

from cnnlib.palette import css_variables
from seeing.widgets import PICTURE, host_style, keeper, picture_file

# The theme's icon fonts: family, weight, file.
ICON_FONTS = [
    ("Font Awesome 6 Free", 900, "fa-solid-900"),
    ("Font Awesome 6 Free", 400, "fa-regular-400"),
    ("Font Awesome 6 Brands", 400, "fa-brands-400"),
]


def without_icon_script(head: str) -> str:
    """Drop the theme's icon script, 0.5 MB compressed, from a page's head."""
    lighter, count = re.subn(r"<script[^>]*fontawesome\.js[^>]*></script>", "", head)
    if count != 1:
        raise ValueError("The theme does not load fontawesome.js as it did; see layout.html.")
    return lighter


def used_icons(style: str, sources: list[str]) -> set[int]:
    """Return the code points of the icons that a style sheet and the given pages use."""
    rules = re.findall(r'([^{}]*)\{[^{}]*content:\s*"\\([0-9a-f]+) ?"', style)
    codes = {
        name: int(code, 16)
        for selectors, code in rules
        for name in re.findall(r"\.(fa-[\w-]+)", selectors)
    }
    unnamed = {int(code, 16) for selectors, code in rules if ".fa-" not in selectors}
    named = {name for source in sources for name in re.findall(r"\bfa-[\w-]+", source)}
    private = {ord(letter) for letter in style if "\ue000" <= letter <= "\uf8ff"}
    return private | unnamed | {codes[name] for name in named & set(codes)}


def icon_faces(static: Path, icons: set[int]) -> str:
    """Cut the theme's icon fonts to ``icons``; return the style sheet that loads what is left."""
    rules = []
    for family, weight, name in ICON_FONTS:
        font = TTFont(static / "vendor/fontawesome/webfonts" / f"{name}.ttf")
        wanted = icons & set(font.getBestCmap())
        if wanted:
            subsetter = Subsetter(Options(hinting=False))
            subsetter.populate(unicodes=wanted)
            subsetter.subset(font)
            font.flavor = "woff"
            font.save(static / f"{name}.woff")
            rules.append(
                f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
                f'font-display: block; src: url({name}.woff) format("woff"); }}\n'
            )
    return "".join(rules)


def write_style(app, exception) -> None:
    """Write what is made rather than kept: the palette, the page host's style, the icons in use."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = [*out.rglob("*.html"), *out.glob("_static/scripts/*-theme.js")]
    styles = [
        out / "_static/styles" / f"{name}.css"
        for name in ("pydata-sphinx-theme", "sphinx-book-theme")
    ]
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    icons = used_icons(style, [path.read_text(encoding="utf-8") for path in pages])
    sheet = css_variables() + host_style() + icon_faces(out / "_static", icons)
    (out / "_static" / "made.css").write_text(sheet, encoding="utf-8")


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
    context["without_icon_script"] = without_icon_script
    # A bibliography's roles: one is deprecated, the other wrong, since the list holds more.
    for role in (' role="doc-biblioentry"', ' role="list" class="citation-list"'):
        context["body"] = context.get("body", "").replace(role, "")
    body = EMBEDDED.sub(as_webp, context.get("body", ""))
    keep = keeper(app, context, "pictures")
    context["body"] = PICTURE.sub(lambda match: picture_file(match[0], keep), body)
