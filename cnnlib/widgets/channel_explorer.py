"""`ChannelExplorer`: a kernel with a slice for every channel, and a map for every kernel."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import traitlets

from cnnlib.scratch import conv2d
from cnnlib.widgets import base, still

CHANNELS = ("red", "green", "blue")

#: What each thing reaches, lowest and highest: rows and columns of the input, its pixels, the
#: number of kernels, their rows and columns, a weight, a bias.
LIMITS = {
    "input": [3, 6],
    "pixel": [0, 9],
    "kernels": [1, 4],
    "size": [1, 3],
    "weight": [-9, 9],
    "bias": [-99, 99],
}

_EDGE = np.array([[-1, 0, 1]] * 3)
_MIDDLE = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])

#: A vertical edge in every channel, and red minus green: shape (2, 3, 3, 3).
TWO_KERNELS = np.array([[_EDGE, _EDGE, _EDGE], [_MIDDLE, -_MIDDLE, 0 * _MIDDLE]]).tolist()


@cache
def color_eye() -> tuple:
    """Return an eye of scikit-image's cat in colour, as digits: shape (3, 6, 6).

    Each pixel is the mean of 14 by 14 pixels of the photograph. All three channels have one scale,
    from 0, the darkest, to 9, the brightest.
    """
    from skimage.data import chelsea

    means = chelsea()[70:154, 121:205].reshape(6, 14, 6, 14, 3).mean(axis=(1, 3))
    low, high = np.percentile(means, [2, 98])
    levels = np.rint(9 * np.clip((means - low) / (high - low), 0, 1)).astype(int)
    return tuple(tuple(map(tuple, channel)) for channel in levels.transpose(2, 0, 1).tolist())


class ChannelExplorer(base.Widget):
    """Let a kernel with three slices meet a picture with three channels; add kernels, get maps.

    Every argument is a trait: it can be set later, observed, and joined to other widgets by
    ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    input : array_like, shape (3, H, W), optional
        A small colour picture: whole numbers from 0 to 9, 3 to 6 rows and columns. The cat's eye
        by default.
    weight : array_like, shape (C_out, 3, k, k), optional
        1 to 4 kernels with numbers from -9 to 9; k is 1 or 3. A vertical edge in every channel and
        red minus green by default.
    bias : array_like, shape (C_out,), optional
        Numbers from -99 to 99, one for each kernel. Zeros by default.
    kernel : int
        The kernel that is looked at, from 0.
    row, column : int, optional
        The place in the output that the window computes, from 0. Near the middle by default.
    filled : bool
        Show whole maps, or only the places up to the window.
    speed : float
        Steps a second while it plays, from 0.5 to 30.

    Raises
    ------
    ValueError
        If an array has another shape, or a number is out of its range.
    """

    _esm = base.module("channel_explorer.js")
    _css = base.style("widgets.css", "channel_explorer.css")

    input = traitlets.List().tag(sync=True)
    weight = traitlets.List().tag(sync=True)
    bias = traitlets.List().tag(sync=True)
    kernel = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    filled = traitlets.Bool(True).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(3.0).tag(sync=True)
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, input=None, weight=None, bias=None, *, kernel: int = 0, **traits):
        kernels = _weight(TWO_KERNELS if weight is None else weight)
        biases = _bias([0] * len(kernels) if bias is None else bias)
        if len(biases) != len(kernels):
            raise ValueError(
                f"bias must have a number for each of the {len(kernels)} kernels, "
                f"got {len(biases)}: {biases}"
            )
        if kernel >= len(kernels):
            raise ValueError(f"kernel counts from 0 to {len(kernels) - 1}, got {kernel}")
        super().__init__(
            input=_input(color_eye() if input is None else input),
            weight=kernels,
            bias=biases,
            kernel=kernel,
            limits=LIMITS,
            **traits,
        )
        _, rows, columns = self.output_shape
        self.row = traits.get("row", (rows - 1) // 2)
        self.column = traits.get("column", (columns - 1) // 2)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of the output."""
        k = len(self.weight[0][0])
        return len(self.weight), len(self.input[0]) - k + 1, len(self.input[0][0]) - k + 1

    def _still_body(self) -> str:
        return _html(self)

    def still_png(self) -> bytes:
        """Return the present state as a picture: slices, weights, and the output channel."""
        now = _Scene(self)
        slices = [now.slice_board(i, still.shades(now.x[i])) for i in range(len(CHANNELS))]
        weights = [now.weights_board(i) for i in range(len(CHANNELS))]
        return still.boards_png([*slices, *weights, now.map_board()], signs="  *  =")

    def __repr__(self) -> str:
        height, width = np.shape(self.input)[1:]
        return (
            f"ChannelExplorer(input {(len(CHANNELS), height, width)}, "
            f"weight {np.shape(self.weight)}, output {self.output_shape}, kernel={self.kernel})"
        )

    @traitlets.validate("input")
    def _check_input(self, proposal):
        return _input(proposal["value"])

    @traitlets.validate("weight")
    def _check_weight(self, proposal):
        return _weight(proposal["value"])

    @traitlets.validate("bias")
    def _check_bias(self, proposal):
        return _bias(proposal["value"])

    @traitlets.validate("kernel", "row", "column")
    def _check_place(self, proposal):
        return base.counted(proposal)

    @traitlets.validate("speed")
    def _check_speed(self, proposal):
        return base.within(proposal, base.SPEED)


