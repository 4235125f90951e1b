"""Students of the checks on Part I."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import ceil, floor, inf

import numpy as np
import torch
import torch.nn.functional as F
from scipy import signal
from zoo import right, wrong, wrong_formulas

# --- Chapter 1 ------------------------------------------------------------------------------------


@right("check_conv_parameters")
def _(in_channels, out_channels, kernel_size, bias):
    layer = torch.nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias)
    return sum(p.numel() for p in layer.parameters())


wrong_formulas(
    "check_conv_parameters",
    {
        "biases are missing": lambda i, o, k, bias: k * k * i * o,
        "even if `bias` is false": lambda i, o, k, bias: (k * k * i + 1) * o,
        "more than one bias": lambda i, o, k, bias: k**2 * i * o + (1 if bias else 0),
        "for each input channel": lambda i, o, k, bias: i * (k**2 * o + (1 if bias else 0)),
        "each pair of channels": lambda i, o, k, bias: i * o * (k**2 + (1 if bias else 0)),
        "kernel is a square": lambda i, o, k, bias: (i * k + (1 if bias else 0)) * o,
        "in_channels is missing": lambda i, o, k, bias: (k**2 + (1 if bias else 0)) * o,
        "counted one kernel": lambda i, o, k, bias: k**2 * i + (1 if bias else 0),
    },
)


@right("check_correlation_matrix")
def _(kernel, n):
    matrix = np.zeros((n - len(kernel) + 1, n))
    for i in range(len(matrix)):
        matrix[i, i : i + len(kernel)] = kernel
    return matrix


@wrong("check_correlation_matrix", "matrix is transposed")
def _(kernel, n):
    matrix = np.zeros((n, n - len(kernel) + 1))
    for i in range(n - len(kernel) + 1):
        matrix[i : i + len(kernel), i] = kernel
    return matrix


@wrong("check_correlation_matrix", "flipped the kernel")
def _(kernel, n):
    return [
        [kernel[i - j + len(kernel) - 1] if 0 <= j - i < len(kernel) else 0 for j in range(n)]
        for i in range(n - len(kernel) + 1)
    ]


@wrong("check_correlation_matrix", "last row is missing")
def _(kernel, n):
    rows = range(n - len(kernel))
    return [[0] * i + list(kernel) + [0] * (n - len(kernel) - i) for i in rows]


@wrong("check_correlation_matrix", "stays where it is")
def _(kernel, n):
    return [list(kernel) + [0] * (n - len(kernel)) for _ in range(n - len(kernel) + 1)]


def square(kernel, n, place):
    """Lay a kernel into each row of an n x n matrix: weight k of row i where `place` says."""
    matrix = np.zeros((n, n))
    for i, (k, weight) in product(range(n), enumerate(kernel)):
        if 0 <= place(i, k) < n:
            matrix[i, place(i, k)] = weight
    return matrix


wrong_formulas(
    "check_correlation_matrix",
    {
        "comes in on the left": lambda w, n: square(w, n, lambda i, k: (i + k) % n),
        "what is left of the kernel": lambda w, n: square(w, n, lambda i, k: i + k),
        "padded correlation": lambda w, n: square(w, n, lambda i, k: i + k - (len(w) - 1) // 2),
    },
)


# --- Chapter 2 ------------------------------------------------------------------------------------


def slide(x, w, positions, step=1):
    """Correlate in plain Python; outside the signal there is nothing."""
    return [
        sum(w[k] * x[i * step + k] for k in range(len(w)) if 0 <= i * step + k < len(x))
        for i in positions
    ]


@right("check_correlate1d")
def _(x, w):
    return slide(x, w, range(len(x) - len(w) + 1))


@right("check_correlate1d")
def _(x, w):
    return F.conv1d(torch.tensor(x).view(1, 1, -1), torch.tensor(w).view(1, 1, -1)).flatten()


wrong_formulas(
    "check_correlate1d",
    {
        "flipped the kernel": lambda x, w: slide(x, w[::-1], range(len(x) - len(w) + 1)),
        "flipped and padded. This is the full": np.convolve,
        "flipped and padded. This is a convolution in": lambda x, w: np.convolve(x, w, "same"),
        "as np.correlate does": lambda x, w: np.correlate(x, w, "same"),
        "last position is missing": lambda x, w: slide(x, w, range(len(x) - len(w))),
        "to keep its size": lambda x, w: slide(
            x, w, range(-((len(w) - 1) // 2), len(x) - (len(w) - 1) // 2)
        ),
        "until every overlap counts": lambda x, w: slide(x, w, range(1 - len(w), len(x))),
        "with zeros at the end": lambda x, w: np.concatenate(
            [slide(x, w, range(len(x) - len(w) + 1)), np.zeros(len(w) - 1)]
        ),
        "averaged over the kernel": lambda x, w: [
            np.mean(x[i : i + len(w)] * w) for i in range(len(x) - len(w) + 1)
        ],
        "without the kernel": lambda x, w: [
            sum(x[i : i + len(w)]) for i in range(len(x) - len(w) + 1)
        ],
        "windows do not overlap": lambda x, w: slide(
            x, w, range((len(x) - len(w)) // len(w) + 1), step=len(w)
        ),
    },
)


@right("check_correlate2d")
def _(x, w):
    y = np.zeros((x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            for a in range(w.shape[0]):
                for b in range(w.shape[1]):
                    y[i, j] += x[i + a, j + b] * w[a, b]
    return y


@right("check_correlate2d")
def _(x, w):
    x, w = (torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in (x, w))
    return F.conv2d(x[None, None], w[None, None])[0, 0]


@wrong("check_correlate2d", "output is transposed")
def _(x, w):
    y = []
    for j in range(x.shape[1] - w.shape[1] + 1):
        column = []
        for i in range(x.shape[0] - w.shape[0] + 1):
            column.append((x[i : i + w.shape[0], j : j + w.shape[1]] * w).sum())
        y.append(column)
    return y


def correlate2d_with(
    x, w, entry=lambda w, a, b: w[a, b], short=0, pad=(0, 0, 0, 0), like=None, divide=1
):
    """Correlate with loops and one bug: see the students below."""
    height, width = w.shape
    top, bottom, left, right = pad
    x = np.pad(x, ((top, bottom), (left, right)))
    size = np.array(x.shape) - w.shape + 1 - short
    y = np.zeros(size) if like is None else like
    for i in range(size[0]):
        for j in range(size[1]):
            total = 0
            for a in range(height):
                for b in range(width):
                    total += x[i + a, j + b] * entry(w, a, b)
            y[i, j] = total / divide
    return y


def valid_size(x, w):
    return x.shape[0] - w.shape[0] + 1, x.shape[1] - w.shape[1] + 1


wrong_formulas(
    "check_correlate2d",
    {
        "flipped the kernel. This": lambda x, w: correlate2d_with(
            x, w, lambda w, a, b: w[-1 - a, -1 - b]
        ),
        "upside down": lambda x, w: correlate2d_with(x, w, lambda w, a, b: w[-1 - a, b]),
        "left to right": lambda x, w: correlate2d_with(x, np.fliplr(w)),
        "you transposed the kernel": lambda x, w: correlate2d_with(x, w.T),
        "flipped and transposed the kernel": lambda x, w: signal.convolve2d(x, w.T, "valid"),
        "flipped the kernel, and your output": lambda x, w: signal.convolve2d(x, w, "valid").T,
        "flipped and padded. This is the full": signal.convolve2d,
        "flipped and padded. This is a convolution in": lambda x, w: signal.convolve2d(
            x, w, mode="same"
        ),
        "last position is missing": lambda x, w: correlate2d_with(x, w, short=1),
        "last row is missing": lambda x, w: correlate2d_with(x, w, short=(1, 0)),
        "last column is missing": lambda x, w: correlate2d_with(x, w, short=(0, 1)),
        "to keep its size": lambda x, w: correlate2d_with(
            x,
            w,
            pad=((len(w) - 1) // 2, len(w) // 2, (len(w[0]) - 1) // 2, len(w[0]) // 2),
        ),
        "until every overlap counts": lambda x, w: correlate2d_with(
            x, w, pad=(len(w) - 1, len(w) - 1, len(w[0]) - 1, len(w[0]) - 1)
        ),
        "input's size, with zeros": lambda x, w: correlate2d_with(x, w, like=np.zeros(x.shape)),
        "the numbers wrap around": lambda x, w: correlate2d_with(
            x, w, like=np.zeros(valid_size(x, w), dtype=x.dtype)
        ),
        "made like the input": lambda x, w: correlate2d_with(x, w, like=np.zeros_like(x)),
        "averaged over the kernel": lambda x, w: correlate2d_with(x, w, divide=w.size),
        "without the kernel": lambda x, w: correlate2d_with(x, w, lambda w, a, b: 1.0),
    },
)


@right("check_conv2d")
def _(x, weight, bias, stride):
    return F.conv2d(*map(torch.from_numpy, (x, weight, bias)), stride).numpy()


# Ways to count the windows along an axis of n pixels, each wrong somewhere.
MISCOUNTS = {
    "off by one": lambda n, k, s: (n - k + 1) // s,
    "last position is missing where": lambda n, k, s: len(range(0, n - k, s)),
    "one position is missing": lambda n, k, s: floor((n - k) / s),
}


def conv2d_with(x, weight, bias, stride, *, size=None, entry=None, channels=None, step=None):
    """Apply a layer with loops in plain Python and one bug: see the students below."""
    N, C, H, W = x.shape
    C_out, _, height, width = weight.shape
    size = size or (lambda n, k, s: (n - k) // s + 1)
    entry = entry or (lambda o, c, a, b: weight[o, c, a, b])
    down, across = step or (stride, stride)
    y = np.zeros((N, C_out, size(H, height, down), size(W, width, across)))
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = bias[o]
        for c in range(channels or C):
            for a in range(height):
                for b in range(width):
                    y[n, o, i, j] += x[n, c, i * down + a, j * across + b] * entry(o, c, a, b)
    return y


@right("check_conv2d")
def _(x, weight, bias, stride):
    return conv2d_with(x, weight, bias, stride)


@wrong("check_conv2d", "once for each input channel")
def _(x, weight, bias, stride):
    y = 0
    for c in range(x.shape[1]):
        y = y + conv2d_with(x[:, [c]], weight[:, [c]], bias, stride)
    return y


@wrong("check_conv2d", "averaged over the channels")
def _(x, weight, bias, stride):
    zero = np.zeros_like(bias)
    maps = [conv2d_with(x[:, [c]], weight[:, [c]], zero, stride) for c in range(x.shape[1])]
    return np.mean(maps, axis=0) + bias.reshape(-1, 1, 1)


@wrong("check_conv2d", "output is transposed")
def _(x, weight, bias, stride):
    return conv2d_with(x.transpose(0, 1, 3, 2), weight.transpose(0, 1, 3, 2), bias, stride)


wrong_formulas(
    "check_conv2d",
    {
        "bias is missing": lambda x, w, bias, s: conv2d_with(x, w, [0] * len(w), s),
        "first input channel": lambda x, w, bias, s: conv2d_with(x, w, bias, s, channels=1),
        "uses the first kernel": lambda x, w, bias, s: conv2d_with(
            x, w, bias, s, entry=lambda o, c, a, b: w[0, c, a, b]
        ),
        "flipped the kernels": lambda x, w, bias, s: conv2d_with(
            x, w, bias, s, entry=lambda o, c, a, b: w[o, c, -a - 1, -b - 1]
        ),
        "stride is ignored": lambda x, w, bias, s: conv2d_with(x, w, bias, 1),
        "down the rows only": lambda x, w, bias, s: conv2d_with(x, w, bias, s, step=(s, 1)),
    },
)
for words, count in MISCOUNTS.items():
    wrong("check_conv2d", words)(partial(conv2d_with, size=count))


@wrong("check_conv2d", "rounded up")
def _(x, weight, bias, stride):
    while (x.shape[2] - weight.shape[2]) % stride:
        x = np.concatenate([x, np.zeros_like(x[:, :, :1])], axis=2)
    while (x.shape[3] - weight.shape[3]) % stride:
        x = np.concatenate([x, np.zeros_like(x[:, :, :, :1])], axis=3)
    return F.conv2d(*map(torch.tensor, (x, weight, bias)), stride)


@right("check_correlate1d_backward")
def _(grad, x, w):
    x, w = (torch.tensor(a, requires_grad=True) for a in (x, w))
    F.conv1d(x.view(1, 1, -1), w.view(1, 1, -1)).flatten().backward(torch.tensor(grad))
    return x.grad, w.grad


def backward_with(grad, x, w, kernel=None, one=None, add_x=True, add_w=True):
    """Walk over the outputs, and send each one's gradient back, with one bug."""
    kernel = w if kernel is None else kernel
    grad_x, grad_w = [0.0] * len(x), [0.0] * len(w)
    for i, g in enumerate(grad):
        g = one or g
        for k in range(len(w)):
            grad_x[i + k] = (grad_x[i + k] if add_x else 0) + g * kernel[k]
            grad_w[k] = (grad_w[k] if add_w else 0) + g * x[i + k]
    return grad_x, grad_w


