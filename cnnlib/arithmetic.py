"""The arithmetic of convolutional layers: sizes, padding, receptive fields, parameters, MACs.

Everything here is exact and made of integers only. A setting is one number for every axis, or a
tuple with one number an axis, as in torch. Where all settings are single numbers, the answer is a
single number; where one of them is a tuple, the answer is a tuple. A setting that makes no sense,
stride 0 say, raises a `ValueError` that names it.

References
----------
V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
https://arxiv.org/abs/1603.07285

A. Araujo, W. Norris and J. Sim, "Computing receptive fields of convolutional neural networks",
Distill, 2019, https://distill.pub/2019/computing-receptive-fields
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from operator import index

#: One number for every axis, or one number an axis.
Ints = int | Sequence[int]
#: A word, a number, or a tuple with a word, a number or a pair ``(before, after)`` an axis.
Padding = str | int | Sequence[str | int | tuple[int, int]]


@dataclass(frozen=True)
class Layer:
    """The geometry of one convolution or pooling layer; settings as for `output_size`."""

    kernel_size: Ints
    stride: Ints = 1
    padding: Padding = 0
    dilation: Ints = 1

    def __post_init__(self):
        receptive_field([self])  # refuses what cannot be


@dataclass(frozen=True)
class ReceptiveField:
    """What one output pixel of a stack of layers sees of the input.

    Output pixel ``i`` sees the input pixels from ``start + i * jump`` to
    ``start + i * jump + size - 1``. The `jump` between neighbours is the product of the strides;
    `start` is negative where output 0 looks into the padding.
    """

    size: int | tuple[int, ...]
    jump: int | tuple[int, ...]
    start: int | tuple[int, ...]


def output_size(
    input_size: Ints,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
) -> int | tuple[int, ...]:
    """Return how many positions a kernel takes along an input: the size of the output.

    ``floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1``

    Parameters
    ----------
    input_size, kernel_size, stride, dilation : int or tuple of int
        At least 1.
    padding : int, str or tuple
        As for `padding_amounts`. ``"same"`` needs stride 1, as in torch. (TensorFlow's gives
        ``ceil(input / stride)`` with a padding that depends on the input's size; for an odd kernel
        the number ``dilation * (kernel_size - 1) // 2`` reaches that size too.)

    Returns
    -------
    int or tuple of int
        The output's size, at least 1: a kernel larger than the padded input raises `ValueError`.

    Examples
    --------
    >>> output_size(32, kernel_size=5, stride=2, padding=1)
    15
    >>> output_size((28, 32), kernel_size=3, padding="same")
    (28, 32)
    """
    axes = _axes(input_size, kernel_size, stride, padding, dilation)
    settings = _geometry(axes, kernel_size, stride, padding, dilation)
    sizes = []
    for n, (k, s, (before, after), d) in zip(
        per_axis(input_size, axes, "input_size", 1), settings, strict=True
    ):
        room = n + before + after - _span(k, d)
        if room < 0:
            raise ValueError(
                f"the kernel is larger than the padded input: kernel_size {k} with dilation {d} "
                f"spans {_span(k, d)} pixels, but the input has {n} and {before} + {after} of "
                "padding; use a smaller kernel or dilation, or more padding"
            )
        sizes.append(room // s + 1)
    return _like(axes, sizes)


def transposed_output_size(
    input_size: Ints,
    kernel_size: Ints,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
) -> int | tuple[int, ...]:
    """Return the output size of a transposed convolution.

    ``(input - 1) * stride - before - after + dilation * (kernel - 1) + 1 + output_padding``

    A transposed convolution goes back from an output's size to an input's size. With a stride,
    several inputs share one output size, and `output_padding` says which of them is meant.

    Parameters
    ----------
    input_size, kernel_size, stride, padding, dilation
        As for `output_size`; those of the convolution of which this one is the transpose.
    output_padding : int or tuple of int
        At least 0 and less than the stride or the dilation, whichever is larger, as in torch.

    Returns
    -------
    int or tuple of int
        The output's size, at least 1: a padding that leaves no output raises `ValueError`.
    """
    axes = _axes(input_size, kernel_size, stride, padding, dilation, output_padding)
    inputs = per_axis(input_size, axes, "input_size", 1)
    extras = per_axis(output_padding, axes, "output_padding", 0)
    settings = _geometry(axes, kernel_size, stride, padding, dilation)
    sizes = []
    for n, extra, (k, s, (before, after), d) in zip(inputs, extras, settings, strict=True):
        if extra >= max(s, d):
            raise ValueError(
                f"output_padding must be less than the stride or the dilation, got {extra} with "
                f"stride {s} and dilation {d}"
            )
        size = (n - 1) * s - before - after + _span(k, d) + extra
        if size < 1:
            raise ValueError(
                f"padding {before} + {after} leaves no output: the size would be {size}; use less "
                "padding or a larger kernel"
            )
        sizes.append(size)
    return _like(axes, sizes)


def padding_amounts(kernel_size: Ints, padding: Padding = 0, dilation: Ints = 1) -> tuple:
    """Return how many pixels a padding adds before and after the input.

    Parameters
    ----------
    kernel_size, dilation : int or tuple of int
        At least 1.
    padding : int, str or tuple
        A number adds that many pixels on both sides. ``"valid"`` adds none. ``"same"`` keeps the
        size at stride 1; an even kernel cannot be centred, and then the odd pixel is added after
        (right, bottom), as in torch. ``"full"`` adds ``dilation * (kernel_size - 1)`` on both
        sides, so that every overlap with the input counts. A tuple gives one of these an axis, or
        a pair: ``((1, 2), 0)`` is one row above, two below, no columns.

    Returns
    -------
    tuple
        ``(before, after)``, or a tuple of such pairs where an argument is a tuple.

    Examples
    --------
    >>> padding_amounts(4, "same")
    (1, 2)
    >>> padding_amounts((3, 5), "same")
    ((1, 1), (2, 2))
    """
    axes = _axes(kernel_size, padding, dilation)
    kernels = per_axis(kernel_size, axes, "kernel_size", 1)
    dilations = per_axis(dilation, axes, "dilation", 1)
    entries = _spread(padding, axes, "padding")
    spans = map(_span, kernels, dilations)
    return _like(axes, [_pair(p, span) for p, span in zip(entries, spans, strict=True)])


def receptive_field(layers: Iterable[Layer]) -> ReceptiveField:
    """Return the receptive field of a stack of layers, in pixels of the stack's input.

    Every layer widens the field by its kernel's reach, ``dilation * (kernel - 1)``, counted in
    steps of the strides before it (Araujo et al. 2019). This is the field of
    what can matter; how much each pixel does matter is another question.

    Parameters
    ----------
    layers : iterable of Layer
        From the input to the output. An empty stack sees one pixel.

    Examples
    --------
    >>> receptive_field([Layer(3), Layer(3)]).size
    5
    """
    layers = list(layers)
    axes = _axes(*(v for x in layers for v in (x.kernel_size, x.stride, x.padding, x.dilation)))
    sizes, jumps, starts = ([start] * (axes or 1) for start in (1, 1, 0))
    for layer in layers:
        settings = _geometry(axes, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        for axis, (k, s, (before, _), d) in enumerate(settings):
            sizes[axis] += (_span(k, d) - 1) * jumps[axis]
            starts[axis] -= before * jumps[axis]
            jumps[axis] *= s
    return ReceptiveField(_like(axes, sizes), _like(axes, jumps), _like(axes, starts))


def conv_parameters(
    in_channels: int, out_channels: int, kernel_size: Ints, groups: int = 1, bias: bool = True
) -> int:
    """Return the number of learned numbers in a convolution, whatever the picture's size.

    ``out_channels * (in_channels / groups) * kernel height * kernel width``, and ``out_channels``
    more where there are biases. Here one number for `kernel_size` means a square kernel; a tuple
    gives each axis, ``(5,)`` a 1-D kernel.

    Examples
    --------
    >>> conv_parameters(3, 16, kernel_size=5)
    1216
    """
    check_groups(in_channels, out_channels, groups)
    kernel = per_axis(kernel_size, _axes(kernel_size) or 2, "kernel_size", 1)
    weights = out_channels * (in_channels // groups) * prod(kernel)
    return weights + (out_channels if bias else 0)


def conv_macs(
    in_channels: int, out_channels: int, kernel_size: Ints, output_size: Ints, groups: int = 1
) -> int:
    """Return the multiply-accumulates (MACs) of a convolution on one picture.

    Each number of the output costs one MAC for each weight that makes it. Products with padding
    are counted like all others and additions of a bias are not, as is the custom. One MAC is two
    floating-point operations. One number for `kernel_size` or `output_size` means a square.

    Examples
    --------
    >>> conv_macs(3, 16, kernel_size=5, output_size=28)
    940800
    """
    axes = _axes(kernel_size, output_size) or 2
    kernel = per_axis(kernel_size, axes, "kernel_size", 1)
    positions = prod(per_axis(output_size, axes, "output_size", 1))
    return positions * conv_parameters(in_channels, out_channels, kernel, groups, bias=False)


def linear_parameters(in_features: int, out_features: int, bias: bool = True) -> int:
    """Return the number of learned numbers in a fully connected layer."""
    return linear_macs(in_features, out_features) + (out_features if bias else 0)


def linear_macs(in_features: int, out_features: int) -> int:
    """Return the MACs of a fully connected layer on one example: each weight is used once."""
    return _integer(in_features, "in_features", 1) * _integer(out_features, "out_features", 1)


def batch_norm_parameters(num_features: int) -> int:
    """Return the number of learned numbers in a batch normalisation layer.

    A scale and a shift for each of `num_features` channels. The running mean and variance are
    measured, not learned, and do not count (Keras lists them as "non-trainable parameters").
    """
    return 2 * _integer(num_features, "num_features", 1)


def check_groups(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise `ValueError` unless `groups` divides both numbers of channels."""
    _integer(groups, "groups", 1)
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if _integer(channels, name, 1) % groups:
            raise ValueError(
                f"groups={groups} does not divide {name}={channels}: every group gets the same "
                "number of channels, so choose a divisor of both"
            )


def per_axis(value: Ints, axes: int | None, name: str, minimum: int) -> tuple[int, ...]:
    """Return a setting as one checked integer an axis; `name` is for the error."""
    return tuple(_integer(v, name, minimum) for v in _spread(value, axes, name))


def _axes(*settings) -> int | None:
    """Return the number of axes that the tuples among the settings have; None without a tuple."""
    lengths = {len(v) for v in settings if isinstance(v, tuple | list)}
    if len(lengths) > 1:
        raise ValueError(
            f"the settings disagree on the number of axes: some tuples have {min(lengths)} "
            f"entries, some {max(lengths)}; give one entry an axis everywhere"
        )
    return lengths.pop() if lengths else None


def _like(axes: int | None, values: list):
    """Return the list as a tuple, or its one entry where no setting was a tuple."""
    return values[0] if axes is None else tuple(values)


def _spread(value, axes: int | None, name: str) -> tuple:
    """Return one entry an axis."""
    entries = tuple(value) if isinstance(value, tuple | list) else (value,) * (axes or 1)
    if len(entries) != (axes or 1):
        raise ValueError(
            f"{name} {value} has {len(entries)} entries for {axes or 1} axes: give one number, or "
            "one an axis"
        )
    return entries


def _integer(value, name: str, minimum: int) -> int:
    """Return the value as an int; refuse booleans, fractions and what is too small."""
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def _span(kernel_size: int, dilation: int) -> int:
    """Return how many pixels a dilated kernel reaches over, its gaps included."""
    return dilation * (kernel_size - 1) + 1


def _pair(padding: str | int | tuple[int, int], span: int) -> tuple[int, int]:
    """Return ``(before, after)`` for one axis."""
    if isinstance(padding, str):
        words = {
            "valid": (0, 0),
            "same": ((span - 1) // 2, span // 2),
            "full": (span - 1, span - 1),
        }
        if padding not in words:
            raise ValueError(
                f'unknown padding {padding!r}: use "valid", "same" or "full", or give numbers'
            )
        return words[padding]
    if isinstance(padding, tuple | list) and len(padding) != 2:
        raise ValueError(f"padding {padding} of one axis must be a number or (before, after)")
    return per_axis(padding, 2, "padding", 0)


def _geometry(axes: int | None, kernel_size, stride, padding, dilation) -> list[tuple]:
    """Return ``(kernel, stride, (before, after), dilation)`` for each axis, checked."""
    kernels = per_axis(kernel_size, axes, "kernel_size", 1)
    strides = per_axis(stride, axes, "stride", 1)
    paddings = _spread(padding, axes, "padding")
    dilations = per_axis(dilation, axes, "dilation", 1)
    settings = []
    for k, s, p, d in zip(kernels, strides, paddings, dilations, strict=True):
        if p == "same" and s > 1:
            raise ValueError(
                f'padding="same" needs stride 1, got stride {s}: give a number instead; half of '
                f"this kernel's reach is {d * (k - 1) // 2}"
            )
        settings.append((k, s, _pair(p, _span(k, d)), d))
    return settings
