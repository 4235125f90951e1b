"""The explorer's still picture: for pages without scripts, for print, and until scripts arrive.

It is computed by `cnnlib.scratch`, and laid out in the measures of the living widget, so that
nothing on a page moves when that takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from cnnlib.arithmetic import padding_amounts
from cnnlib.palette import COLORS
from cnnlib.scratch import conv2d
from cnnlib.widgets import base

MINUS = "\N{MINUS SIGN}"
DENOMINATORS = (2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 25, 32, 64)
#: The hues of positive and negative values, and how much of one the largest value takes.
HUES, STRENGTH = {"positive": (214, 96, 77), "negative": (67, 147, 195)}, 0.62

Texts = list[list[str]]
# A kind of shade, its strength from 0 to 1, and, where a cell is marked, the classes of its marks.
Looks = list[list[tuple]]


@dataclass(frozen=True)
class Board:
    """One grid of the picture: its words, its cells' texts and shades, and a frame (x, y, w, h)."""

    role: str
    label: str
    texts: Texts
    looks: Looks
    lens: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Still:
    """Everything that the picture shows: the boards by role, the sum, and where it stands."""

    boards: dict[str, Board]
    total: float
    row: int
    column: int
    sizes: list[dict[str, str]]  # the terms of the size formula, an axis each