right("check_correlate1d_backward")(backward_with)
wrong_formulas(
    "check_correlate1d_backward",
    {
        "have changed places": lambda grad, x, w: backward_with(grad, x, w)[::-1],
        "is a correlation with w": lambda grad, x, w: backward_with(grad, x, w, kernel=w[::-1]),
        "back to front": lambda grad, x, w: (
            backward_with(grad, x, w)[0],
            np.convolve(x[::-1], grad, "valid"),
        ),
        "where grad_x needs `+=`": lambda grad, x, w: backward_with(grad, x, w, add_x=False),
        "where grad_w needs `+=`": lambda grad, x, w: backward_with(grad, x, w, add_w=False),
        "both gradients need": lambda grad, x, w: backward_with(
            grad, x, w, add_x=False, add_w=False
        ),
        "`grad` is ignored": lambda grad, x, w: backward_with(grad, x, w, one=1),
        "grad_x is too short": lambda grad, x, w: (
            np.convolve(grad, w, mode="valid"),
            np.correlate(x, grad, mode="valid"),
        ),
    },
)

# --- Chapter 3 ------------------------------------------------------------------------------------


@right("check_output_size")
def _(input_size, kernel_size, stride, padding, dilation):
    x = torch.zeros(1, 1, input_size)
    w = torch.zeros(1, 1, kernel_size)
    return F.conv1d(x, w, stride=stride, padding=padding, dilation=dilation).shape[-1]


