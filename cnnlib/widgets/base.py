"""What every widget is made of: one ES module and one style sheet, joined from small files."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from cnnlib import palette

STATIC = Path(__file__).parent / "static"

# import ... from "./name.js"; or from "./name.json" with { type: "json" };
_IMPORT = re.compile(r'^import\s+(?P<names>[^;]+?)\s+from\s+"\./(?P<file>[\w.-]+)"[^;]*;\n', re.M)


@cache
def module(entry: str) -> str:
    """Return an ES module with the files that it imports put in front of it.

    A widget's code reaches its host as one text without an address, from which ``./other.js``
    could not be found. So each relative import is replaced by the file itself, once, in the order
    in which a browser would run them. The files stay modules that a browser loads as they are.

    Parameters
    ----------
    entry : str
        Name of a file in ``static``, such as ``"convolution.js"``.

    Returns
    -------
    str
        The module's text, without any import.
    """
    seen: list[str] = []

    def expand(name: str) -> str:
        if name in seen:
            return ""
        seen.append(name)
        text = (STATIC / name).read_text(encoding="utf-8")
        imports = list(_IMPORT.finditer(text))
        body = _IMPORT.sub("", text)
        return "".join(_inline(match, expand) for match in imports) + body + "\n"

    return expand(entry)


def _inline(match: re.Match, expand) -> str:
    if match["file"].endswith(".json"):
        return f"const {match['names']} = {expand(match['file']).strip()};\n"
    return expand(match["file"])


@cache
def style(*names: str) -> str:
    """Return the palette's CSS variables and the named style sheets as one text.

    Parameters
    ----------
    *names : str
        Names of files in ``static``, such as ``"widgets.css"``.

    Returns
    -------
    str
        One style sheet.
    """
    sheets = [(STATIC / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([palette.css_variables(), *sheets])
