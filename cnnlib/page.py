"""What a notebook puts on its page: pictures, tables, and the numbers that its prose cites."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from .palette import INK, STYLE, css_variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUND = ".text_html:has(.cnn-picture) { background: none !important; padding: 0 !important; }"
#: A number with its signs, and its unit: "1,625,281", "−3.0 ± 0.4", "(16, 8, 8)", "2 MB".
NUMBER = re.compile(r"[^A-Za-z]*\d(e[-+]?\d)?[^A-Za-z]*( [A-Za-zµ/²]{1,8})?")
#: What may stand in a column of numbers where there is none.
MISSING = {"", "-", "–", "—", "?", "nan", "inf", "-inf"}


# --- Numbers in prose -----------------------------------------------------------------------


def glue(name: str, value, source=None) -> None:
    """Give ``value`` a name, so that the prose of a page can cite it and never types a number.

    The book reads such outputs by MyST-NB's ``glue`` roles; this function writes the same output
    without needing MyST-NB, which a hosted notebook lacks.

    Parameters
    ----------
    name
        What the prose calls it: ``{glue:text}`name```.
    value
        A number, or a string that is printed as it is.
    source
        Where it comes from, and is kept with it: an `ImageSet`, a record, or words. What comes
        from the pictures at hand must say so: prose cites no number of the stand-in's.

    Raises
    ------
    TypeError
        If the source has no name.
    """
    from IPython.display import display

    prefix = "application/papermill.record/"
    facts = {"name": name, "mime_prefix": prefix}
    if source is not None:
        facts["source"] = getattr(source, "name", source)
        if not isinstance(facts["source"], str) or not facts["source"]:
            raise TypeError(f"a source is a set of pictures, a record or words, not {source!r:.80}")
    display({f"{prefix}text/plain": repr(plain(value))}, metadata={"scrapbook": facts}, raw=True)


def plain(value):
    """Return a number of NumPy's or torch's as Python's own, which prints as nothing but itself."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def percent(share: float) -> str:
    """Return a share as the book prints it, such as ``"91.3 %"``.

    Parameters
    ----------
    share : float
        In [0, 1].

    Returns
    -------
    str
        In percent, with one decimal.
    """
    return f"{share:.1%}".replace("%", " %")


# --- Pictures -------------------------------------------------------------------------------


class Picture:
    """A figure as one inline SVG that follows the page's theme; made by :func:`picture`.

    Attributes
    ----------
    alt : str
        The alternative text.
    svg : str
        The SVG element. Each of the palette's colours in it is a CSS variable, ``--cnn-input``
        and so on, with the light form to fall back on.
    png : bytes
        The figure in its light form, at twice the size, for print.
    """

    def __init__(self, figure: Figure, alt: str):
        self.alt = " ".join(str(alt or "").split())
        if not self.alt:
            raise ValueError("a picture needs alt, a sentence that says what it shows")
        if not hasattr(figure, "savefig"):
            raise TypeError(f"a picture shows a figure, not a {type(figure).__name__}: axes.figure")
        import matplotlib

        svg, png = io.StringIO(), io.BytesIO()
        with matplotlib.rc_context(STYLE):  # ticks are made only when a figure is drawn
            figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
            figure.savefig(png, dpi=192, facecolor=INK["surface"], metadata={"Software": None})
        self.svg, self.png = _inline(svg.getvalue(), self.alt), png.getvalue()

    def __repr__(self) -> str:
        return f"<picture: {self.alt}>"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {
            "text/html": on_page(self.svg),
            "image/png": base64.b64encode(self.png).decode(),
            "text/plain": repr(self),
        }


def picture(figure: Figure, alt: str) -> Picture:
    """Return a figure in the form in which a page shows it, light or dark as the page is.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn in the palette's light colours, as `cnnlib.plots` does.
    alt : str
        What the figure shows, for a reader who does not see it.

    Raises
    ------
    ValueError
        If ``alt`` is empty.
    TypeError
        If it is no figure.
    """
    return Picture(figure, alt)


def on_page(content: str, css: str = "", attributes: str = "") -> str:
    """Return what a page shows as HTML, with the palette and the style that it needs."""
    # Hosts that are not the book have none of its style sheets: the colours come along, and
    # a word to the theme of Sphinx that puts what a cell shows on a light ground.
    style = f"<style>{css_variables()}{GROUND}{css}</style>"
    return f'<div class="cnn-picture"{attributes}>{style}{content}</div>'