@wrong("check_output_size", "first position is missing")
def _(input_size, kernel_size, stride, padding, dilation):
    count, start = 0, -padding
    while start + dilation * (kernel_size - 1) + stride < input_size + padding:
        count, start = count + 1, start + stride
    return count


@wrong("check_output_size", "rounded up")
def _(input_size, kernel_size, stride, padding, dilation):
    span = dilation * (kernel_size - 1) + 1
    return 1 + ceil((input_size + 2 * padding - span) / stride)


wrong_formulas(
    "check_output_size",
    {
        "off by one": lambda n, k, s, p, d: floor((n + 2 * p - (k - 1) * d) / s),
        "last position is missing": lambda n, k, s, p, d: len(
            range(-p, n + p - (k - 1) * d - 1, s)
        ),
        "Divide with `//`": lambda n, k, s, p, d: 1 + (n + 2 * p - ((k - 1) * d + 1)) / s,
        "on one side only": lambda n, k, s, p, d: 1 + floor((n + p - ((k - 1) * d + 1)) / s),
        "padding is forgotten": lambda n, k, s, p, d: 1 + floor((n - ((k - 1) * d + 1)) / s),
        "dilation is forgotten": lambda n, k, s, p, d: 1 + floor((n - k + 2 * p) / s),
        "span is not": lambda n, k, s, p, d: 1 + floor((n - k * d + 2 * p) / s),
        "number of zeros between": lambda n, k, s, p, d: (
            1 + floor((n - (k + (k - 1) * d) + 2 * p) / s)
        ),
        "stride is forgotten": lambda n, k, s, p, d: n + 2 * p - (d * (k - 1) + 1) + 1,
    },
)


