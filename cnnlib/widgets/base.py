"""What every widget is made of: one ES module and one style sheet, joined from small files."""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np

from cnnlib import palette

STATIC = Path(__file__).parent / "static"
LARGEST = 999  # what a cell of a grid can show
SPEED = {"speed": (0.5, 30)}  # steps a second while a widget plays, lowest and highest
#: What a viewer of notebooks says that runs no widgets.
NOT_HERE = "an interactive widget. It is drawn where notebooks run, as in Jupyter and Colab."

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


# --- What a trait may hold --------------------------------------------------------------------


def within(proposal, limits: Mapping[str, Sequence[int]]):
    """Return a trait's proposed number, or raise `ValueError` where it is out of its limits."""
    name, value = proposal["trait"].name, proposal["value"]
    low, high = limits[name]
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")
    return value


def counted(proposal):
    """Return a trait's proposed number, or raise `ValueError` where it is below 0."""
    name, value = proposal["trait"].name, proposal["value"]
    if value < 0:
        raise ValueError(f"{name} counts from 0, got {value}")
    return value


def one_of(proposal, choices: Collection[str], rule: str):
    """Return a trait's proposed word, or raise `ValueError` with the rule where it is no choice."""
    if proposal["value"] not in choices:
        raise ValueError(f"{rule}, got {proposal['value']!r}")
    return proposal["value"]


def number_grid(name: str, values, sizes: Sequence[int]) -> list[list[float]]:
    """Return a grid as rows of plain numbers, or say what is wrong with it.

    Parameters
    ----------
    name : str
        What the messages call it.
    values : array_like, shape (H, W)
        Numbers from -999 to 999.
    sizes : (int, int)
        The fewest and the most rows and columns.

    Raises
    ------
    ValueError
        If it is no rectangle of such numbers, or of another size.
    """
    low, high = sizes
    rows = values.tolist() if hasattr(values, "tolist") else values
    if not _is_rows(rows):
        raise ValueError(f"{name} must be rows of numbers, as [[1, 2], [3, 4]], got {values!r}")
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise ValueError(f"{name} must be a rectangle, but its rows have {widths} numbers")
    if not (low <= len(rows) <= high and low <= widths[0] <= high):
        raise ValueError(
            f"{name} must have {low} to {high} rows and columns, got {len(rows)} x {widths[0]}"
        )
    return [[_number(name, value) for value in row] for row in rows]


def _is_rows(rows) -> bool:
    def is_list(value):
        return isinstance(value, Sequence) and not isinstance(value, str)

    return is_list(rows) and len(rows) > 0 and all(is_list(row) for row in rows)


def _number(name: str, value) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"{name} must hold numbers from -{LARGEST} to {LARGEST}, got {value!r}")
    return int(value) if float(value).is_integer() else float(value)


# --- Pictures ---------------------------------------------------------------------------------


def photo_url(name: str, photo, largest: int = 256) -> str:
    """Return a photograph as a PNG in a data URL, the form in which a widget's trait holds one.

    Parameters
    ----------
    name : str
        What the messages call it.
    photo : array_like of uint8, shape (H, W) or (H, W, 3)
        Grey or coloured pixels.
    largest : int
        The most rows and columns.

    Raises
    ------
    ValueError
        If it is no such picture, or a larger one.
    """
    from PIL import Image

    pixels = np.asarray(photo)
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_picture or pixels.size == 0:
        raise ValueError(
            f"{name} must be an array of uint8 of shape (H, W) or (H, W, 3), got "
            f"{pixels.dtype} {pixels.shape}"
        )
    if max(pixels.shape[:2]) > largest:
        raise ValueError(
            f"{name} must have at most {largest} rows and columns, got {pixels.shape[:2]}: "
            "make it smaller first"
        )
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def photo_of(url: str):
    """Return the `PIL.Image.Image` in a data URL, such as `photo_url` makes."""
    from PIL import Image

    return Image.open(BytesIO(b64decode(url.partition(",")[2])))


@cache
def cat_photo(size: int = 256, gray: bool = True) -> np.ndarray:
    """Return the face of scikit-image's cat, a square of uint8 pixels.

    Parameters
    ----------
    size : int
        Rows and columns, from 1 to 256. At 256 each is a pixel of the photograph.
    gray : bool
        Shape (size, size), or (size, size, 3) in colour.
    """
    from PIL import Image
    from skimage.data import chelsea

    face = Image.fromarray(chelsea()[6:262, 94:350]).convert("L" if gray else "RGB")
    return np.asarray(face.resize((size, size), Image.Resampling.BOX))
