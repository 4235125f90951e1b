"""`ReceptiveFieldExplorer`: stack layers, and see what one output pixel sees of the input."""

from __future__ import annotations

import numpy as np
import traitlets

from cnnlib.arithmetic import Layer, ReceptiveField, output_size, receptive_field
from cnnlib.widgets.common import base, checks, photos

#: What each control reaches, lowest and highest.
LIMITS = {
    "layers": [1, 8],
    "input_size": [8, 256],
    "kernel_size": [1, 7],
    "stride": [1, 4],
    "padding": [0, 12],
    "dilation": [1, 4],
}
SETTINGS = ("kernel_size", "stride", "padding", "dilation")
SHOWN = ("photo", "paths")


class ReceptiveFieldExplorer(base.Widget):
    """Stack layers, point at an output pixel: its field lights up, from the side and in the photo.

    Every argument is a trait: it can be set later, observed, and joined to other widgets by
    ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    layers : sequence
        1 to 8 convolution or pooling layers, from the input to the output. Each is a kernel size,
        or a tuple ``(kernel_size, stride, padding, dilation)`` of which the end may be left out, a
        dictionary with these names, or a `cnnlib.arithmetic.Layer`. Kernels reach from 1 to 7,
        strides to 4, paddings to 12, dilations to 4. The trait holds dictionaries.
    input_size : int
        Rows and columns of the input, 8 to 256.
    row, column : int, optional
        The output pixel, from 0. The middle by default.
    photo : array_like of uint8, shape (H, W) or (H, W, 3), optional
        What lies in the input, at most 256 by 256; it is shown in grey, at the input's size. The
        cat's face by default.
    show : {"photo", "paths"}
        What one sees in the field: the photograph, or how many paths lead from each pixel to the
        output pixel. (A stack of kernels full of ones computes just that number.)

    Raises
    ------
    ValueError
        If a setting is out of range, or a layer larger than its padded input.
    """

    _esm = base.module("receptive_field")
    _css = base.style("receptive_field")

    layers = traitlets.List().tag(sync=True)
    input_size = traitlets.Int(32).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    show = traitlets.Unicode("photo").tag(sync=True)
    photo = traitlets.Unicode().tag(sync=True)
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, layers=((3, 1), (3, 1)), *, photo=None, **traits):
        picture = photos.cat_photo() if photo is None else _gray(photo)
        super().__init__(
            layers=layers_of(layers),
            photo=photos.photo_url("photo", picture),
            limits=LIMITS,
            **traits,
        )
        last = self.output_sizes[-1] - 1  # refuses a layer larger than its padded input
        self.row = traits.get("row", last // 2)
        self.column = traits.get("column", last // 2)

    @property
    def stack(self) -> list[Layer]:
        """The layers, as `cnnlib.arithmetic` takes them."""
        return [Layer(**layer) for layer in self.layers]

    @property
    def field(self) -> ReceptiveField:
        """What one output pixel sees: size, jump and start."""
        return receptive_field(self.stack)

    @property
    def output_sizes(self) -> list[int]:
        """Rows of the input and of what each layer makes of it."""
        sizes = [self.input_size]
        for number, layer in enumerate(self.layers, 1):
            try:
                sizes.append(output_size(sizes[-1], **layer))
            except ValueError as error:
                raise ValueError(f"layer {number}: {error}") from None
        return sizes

    def __repr__(self) -> str:
        layers = ", ".join(str(tuple(layer[name] for name in SETTINGS)) for layer in self.layers)
        return (
            f"ReceptiveFieldExplorer([{layers}], input_size={self.input_size}): "
            f"field {self.field.size}, jump {self.field.jump}"
        )

    @traitlets.validate("layers")
    def _check_layers(self, proposal):
        return layers_of(proposal["value"])

    @traitlets.validate("input_size")
    def _check_size(self, proposal):
        return checks.within(proposal, LIMITS)

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        return checks.counted(proposal)

    @traitlets.validate("show")
    def _check_show(self, proposal):
        return checks.one_of(proposal, SHOWN, 'show must be "photo" or "paths"')


def layers_of(layers) -> list[dict[str, int]]:
    """Return layers as dictionaries of whole numbers, or say what is wrong with them.

    Parameters
    ----------
    layers : sequence
        As for `ReceptiveFieldExplorer`.

    Raises
    ------
    ValueError
        If one is no layer, or one of its settings is out of range.
    """
    low, high = LIMITS["layers"]
    if not isinstance(layers, list | tuple) or not low <= len(layers) <= high:
        raise ValueError(
            f"layers must be a list of {low} to {high} layers, such as [(3, 1), (2, 2)], "
            f"got {layers!r}"
        )
    return [_layer(number, layer) for number, layer in enumerate(layers, 1)]


def _layer(number: int, layer) -> dict[str, int]:
    if isinstance(layer, Layer):
        layer = {name: getattr(layer, name) for name in SETTINGS}
    if isinstance(layer, dict):
        settings = layer
    else:
        numbers = layer if isinstance(layer, list | tuple) else [layer]
        settings = dict(zip(SETTINGS, numbers, strict=False)) if len(numbers) <= 4 else {}
    if "kernel_size" not in settings or not set(settings) <= set(SETTINGS):
        raise ValueError(
            f"layer {number} must be (kernel_size, stride, padding, dilation), got {layer!r}"
        )
    settings = {"stride": 1, "padding": 0, "dilation": 1} | settings
    return {name: _setting(number, name, settings[name]) for name in SETTINGS}


def _setting(number: int, name: str, value) -> int:
    low, high = LIMITS[name]
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or not low <= value <= high:
        raise ValueError(
            f"{name} of layer {number} must be a whole number from {low} to {high}, got {value!r}"
        )
    return int(value)


def _gray(photo) -> np.ndarray:
    """Return a photograph in grey; leave to `photos.photo_url` what is none."""
    from PIL import Image

    pixels = np.asarray(photo)
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(pixels).convert("L"))
    return pixels
