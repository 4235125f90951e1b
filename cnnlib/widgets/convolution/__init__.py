"""`ConvolutionExplorer`: a kernel slides over an input, and the output fills."""

from __future__ import annotations

import traitlets

from cnnlib.arithmetic import output_size
from cnnlib.widgets.common import base, checks, photos

#: What each control reaches, lowest and highest.
LIMITS = {
    "input": [1, 16],
    "kernel": [1, 5],
    "stride": [1, 4],
    "padding": [0, 6],
    "dilation": [1, 3],
}
MODES = ("number", "valid", "same", "full")

#: A vertical edge, by the kernel with which most courses begin.
VERTICAL_EDGE = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))


class ConvolutionExplorer(base.Widget):
    """Slide a kernel over an input: edit both, set the stride, step, play, read the numbers.

    Every argument is a trait: it can be set later, observed, and joined to other widgets by
    ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    input : array_like, shape (H, W), optional
        Numbers from -999 to 999; 1 to 16 rows and columns. The cat's eye by default.
    kernel : array_like, shape (kH, kW), optional
        Numbers from -999 to 999; 1 to 5 rows and columns. A vertical edge by default.
    stride : int
        1 to 4.
    padding : int or {"valid", "same", "full"}
        0 to 6 pixels of zeros on every side, or a word as in `cnnlib.arithmetic.output_size`. The
        word is kept in the trait ``mode``, which is ``"number"`` otherwise.
    dilation : int
        1 to 3.
    flip : bool
        False for correlation, as in deep learning; True for convolution proper, with the kernel
        turned half round.
    row, column : int, optional
        The place in the output that the window computes, from 0. The middle by default.
    filled : bool
        Show the whole output, or only the places up to the window.
    speed : float
        Steps a second while it plays, from 0.5 to 30.

    Raises
    ------
    ValueError
        If a grid is not a rectangle of numbers, a setting is out of range, or the kernel is larger
        than the padded input.
    """

    _esm = base.module("convolution")
    _css = base.style("convolution")

    input = traitlets.List().tag(sync=True)
    kernel = traitlets.List().tag(sync=True)
    stride = traitlets.Int(1).tag(sync=True)
    padding = traitlets.Int(0).tag(sync=True)
    mode = traitlets.Unicode("number").tag(sync=True)
    dilation = traitlets.Int(1).tag(sync=True)
    flip = traitlets.Bool(False).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    filled = traitlets.Bool(False).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(6.0).tag(sync=True)
    photo = traitlets.List().tag(sync=True)  # for the controls: the cat at its largest
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, input=None, kernel=VERTICAL_EDGE, *, padding: int | str = 0, **traits):
        mode = padding if isinstance(padding, str) else "number"
        pixels = 0 if isinstance(padding, str) else padding
        grid = photos.cat_eye() if input is None else input
        photo = photos.cat_eye(LIMITS["input"][1])
        super().__init__(
            input=checks.number_grid("input", grid, LIMITS["input"]),
            kernel=checks.number_grid("kernel", kernel, LIMITS["kernel"]),
            mode=mode,
            padding=pixels,
            photo=[list(row) for row in photo],
            limits=LIMITS,
            **traits,
        )
        rows, columns = self.output_shape  # refuses a kernel larger than the padded input
        self.row = traits.get("row", (rows - 1) // 2)
        self.column = traits.get("column", (columns - 1) // 2)

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        return output_size(
            (len(self.input), len(self.input[0])),
            (len(self.kernel), len(self.kernel[0])),
            self.stride,
            self.padding if self.mode == "number" else self.mode,
            self.dilation,
        )

    def __repr__(self) -> str:
        shapes = [f"{len(grid)}x{len(grid[0])}" for grid in (self.input, self.kernel)]
        padding = self.padding if self.mode == "number" else self.mode
        return (
            f"ConvolutionExplorer(input {shapes[0]}, kernel {shapes[1]}, stride={self.stride}, "
            f"padding={padding!r}, dilation={self.dilation}, flip={self.flip})"
        )

    @traitlets.validate("input", "kernel")
    def _check_grid(self, proposal):
        name = proposal["trait"].name
        return checks.number_grid(name, proposal["value"], LIMITS[name])

    @traitlets.validate("stride", "padding", "dilation")
    def _check_setting(self, proposal):
        return checks.within(proposal, LIMITS)

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        return checks.counted(proposal)

    @traitlets.validate("mode")
    def _check_mode(self, proposal):
        rule = 'padding must be a number, "valid", "same" or "full"'
        return checks.one_of(proposal, MODES, rule)

    @traitlets.validate("speed")
    def _check_speed(self, proposal):
        return checks.within(proposal, checks.SPEED)