@right("check_same_padding")
def _(kernel_size, dilation):
    for before in range(100):
        for after in (before, before + 1):
            x = torch.zeros(1, 1, 50 + before + after)
            if F.conv1d(x, torch.zeros(1, 1, kernel_size), dilation=dilation).shape[-1] == 50:
                return before, after


wrong_formulas(
    "check_same_padding",
    {
        "Yours goes before": lambda k, d: (
            (d * k - d) // 2 + (d * k - d) % 2,
            (d * k - d) // 2,
        ),
        "too large": lambda k, d: 2 * (floor((d * (k - 1) + 1) / 2),),
        "too small": lambda k, d: [int(d * (k - 1) / 2)] * 2,
        "dilation is forgotten": lambda k, d: (floor((k - 1) / 2), ceil((k - 1) / 2)),
        "span is not": lambda k, d: (floor((k * d - 1) / 2), ceil((k * d - 1) / 2)),
        "each side the whole": lambda k, d: (d * k - d, d * k - d),
        "both sides together. Return": lambda k, d: d * k - d,
    },
)


@right("check_dilate_kernel")
def _(kernel, dilation):
    height, width = kernel.shape
    y = [[0] * (dilation * (width - 1) + 1) for _ in range(dilation * (height - 1) + 1)]
    for i in range(height):
        for j in range(width):
            y[dilation * i][dilation * j] = kernel[i, j]
    return y


