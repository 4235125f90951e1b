"""What every widget is made of: one ES module and one style sheet, joined from small files."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path

import anywidget

from cnnlib import palette

FOLDER = Path(__file__).parents[1]  # in which each widget has a folder, and what they share
#: What a viewer of notebooks says that runs no widgets.
NOT_HERE = "an interactive widget. It is drawn where notebooks run, as in Jupyter and Colab."

# import ... from "./name.js"; or from "../common/words.json" with { type: "json" };
_IMPORT = re.compile(
    r'^import\s+(?P<names>[^;]+?)\s+from\s+"(?P<file>\.{1,2}/[\w./-]+)"[^;]*;\n', re.M
)


@cache
def module(widget: str) -> str:
    """Return a widget's ES module with the files that it imports put in front of it.

    A widget's code reaches its host as one text without an address, from which ``./other.js``
    could not be found. So each relative import is replaced by the file itself, once, in the order
    in which a browser would run them. The files stay modules that a browser loads as they are.

    Parameters
    ----------
    widget : str
        Name of the widget's folder, such as ``"pooling"``; its ``view.js`` is the module.

    Returns
    -------
    str
        The module's text, without any import.
    """
    seen: set[Path] = set()

    def expand(path: Path) -> str:
        if path in seen:
            return ""
        seen.add(path)
        text = path.read_text(encoding="utf-8")
        imported = (inline(match, path.parent) for match in _IMPORT.finditer(text))
        return "".join(imported) + _IMPORT.sub("", text) + "\n"

    def inline(match: re.Match, folder: Path) -> str:
        path = (folder / match["file"]).resolve()
        if path.suffix == ".json":
            return f"const {match['names']} = {path.read_text(encoding='utf-8').strip()};\n"
        return expand(path)

    return expand(FOLDER.resolve() / widget / "view.js")


@cache
def style(widget: str) -> str:
    """Return the palette's CSS variables, what all widgets share, and a widget's own style.

    Parameters
    ----------
    widget : str
        Name of the widget's folder, such as ``"pooling"``.

    Returns
    -------
    str
        One style sheet.
    """
    sheets = [FOLDER / folder / "style.css" for folder in ("common", widget)]
    return "\n".join([palette.css_variables(), *(each.read_text("utf-8") for each in sheets)])


class Widget(anywidget.AnyWidget):
    """What all widgets share. A subclass sets ``_esm`` by `module` and ``_css`` by `style`.

    The module alone draws: a still on a page of the book is what it drew when the book was built.
    """

    def _repr_mimebundle_(self, **kwargs):
        """Show the widget, or say where it would be drawn."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = repr(self)
        data["text/html"] = f"<p><code>{escape(repr(self))}</code>: {NOT_HERE}</p>"
        return data, metadata

    # ipywidgets 7 would show the living form alone.
    _ipython_display_ = None
