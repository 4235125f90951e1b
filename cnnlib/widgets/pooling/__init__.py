"""`PoolingExplorer`: a window pools an input, and the input shifts under it."""

from __future__ import annotations

import numpy as np
import traitlets

from cnnlib.arithmetic import output_size
from cnnlib.widgets.common import base, checks, photos

#: What each control reaches, lowest and highest.
LIMITS = {
    "input": [1, 12],
    "kernel_size": [1, 4],
    "stride": [1, 4],
    "shift_rows": [-3, 3],
    "shift_columns": [-3, 3],
    "repeats": [1, 4],
}
#: The words that a trait may be.
CHOICES = {
    "mode": ("max", "average", "blur", "stride"),
    "reference": ("before", "moved"),
    "view": ("numbers", "photo"),
}


class PoolingExplorer(base.Widget):
    """Pool a grid of numbers or a photograph, shift it by a pixel, and see what changes.

    There is no padding: a window that does not fit is left out. The blur alone looks one pixel
    beyond its window, and there the edge is repeated. So it is where the input shifts and
    something comes in from outside.

    Every argument but `photo` is a trait as it stands: it can be set later, observed, and joined
    to other widgets by ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    input : array_like, shape (H, W), optional
        Numbers from -999 to 999; 1 to 12 rows and columns. The cat's eye, 8 by 8, by default.
    mode : {"max", "average", "blur", "stride"}
        How a window becomes one number: by its maximum; by its mean; by the maximum of the window
        at every place, blurred by (1, 2, 1) along both axes before the stride skips places (Zhang,
        2019); or by its first pixel alone, which is what a stride does by itself.
    kernel_size : int
        Rows and columns of the window, 1 to 4.
    stride : int, optional
        1 to 4. The window's own size by default.
    shift_rows, shift_columns : int
        Pixels by which the input has moved down and to the right, -3 to 3.
    row, column : int
        The place in the output that the window computes, from 0.
    winners : bool
        Mark the winner of every window, or of the present one alone.
    reference : {"before", "moved"}
        What the output is compared with: the output before the shift, or that output moved along,
        where the shift is a whole number of strides.
    view : {"numbers", "photo"}
        Show the grid of numbers, or the photograph.
    photo : array_like of uint8, shape (H, W), optional
        A grey photograph of at most 256 by 256 pixels. The cat by default. As a trait it is a PNG
        in a data URL.
    repeats : int
        How often the photograph is pooled, 1 to 4.
    speed : float
        Steps a second while it plays, from 0.5 to 30.

    Raises
    ------
    ValueError
        If the grid is not a rectangle of numbers, a setting is out of range, or the window is
        larger than the input.

    References
    ----------
    R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    _esm = base.module("pooling")
    _css = base.style("pooling")

    input = traitlets.List().tag(sync=True)
    mode = traitlets.Unicode("max").tag(sync=True)
    kernel_size = traitlets.Int(2).tag(sync=True)
    stride = traitlets.Int(2).tag(sync=True)
    shift_rows = traitlets.Int(0).tag(sync=True)
    shift_columns = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    winners = traitlets.Bool(False).tag(sync=True)
    reference = traitlets.Unicode("before").tag(sync=True)
    view = traitlets.Unicode("numbers").tag(sync=True)
    photo = traitlets.Unicode().tag(sync=True)
    repeats = traitlets.Int(1).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(3.0).tag(sync=True)
    crop = traitlets.List().tag(sync=True)  # for the controls: the cat's eye at its largest
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, input=None, *, kernel_size: int = 2, stride=None, photo=None, **traits):
        grid = photos.cat_eye(8) if input is None else input
        pixels = photos.cat_photo() if photo is None else np.asarray(photo)
        if pixels.ndim != 2:
            raise ValueError(f"photo must be grey, of shape (H, W), got shape {pixels.shape}")
        super().__init__(
            input=checks.number_grid("input", grid, LIMITS["input"]),
            kernel_size=kernel_size,
            photo=photos.photo_url("photo", pixels),
            crop=[list(row) for row in photos.cat_eye(16)],
            limits=LIMITS,
            **traits,
        )
        self.stride = self.kernel_size if stride is None else stride
        _ = self.output_shape  # refuses a window larger than the input

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        shape = (len(self.input), len(self.input[0]))
        return output_size(shape, (self.kernel_size,) * 2, self.stride, 0)

    def __repr__(self) -> str:
        return (
            f"PoolingExplorer(input {len(self.input)}x{len(self.input[0])}, mode={self.mode!r}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"shift_rows={self.shift_rows}, shift_columns={self.shift_columns})"
        )

    @traitlets.validate("input")
    def _check_grid(self, proposal):
        return checks.number_grid("input", proposal["value"], LIMITS["input"])

    @traitlets.validate("kernel_size", "stride", "shift_rows", "shift_columns", "repeats")
    def _check_setting(self, proposal):
        return checks.within(proposal, LIMITS)

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        return checks.counted(proposal)

    @traitlets.validate("mode", "reference", "view")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        choices = ", ".join(f'"{choice}"' for choice in CHOICES[name])
        return checks.one_of(proposal, CHOICES[name], f"{name} must be one of {choices}")

    @traitlets.validate("speed")
    def _check_speed(self, proposal):
        return checks.within(proposal, checks.SPEED)
