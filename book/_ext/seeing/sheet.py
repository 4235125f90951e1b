"""One style sheet for all pages: the theme's, Sphinx's and the book's, less what no page uses.

Bootstrap and the icons' names make up most of the theme's. A page waits for its style sheets before
it shows a word, and for ten files longer than for one.
"""

from __future__ import annotations

import re
from pathlib import Path

from cnnlib.palette import css_variables
from seeing.fonts import cut
from seeing.widgets import host_style

#: What goes into the sheet, in the order in which pages would load it.
PARTS = [
    "basic.css",
    "styles/pydata-sphinx-theme.css",
    "pygments.css",
    "styles/sphinx-book-theme.css",
    "made.css",
    "mystnb.*.css",
    "copybutton.css",
    "book.css",
]
SHEET = "sheet.css"

# The theme's icon fonts: family, weight, file.
ICON_FONTS = [
    ("Font Awesome 6 Free", 900, "fa-solid-900"),
    ("Font Awesome 6 Free", 400, "fa-regular-400"),
    ("Font Awesome 6 Brands", 400, "fa-brands-400"),
]

# --- What a page loads --------------------------------------------------------------------------

LINK = re.compile(r'<link\b[^>]*\bhref="[^"]*_static/([^"?]*)[^>]*>\n?')


def lighter_head(head: str, sheet: str) -> str:
    """Let a page's head load the one sheet, and neither its parts nor the theme's icon script.

    That script weighs 0.5 MB, compressed. The theme's other scripts come when it is their turn, and
    not before the page is shown.
    """
    head, count = re.subn(r"<script[^>]*fontawesome\.js[^>]*></script>", "", head)
    if count != 1:
        raise ValueError("The theme does not load fontawesome.js as it did; see layout.html.")

    def without_parts(link: re.Match) -> str:
        is_part = link[1] == "styles/theme.css" or any(Path(link[1]).match(part) for part in PARTS)
        return "" if is_part or 'as="script"' in link[0] else link[0]

    return f'<link rel="stylesheet" href="{sheet}" />\n' + LINK.sub(without_parts, head)


def deferred(scripts: str) -> str:
    """Let scripts run in their order once the page is read, but for the one that holds options."""
    return re.sub(
        r'<script (?![^>]*(?:documentation_options|defer|async|type="module"))(?=[^>]*src=)',
        "<script defer ",
        scripts,
    )


# --- What the sheet holds -----------------------------------------------------------------------

WITHIN = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"  # what stands in parentheses, to three levels


def without_unused(style: str, names: set[str]) -> str:
    """Return a style sheet without the selectors whose classes are none of the names.

    Bootstrap puts together those that begin with ``bs-``.
    """

    def is_used(selector: str) -> bool:
        bare = re.sub(rf"{WITHIN}|\[[^\]]*\]", "", selector)
        classes = re.findall(r"\.(-?[A-Za-z_][\w-]*)", bare)
        return all(name in names or name.startswith("bs-") for name in classes)

    def used(rule: re.Match) -> str:
        selectors, body = rule.groups()
        if selectors.lstrip().startswith("@"):
            return rule[0]
        kept = [each for each in re.findall(rf"(?:[^,()]|{WITHIN})+", selectors) if is_used(each)]
        return f"{','.join(kept)}{{{body}}}" if kept else ""

    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    style = re.sub(r"([^{};]+)\{([^{}]*)\}", used, style)
    return re.sub(r"@(?:media|supports)[^{}]*\{\s*\}", "", style)


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
        font = cut(static / "vendor/fontawesome/webfonts" / f"{name}.ttf", icons)
        if font:
            (static / f"{name}.woff").write_bytes(font)
            rules.append(
                f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
                f'font-display: block; src: url({name}.woff) format("woff"); }}\n'
            )
    return "".join(rules)


# --- Writing it ---------------------------------------------------------------------------------


def write_sheet(app, exception) -> None:
    """Write the sheet, with what is made rather than kept: palette, page host's style, icons."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    pages = [page.read_text(encoding="utf-8") for page in out.rglob("*.html")]
    scripts = [
        script.read_text(encoding="utf-8")
        for script in static.rglob("*.js")
        if script.name != "fontawesome.js" and "vendor" not in script.parts
    ]
    theme = "".join(
        path.read_text(encoding="utf-8") for path in sorted((static / "styles").glob("*.css"))
    )
    icons = icon_faces(static, used_icons(theme, [*pages, *scripts]))
    (static / "made.css").write_text(css_variables() + host_style() + icons, encoding="utf-8")
    names = set().union(*(re.findall(r"[A-Za-z_][\w-]*", text) for text in [*pages, *scripts]))
    parts = [path for part in PARTS for path in static.glob(part)]
    sheet = "\n".join(without_unused(part_of(path, static), names) for path in parts)
    (static / SHEET).write_text(sheet, encoding="utf-8")


def part_of(path: Path, static: Path) -> str:
    """Read a part of the sheet: its addresses begin at the sheet, and no icon font is whole."""
    style = path.read_text(encoding="utf-8")
    style = re.sub(r"@font-face\{[^{}]*vendor/fontawesome[^{}]*\}", "", style)
    return style if path.parent == static else style.replace("url(../", "url(")
