"""Convolution and pooling by hand, in NumPy: forward, and backward.

Written to be read, in the order in which the book needs it: one dimension, two dimensions, whole
layers on ``(N, C, H, W)`` batches, pooling. What deep learning calls convolution slides the kernel
as it stands, and is correlation; convolution proper flips the kernel first.

Whole numbers stay whole (as int64, so that pictures of type uint8 do not overflow), and float32
and float64 stay what they are. A backward function takes the gradient of a loss with respect to
the forward function's output, `grad_output`, of the output's shape, and then what the forward
function took. It returns the loss's gradients with respect to the forward function's arrays.
What does not fit raises a `ValueError`: a wrong number of axes, channels that do not match, a
setting out of range, a kernel larger than the padded input.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from cnnlib.arithmetic import Ints, Padding, check_groups, output_size, padding_amounts, per_axis

# --- One dimension --------------------------------------------------------------------------------


def correlate1d(x, w, mode: str = "valid") -> np.ndarray:
    """Slide a kernel along a signal: ``y[i] = sum over k of x[i + k] * w[k]``.

    Parameters
    ----------
    x : array_like, shape (n,)
        The signal.
    w : array_like, shape (k,)
        The kernel.
    mode : {"valid", "same", "full"}
        Where the kernel may stand: wholly inside the signal; so that the output has the signal's
        size; wherever it overlaps the signal at all. Outside, the signal is zero. In "same" mode
        an even kernel has its odd zero after the signal, as in torch; `numpy.correlate` has it
        before, and its answer is shifted by one. (For odd kernels all agree.)

    Returns
    -------
    numpy.ndarray, shape (n - k + 1,), (n,) or (n + k - 1,)
        A kernel longer than the signal raises `ValueError` in "valid" mode. (`numpy.correlate`
        would swap the two.)
    """
    x, w = _arrays(1, x=x, w=w)
    padded = np.pad(x, _mode_padding(w, mode))
    y = np.zeros(output_size(x.shape, w.shape, padding=mode), np.result_type(x, w))
    for i in range(len(y)):
        y[i] = np.sum(padded[i : i + len(w)] * w)
    return y


def convolve1d(x, w, mode: str = "valid") -> np.ndarray:
    """Convolve a signal with a kernel: correlation with the kernel flipped.

    In "full" mode ``y[i] = sum over k of x[i - k] * w[k]``. The rest is as for `correlate1d`.
    """
    x, w = _arrays(1, x=x, w=w)
    return correlate1d(x, w[::-1], mode)


def correlate1d_backward(grad_output, x, w, mode: str = "valid") -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of `correlate1d` with respect to the signal and the kernel.

    ``x[i + k]`` reached ``y[i]`` through ``w[k]``. So the gradient of the (padded) signal is the
    full convolution of the output's gradient with the kernel, and the gradient of the kernel is
    the valid correlation of the (padded) signal with the output's gradient.

    Returns
    -------
    grad_x, grad_w : numpy.ndarray, of the shapes of x and w
    """
    x, w = _arrays(1, x=x, w=w)
    padding = _mode_padding(w, mode)
    grad = _gradient(grad_output, output_size(x.shape, w.shape, padding=mode))
    grad_x = _crop(convolve1d(grad, w, "full"), padding)
    grad_w = correlate1d(np.pad(x, padding), grad, "valid")
    return grad_x, grad_w


# --- Two dimensions -------------------------------------------------------------------------------


def correlate2d(x, w, mode: str = "valid") -> np.ndarray:
    """Slide a kernel over a picture: ``y[i, j] = sum over a, b of x[i + a, j + b] * w[a, b]``.

    Parameters
    ----------
    x : array_like, shape (H, W)
        The picture.
    w : array_like, shape (height, width)
        The kernel.
    mode : {"valid", "same", "full"}
        As for `correlate1d`, on both axes.

    Returns
    -------
    numpy.ndarray, with the sizes of `correlate1d` on each axis
    """
    x, w = _arrays(2, x=x, w=w)
    padded = np.pad(x, _mode_padding(w, mode))
    height, width = w.shape
    y = np.zeros(output_size(x.shape, w.shape, padding=mode), np.result_type(x, w))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = np.sum(padded[i : i + height, j : j + width] * w)
    return y


def convolve2d(x, w, mode: str = "valid") -> np.ndarray:
    """Convolve a picture with a kernel: correlation with the kernel turned by 180 degrees."""
    x, w = _arrays(2, x=x, w=w)
    return correlate2d(x, w[::-1, ::-1], mode)


# --- A convolutional layer ------------------------------------------------------------------------


