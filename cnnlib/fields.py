"""What one number of a map sees of the input, followed from operation to operation.

The rules speak of torch's own operations (``torch.ops.aten``), which is what every layer and
every function comes down to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

aten = torch.ops.aten

#: The receptive field after a layer in which everything meets.
ALL = "all"


class Axis(NamedTuple):
    """Position ``i`` sees ``start + i * jump`` to ``start + i * jump + size - 1`` of the input."""

    start: int
    size: int
    jump: int


class Field(NamedTuple):
    """What each number of a map sees: its rows and columns, and the map's height and width.

    When the map is flattened, its numbers still see what they saw, and `grid` stays the map's.
    """

    axes: tuple[Axis, Axis]
    grid: tuple[int, int]


#: How a window moves along one axis: its reach (the span less 1), its stride, the padding before.
_Window = tuple[int, int, int]


def _convolution(x, weight, bias, stride, padding, dilation, transposed, *_) -> list[_Window]:
    return [] if transposed else _windows(weight.shape[2:], stride, padding, dilation)


def _max_pool(x, kernel_size, stride=(), padding=(0, 0), dilation=(1, 1), *_) -> list[_Window]:
    return _windows(kernel_size, stride or kernel_size, padding, dilation)


def _average_pool(x, kernel_size, stride=(), padding=(0, 0), *_) -> list[_Window]:
    return _windows(kernel_size, stride or kernel_size, padding)


def _adaptive_pool(x, output_size) -> list[_Window]:
    kernel_size = [n // m for n, m in zip(x.shape[2:], output_size, strict=True)]
    uneven = any(n % m for n, m in zip(x.shape[2:], output_size, strict=True))
    return [] if uneven else _windows(kernel_size, kernel_size)


def _pad(x, padding, *_) -> list[_Window]:
    left, _, top, _ = (*padding, 0, 0)[:4]  # the last axis comes first
    return [(0, 1, top), (0, 1, left)]


def _slice(x, dim=0, start=0, end=None, step=1) -> list[_Window]:
    windows = [(0, 1, 0)] * x.ndim
    windows[dim] = (0, step, -range(x.shape[dim])[start:].start)
    return windows[2:]


def _windows(kernel_size, stride, padding=(0, 0), dilation=(1, 1)) -> list[_Window]:
    settings = zip(kernel_size, stride, padding, dilation, strict=True)
    return [(d * (k - 1), s, before) for k, s, before, d in settings]


#: Operations that move a window over a map; no window where the positions are not regular.
WINDOWS = {
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _max_pool,
    aten.avg_pool2d: _average_pool,
    aten._adaptive_avg_pool2d: _adaptive_pool,
    aten.adaptive_max_pool2d: _adaptive_pool,
    aten.constant_pad_nd: _pad,
    aten.reflection_pad2d: _pad,
    aten.replication_pad2d: _pad,
    aten.slice: _slice,
}
#: Matrix products, and which argument is the left factor.
PRODUCTS = {aten.mm: 0, aten.bmm: 0, aten.linear: 0, aten.addmm: 1, aten.baddbmm: 1}
REDUCTIONS = {aten.mean, aten.sum, aten.amax, aten.max}


def after(operation, args: tuple, out: torch.Tensor, field: Any, batch: int) -> Any:
    """Return what the output of an operation sees, given what its inputs see together.

    Parameters
    ----------
    operation : torch._ops.OpOverloadPacket
        Such as ``torch.ops.aten.convolution``.
    args : tuple
        What it was called with.
    out : torch.Tensor
        What it gave.
    field : Field, "all" or None
        What its inputs see; None if that is not known.
    batch : int
        How many pictures run through the network.

    Returns
    -------
    Field, "all" or None
        What each number of `out` sees.
    """
    if not isinstance(field, Field):
        return field
    x = args[PRODUCTS.get(operation, 0)]
    if operation in WINDOWS:
        windows = WINDOWS[operation](*args) if x.ndim == 4 and x.shape[2:] == field.grid else []
        return _moved(field, windows, out)
    if operation in PRODUCTS:  # with all numbers of a picture in one row, everything meets
        return ALL if x.ndim == 2 and len(x) == batch else None
    if operation in REDUCTIONS:
        return _reduced(field, *args)
    each_by_itself = out.shape[-2:] == field.grid or out.numel() == x.numel()
    return field if each_by_itself else None


def _moved(field: Field, windows: list[_Window], out: torch.Tensor) -> Field | None:
    """Return the field behind a window."""
    if not windows:
        return None
    axes = [
        Axis(start - before * jump, size + reach * jump, jump * stride)
        for (start, size, jump), (reach, stride, before) in zip(field.axes, windows, strict=True)
    ]
    return Field(tuple(axes), tuple(out.shape[2:]))


def _reduced(field: Field, x: torch.Tensor, dims=(), *_) -> Field | str | None:
    """Return the field behind a mean, a sum or a maximum over some axes, or over all."""
    dims = (dims,) if isinstance(dims, int) else dims
    over = {dim % x.ndim for dim in dims or range(x.ndim)}
    places = {x.ndim - 2, x.ndim - 1}
    if x.shape[-2:] != field.grid:
        return None
    return ALL if places <= over else None if places & over else field


def union(fields: list[Field | str | None]) -> Field | str | None:
    """Return what a number sees that is made from several.

    Parameters
    ----------
    fields : list of Field, "all" or None
        What each of the several sees.
    """
    if ALL in fields:
        return ALL
    if None in fields or len({(*(axis.jump for axis in f.axes), *f.grid) for f in fields}) > 1:
        return None
    return Field(tuple(map(_hull, *(f.axes for f in fields))), fields[0].grid)


def _hull(*axes: Axis) -> Axis:
    """Return the smallest stretch of the input in which several lie."""
    start = min(axis.start for axis in axes)
    stop = max(axis.start + axis.size for axis in axes)
    return Axis(start, stop - start, axes[0].jump)
