"""The figures of the book: arrays and records in, matplotlib figures out.

Every function returns a ``matplotlib.figure.Figure`` that no other code holds: none is shown or
kept by pyplot. :func:`cnnlib.page.picture` puts one on the page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .palette import DIVERGING, INK, SEQUENTIAL, SMALL, STYLE

#: Inches, the width of the text. A point of type is 4/3 of a pixel on the page.
WIDTH = 7.2
#: Inches, the most of which a phone shows all, with the smallest type at 9 pixels.
PHONE = 4.5
#: Not a palette's colour, so that it stays as it is on a dark page: for marks on photographs.
NEAR_BLACK = "#101214"
#: Every word that a figure may say by itself, for an edition in another language.
WORDS = {
    "epoch": "epoch",
    "loss": "loss",
    "accuracy": "accuracy",
    "train": "train",
    "validation": "validation",
    "true": "true class",
    "predicted": "predicted class",
    "kernels": "columns: output channels; rows: input channels",
}


# --- Pictures, maps and kernels -------------------------------------------------------------


@matplotlib.rc_context(STYLE)
def image_grid(
    images: Sequence[Any],
    titles: Sequence[str] | None = None,
    columns: int = 8,
    width: float = WIDTH,
) -> Figure:
    """Draw pictures in rows, each under its title.

    Parameters
    ----------
    images : array or list of arrays
        ``(N, C, H, W)``, or N of ``(C, H, W)``, ``(H, W, C)`` or ``(H, W)``; ``C`` is 1 or 3.
        Integers in 0..255 or fractions in 0..1.
    titles : sequence of str, optional
        One a picture; broken into lines where it is wider than the picture.
    columns : int
        Pictures in a row.
    width : float
        Inches that the figure may take: ``PHONE`` is what a phone shows whole.

    Raises
    ------
    ValueError
        If there is no picture, a picture cannot be one, or the titles are not as many.
    """
    pixels = [_pixels(image) for image in images]
    ratio = max((p.shape[0] / p.shape[1] for p in pixels), default=1)
    widest = max((p.shape[1] for p in pixels), default=1)
    most = _tile_width(widest)
    axes, tiles = _tiles(len(pixels), columns, ratio, titles, most, whole=width)
    for image, tile in zip(pixels, tiles, strict=True):
        _show(axes, image, tile, **_grey(image))
    return axes.figure


@matplotlib.rc_context(STYLE)
def feature_maps(
    maps: Any,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    signed: bool = False,
    limit: float | None = None,
    width: float = WIDTH,
) -> Figure:
    """Draw one map or many in the sequential colours, on one common scale, with its key.

    Parameters
    ----------
    maps : array
        ``(H, W)`` or ``(C, H, W)``: responses, activations, one picture's feature maps.
    titles : sequence of str, optional
        One a map.
    columns : int
        Maps in a row.
    signed : bool
        Use the diverging colours, centred on zero, for values of either sign.
    limit : float, optional
        Where the colours end, for maps of which a few values tower over the others.
    width : float
        Inches that the figure may take: ``PHONE`` is what a phone shows whole.

    Raises
    ------
    ValueError
        If the maps have another number of axes, or hold NaN, or the titles are not as many.
    """
    maps = _array(maps, "maps", 2, 3)
    maps = maps[None] if maps.ndim == 2 else maps
    return _maps(maps, titles, columns, signed, limit, whole=width)


@matplotlib.rc_context(STYLE)
def kernels(weights: Any, titles: Sequence[str] | None = None, columns: int = 16) -> Figure:
    """Draw kernels in the diverging colours, centred on zero, on one common scale, with its key.

    Parameters
    ----------
    weights : array
        ``(kh, kw)``, ``(N, kh, kw)``, or a layer's ``(out_channels, in_channels, kh, kw)``: then
        a column is an output channel, and a row an input channel.
    titles : sequence of str, optional
        One a kernel, row by row.
    columns : int
        Kernels in a row, where the layer does not say.

    Raises
    ------
    ValueError
        If the weights have another number of axes, hold NaN, or are too many to be told apart.
    """
    weights = _array(weights, "weights", 2, 3, 4)
    note = ""
    if weights.ndim == 4:
        columns, rows = weights.shape[:2]
        if columns > 64 or rows > 64:
            raise ValueError(
                f"{columns} x {rows} kernels are too many for a figure: choose some, "
                "such as weights[:16, :3]"
            )
        note = WORDS["kernels"]
        weights = weights.swapaxes(0, 1).reshape(-1, *weights.shape[2:])
    elif weights.ndim == 2:
        weights = weights[None]
    return _maps(weights, titles, columns, signed=True, note=note)


@matplotlib.rc_context(STYLE)
def photo(image: Any, boxes: Iterable[tuple] = (), title: str | None = None) -> Figure:
    """Draw a photograph, with rectangles on what to look at.

    Parameters
    ----------
    image : array
        ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)``; integers in 0..255 or fractions in 0..1.
    boxes : iterable of tuples
        Each ``(top, left, height, width)`` in pixels, with a label as the fifth if wanted.
    title : str, optional
        A few words over the photograph.

    Raises
    ------
    ValueError
        If the array cannot be a picture, or a box does not lie on it.
    """
    image = _pixels(image)
    rows, columns = image.shape[:2]
    width = min(_tile_width(columns), 4.8 * columns / rows)
    axes, [tile] = _tiles(1, 1, rows / columns, [title] if title else None, width)
    _show(axes, image, tile, **_grey(image))
    x, y, scale = tile[0], tile[1], tile[2] / columns
    for top, left, height, box_width, *label in boxes:
        if min(top, left) < 0 or top + height > rows or left + box_width > columns:
            raise ValueError(
                f"the box {(top, left, height, box_width)} (top, left, height, width) does not "
                f"lie on a picture of {rows}x{columns}"
            )
        corner = (x + left * scale, y + top * scale)
        for color, line in ((NEAR_BLACK, 4.5), (INK["highlight"], 2.5)):
            edge = {"fill": False, "edgecolor": color, "linewidth": line}
            axes.add_patch(Rectangle(corner, box_width * scale, height * scale, **edge))
        if label:
            tag = {"facecolor": INK["highlight"], "edgecolor": NEAR_BLACK, "pad": 2.5}
            fits = top * scale * axes.figure.get_figwidth() > TAG
            foot = (corner[0], corner[1] + height * scale)
            xy, xytext, va = (corner, (0, 5), "bottom") if fits else (foot, (0, -5), "top")
            place = {"xytext": xytext, "textcoords": "offset points", "va": va}
            axes.annotate(label[0], xy, **place, color=NEAR_BLACK, fontsize=SMALL, bbox=tag)
    return axes.figure


GAP = 0.06  # inches between pictures
TAG = 0.25  # inches that a label over a box needs


def _tile_width(pixels: int) -> float:
    """Return the most inches to give a picture that many pixels wide: small ones stay small."""
    return 1.8 if pixels <= 64 else WIDTH


def _tiles(
    n: int, columns: int, ratio: float, titles, width: float, foot=0.0, whole=WIDTH
) -> tuple[Axes, list]:
    """Return axes in units of a column, y downwards, and each tile's left, top and width.

    ``ratio`` is a tile's height over its width, ``width`` the most inches that a tile may take,
    ``foot`` the inches left free at the bottom, and ``whole`` the most for a row of tiles.
    """
    if n < 1 or columns < 1:
        raise ValueError(f"there is nothing to draw: {n} pictures in {columns} columns")
    if titles is not None and len(titles) != n:
        raise ValueError(f"{len(titles)} titles for {n} pictures: give one each")
    columns = min(columns, n)
    inches = min(width, whole / columns)
    fits = max(int(inches * 72 / (0.58 * SMALL)), 4)
    titles = ["\n".join(textwrap.wrap(str(t), fits)) for t in titles or ()]
    lines = max((title.count("\n") + 1 for title in titles if title), default=0)
    gap = GAP / inches
    above = (lines * 1.3 + 0.5) * SMALL / 72 / inches if lines else 0.0
    step = above + ratio * (1 - gap) + gap
    rows = -(-n // columns)
    height = rows * step * inches
    figure = Figure(figsize=(columns * inches, height + foot))
    axes = figure.add_axes((0, foot / (height + foot), 1, height / (height + foot)))
    axes.axis("off")
    tiles = [(i % columns + gap / 2, i // columns * step + above, 1 - gap) for i in range(n)]
    for title, (x, y, _) in zip(titles, tiles, strict=False):
        axes.text(x, y - 0.4 * SMALL / 72 / inches, title, fontsize=SMALL, linespacing=1.2)
    axes.set(xlim=(0, columns), ylim=(rows * step, 0))
    return axes, tiles


def _show(axes: Axes, values: np.ndarray, tile: tuple, **colors) -> None:
    x, y, width = tile
    limits = axes.get_xlim(), axes.get_ylim()
    extent = (x, x + width, y + width * values.shape[0] / values.shape[1], y)
    # "none" embeds the pixels themselves; only a large photograph is brought to the page's size.
    interpolation = "none" if max(values.shape) <= 1024 else "auto"
    axes.imshow(values, extent=extent, aspect="auto", interpolation=interpolation, **colors)
    axes.set(xlim=limits[0], ylim=limits[1])


def _maps(
    maps: np.ndarray, titles, columns: int, signed: bool, limit=None, note="", whole=WIDTH
) -> Figure:
    low, high = float(maps.min()), float(maps.max())
    if signed:
        high = limit or max(abs(low), abs(high))
        low = -high
    high = limit or high
    if low >= high:  # all alike
        low, high = high - 1, low + 1
    colors = {"cmap": DIVERGING if signed else SEQUENTIAL, "vmin": low, "vmax": high}
    ratio = maps.shape[1] / maps.shape[2]
    width = _tile_width(maps.shape[2])
    axes, tiles = _tiles(len(maps), columns, ratio, titles, width, foot=0.42, whole=whole)
    for values, tile in zip(maps, tiles, strict=True):
        _show(axes, values, tile, **colors)
    beyond = ("≤ " if maps.min() < low else "", "≥ " if maps.max() > high else "")
    _key(axes.figure, colors, beyond, note)
    return axes.figure


def _key(figure: Figure, colors: dict, beyond: tuple[str, str], note: str) -> None:
    """Draw the scale of the colours at the foot, and a note beside it."""
    width, height = figure.get_size_inches()
    low, high = colors["vmin"], colors["vmax"]
    length = min(1.6, 0.6 * width)
    key = figure.add_axes((GAP / 2 / width, 0.22 / height, length / width, 0.1 / height))
    ramp = np.linspace(low, high, 128)[None]
    key.imshow(ramp, extent=(low, high, 0, 1), aspect="auto", interpolation="none", **colors)
    ends = [
        f"{sign}{end:.3g}".replace("-", "−") for sign, end in zip(beyond, (low, high), strict=True)
    ]
    key.set_xticks([low, high], ends)
    key.set_yticks([])
    key.tick_params(axis="x", length=0, pad=3)
    key.spines[:].set_visible(False)
    for label, side in zip(key.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    at = ((length + 0.3) / width, 0.27 / height)
    figure.text(*at, note, fontsize=SMALL, color=INK["muted"], va="center")


# --- Curves ---------------------------------------------------------------------------------


def power_of_ten(value: float, position: int | None = None) -> str:
    """Return a tick of a logarithmic axis, such as ``10³``: a matplotlib formatter.

    The figures are raised by their letters and not by their size, so that a phone can show them.
    """
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "10" + f"{np.log10(value):.0f}".translate(raised)


@matplotlib.rc_context(STYLE)
def learning_curves(record: Any) -> Figure:
    """Draw loss and accuracy over the epochs, in training and in validation.

    Of several runs, one a seed, each is a thin line and their mean is the thick one, as far as
    the shortest run goes.

    Parameters
    ----------
    record : Record, list of epochs, or list of runs
        A record, or the epochs of one run (each an ``EpochRecord`` or a dict of its fields), or
        a list of such lists.

    Raises
    ------
    ValueError
        If there is no epoch, or an epoch lacks a number or holds NaN.
    """
    runs = _runs(record)
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        ends = []
        for split, look in (("train", "--"), ("validation", "-")):
            curves = [_curve(run, f"{split}_{metric}") for run in runs]
            if any(curve is None for curve in curves):  # a run without validation
                continue
            line = {"color": INK["output" if split == "validation" else "muted"], "ls": look}
            if len(curves) > 1:
                for curve in curves:
                    axes.plot(*curve, **line, linewidth=0.8, alpha=0.6)
            length = min(len(epochs) for epochs, _ in curves)
            mean = np.mean([values[:length] for _, values in curves], axis=0)
            # A few epochs are points joined by a line, not a curve.
            axes.plot(curves[0][0][:length], mean, **line, marker="o" if length < 10 else None)
            ends.append((mean[-1], split))
        axes.set(title=WORDS[metric], xlabel=WORDS["epoch"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        else:
            axes.set_ylim(bottom=0)
        _label_ends(axes, ends)
    return figure


def _runs(record: Any) -> list[list]:
    """Return the runs of a record, of a list of runs or of one run: a list of epochs each."""
    runs = record["runs"] if isinstance(record, dict) else getattr(record, "runs", record)
    runs = list(runs)
    if runs and _get(runs[0], "epoch") is not None:
        runs = [runs]
    runs = [list(run if isinstance(run, list | tuple) else _get(run, "epochs")) for run in runs]
    if not runs or not all(runs):
        raise ValueError("there is no epoch to draw: give the records that training returned")
    return runs


def _get(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _curve(run: list, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the epochs of a run and one number of each; None if no epoch has that number."""
    values = [_get(epoch, name) for epoch in run]
    if all(value is None for value in values):
        return None
    if None in values:
        raise ValueError(f"epoch {_get(run[values.index(None)], 'epoch')} has no {name}")
    return np.array([_get(epoch, "epoch") for epoch in run]), _array(values, name, 1)