def conv2d(
    x,
    weight,
    bias=None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    method: str = "im2col",
) -> np.ndarray:
    """Apply a convolutional layer, as `torch.nn.functional.conv2d` does.

    Each output channel correlates all input channels of its group with its own kernels, and adds
    the results and its bias.

    Parameters
    ----------
    x : array_like, shape (N, C_in, H, W)
        A batch of pictures.
    weight : array_like, shape (C_out, C_in / groups, kernel height, kernel width)
        The kernels.
    bias : array_like, shape (C_out,), optional
        One number an output channel.
    stride, padding, dilation
        As for `cnnlib.arithmetic.output_size`; a tuple is (vertical, horizontal).
    groups : int
        Divides the channels into this many groups that do not see one another.
    method : {"im2col", "loops"}
        "loops" is the definition, one output number at a time. "im2col" lays all patches out as
        the columns of a matrix, so that one matrix product does all the work.

    Returns
    -------
    numpy.ndarray, shape (N, C_out, H_out, W_out)
    """
    x, weight = _arrays(4, x=x, weight=weight)
    layer = _layer(x, weight, stride, padding, dilation, groups)
    y = _choose(method, loops=_conv2d_loops, im2col=_conv2d_im2col)(x, weight, layer, groups)
    if bias is None:
        return y
    (bias,) = _arrays(1, bias=bias)
    if len(bias) != len(weight):
        raise ValueError(
            f"bias has {len(bias)} numbers for {len(weight)} output channels: give one a channel"
        )
    return y + bias[:, np.newaxis, np.newaxis]