@wrong("check_dilate_kernel", "after the last numbers")
def _(kernel, dilation):
    return np.kron(kernel, np.diag([1] + [0] * (dilation - 1)))


@wrong("check_dilate_kernel", "too many zeros")
def _(kernel, dilation):
    for axis in (0, 1):
        for place in range(kernel.shape[axis] - 1, 0, -1):
            kernel = np.insert(kernel, [place] * dilation, 0, axis=axis)
    return kernel


@wrong("check_dilate_kernel", "only the rows")
def _(kernel, dilation):
    rows = []
    for row in kernel:
        rows += [row] + [[0] * len(row)] * (dilation - 1)
    return rows[: len(rows) - dilation + 1]


@wrong("check_dilate_kernel", "only the columns")
def _(kernel, dilation):
    for place in range(kernel.shape[1] - 1, 0, -1):
        kernel = np.insert(kernel, [place] * (dilation - 1), 0, axis=1)
    return kernel


@wrong("check_dilate_kernel", "repeated the numbers")
def _(kernel, dilation):
    return np.kron(kernel, np.ones((dilation, dilation)))


@wrong("check_dilate_kernel", "transposed")
def _(kernel, dilation):
    height, width = kernel.shape
    y = np.zeros((dilation * (width - 1) + 1, dilation * (height - 1) + 1))
    for i in range(height):
        for j in range(width):
            y[dilation * j, dilation * i] = kernel[i, j]
    return y


@wrong("check_dilate_kernel", "as it was")
def _(kernel, dilation):
    return kernel


# --- Chapter 4 ------------------------------------------------------------------------------------


@right("check_correlate_channels")
def _(x, w):
    return F.conv2d(torch.tensor(x).double()[None], torch.tensor(w)[None])[0, 0]


def channels_with(x, w, channels=None, entry=None, short=0, dtype=float):
    """Correlate over channels with loops and one bug."""
    entry = entry or (lambda c, a, b: w[c, a, b])
    y = np.zeros((x.shape[1] - w.shape[1] + 1 - short, x.shape[2] - w.shape[2] + 1 - short), dtype)
    for i, j in np.ndindex(y.shape):
        total = 0
        for c in range(len(x)) if channels is None else channels:
            for a, b in np.ndindex(w.shape[1:]):
                total += x[c, i + a, j + b] * entry(c, a, b)
        y[i, j] = total
    return y