def _label_ends(axes: Axes, ends: list[tuple[float, str]]) -> None:
    """Write each curve's name at its end, a line of text apart."""
    low, high = axes.get_ylim()
    gap, last = 0.09 * (high - low), -np.inf
    overlap = max(gap - abs(ends[0][0] - ends[-1][0]), 0) if len(ends) > 1 else 0
    for value, split in sorted(ends):
        last = max(value - overlap / 2, last + gap)
        color = INK["text" if split == "validation" else "muted"]
        at = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        text = axes.annotate(WORDS[split], (1, last), xytext=(4, 0), va="center", **at)
        text.set(color=color, fontsize=SMALL)


# --- Numbers in cells -----------------------------------------------------------------------

DARKEST = 0.5  # opacity of a cell behind a number, which must be readable in either theme


@matplotlib.rc_context(STYLE)
def confusion_matrix(counts: Any, classes: Sequence[str]) -> Figure:
    """Draw how often each class was taken for each: true classes in rows, predicted in columns.

    A cell is as dark as the square root of its share of the row, so that errors of a few in a
    hundred can be seen beside what is right.

    Parameters
    ----------
    counts : array
        ``(K, K)``, whole numbers; ``counts[i, j]`` pictures of class ``i`` were taken for ``j``.
    classes : sequence of str
        The K names.

    Raises
    ------
    ValueError
        If the counts are not a square of whole numbers, there are not as many names, or more than
        20 classes, whose numbers nobody could read.
    """
    counts = _array(counts, "counts", 2)
    size = len(counts)
    if counts.shape != (size, len(classes)) or size > 20:
        raise ValueError(
            f"counts of shape {counts.shape} and {len(classes)} classes: needed are (K, K) counts "
            "and K classes, at most 20"
        )
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError("counts must be whole numbers, 0 or more: counted, not normalised")
    width = min(WIDTH, 1.1 * size + 1.4)
    figure = Figure(figsize=(width, 0.38 * size + 1.1), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for i, j in np.ndindex(counts.shape):
        shade = {"facecolor": INK["input"], "alpha": DARKEST * shares[i, j] ** 0.5, "linewidth": 0}
        axes.add_patch(Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, **shade))
        color = INK["text" if counts[i, j] else "muted"]
        weight = "bold" if i == j else "normal"
        number = {"ha": "center", "va": "center_baseline", "fontsize": SMALL}
        axes.text(j, i, f"{counts[i, j]:.0f}", **number, color=color, weight=weight)
    wide = max(map(len, classes)) * 0.6 * SMALL / 72 > (width - 1.4) / size
    turned = {"rotation": 40, "ha": "right"} if wide else {}
    axes.set_xticks(range(size), classes, **turned)
    axes.set_yticks(range(size), classes)
    axes.tick_params(length=0, labelcolor=INK["text"])
    axes.set(xlabel=WORDS["predicted"], ylabel=WORDS["true"])
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