# --- What the traits may hold -----------------------------------------------------------------


def _numbers(name: str, values, limits: list[int], shape: str, ndim: int) -> np.ndarray:
    """Return an array of numbers within limits, or say what is wrong with it."""
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers of shape {shape}, got {values!r}") from error
    if array.ndim != ndim:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    low, high = limits
    wrong = array[~((array >= low) & (array <= high))]  # nan is no number within limits either
    if wrong.size:
        raise ValueError(f"{name} must hold numbers from {low} to {high}, got {wrong[0]:g}")
    return array


def _input(values) -> list:
    shape, (low, high) = "(3, H, W)", LIMITS["input"]
    array = _numbers("input", values, LIMITS["pixel"], shape, 3)
    if len(array) != len(CHANNELS) or not all(low <= n <= high for n in array.shape[1:]):
        raise ValueError(
            f"input must have the shape {shape}, with {low} to {high} rows and columns, "
            f"got {array.shape}"
        )
    if (array % 1).any():
        raise ValueError(
            f"input must hold whole numbers, got {array[array % 1 != 0][0]:g}: round it first"
        )
    return _plain(array)


def _weight(values) -> list:
    shape, (low, high) = "(C_out, 3, k, k)", LIMITS["kernels"]
    array = _numbers("weight", values, LIMITS["weight"], shape, 4)
    is_square = array.shape[1:] in [(len(CHANNELS), k, k) for k in LIMITS["size"]]
    if not low <= len(array) <= high or not is_square:
        raise ValueError(
            f"weight must have the shape {shape}, with C_out from {low} to {high} and k 1 or 3, "
            f"got {array.shape}"
        )
    return _plain(array)


def _bias(values) -> list:
    array = _numbers("bias", values, LIMITS["bias"], "(C_out,)", 1)
    low, high = LIMITS["kernels"]
    if not low <= len(array) <= high:
        raise ValueError(f"bias must hold {low} to {high} numbers, got {len(array)}")
    return _plain(array)


def _plain(array: np.ndarray) -> list:
    return (array if (array % 1).any() else array.astype(int)).tolist()


# --- The still form ---------------------------------------------------------------------------