right("check_correlate_channels")(channels_with)


@wrong("check_correlate_channels", "averaged over the channels")
def _(x, w):
    return np.mean([channels_with(x, w, [c]) for c in range(len(x))], axis=0)


@wrong("check_correlate_channels", "transposed")
def _(x, w):
    size = x.shape[2] - w.shape[2] + 1, x.shape[1] - w.shape[1] + 1
    y = np.zeros(size)
    for i, j in np.ndindex(size):
        y[i, j] = np.sum(x[:, j : j + w.shape[1], i : i + w.shape[2]] * w)
    return y


wrong_formulas(
    "check_correlate_channels",
    {
        "must be summed": lambda x, w: [channels_with(x, w, [c]) for c in range(len(x))],
        "first input channel": lambda x, w: channels_with(x, w, [0]),
        "first slice": lambda x, w: channels_with(x, w, entry=lambda c, a, b: w[0, a, b]),
        "flipped the kernel. This": lambda x, w: channels_with(
            x, w, entry=lambda c, a, b: w[c, -1 - a, -1 - b]
        ),
        "all three axes": lambda x, w: channels_with(
            x, w, entry=lambda c, a, b: w[-1 - c, -1 - a, -1 - b]
        ),
        "an axis too many": lambda x, w: F.conv2d(
            torch.tensor(x * 1.0)[None], torch.tensor(w)[None]
        )[0],
        "last position is missing": lambda x, w: channels_with(x, w, short=1),
        "numbers wrap around": lambda x, w: channels_with(x, w, dtype=x.dtype),
    },
)


@right("check_pointwise")
def _(x, weight):
    return F.conv2d(torch.from_numpy(x)[None], torch.from_numpy(weight)[:, :, None, None])[0]


@right("check_pointwise")
def _(x, weight):
    return np.einsum("oc,chw->ohw", weight, x)


@wrong("check_pointwise", "input is scrambled")
def _(x, weight):
    C, H, W = x.shape
    pixels = x.reshape(H * W, C)
    return (pixels @ weight.T).T.reshape(len(weight), H, W)


@wrong("check_pointwise", "output is scrambled")
def _(x, weight):
    C, H, W = x.shape
    pixels = x.reshape(C, H * W).T
    return (pixels @ weight.T).reshape(len(weight), H, W)


@wrong("check_pointwise", "channels are last")
def _(x, weight):
    _, H, W = x.shape
    return [[weight @ x[:, i, j] for j in range(W)] for i in range(H)]


@wrong("check_pointwise", "transposed")
def _(x, weight):
    y = np.zeros((len(weight), x.shape[2], x.shape[1]))
    for o, j, i in np.ndindex(y.shape):
        y[o, j, i] = sum(weight[o, c] * x[c, i, j] for c in range(len(x)))
    return y


@wrong("check_pointwise", "must be summed")
def _(x, weight):
    return [[weight[o, c] * x[c] for c in range(len(x))] for o in range(len(weight))]


@wrong("check_pointwise", "averaged over the channels")
def _(x, weight):
    return [np.mean([w * plane for w, plane in zip(row, x, strict=True)], axis=0) for row in weight]


@wrong("check_pointwise", "first input channel")
def _(x, weight):
    return [weight[o, 0] * x[0] for o in range(len(weight))]


@wrong("check_pointwise", "added the output channels up")
def _(x, weight):
    y = np.zeros(x.shape[1:])
    for o in range(len(weight)):
        for c in range(len(x)):
            y += weight[o, c] * x[c]
    return y


# --- Chapter 5 ------------------------------------------------------------------------------------


@right("check_max_pool2d")
def _(x, kernel_size, stride):
    return F.max_pool2d(torch.tensor(x)[None], kernel_size, stride)[0]


@right("check_avg_pool2d")
def _(x, kernel_size, stride):
    return F.avg_pool2d(torch.tensor(x).float()[None], kernel_size, stride)[0]