@dataclass(frozen=True)
class Grid:
    """Numbers for :func:`matrices` to draw, in cells of one colour.

    Parameters
    ----------
    values : array
        ``(rows, columns)``, or ``(columns,)`` for a signal; NaN leaves a cell empty.
    role : str
        ``"input"``, ``"kernel"``, ``"output"`` or ``"highlight"``.
    title : str
        A few words over the grid.
    highlight : tuple, optional
        ``(row, column, height, width)`` of the cells to frame.
    """

    values: Any
    role: str = "input"
    title: str = ""
    highlight: tuple[int, int, int, int] | None = None


@matplotlib.rc_context(STYLE)
def matrices(*grids: Grid, signs: Sequence[str] = "", width: float = WIDTH) -> Figure:
    """Draw grids of numbers in a row, with a sign between neighbours: a sum worked by hand.

    Parameters
    ----------
    *grids : Grid
        From left to right.
    signs : sequence of str
        One between each two grids, such as ``"∗="``.
    width : float
        Inches that the figure may take: with 3.4 a phone shows its numbers at their full size.

    Raises
    ------
    ValueError
        If a grid is no table of numbers, its role is unknown, its highlight lies outside, the
        signs are not as many as the gaps, or the grids are wider than the text.
    """
    tables = [_texts(grid.values) for grid in grids]
    if not tables or (signs and len(signs) != len(tables) - 1):
        raise ValueError(f"{len(tables)} grids and {len(signs)} signs: one between each two")
    columns = sum(table.shape[1] for table in tables) + len(tables) - 1
    rows = max(len(table) for table in tables)
    inches = min(0.44, (width - 0.1) / columns)
    longest = max(len(text) - 0.5 * text.count(".") for t in tables for text in t.flat)
    needed = 0.62 * SMALL / 72 * (longest + 0.6)
    if inches < needed:
        raise ValueError(
            f"{columns} columns with numbers this long do not fit a width of {width:g} inches: "
            "show fewer, or round them"
        )
    above = 0.34 / inches if any(grid.title for grid in grids) else 0.0
    margin = 0.05 / inches
    height = rows + above + 2 * margin
    figure = Figure(figsize=((columns + 2 * margin) * inches, height * inches))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, columns + margin), ylim=(rows + margin, -above - margin))
    axes.axis("off")
    left = 0
    for grid, table, sign in zip(grids, tables, [*signs, *[""] * len(grids)], strict=False):
        top = (rows - len(table)) / 2
        _cells(axes, grid, table, left, top, tight=inches < 1.3 * needed)
        label = {"fontsize": SMALL, "weight": "bold"}
        axes.text(left, top - 0.1 / inches, grid.title, **label)
        left += table.shape[1] + 1
        axes.text(left - 0.5, rows / 2, sign, ha="center", va="center", fontsize=14)
    return figure