def _inline(text: str, alt: str) -> str:
    """Turn matplotlib's SVG document into an element that can share a page with others."""
    root = ElementTree.fromstring(text)
    for element in list(root):
        # The style sheet would reach every other SVG on the page.
        if element.tag.endswith("metadata") or element.find("{*}style") is not None:
            root.remove(element)
    elements = list(root.iter())
    for element in elements:
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        element.text = (element.text or "").strip() or None
        element.tail = None
        if element.tag == "image" and _magnification(element) < 2:
            element.attrib.pop("style", None)  # a photograph is smoothed, a small picture is not
    # Ids are the page's: keep those that are needed, under a name that only this picture has.
    prefix = "cnn-" + hashlib.sha256((text + alt).encode()).hexdigest()[:10]
    used = {}
    for element in elements:
        for key in ("href", "clip-path"):
            if match := re.fullmatch(r"(url\()?#([^)]+)(\)?)", element.get(key, "")):
                name = used.setdefault(match[2], f"{prefix}-{len(used)}")
                element.set(key, f"{match[1] or ''}#{name}{match[3]}")
    for element in elements:
        if name := used.get(element.attrib.pop("id", None)):
            element.set("id", name)
        if "style" in element.attrib:
            style = re.sub(r"font-family:[^;]+(; )?", "", element.get("style"))
            element.set("style", re.sub(r"#[0-9a-f]{6}", _variable, style))
    width, height = (float(root.get(side)[:-2]) * 96 / 72 for side in ("width", "height"))
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": root.get("viewBox"),
        "width": f"{width:.0f}",
        "height": f"{height:.0f}",
        "role": "img",
        "aria-label": alt,
        "style": f"--width: {width:.0f}px; display: block; margin: auto; max-width: 100%; "
        "height: auto; "
        "stroke-linejoin: round; font-variant-numeric: tabular-nums; "
        "font-family: var(--pst-font-family-base, system-ui, sans-serif)",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _magnification(image: ElementTree.Element) -> float:
    """Return how many points wide a pixel of an embedded image is drawn."""
    match = re.match(r"matrix\(([-\d.e]+)", image.get("transform", ""))
    return float(match[1]) if match else 1.0


def _variable(match: re.Match) -> str:
    for role, color in INK.items():
        if match[0] == color.lower():
            return f"var(--cnn-{role}, {match[0]})"
    return match[0]


# --- Tables ---------------------------------------------------------------------------------


class Table:
    """Rows under their headings, as an HTML table on a page and as text elsewhere.

    Made by :func:`table`.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence]):
        self.columns = [str(name) for name in columns]
        self.rows = [[_cell(value) for value in row] for row in rows]
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"each row needs {len(self.columns)} cells, one a column: {row}")
        self.right = [_is_numeric([row[k] for row in self.rows]) for k in range(len(self.columns))]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        return "\n".join(
            "  ".join(
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(line, widths, self.right, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(self._html("th", ' scope="col"', line=self.columns))
        body = "".join(f"<tr>{''.join(self._html('td', '', line=row))}</tr>\n" for row in self.rows)
        return (
            '<div class="cnn-table"><table class="dataframe">\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
        )

    def _html(self, tag: str, scope: str, line: list[str]) -> list[str]:
        """Return the cells of a line; what stands first in a row is its heading."""
        cells = []
        for k, (text, right) in enumerate(zip(line, self.right, strict=True)):
            name, attributes = (tag, scope) if k or tag == "th" else ("th", ' scope="row"')
            if not text:  # a heading without words says nothing
                name, attributes = "td", ""
            side = "right" if right else "left"
            style = f"text-align: {side}; font-variant-numeric: tabular-nums"
            words = escape(text).replace("± ", "±\u00a0")  # a line may end before it, not behind
            cells.append(f'<{name}{attributes} style="{style}">{words}</{name}>')
        return cells


def table(columns: Sequence[str], rows: Sequence[Sequence]) -> Table:
    """Return rows under their headings in the form in which a page shows them.

    Parameters
    ----------
    columns : sequence of str
        The headings, the units among them.
    rows : sequence of sequences
        A cell a column. Whole numbers get commas, None is an empty cell, and all else is written
        by `str`: round a number before. Columns of numbers stand to the right.

    Returns
    -------
    Table
        A notebook shows it as HTML; ``print`` and ``repr`` give plain text.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than there are headings.

    Examples
    --------
    >>> table(["layer", "parameters"], [["conv1", 432], ["fc", 650]])
    layer  parameters
    conv1         432
    fc            650
    """
    return Table(columns, list(rows))


def _cell(value) -> str:
    """Write what stands in a cell."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split("\n"))  # a row is a line


def _is_numeric(texts: list[str]) -> bool:
    """Tell whether a column holds numbers, with their units, and nothing else."""
    said = [text for text in texts if text not in MISSING]
    return bool(said) and all(NUMBER.fullmatch(text) for text in said)