def pool_with(x, k, s, start=None, step=None, size=None, finish=None, swap=False, dtype=float):
    """Walk over the windows and their pixels, with one bug."""
    step = step or (lambda best, pixel: max(best, pixel))
    H, W = (len(x) - k) // s + 1, (len(x[0]) - k) // s + 1
    if size:
        H, W = size(len(x), k, s), size(len(x[0]), k, s)
    y = np.zeros((W, H) if swap else (H, W), dtype)
    for i in range(H):
        for j in range(W):
            value, count = start, 0
            for row in range(i * s, min(i * s + k, len(x))):
                for column in range(j * s, min(j * s + k, len(x[0]))):
                    pixel = x[row, column]
                    value = pixel if value is None else step(value, pixel)
                    count += 1
            value = finish(value, count) if finish else value
            y[(j, i) if swap else (i, j)] = value
    return y


right("check_max_pool2d")(lambda x, k, s: pool_with(x, k, s, start=-inf))


def add(total, pixel):
    return total + float(pixel)


def mean_with(x, k, s, **bug):
    return pool_with(x, k, s, **{"start": 0.0, "step": add, "finish": np.divide} | bug)


right("check_avg_pool2d")(mean_with)

for words, count in MISCOUNTS.items():
    wrong("check_max_pool2d", words)(partial(pool_with, size=count))
    wrong("check_avg_pool2d", words)(partial(mean_with, size=count))


def end_in_zeros(x, k, s):
    """Add rows and columns of zeros until the last window ends where the picture does."""
    H, W = (ceil((n - k) / s) * s + k for n in x.shape)
    y = np.zeros((H, W))
    y[: x.shape[0], : x.shape[1]] = x
    return y


wrong_formulas(
    "check_max_pool2d",
    {
        "starts at 0": lambda x, k, s: pool_with(x, k, s, start=0),
        "window's minimum": lambda x, k, s: pool_with(x, k, s, step=min),
        "window's mean": lambda x, k, s: mean_with(x, k, s),
        "window's sum": lambda x, k, s: pool_with(x, k, s, step=lambda a, b: a + b),
        "absolute values": lambda x, k, s: pool_with(
            x, k, s, start=0, step=lambda best, pixel: max(best, abs(pixel))
        ),
        "stride is ignored": lambda x, k, s: pool_with(x, k, 1),
        "side by side": lambda x, k, s: pool_with(x, k, k),
        "over the edge. Without": lambda x, k, s: pool_with(
            x, k, s, size=lambda n, k, s: ceil(n / s)
        ),
        "into zeros": lambda x, k, s: pool_with(end_in_zeros(x, k, s), k, s),
        "with ceil_mode": lambda x, k, s: F.max_pool2d(torch.tensor(x)[None], k, s, ceil_mode=True)[
            0
        ],
        "transposed": lambda x, k, s: pool_with(x, k, s, swap=True),
    },
)
wrong_formulas(
    "check_avg_pool2d",
    {
        "window's maximum": lambda x, k, s: pool_with(x, k, s),
        "the sum, not the mean": lambda x, k, s: mean_with(x, k, s, finish=None),
        "divided by kernel_size": lambda x, k, s: mean_with(x, k, s, finish=lambda v, n: v / k),
        "stride is ignored": lambda x, k, s: mean_with(x, k, 1),
        "side by side": lambda x, k, s: mean_with(x, k, k),
        "over the edge. Without": lambda x, k, s: mean_with(
            x, k, s, size=lambda n, k, s: len(range(0, n, s))
        ),
        "into zeros": lambda x, k, s: mean_with(end_in_zeros(x, k, s), k, s),
        "with ceil_mode": lambda x, k, s: F.avg_pool2d(
            torch.tensor(x).double()[None], k, s, ceil_mode=True
        )[0],
        "transposed": lambda x, k, s: mean_with(x, k, s, swap=True),
        "means are whole numbers": lambda x, k, s: mean_with(x, k, s, dtype=x.dtype),
        "numbers wrap around": lambda x, k, s: pool_with(
            x,
            k,
            s,
            step=lambda total, pixel: (
                np.uint8((int(total) + int(pixel)) % 256) if x.dtype == np.uint8 else total + pixel
            ),
            finish=np.divide,
        ),
    },
)