def _cells(axes: Axes, grid: Grid, texts: np.ndarray, left: float, top: float, tight: bool) -> None:
    if grid.role not in ("input", "kernel", "output", "highlight"):
        raise ValueError(f"unknown role {grid.role!r}: use input, kernel, output or highlight")
    number = {"ha": "center", "va": "center_baseline", "fontsize": SMALL if tight else 10}
    look = {"edgecolor": INK[grid.role], "facecolor": (INK[grid.role], 0.14), "linewidth": 1}
    for (i, j), text in np.ndenumerate(texts):
        axes.add_patch(Rectangle((left + j, top + i), 1, 1, **look))
        axes.text(left + j + 0.5, top + i + 0.5, text, **number)
    if grid.highlight:
        row, column, height, width = grid.highlight
        inside = row + height <= len(texts) and column + width <= texts.shape[1]
        if min(row, column) < 0 or not inside:
            raise ValueError(f"the highlight {grid.highlight} lies outside of {texts.shape} cells")
        frame = {"fill": False, "edgecolor": INK["highlight"], "linewidth": 3.5}
        axes.add_patch(Rectangle((left + column, top + row), width, height, **frame, zorder=3))


# --- What may come in -----------------------------------------------------------------------


def _array(values: Any, name: str, *ndims: int, finite: bool = True) -> np.ndarray:
    """Return the values as an array, if they are numbers with as many axes as are allowed."""
    if hasattr(values, "detach"):  # a torch tensor, on any device
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.ndim not in ndims or array.size == 0 or array.dtype.kind not in "buif":
        axes = " or ".join(map(str, ndims))
        raise ValueError(
            f"{name} must be numbers in {axes} axes, none of them empty; "
            f"got shape {array.shape} of {array.dtype}"
        )
    if finite and not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} holds {array[where]} at index {where}: only numbers can be drawn")
    return array