class _Scene:
    """What the traits show, computed by `cnnlib.scratch`."""

    def __init__(self, explorer):
        self.words = base.words("channel_explorer")
        self.x, self.weight = np.array(explorer.input, float), np.array(explorer.weight, float)
        bias = [*explorer.bias, 0, 0, 0, 0][: len(self.weight)]
        self.bias = np.array(bias, float)
        self.maps = conv2d(self.x[None], self.weight, self.bias)[0]
        _, self.rows, self.columns = self.maps.shape
        self.kernel = min(explorer.kernel, len(self.weight) - 1)
        self.row = min(explorer.row, self.rows - 1)
        self.column = min(explorer.column, self.columns - 1)
        self.size = self.weight.shape[-1]
        place = self.row * self.columns + self.column + 1
        self.reached = self.rows * self.columns if explorer.filled else place
        under = np.s_[:, self.row : self.row + self.size, self.column : self.column + self.size]
        self.products = self.x[under] * self.weight[self.kernel]
        self.sums = self.products.sum(axis=(1, 2))
        self.number = self.maps[self.kernel, self.row, self.column]

    def label(self, key: str, i: int) -> str:
        return self.words[key].format(channel=self.words["channels"][CHANNELS[i]])

    def slice_board(self, i: int, looks: still.Looks | None = None) -> still.Board:
        texts = [[f"{value:g}" for value in line] for line in self.x[i]]
        tones = [[(f"tone-{text}", 0.0) for text in line] for line in texts]
        lens = (self.column, self.row, self.size, self.size)
        return still.Board("input", self.label("sliceLabel", i), texts, looks or tones, lens)

    def weights_board(self, i: int) -> still.Board:
        weights = self.weight[self.kernel]
        texts = [[still.short(value) for value in line] for line in weights[i]]
        return still.Board("kernel", self.label("weightsLabel", i), texts, _signed(weights)[i])

    def products_board(self, i: int) -> still.Board:
        texts = _fitted(self.products.reshape(-1, self.size), 2, 4)
        own, looks = texts[i * self.size : (i + 1) * self.size], _signed(self.products)[i]
        return still.Board("products", self.label("sliceProducts", i), own, looks)

    def map_board(self) -> still.Board:
        values = self.maps[self.kernel]
        texts, looks = _fitted(values, 1, 5 if self.size > 1 else 4), still.shades(values)
        for place in range(self.reached, values.size):
            texts[place // self.columns][place % self.columns] = ""
            looks[place // self.columns][place % self.columns] = ("empty", 0.0)
        label = self.words["mapLabel"].format(
            kernel=self.kernel + 1, rows=self.rows, columns=self.columns
        )
        return still.Board("output", label, texts, looks, (self.column, self.row, 1, 1))

    def bias_board(self) -> still.Board:
        text = still.short(self.bias[self.kernel])
        return still.Board("kernel", self.words["biasLabel"], [[text]], [[("plain", 0.0)]])


def _signed(volume: np.ndarray) -> list[still.Looks]:
    """Return the shades of slices, all on one scale."""
    looks = still.shades(volume.reshape(-1, volume.shape[-1]), signed=True)
    rows = volume.shape[1]
    return [looks[i * rows : (i + 1) * rows] for i in range(len(volume))]


def _fitted(values: np.ndarray, most: int, room: int) -> still.Texts:
    """Return texts with as many decimals as leave each at most `room` characters long."""
    texts = still.aligned(values, most)
    fits = all(len(text) <= room for line in texts for text in line)
    return texts if fits or most == 0 else _fitted(values, most - 1, room)


def _html(explorer) -> str:
    now = _Scene(explorer)
    parts = {
        "header": f"<p>{now.words['stillChannels']}</p>",
        "caption": _caption(now),
        "flow": _flow(now),
        "reading": _reading(now),
        "kernels": _kernels(now),
        "shapes": "",
        "end": "",
    }
    body = "".join(f'<div class="cnn-ch-{name}">{part}</div>' for name, part in parts.items())
    empty = '<div class="cnn-ch-shapes"></div>'
    body = body.replace(empty, f'<dl class="cnn-ch-shapes">{_shapes(now)}</dl>')
    return f'<div class="cnn-channels">{body}</div>'


def _caption(now: _Scene) -> str:
    colors = now.x.transpose(1, 2, 0).reshape(-1, 3) * 255 / LIMITS["pixel"][1]
    fills = [f"rgb({r:.0f}, {g:.0f}, {b:.0f})" for r, g, b in colors]
    rows, columns = now.x.shape[1:]
    text = now.words["pictureCaption"].format(rows=rows, columns=columns)
    return f"{_mini('cnn-ch-picture', columns, fills)}<p>{text}</p>"


def _flow(now: _Scene) -> str:
    rows = "".join(_slice(now, i) for i in range(len(CHANNELS)))
    number = _box("output", now.words["numberLabel"], now.number)
    adds = _sign("+") + still.panel(now.bias_board()) + _sign("=") + number
    return (
        f'<div class="cnn-ch-rows">{rows}</div><div class="cnn-ch-join"></div>'
        f'<div class="cnn-ch-result"><div class="cnn-ch-adds">{adds}</div>{_sign("↓")}'
        f"{still.panel(now.map_board())}</div>"
    )


def _slice(now: _Scene, i: int) -> str:
    boards = (now.slice_board(i), now.weights_board(i), now.products_board(i))
    panels = zip(map(still.panel, boards), map(_sign, "×=→"), strict=True)
    total = _box("products", now.label("sliceSum", i), now.sums[i])
    body = "".join(panel + sign for panel, sign in panels) + total
    return f'<div class="cnn-ch-slice cnn-ch-{CHANNELS[i]}">{body}</div>'


def _sign(text: str) -> str:
    return f'<div class="cnn-ch-sign">{text}</div>'


def _box(role: str, label: str, value: float) -> str:
    return (
        f'<div class="cnn-panel cnn-{role} cnn-ch-box"><div class="cnn-label">{label}</div>'
        f'<div class="cnn-ch-value">{still.decimal(value)}</div></div>'
    )


def _reading(now: _Scene) -> str:
    place = {"kernel": now.kernel + 1, "row": now.row + 1, "column": now.column + 1}
    text = now.words["sumSpoken"].format(**place, value=still.decimal(now.number))
    return f'<div class="cnn-ch-sum-line"><p>{text}</p></div>'


def _kernels(now: _Scene) -> str:
    cards = "".join(_card(now, i) for i in range(len(now.weight)))
    legend = now.words["kernelsLegend"]
    return (
        f'<fieldset><legend>{legend}</legend><div class="cnn-ch-cards">{cards}</div></fieldset>'
        '<div class="cnn-ch-own"></div>'
    )


def _card(now: _Scene, i: int) -> str:
    slices = zip(CHANNELS, _signed(now.weight[i]), strict=True)
    minis = "".join(_mini(f"cnn-ch-{name}", now.size, _fills(looks)) for name, looks in slices)
    fills = _fills(still.shades(now.maps[i]))
    fills[now.reached :] = [""] * (len(fills) - now.reached)
    gives = f"<span>→</span>{_mini('cnn-ch-mini-map', now.columns, fills)}"
    return (
        f'<div class="cnn-ch-card"><span class="cnn-ch-name">{i + 1}</span>'
        f'<span class="cnn-ch-minis">{minis}{gives}</span></div>'
    )


def _fills(looks: still.Looks) -> list[str]:
    return [still.background(*look) for line in looks for look in line]


def _mini(name: str, columns: int, fills: list[str]) -> str:
    cells = "".join(f'<span style="background:{fill}"></span>' for fill in fills)
    return f'<span class="cnn-ch-mini {name}" style="--columns:{columns}">{cells}</span>'


def _shapes(now: _Scene) -> str:
    t, (_, height, width) = now.words, now.x.shape
    numbers = {
        "channels": len(CHANNELS),
        "height": height,
        "width": width,
        "outputs": len(now.weight),
        "kernelRows": now.size,
        "kernelColumns": now.size,
        "rows": now.rows,
        "columns": now.columns,
    }
    letters = {
        name: re.sub(r"_(\w+)", r"<sub>\1</sub>", text) for name, text in t["letters"].items()
    }
    count = now.weight.size + len(now.weight)
    lines = []
    for name, text in t["shapeTerms"].items():
        last = f'<span class="cnn-ch-equals">= <strong class="cnn-ch-count">{count}</strong></span>'
        lines.append(
            f"<div><dt>{t['shapes'][name]}</dt><dd>{_terms(text, letters, 'letters')}"
            f"<span>=</span>{_terms(text, numbers, 'numbers')}"
            f"{last if name == 'parameters' else ''}</dd></div>"
        )
    return "".join(lines)


def _terms(text: str, values: dict, kind: str) -> str:
    return f'<p class="cnn-ch-{kind}">{text.format(**still.terms(values))}</p>'