def conv2d_backward(
    grad_output,
    x,
    weight,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
    method: str = "im2col",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of `conv2d` with respect to its input, weight and bias.

    Each output number sends its gradient to the pixels of its patch, times the kernel; and to the
    kernel, times the patch. The bias reached every position, and collects from them all.

    Returns
    -------
    grad_x, grad_weight, grad_bias : numpy.ndarray, of the shapes of x, weight and bias
    """
    x, weight = _arrays(4, x=x, weight=weight)
    layer = _layer(x, weight, stride, padding, dilation, groups)
    grad = _gradient(grad_output, (len(x), len(weight), *layer.output))
    backward = _choose(method, loops=_conv2d_backward_loops, im2col=_conv2d_backward_im2col)
    return *backward(grad, x, weight, layer, groups), grad.sum(axis=(0, 2, 3))


def im2col(
    x, kernel_size: Ints, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1
) -> np.ndarray:
    """Lay the patches that a kernel sees out as the columns of a matrix, as torch's `unfold` does.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        A batch of pictures.
    kernel_size, stride, padding, dilation
        As for `conv2d`.

    Returns
    -------
    numpy.ndarray, shape (N, C * kernel height * kernel width, H_out * W_out)
    """
    (x,) = _arrays(4, x=x)
    return _im2col(x, _geometry(x.shape[2:], kernel_size, stride, padding, dilation))


# --- The two ways to convolve ---------------------------------------------------------------------


class _Geometry(NamedTuple):
    """A layer's settings, each as (vertical, horizontal)."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]
    output: tuple[int, int]

    def patch(self, i: int, j: int) -> tuple[slice, ...]:
        """Return the rows and columns of the padded picture that output (i, j) sees."""
        return tuple(map(_steps, (i, j), self.stride, self.kernel, self.dilation))

    def reach(self, a: int, b: int) -> tuple[slice, ...]:
        """Return the rows and columns of the padded picture that kernel entry (a, b) meets."""
        return tuple(map(_steps, (a, b), self.dilation, self.output, self.stride))


def _steps(index: int, jump: int, count: int, step: int) -> slice:
    """Return `count` pixels that lie `step` apart, the first at ``index * jump``."""
    return slice(index * jump, index * jump + count * step, step)


def _conv2d_loops(x, weight, layer: _Geometry, groups: int) -> np.ndarray:
    """Take one output number after the other: a patch times a kernel, summed."""
    x = np.pad(x, ((0, 0), (0, 0), *layer.padding))
    y = np.zeros((len(x), len(weight), *layer.output), np.result_type(x, weight))
    for n, o, i, j in np.ndindex(y.shape):
        patch = x[n, _group(o, weight, groups), *layer.patch(i, j)]
        y[n, o, i, j] = np.sum(patch * weight[o])
    return y


def _conv2d_backward_loops(grad, x, weight, layer: _Geometry, groups: int):
    """Send the gradients back one output number after the other."""
    x = np.pad(x, ((0, 0), (0, 0), *layer.padding))
    dtype = np.result_type(grad, x, weight)
    grad_x, grad_weight = np.zeros(x.shape, dtype), np.zeros(weight.shape, dtype)
    for n, o, i, j in np.ndindex(grad.shape):
        patch = n, _group(o, weight, groups), *layer.patch(i, j)
        grad_x[patch] += grad[n, o, i, j] * weight[o]
        grad_weight[o] += grad[n, o, i, j] * x[patch]
    return _crop(grad_x, layer.padding), grad_weight


def _conv2d_im2col(x, weight, layer: _Geometry, groups: int) -> np.ndarray:
    """Take all output numbers at once: a matrix of kernels times a matrix of patches, a group."""
    columns = _im2col(x, layer).reshape(len(x), groups, -1, prod(layer.output))
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    return (kernels @ columns).reshape(len(x), len(weight), *layer.output)


def _conv2d_backward_im2col(grad, x, weight, layer: _Geometry, groups: int):
    """Use the gradient of a matrix product, which is two matrix products."""
    columns = _im2col(x, layer).reshape(len(x), groups, -1, prod(layer.output))
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    grad = grad.reshape(len(x), groups, len(weight) // groups, -1)
    grad_kernels = np.sum(grad @ columns.swapaxes(2, 3), axis=0)
    grad_columns = kernels.swapaxes(1, 2) @ grad
    grad_x = _col2im(grad_columns.reshape(len(x), -1, grad.shape[3]), layer)
    return grad_x, grad_kernels.reshape(weight.shape)


def _im2col(x, layer: _Geometry) -> np.ndarray:
    """Copy, for each kernel entry, all the pixels that it meets."""
    padded = np.pad(x, ((0, 0), (0, 0), *layer.padding))
    columns = np.empty((*x.shape[:2], *layer.kernel, *layer.output), x.dtype)
    for a, b in np.ndindex(layer.kernel):
        columns[:, :, a, b] = padded[:, :, *layer.reach(a, b)]
    return columns.reshape(len(x), -1, prod(layer.output))


def _col2im(columns, layer: _Geometry) -> np.ndarray:
    """Add, for each kernel entry, the numbers back to the pixels that it met."""
    columns = columns.reshape(len(columns), -1, *layer.kernel, *layer.output)
    size = np.add(layer.size, np.sum(layer.padding, axis=1))
    padded = np.zeros((*columns.shape[:2], *size), columns.dtype)
    for a, b in np.ndindex(layer.kernel):
        padded[:, :, *layer.reach(a, b)] += columns[:, :, a, b]
    return _crop(padded, layer.padding)


def _group(o: int, weight, groups: int) -> slice:
    """Return the input channels that output channel `o` sees."""
    group = o // (len(weight) // groups)
    return slice(group * weight.shape[1], (group + 1) * weight.shape[1])


# --- Pooling --------------------------------------------------------------------------------------


def max_pool2d(
    x, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0
) -> np.ndarray:
    """Keep the largest number of each window, as `torch.nn.functional.max_pool2d` does.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        A batch of pictures.
    kernel_size : int or tuple of int
        The window.
    stride : int or tuple of int, optional
        The window's own size if not given, so that windows do not overlap.
    padding : int, str or tuple
        At most half of the window. Padding never wins.

    Returns
    -------
    numpy.ndarray, shape (N, C, H_out, W_out)
    """
    (x,) = _arrays(4, x=x)
    pool = _pooling(x, kernel_size, stride, padding)
    y = np.zeros((*x.shape[:2], *pool.output), x.dtype)
    for i, j, rows, columns in _windows(x, pool):
        y[:, :, i, j] = x[:, :, rows, columns].max(axis=(2, 3))
    return y


def max_pool2d_backward(
    grad_output, x, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0
) -> np.ndarray:
    """Return the gradient of `max_pool2d` with respect to its input.

    All of a window's gradient goes to its winner. Of equal pixels the first wins, row by row, as in
    torch.
    """
    (x,) = _arrays(4, x=x)
    pool = _pooling(x, kernel_size, stride, padding)
    grad = _gradient(grad_output, (*x.shape[:2], *pool.output))
    grad_x = np.zeros(x.shape, grad.dtype)
    for i, j, rows, columns in _windows(x, pool):
        window = x[:, :, rows, columns]
        winner = window.reshape(*x.shape[:2], -1).argmax(axis=2)
        wins = np.arange(window[0, 0].size) == winner[:, :, np.newaxis]
        share = np.where(wins.reshape(window.shape), grad[:, :, i : i + 1, j : j + 1], 0)
        grad_x[:, :, rows, columns] += share
    return grad_x


def avg_pool2d(
    x, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0
) -> np.ndarray:
    """Average each window, as `torch.nn.functional.avg_pool2d` does.

    Parameters
    ----------
    x, kernel_size, stride, padding
        As for `max_pool2d`. Padding counts as zeros among the numbers averaged over.

    Returns
    -------
    numpy.ndarray, shape (N, C, H_out, W_out)
        Floating point, also for whole numbers.
    """
    (x,) = _arrays(4, x=x)
    pool = _pooling(x, kernel_size, stride, padding)
    y = np.zeros((*x.shape[:2], *pool.output), np.result_type(x, np.float16))
    for i, j, rows, columns in _windows(x, pool):
        y[:, :, i, j] = x[:, :, rows, columns].sum(axis=(2, 3)) / prod(pool.kernel)
    return y


def avg_pool2d_backward(
    grad_output, x, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0
) -> np.ndarray:
    """Return the gradient of `avg_pool2d` with respect to its input.

    A window's gradient is shared out equally among its pixels.
    """
    (x,) = _arrays(4, x=x)
    pool = _pooling(x, kernel_size, stride, padding)
    grad = _gradient(grad_output, (*x.shape[:2], *pool.output))
    grad_x = np.zeros(x.shape, np.result_type(grad, np.float16))
    for i, j, rows, columns in _windows(x, pool):
        grad_x[:, :, rows, columns] += grad[:, :, i : i + 1, j : j + 1] / prod(pool.kernel)
    return grad_x


# --- What the pools share -------------------------------------------------------------------------


def _windows(x, pool: _Geometry) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield each output position with its window's rows and columns, cut at the picture's edge."""
    rows, columns = (
        [slice(max(0, i * s - before), i * s - before + k) for i in range(count)]
        for _, k, s, (before, _), _, count in zip(*pool, strict=True)
    )
    for i, j in np.ndindex(pool.output):
        yield i, j, rows[i], columns[j]


def _pooling(x, kernel_size, stride, padding) -> _Geometry:
    """Return the checked geometry of a pool."""
    stride = kernel_size if stride is None else stride
    pool = _geometry(x.shape[2:], kernel_size, stride, padding, dilation=1)
    for k, pair in zip(pool.kernel, pool.padding, strict=True):
        if max(pair) > k // 2:
            raise ValueError(
                f"padding {max(pair)} is more than half of the window of {k} pixels: use at most "
                f"{k // 2}"
            )
    return pool


# --- Checks ---------------------------------------------------------------------------------------


def _arrays(ndim: int, **arrays) -> list[np.ndarray]:
    """Return the arguments as arrays of numbers with `ndim` axes, whole numbers as int64."""
    shapes = {1: "(n,)", 2: "(H, W)", 4: "(N, C, H, W)"}
    checked = []
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind not in "buif":
            raise ValueError(f"{name} must hold real numbers, got {array.dtype}")
        if array.ndim != ndim:
            raise ValueError(
                f"{name} must have {ndim} axes, {shapes[ndim]}, got shape {array.shape}"
            )
        if array.size == 0:
            raise ValueError(f"{name} is empty: it has shape {array.shape}")
        checked.append(array if array.dtype.kind == "f" else array.astype(np.int64))
    return checked


def _mode_padding(w, mode: str) -> tuple[tuple[int, int], ...]:
    """Return the padding of a mode on every axis."""
    if not isinstance(mode, str):
        raise ValueError(f'mode must be "valid", "same" or "full", got {mode!r}')
    return padding_amounts(w.shape, mode)


def _geometry(size, kernel_size, stride, padding, dilation) -> _Geometry:
    """Return a layer's settings as pairs, checked."""
    kernel = per_axis(kernel_size, 2, "kernel_size", 1)
    return _Geometry(
        size=tuple(size),
        kernel=kernel,
        stride=per_axis(stride, 2, "stride", 1),
        padding=padding_amounts(kernel, padding, dilation),
        dilation=per_axis(dilation, 2, "dilation", 1),
        output=output_size(size, kernel, stride, padding, dilation),
    )


def _layer(x, weight, stride, padding, dilation, groups) -> _Geometry:
    """Return the checked geometry of a convolution whose channels fit."""
    check_groups(x.shape[1], len(weight), groups)
    if x.shape[1] // groups != weight.shape[1]:
        raise ValueError(
            f"x has {x.shape[1]} channels in {groups} group(s), but weight of shape "
            f"{weight.shape} expects {weight.shape[1]} a group: make weight.shape[1] "
            f"{x.shape[1] // groups}"
        )
    return _geometry(x.shape[2:], weight.shape[2:], stride, padding, dilation)


def _gradient(grad_output, expected: tuple[int, ...]) -> np.ndarray:
    """Return the output's gradient as an array, checked to have the output's shape."""
    (grad,) = _arrays(len(expected), grad_output=grad_output)
    if grad.shape != expected:
        raise ValueError(f"grad_output has shape {grad.shape}, but the output has {expected}")
    return grad


def _crop(padded, padding) -> np.ndarray:
    """Take the padding off the last axes."""
    slices = (
        slice(before, size - after)
        for size, (before, after) in zip(padded.shape[-len(padding) :], padding, strict=True)
    )
    return padded[..., *slices]


def _choose(method: str, **methods):
    if method not in methods:
        raise ValueError(f"unknown method {method!r}: use one of {', '.join(methods)}")
    return methods[method]
