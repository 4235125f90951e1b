"""`ChannelExplorer`: a kernel with a slice for every channel, and a map for every kernel."""

from __future__ import annotations

import numpy as np
import traitlets

from cnnlib.widgets.common import base, checks, photos

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

    _esm = base.module("channels")
    _css = base.style("channels")

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
            input=_input(photos.color_eye() if input is None else input),
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
        return checks.counted(proposal)

    @traitlets.validate("speed")
    def _check_speed(self, proposal):
        return checks.within(proposal, checks.SPEED)


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