def still(explorer) -> Still:
    """Compute the picture of an explorer's present state.

    Parameters
    ----------
    explorer : ConvolutionExplorer
        Or anything with its traits as attributes.

    Returns
    -------
    Still

    Raises
    ------
    ValueError
        If the settings give no output.
    """
    t, stride, dilation = base.words("convolution"), explorer.stride, explorer.dilation
    x, kernel = np.array(explorer.input, float), np.array(explorer.kernel, float)
    kernel = kernel[::-1, ::-1] if explorer.flip else kernel
    padding = explorer.padding if explorer.mode == "number" else explorer.mode
    output = conv2d(x[None, None], kernel[None, None], None, stride, padding, dilation)[0, 0]
    row, column = np.minimum((explorer.row, explorer.column), np.array(output.shape) - 1).tolist()
    amounts = padding_amounts(kernel.shape, padding, dilation)
    rows, columns = (
        place * stride + dilation * np.arange(k)
        for place, k in zip((row, column), kernel.shape, strict=True)
    )
    source, under = np.pad(x, amounts), np.ix_(rows, columns)
    products = source[under] * kernel
    texts, looks = _source_cells(x, amounts)
    window = texts[under].tolist(), looks[under].tolist()
    label = t["inputLabelPadded" if source.shape != x.shape else "inputLabel"]
    lens = (int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    turned = t["kernelLabelFlipped" if explorer.flip else "kernelLabel"]
    weights = [[short(value) for value in line] for line in kernel]
    boards = [
        Board("input", sized(label, x), texts.tolist(), looks.tolist(), lens),
        Board("window", t["windowLabel"], *window),
        Board("kernel", turned, weights, shades(kernel, signed=True)),
        Board("products", t["productsLabel"], aligned(products), shades(products, signed=True)),
        _output_board(output, row, column, explorer.filled),
    ]
    sizes = [
        {
            "output": str(output.shape[axis]),
            "input": str(x.shape[axis]),
            "padding": f"2 × {before}" if before == after else f"{before} + {after}",
            "dilation": str(dilation),
            "kernel": str(kernel.shape[axis]),
            "stride": str(stride),
        }
        for axis, (before, after) in enumerate(amounts)
    ]
    return Still({board.role: board for board in boards}, products.sum(), row, column, sizes)


def _source_cells(x: np.ndarray, amounts) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts and shades of the padded input, as arrays of objects."""
    padded = [n + before + after for n, (before, after) in zip(x.shape, amounts, strict=True)]
    texts, looks = np.full(padded, "0", object), np.full(padded, None, object)
    (top, _), (left, _) = amounts
    shaded = shades(x)
    for r, c in np.ndindex(*padded):
        y, z = r - top, c - left
        inside = 0 <= y < len(x) and 0 <= z < len(x[0])
        texts[r, c] = decimal(x[y, z]) if inside else "0"
        looks[r, c] = shaded[y][z] if inside else ("padding", 0.0)
    return texts, looks


def _output_board(output: np.ndarray, row: int, column: int, filled: bool) -> Board:
    texts, looks = aligned(output, 1), shades(output)
    height, width = output.shape
    for place in range(height * width if filled else row * width + column + 1, height * width):
        texts[place // width][place % width] = ""
        looks[place // width][place % width] = ("empty", 0.0)
    return Board(
        "output",
        sized(base.words("convolution")["outputLabel"], output),
        texts,
        looks,
        (column, row, 1, 1),
    )


def sized(label: str, values: np.ndarray) -> str:
    """Return a label with a grid's rows and columns in it."""
    return label.format(rows=len(values), columns=len(values[0]))


# --- Numbers and shades, as the ES module writes them -----------------------------------------


def decimal(value: float, places: int = 2) -> str:
    """Return a number with at most `places` decimals and a real minus sign."""
    text = _fixed(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float) -> str:
    """Return a number in four characters or so: 1/9 is "1/9", 3/128 is ".023"."""
    if _is_whole(value * 10):
        return decimal(value)
    for bottom in DENOMINATORS:
        if _is_whole(value * bottom) and abs(value * bottom) < 10:
            return f"{MINUS if value < 0 else ''}{round(abs(value) * bottom)}/{bottom}"
    sign = MINUS if value < 0 else ""
    return sign + decimal(abs(value), 3 if abs(value) < 1 else 2).removeprefix("0")


def aligned(values: np.ndarray, most: int = 2) -> Texts:
    """Return the numbers of a grid with equally many decimals, `most` of them at most."""
    exact = (p for p in range(most) if np.abs(np.round(values, p) - values).max() < 1e-9)
    places = next(exact, most)

    return [[_fixed(value, places) for value in line] for line in values]


def _fixed(value: float, places: int) -> str:
    """Write a number with exactly `places` decimals, halves away from zero as JavaScript does."""
    text = str(Decimal(abs(float(value))).quantize(Decimal(10) ** -places, ROUND_HALF_UP))
    return MINUS + text if value < 0 and float(text) else text


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def shades(values: np.ndarray, *, signed: bool = False) -> Looks:
    """Return each number's shade: grey, or by its sign where some (or all, if asked) have one."""
    tones = values / (np.abs(values).max() or 1)
    if signed or (values < 0).any():
        return [[("negative" if t < 0 else "positive", abs(t)) for t in line] for line in tones]
    return [[("grey", t) for t in line] for line in tones]


# --- HTML -------------------------------------------------------------------------------------


def html(explorer) -> str:
    """Return the picture as HTML: real tables; `ValueError` where there is no output."""
    now, t = still(explorer), base.words("convolution")
    total = decimal(now.total)
    panels = {role: panel(board) for role, board in now.boards.items()}
    panels["sum"] = (
        f'<div class="cnn-panel cnn-output cnn-sum-panel"><div class="cnn-label">{t["sumLabel"]}'
        f'</div><div class="cnn-sum-value">{total}</div></div>'
    )
    signs = {"window": ("×", ""), "kernel": ("=", ""), "products": ("→", " cnn-sum-sign")}
    for role, (sign, name) in signs.items():
        panels[role] += f'<span class="cnn-sign{name}">{sign}</span>'
    result = t["announce"].format(row=now.row + 1, column=now.column + 1, value=total)
    parts = {
        "header": "",
        "stage": panels["input"] + panels["output"],
        "strip": "".join(panels[role] for role in ("window", "kernel", "products", "sum")),
        "reading": f"<p>{result}</p>",
        "formula": _formula(now.sizes),
        "settings": f"<p>{t['stillCaption']}</p>",
    }
    size = max(len(explorer.kernel), len(explorer.kernel[0]))
    measure = f'style="--kernel-size:{size}"'
    body = "".join(
        f'<div class="cnn-{name}" {measure}>{part}</div>' for name, part in parts.items()
    )
    names = "cnn-explorer cnn-large-kernel" if size > 3 else "cnn-explorer"
    return f'<div class="{names}">{body}</div>'


def _formula(sizes: list[dict[str, str]]) -> str:
    t = base.words("convolution")
    uneven = any("×" not in numbers["padding"] for numbers in sizes)
    names = t["words"] | ({"padding": t["words"]["paddingSides"]} if uneven else {})
    lines = [("words", names)] + [("numbers", each) for each in sizes[: len({*map(str, sizes)})]]
    return "".join(
        f'<p class="cnn-formula-{kind}">{t["formula"].format(**terms(values))}</p>'
        for kind, values in lines
    )


def terms(values: Mapping) -> dict[str, str]:
    """Return the terms of a formula as HTML, each in the colour of what it names."""
    return {
        name: f'<span class="cnn-term cnn-term-{name}">{value}</span>'
        for name, value in values.items()
    }


def panel(board: Board) -> str:
    """Return a board as HTML: a real table under its label, in the widgets' style."""
    longest = max(len(text) for line in board.texts for text in line) or 1
    measures = f"--rows:{len(board.texts)};--columns:{len(board.texts[0])};--longest:{longest}"
    frame = f'<div class="cnn-lens" style="{_place(board)}"></div>' if board.lens else ""
    lines = zip(board.texts, board.looks, strict=True)
    # A row has its height before the next one is read: nothing moves while a page arrives.
    height = f"flex:0 0 {100 / len(board.texts):.6g}%"
    rows = "".join(
        f'<tr role="row" style="{height}">{_header("row", r)}{_row(*line)}</tr>'
        for r, line in enumerate(lines, 1)
    )
    head = "".join(_header("col", c) for c in range(1, len(board.texts[0]) + 1))
    return (
        f'<div class="cnn-panel cnn-{board.role}"><div class="cnn-label">{board.label}</div>'
        f'<div class="cnn-frame"><div class="cnn-plane" style="{measures}">'
        f'<table class="cnn-grid" role="table" aria-label="{board.label}"><thead role="rowgroup">'
        f'<tr role="row"><td role="cell"></td>{head}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table>{frame}'
        "</div></div></div>"
    )


def _place(board: Board) -> str:
    x, y, w, h = board.lens
    width, height = 100 * w / len(board.texts[0]), 100 * h / len(board.texts)
    moved = f"{100 * x / w:.6g}% {100 * y / h:.6g}%"  # per cent of the frame itself
    return f"width:{width:.6g}%;height:{height:.6g}%;translate:{moved}"


def _header(scope: str, number: int) -> str:
    role = "rowheader" if scope == "row" else "columnheader"
    return f'<th scope="{scope}" role="{role}">{number}</th>'


def _row(texts: list[str], looks: list[tuple]) -> str:
    return "".join(
        f'<td role="cell"{_style(*look)}>{text}</td>'
        for text, look in zip(texts, looks, strict=True)
    )


def _style(kind: str, tone: float, marks: str = "") -> str:
    name = f' class="{marks}"' if marks else ""
    if kind in HUES:
        return f'{name} style="background:{background(kind, tone)}"'
    if kind == "grey":
        ink = "#000" if round(16 + 239 * tone) > 117 else "#fff"
        return f'{name} style="background:{background(kind, tone)};color:{ink}"'
    return f' class="cnn-{kind} {marks}"' if marks else f' class="cnn-{kind}"'


def background(kind: str, tone: float) -> str:
    """Return a shade, "positive", "negative" or "grey" and its strength, as a CSS colour."""
    if kind in HUES:
        return "rgba({}, {}, {}, {:.3f})".format(*HUES[kind], STRENGTH * tone)
    level = round(16 + 239 * tone)
    return f"rgb({level}, {level}, {level})"


# --- PNG --------------------------------------------------------------------------------------

CELL, GAP = 44, 44  # pixels


def png(explorer) -> bytes:
    """Return the picture as a PNG: input, kernel and output, side by side, on white.

    It holds digits and signs only, no words: a caption can be translated, a picture cannot.

    Parameters
    ----------
    explorer : ConvolutionExplorer
        Or anything with its traits as attributes.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the settings give no output.
    """
    roles = ("input", "kernel", "output")
    now = still(explorer).boards
    return boards_png([now[role] for role in roles], signs="*=")


def boards_png(boards: list[Board], signs: str = "") -> bytes:
    """Return boards side by side as a PNG, with a sign between each two.

    Parameters
    ----------
    boards : list of Board
        From left to right.
    signs : str
        One letter for each gap; none for as many blanks.

    Returns
    -------
    bytes
    """
    from PIL import Image, ImageDraw, ImageFont

    height = CELL * max(len(board.texts) for board in boards) + GAP
    width = CELL * sum(len(board.texts[0]) for board in boards) + (3 * len(boards) - 1) * GAP // 2
    image = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(20)
    left = GAP // 2
    for i, board in enumerate(boards):
        _draw_board(draw, font, board, left, (height - CELL * len(board.texts)) // 2)
        left += CELL * len(board.texts[0]) + 3 * GAP // 2
        middle = (left - 3 * GAP // 4, height // 2)
        draw.text(middle, signs[i : i + 1], "black", ImageFont.load_default(36), anchor="mm")
    return base.encoded(image)


def _draw_board(draw, font, board: Board, left: int, top: int) -> None:
    def box(x: int, y: int, w: int = 1, h: int = 1) -> list[int]:
        x, y = left + CELL * x, top + CELL * y
        return [x, y, x + CELL * w, y + CELL * h]

    for r, (texts, looks) in enumerate(zip(board.texts, board.looks, strict=True)):
        for c, (text, look) in enumerate(zip(texts, looks, strict=True)):
            fill = _rgb(look)
            ink = "black" if sum(fill) > 3 * 122 else "white"
            draw.rectangle(box(c, r), fill, COLORS["grid"][0])
            middle = (left + CELL * (c + 0.5), top + CELL * (r + 0.5))
            draw.text(middle, text.replace(MINUS, "-"), ink, font, anchor="mm")
    whole = (0, 0, len(board.texts[0]), len(board.texts))
    draw.rectangle(box(*(board.lens or whole)), None, _frame_color(board), 5)


def _frame_color(board: Board) -> str:
    """Return the kernel's colour where it lies, on the input and by itself."""
    return COLORS["output" if board.role == "output" else "kernel"][0]


def _rgb(look: tuple) -> tuple[int, ...]:
    kind, tone = look[:2]
    if kind == "grey":
        return (round(16 + 239 * tone),) * 3
    return tuple(round(255 + STRENGTH * tone * (hue - 255)) for hue in HUES.get(kind, (255,) * 3))