def _pixels(image: Any) -> np.ndarray:
    """Return a picture as ``(H, W)`` or ``(H, W, 3)``."""
    array = _array(image, "a picture", 2, 3)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[-1] != 3:
        raise ValueError(f"a picture has 1 or 3 channels; got shape {array.shape}")
    top = 255 if array.dtype.kind in "ui" else 1
    if array.min() < 0 or array.max() > top:
        raise ValueError(
            f"pixels must lie in 0..{top} for {array.dtype}, not {array.min():.3g}.."
            f"{array.max():.3g}: undo the normalisation first"
        )
    return array


def _grey(image: np.ndarray) -> dict:
    return {"cmap": "gray", "vmin": 0, "vmax": 255 if image.dtype.kind in "ui" else 1}


def _texts(values: Any) -> np.ndarray:
    """Return numbers as text, all with the same decimals: as many as they need, at most three."""
    table = np.atleast_2d(_array(values, "values", 1, 2, finite=False)).astype(float)
    needs = (d for d in range(3) if np.allclose(table, table.round(d), equal_nan=True))
    decimals = next(needs, 3)
    return np.vectorize(lambda value: _number(value, decimals), otypes=[object])(table)


def _number(value: float, decimals: int) -> str:
    if np.isnan(value):
        return ""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