# --- Chapter 6 ------------------------------------------------------------------------------------


def seen_by_autograd(layers, index=None, size=400):
    """Return the input pixels of which an output pixel has a gradient, counted from the picture."""
    margin = 1 + sum(p for _, _, p in layers) * 60  # room, in which the padding is real pixels
    x = torch.zeros(1, 1, size + 2 * margin, requires_grad=True)
    y = x
    first = margin
    for k, s, p in layers:
        first = first - p
        y = F.conv1d(y[:, :, first % s :], torch.ones(1, 1, k), stride=s)
        first //= s
    y[0, 0, first + index].backward()
    pixels = x.grad.flatten().nonzero().flatten() - margin
    return int(pixels.min()), int(pixels.max())


@right("check_receptive_field")
def _(layers):
    first, last = seen_by_autograd([(k, s, 0) for k, s in layers], index=0)
    return last - first + 1


@right("check_receptive_field")
def _(layers):
    size = 1
    for kernel_size, stride in reversed(layers):
        size = (size - 1) * stride + kernel_size
    return size


@wrong("check_receptive_field", "wrong order")
def _(layers):
    size = 1
    for kernel_size, stride in layers:
        size = (size - 1) * stride + kernel_size
    return size


@wrong("check_receptive_field", "stride was applied too early")
def _(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        jump *= stride
        size += (kernel_size - 1) * jump
    return size


@wrong("check_receptive_field", "first pixel is missing")
def _(layers):
    size, jump = 0, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump *= stride
    return size


@wrong("check_receptive_field", "not kernel_size.")
def _(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += kernel_size * jump
        jump *= stride
    return size


@wrong("check_receptive_field", "layer just before")
def _(layers):
    size, before = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * before
        before = stride
    return size


@wrong("check_receptive_field", "strides were added up")
def _(layers):
    size, jump = 1, 1
    for kernel_size, stride in layers:
        size += (kernel_size - 1) * jump
        jump += stride
    return size


wrong_formulas(
    "check_receptive_field",
    {
        "kernel sizes were added up": lambda layers: sum(np.array(layers)[:, 0]),
        "layers before are forgotten": lambda layers: 1 + sum(k for k, _ in layers) - len(layers),
        "what the last layer sees": lambda layers: layers[-1][0],
    },
)


@right("check_field_interval")
def _(index, layers):
    return seen_by_autograd(layers, index)


@right("check_field_interval")
def _(index, layers):
    first = last = index
    for kernel_size, stride, padding in layers[::-1]:
        first = first * stride - padding
        last = last * stride - padding + kernel_size - 1
    return first, last


def interval_with(index, layers, padding=1, stride=None, reach=-1, early=False, stop=False):
    """Go back with one bug."""
    first = last = index
    for k, s, p in reversed(layers):
        s = stride or s
        if early:
            first, last = (first - p) * s, (last - p) * s + k + reach
        else:
            first, last = first * s - padding * p, last * s - padding * p + k + reach
    return (max(first, 0), max(last, 0)) if stop else (first, last)


wrong_formulas(
    "check_field_interval",
    {
        "padding is forgotten": lambda i, layers: interval_with(i, layers, padding=0),
        "wrong sign": lambda i, layers: interval_with(i, layers, padding=-1),
        "wrong layer": lambda i, layers: interval_with(i, layers, early=True),
        "strides are forgotten": lambda i, layers: interval_with(i, layers, stride=1),
        "adds kernel_size - 1": lambda i, layers: interval_with(i, layers, reach=0),
        "wrong order": lambda i, layers: interval_with(i, list(reversed(layers))),
        "stopped at the picture's edge": lambda i, layers: interval_with(i, layers, stop=True),
    },
)


@wrong("check_field_interval", "one too far")
def _(index, layers):
    first, last = interval_with(index, layers)
    return first, last + 1


@wrong("check_field_interval", "returned the field's size")
def _(index, layers):
    first, last = interval_with(index, layers)
    return first, len(range(first, last + 1))
