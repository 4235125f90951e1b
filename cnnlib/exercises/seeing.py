"""The checks of Part I: convolution, its settings, channels, pooling, receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil

import numpy as np

from cnnlib import arithmetic, scratch

from .grading import Check, draw

# --- What several checks share --------------------------------------------------------------------
#
# In the formulas below i and o are numbers of channels, n is a size, k a kernel_size, s a stride,
# p a padding and d a dilation.

TRANSPOSED = "your output is transposed. Rows and columns have changed places."
FLIPPED = "you flipped the kernel. This is a convolution, not a correlation."
FLIPPED_FULL = (
    "you flipped and padded. This is the full convolution, which np.convolve and scipy's "
    "convolve2d give unless told otherwise. In a valid correlation the kernel stays as it is, and "
    "inside."
)
FLIPPED_SAME = (
    'you flipped and padded. This is a convolution in "same" mode. In a valid correlation the '
    "kernel stays as it is, and inside."
)
LAST_MISSING = "the last position is missing. There are n - k + 1 of them along each axis."
SAME = "you padded the input to keep its size. In a valid correlation the kernel stays inside."
FULL = (
    "you padded the input until every overlap counts: that is a full correlation. In a valid one "
    "the kernel stays inside."
)
ZEROS_LEFT = "your output has the input's size, with zeros at the end. Make it n - k + 1 long."
KERNEL_MEAN = "you averaged over the kernel. A correlation is a sum."
KERNEL_UNUSED = "you added up the window, without the kernel. Multiply the two first."
HANGS_OVER = "Does a window hang over the edge, or have height and width changed places?"
CHANNEL_MEAN = "you averaged over the channels. They are summed."
ONE_CHANNEL = "only the first input channel counts in your output. Sum over all of them."
WRAPPED = (
    "the numbers wrap around. One picture is of type uint8, which ends at 255, and so does your "
    "output. Make it an array of floats."
)
ROUNDED_UP = (
    "you rounded up. Where the stride does not divide n - k, your last window hangs over the edge, "
    "into zeros. Round down: what is left over is not seen."
)
CEIL_MODE = (
    "you rounded up, as torch does with ceil_mode. Where the stride does not divide n - k, your "
    "last window hangs over the edge, and is cut off there. Round down."
)
STRIDE_IGNORED = "the stride is ignored. Window i begins at row i * stride."
SIDE_BY_SIDE = "your windows lie side by side. Window i begins at i * stride, not i * kernel_size."
EDGE_WINDOWS = "your last windows hang over the edge. Without padding a window lies inside."
DILATION_FORGOTTEN = (
    "the dilation is forgotten. A kernel spans dilation * (kernel_size - 1) + 1 pixels."
)
SPAN_TOO_WIDE = (
    "the kernel's span is not dilation * kernel_size, but dilation * (kernel_size - 1) + 1: there "
    "is no gap after its last number."
)
WRONG_ORDER = "the layers are taken in the wrong order."


def _photo(*setting) -> list[tuple]:
    """Return one setting in which the first array is a picture of type uint8."""
    (picture,) = draw(setting[:1], low=0, high=255)[0]
    return [(picture.astype(np.uint8), *draw(setting[1:])[0])]


def _wrap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what remains of y in an array of the type of x."""
    return y.astype(np.int64).astype(np.uint8) if x.dtype == np.uint8 else y


def _zero_first(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Pad x for a "same" output; an even kernel's odd zero comes first, as in NumPy and SciPy."""
    return np.pad(x, [(k // 2, (k - 1) // 2) for k in w.shape])


def _fill(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Write y into zeros of the shape of x."""
    return np.pad(y, [(0, n - m) for n, m in zip(x.shape, y.shape, strict=True)])


# How many positions are counted wrongly along an axis on which a window has room to move. `room` is
# n - k; right is room // stride + 1.
MISCOUNTS = {
    "off by one where the stride does not divide n - k + 1: you divide that, and add nothing. "
    "Divide n - k by the stride, round down, and then add 1.": (
        lambda room, stride: (room + 1) // stride
    ),
    "the last position is missing where the stride divides n - k. There the last window begins at "
    "n - k itself: range(0, n - k + 1, stride).": lambda room, stride: ceil(room / stride),
    "one position is missing along each axis. (n - k) // stride counts the steps, and the first "
    "position comes before any step: add 1.": lambda room, stride: room // stride,
}


def _miscounted(layer: Callable, window: Callable) -> dict[str, Callable]:
    """Return the diagnoses of a layer that has too few positions.

    The layer takes a picture first and a stride last; `window` takes what comes after the picture,
    and returns the window's height and width.
    """

    def mistake(count: Callable) -> Callable:
        def cut_off(x: np.ndarray, *settings) -> np.ndarray:
            room = np.subtract(x.shape[-2:], window(*settings))
            rows, columns = (count(int(pixels), settings[-1]) for pixels in room)
            return layer(x, *settings)[..., :rows, :columns]

        return cut_off

    return {sentence: mistake(count) for sentence, count in MISCOUNTS.items()}


def _rounded_up(x: np.ndarray, window: Sequence[int], stride: int, filled: float = 0) -> np.ndarray:
    """Return a picture so much larger at its end that the stride divides the room."""
    sizes = zip(x.shape[-2:], window, strict=True)
    beyond = [(0, (k - n) % stride) for n, k in sizes]
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + beyond, constant_values=filled)


# --- Chapter 1: why convolution -------------------------------------------------------------------

check_conv_parameters = Check(
    task="f(in_channels, out_channels, kernel_size, bias) -> the number of learned numbers",
    right=lambda i, o, k, bias: arithmetic.conv_parameters(i, o, k, bias=bias),
    settings=[
        (1, 2, 3, False),
        (3, 2, 5, True),
        (3, 16, 5, True),
        (6, 4, 1, False),
        (4, 6, 7, True),
    ],
    tested="with one channel and with many, with biases and without",
    diagnoses={
        "the biases are missing. Each output channel has one, if `bias` is true.": (
            lambda i, o, k, bias: i * o * k * k
        ),
        "you count biases even if `bias` is false.": lambda i, o, k, bias: i * o * k * k + o,
        "there is more than one bias: each output channel has its own.": (
            lambda i, o, k, bias: i * o * k * k + bias
        ),
        "you counted a bias for each input channel. Each *output* channel has one.": (
            lambda i, o, k, bias: i * o * k * k + bias * i
        ),
        "you counted a bias for each pair of channels. Each output channel has one, for its sum.": (
            lambda i, o, k, bias: i * o * k * k + bias * i * o
        ),
        "the kernel is a square. It has kernel_size * kernel_size numbers for each channel.": (
            lambda i, o, k, bias: i * o * k + bias * o
        ),
        "in_channels is missing. A kernel is as deep as its input.": (
            lambda i, o, k, bias: o * k * k + bias * o
        ),
        "you counted one kernel. There is one for each output channel.": (
            lambda i, o, k, bias: i * k * k + bias
        ),
    },
)


def _matrix(kernel: np.ndarray, n: int, mode: str = "valid") -> np.ndarray:
    """Return the matrix whose columns are the kernel's answers to single pixels."""
    return np.stack([scratch.correlate1d(pixel, kernel, mode) for pixel in np.eye(n)], axis=1)


def _ring(kernel: np.ndarray, n: int) -> np.ndarray:
    """Return the square matrix in which the kernel comes in again on the left."""
    row = np.pad(kernel, (0, n - len(kernel)))
    return np.stack([np.roll(row, i) for i in range(n)])


check_correlation_matrix = Check(
    task="f(kernel, n) -> the matrix of the valid correlation with signals of n numbers",
    right=_matrix,
    settings=draw(((2,), 4), ((3,), 5), ((4,), 6), ((3,), 8)),
    tested="with even and odd kernels",
    diagnoses={
        "your matrix is transposed. It has a row for each output, a column for each input.": (
            lambda kernel, n: _matrix(kernel, n).T
        ),
        "you flipped the kernel. That is the matrix of a convolution, not of a correlation.": (
            lambda kernel, n: _matrix(kernel[::-1], n)
        ),
        "the last row is missing. The kernel has n - k + 1 positions, and each has a row.": (
            lambda kernel, n: _matrix(kernel, n)[:-1]
        ),
        "your kernel stays where it is. Each row is the row above, moved right by one column.": (
            lambda kernel, n: np.tile(_matrix(kernel, n)[0], (n - len(kernel) + 1, 1))
        ),
        "your kernel leaves on the right and comes in on the left. Keep the rows where it fits.": (
            _ring
        ),
        "your last rows hold what is left of the kernel. Keep the rows where all of it fits.": (
            lambda kernel, n: np.triu(_ring(kernel, n))
        ),
        "that is the matrix of a padded correlation. Without padding it has n - k + 1 rows.": (
            lambda kernel, n: _matrix(kernel, n, "same")
        ),
    },
)

# --- Chapter 2: convolution -----------------------------------------------------------------------

check_correlate1d = Check(
    task="f(x, w) -> the valid correlation of a signal with a kernel",
    right=scratch.correlate1d,
    settings=draw(((4,), (2,)), ((6,), (3,)), ((5,), (1,)), ((7,), (4,)), ((12,), (5,))),
    tested="with even and odd kernels and negative numbers",
    hint="Does a window hang over the edge? There are n - k + 1 positions.",
    diagnoses={
        FLIPPED: scratch.convolve1d,
        FLIPPED_FULL: lambda x, w: scratch.convolve1d(x, w, "full"),
        FLIPPED_SAME: lambda x, w: scratch.convolve1d(_zero_first(x, w), w),
        LAST_MISSING: lambda x, w: scratch.correlate1d(x, w)[:-1],
        SAME: lambda x, w: scratch.correlate1d(x, w, "same"),
        'you padded the input to keep its size, as np.correlate does with mode="same". In a valid '
        "correlation the kernel stays inside.": (
            lambda x, w: scratch.correlate1d(_zero_first(x, w), w)
        ),
        FULL: lambda x, w: scratch.correlate1d(x, w, "full"),
        ZEROS_LEFT: lambda x, w: _fill(x, scratch.correlate1d(x, w)),
        KERNEL_MEAN: lambda x, w: scratch.correlate1d(x, w) / len(w),
        KERNEL_UNUSED: lambda x, w: scratch.correlate1d(x, np.ones_like(w)),
        "your windows do not overlap. The kernel moves by one number, not by its own size.": (
            lambda x, w: scratch.correlate1d(x, w)[:: len(w)]
        ),
    },
)

check_correlate2d = Check(
    task="f(x, w) -> the valid correlation of a picture with a kernel",
    right=scratch.correlate2d,
    settings=[
        *draw(((3, 4), (2, 2)), ((5, 4), (2, 3)), ((7, 5), (4, 2)), ((6, 9), (3, 4))),
        *_photo((5, 6), (3, 2)),
    ],
    tested="with oblong pictures and kernels, negative numbers, and a picture of type uint8",
    hint=HANGS_OVER,
    diagnoses={
        TRANSPOSED: lambda x, w: scratch.correlate2d(x, w).T,
        FLIPPED: scratch.convolve2d,
        "you flipped the kernel upside down. A correlation takes the kernel as it is.": (
            lambda x, w: scratch.correlate2d(x, w[::-1])
        ),
        "you flipped the kernel left to right. A correlation takes the kernel as it is.": (
            lambda x, w: scratch.correlate2d(x, w[:, ::-1])
        ),
        "you transposed the kernel. Its rows have become columns.": (
            lambda x, w: scratch.correlate2d(x, w.T)
        ),
        "you flipped and transposed the kernel. A correlation takes the kernel as it is.": (
            lambda x, w: scratch.convolve2d(x, w.T)
        ),
        "you flipped the kernel, and your output is transposed. Mend both.": (
            lambda x, w: scratch.convolve2d(x, w).T
        ),
        FLIPPED_FULL: lambda x, w: scratch.convolve2d(x, w, "full"),
        FLIPPED_SAME: lambda x, w: scratch.convolve2d(_zero_first(x, w), w),
        LAST_MISSING: lambda x, w: scratch.correlate2d(x, w)[:-1, :-1],
        "the last row is missing. There are n - k + 1 of them.": (
            lambda x, w: scratch.correlate2d(x, w)[:-1]
        ),
        "the last column is missing. There are n - k + 1 of them.": (
            lambda x, w: scratch.correlate2d(x, w)[:, :-1]
        ),
        SAME: lambda x, w: scratch.correlate2d(x, w, "same"),
        FULL: lambda x, w: scratch.correlate2d(x, w, "full"),
        ZEROS_LEFT: lambda x, w: _fill(x, scratch.correlate2d(x, w)),
        WRAPPED: lambda x, w: _wrap(x, scratch.correlate2d(x, w)),
        "your output is made like the input: too large, with zeros at the end, and of its type, "
        "so that a uint8 picture's sums wrap around. Use np.zeros, n - k + 1 along each axis.": (
            lambda x, w: _wrap(x, _fill(x, scratch.correlate2d(x, w)))
        ),
        KERNEL_MEAN: lambda x, w: scratch.correlate2d(x, w) / w.size,
        KERNEL_UNUSED: lambda x, w: scratch.correlate2d(x, np.ones_like(w)),
    },
)


check_conv2d = Check(
    task="f(x, weight, bias, stride) -> the output of a convolutional layer",
    right=scratch.conv2d,
    settings=draw(
        ((1, 2, 3, 4), (3, 2, 2, 2), (3,), 1),
        ((2, 3, 5, 8), (2, 3, 3, 2), (2,), 2),
        ((3, 2, 9, 7), (4, 2, 2, 3), (4,), 2),
        ((2, 4, 8, 11), (3, 4, 3, 5), (3,), 3),
    ),
    tested="with several pictures and channels, oblong kernels, and strides that do not divide",
    hint=HANGS_OVER,
    diagnoses={
        "the bias is missing. Add bias[o] to every number of output channel o.": (
            lambda x, w, b, s: scratch.conv2d(x, w, None, s)
        ),
        "the bias is added once for each input channel. Add it once, after the sum.": (
            lambda x, w, b, s: scratch.conv2d(x, w, b * x.shape[1], s)
        ),
        ONE_CHANNEL: lambda x, w, b, s: scratch.conv2d(x[:, :1], w[:, :1], b, s),
        CHANNEL_MEAN: lambda x, w, b, s: scratch.conv2d(x, w / x.shape[1], b, s),
        "every output channel uses the first kernel. Output channel o has weight[o].": (
            lambda x, w, b, s: scratch.conv2d(x, np.broadcast_to(w[:1], w.shape), b, s)
        ),
        "you flipped the kernels. A layer correlates.": (
            lambda x, w, b, s: scratch.conv2d(x, w[:, :, ::-1, ::-1], b, s)
        ),
        STRIDE_IGNORED: lambda x, w, b, s: scratch.conv2d(x, w, b),
        "the stride is used down the rows only. It holds along the columns too.": (
            lambda x, w, b, s: scratch.conv2d(x, w, b, (s, 1))
        ),
        **_miscounted(scratch.conv2d, lambda w, b, s: w.shape[2:]),
        ROUNDED_UP: lambda x, w, b, s: scratch.conv2d(_rounded_up(x, w.shape[2:], s), w, b, s),
        TRANSPOSED: lambda x, w, b, s: scratch.conv2d(x, w, b, s).swapaxes(2, 3),
    },
)


def _grad_x(grad: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return scratch.correlate1d_backward(grad, x, w)[0]


def _grad_w(grad: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return scratch.correlate1d_backward(grad, x, w)[1]


def _overwritten_x(grad: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return a gradient in which each output overwrites what those before it had added."""
    grad_x = np.zeros(len(grad) + len(w) - 1)
    for i, g in enumerate(grad):
        grad_x[i : i + len(w)] = g * w
    return grad_x


def _overwritten_w(grad: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return a gradient that is the last output's alone."""
    return grad[-1] * x[-len(w) :]


check_correlate1d_backward = Check(
    task="f(grad, x, w) -> (grad_x, grad_w), the gradients of the signal and the kernel",
    right=scratch.correlate1d_backward,
    returns=("grad_x", "grad_w"),
    settings=draw(((3,), (4,), (2,)), ((4,), (6,), (3,)), ((3,), (7,), (5,)), ((9,), (10,), (2,))),
    tested="with short and long kernels",
    hint="x[i + k] reached y[i] through w[k]: do the three indices fit?",
    diagnoses={
        "the two gradients have changed places. Return grad_x first, then grad_w.": (
            lambda grad, x, w: (_grad_w(grad, x, w), _grad_x(grad, x, w))
        ),
        "grad_x is a correlation with w, and should be a convolution. The flip that the forward "
        "pass left out appears on the way back.": (
            lambda grad, x, w: (scratch.correlate1d(grad, w, "full"), _grad_w(grad, x, w))
        ),
        "grad_w is back to front. It is the correlation of x with grad; nothing is flipped.": (
            lambda grad, x, w: (_grad_x(grad, x, w), _grad_w(grad, x, w)[::-1])
        ),
        "you wrote `=` where grad_x needs `+=`. A number of x reached several outputs, and "
        "collects from all of them.": (
            lambda grad, x, w: (_overwritten_x(grad, w), _grad_w(grad, x, w))
        ),
        "you wrote `=` where grad_w needs `+=`. A number of w made every output, and collects "
        "from all of them.": (lambda grad, x, w: (_grad_x(grad, x, w), _overwritten_w(grad, x, w))),
        "you wrote `=` where both gradients need `+=`. What reached several outputs collects from "
        "all of them.": lambda grad, x, w: (_overwritten_x(grad, w), _overwritten_w(grad, x, w)),
        "`grad` is ignored. By the chain rule each output's share is multiplied by its gradient.": (
            lambda grad, x, w: scratch.correlate1d_backward(np.ones_like(grad), x, w)
        ),
        "grad_x is too short. The ends of x reached fewer outputs, but they count: use the full "
        "convolution.": lambda grad, x, w: (np.convolve(grad, w, "valid"), _grad_w(grad, x, w)),
    },
)

# --- Chapter 3: stride, padding, dilation ---------------------------------------------------------

check_output_size = Check(
    task="f(input_size, kernel_size, stride, padding, dilation) -> the size of the output",
    right=arithmetic.output_size,
    settings=[
        (7, 3, 1, 0, 1),
        (8, 3, 2, 1, 1),
        (32, 5, 3, 2, 1),
        (10, 2, 3, 0, 2),
        (33, 4, 2, 3, 3),
        (20, 3, 4, 1, 2),
    ],
    tested="with strides that do not divide, even kernels, padding and dilation",
    diagnoses={
        "off by one where the stride does not divide n + 2p - d(k - 1): you divide that, and add "
        "nothing. Take 1 off first, divide, round down, and then add 1.": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s
        ),
        "the last position is missing where the stride divides the room to move. There the last "
        "window ends where the input does. Divide, round down, and then add 1.": (
            lambda n, k, s, p, d: ceil((n + 2 * p - d * (k - 1) - 1) / s)
        ),
        "the first position is missing. With no room to move there is still one: add 1.": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s
        ),
        "you rounded up. A window that hangs over the edge does not count: round down.": (
            lambda n, k, s, p, d: ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1
        ),
        "sizes are whole numbers. Divide with `//`, which rounds down.": (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1
        ),
        "the padding is counted on one side only. It is added on both.": (
            lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1
        ),
        "the padding is forgotten. It is added on both sides.": (
            lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1
        ),
        DILATION_FORGOTTEN: lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
        SPAN_TOO_WIDE: lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
        "you took the dilation for the number of zeros between. With dilation 1 there are none.": (
            lambda n, k, s, p, d: (n + 2 * p - k - d * (k - 1)) // s + 1
        ),
        "the stride is forgotten. Divide the room to move by it.": (
            lambda n, k, s, p, d: n + 2 * p - d * (k - 1)
        ),
    },
)

check_same_padding = Check(
    task="f(kernel_size, dilation) -> (before, after), the padding that keeps the size",
    right=lambda k, d: arithmetic.padding_amounts(k, "same", d),
    settings=[(3, 1), (4, 1), (5, 2), (2, 3), (4, 2), (1, 1), (6, 3)],
    tested="with even and odd kernels, dilated and not",
    diagnoses={
        "the odd pixel goes after, as in torch. Yours goes before.": (
            lambda k, d: (ceil(d * (k - 1) / 2), d * (k - 1) // 2)
        ),
        "an even kernel makes the output one pixel too large. Both sides together get dilation * "
        "(kernel_size - 1).": lambda k, d: (ceil(d * (k - 1) / 2), ceil(d * (k - 1) / 2)),
        "an even kernel makes the output one pixel too small. Both sides together get dilation * "
        "(kernel_size - 1).": lambda k, d: (d * (k - 1) // 2, d * (k - 1) // 2),
        DILATION_FORGOTTEN: lambda k, d: ((k - 1) // 2, k // 2),
        SPAN_TOO_WIDE: lambda k, d: ((d * k - 1) // 2, d * k // 2),
        "you gave each side the whole padding. Share it between the two.": (
            lambda k, d: (d * (k - 1), d * (k - 1))
        ),
        "that is the padding of both sides together. Return two numbers, (before, after).": (
            lambda k, d: d * (k - 1)
        ),
    },
)


def _dilate(kernel: np.ndarray, down: int, across: int) -> np.ndarray:
    """Lay the kernel's numbers so many rows and columns apart."""
    height, width = kernel.shape
    y = np.zeros((down * (height - 1) + 1, across * (width - 1) + 1))
    y[::down, ::across] = kernel
    return y


check_dilate_kernel = Check(
    task="f(kernel, dilation) -> the kernel with zeros between its numbers",
    right=lambda kernel, d: _dilate(kernel, d, d),
    settings=draw(((2, 3), 2), ((3, 2), 1), ((3, 4), 3), ((1, 3), 2)),
    tested="with oblong kernels and dilations from 1 to 3",
    diagnoses={
        "there are zeros after the last numbers too. They belong between the numbers.": (
            lambda kernel, d: np.pad(_dilate(kernel, d, d), (0, d - 1))
        ),
        "there are too many zeros. Numbers that lie d apart have d - 1 zeros between them.": (
            lambda kernel, d: _dilate(kernel, d + 1, d + 1)
        ),
        "only the rows lie apart. The columns need gaps too.": (
            lambda kernel, d: _dilate(kernel, d, 1)
        ),
        "only the columns lie apart. The rows need gaps too.": (
            lambda kernel, d: _dilate(kernel, 1, d)
        ),
        "you repeated the numbers. Between them there should be zeros.": (
            lambda kernel, d: kernel.repeat(d, axis=0).repeat(d, axis=1)
        ),
        TRANSPOSED: lambda kernel, d: _dilate(kernel, d, d).T,
        "your kernel is as it was. The dilation is ignored.": lambda kernel, d: kernel,
    },
)

# --- Chapter 4: channels and filters --------------------------------------------------------------


def _each_channel(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Correlate each channel with its own slice of the kernel."""
    return np.stack([scratch.correlate2d(*pair) for pair in zip(x, w, strict=True)])


def _correlate(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return scratch.conv2d(x[np.newaxis], w[np.newaxis])[0, 0]


check_correlate_channels = Check(
    task="f(x, w) -> the map that one kernel makes of a picture with channels",
    right=_correlate,
    settings=[
        *draw(((2, 3, 4), (2, 2, 2)), ((3, 5, 4), (3, 2, 3)), ((1, 4, 5), (1, 2, 2))),
        *draw(((4, 6, 8), (4, 3, 2))),
        *_photo((3, 5, 6), (3, 3, 2)),
    ],
    tested="with one to four channels, oblong kernels, and a picture of type uint8",
    hint=HANGS_OVER,
    diagnoses={
        "the channels must be summed. A kernel makes one map, not one for each channel.": (
            _each_channel
        ),
        CHANNEL_MEAN: lambda x, w: _correlate(x, w) / len(x),
        ONE_CHANNEL: lambda x, w: _correlate(x[:1], w[:1]),
        "every channel meets the first slice of the kernel. Channel c belongs to w[c].": (
            lambda x, w: _correlate(x, np.broadcast_to(w[:1], w.shape))
        ),
        FLIPPED: lambda x, w: _correlate(x, w[:, ::-1, ::-1]),
        "you flipped the kernel along all three axes, so that the channels are crossed as well.": (
            lambda x, w: _correlate(x, w[::-1, ::-1, ::-1])
        ),
        "there is an axis too many. Return (H', W'), not (1, H', W').": (
            lambda x, w: _correlate(x, w)[np.newaxis]
        ),
        TRANSPOSED: lambda x, w: _correlate(x, w).T,
        LAST_MISSING: lambda x, w: _correlate(x, w)[:-1, :-1],
        WRAPPED: lambda x, w: _wrap(x, _correlate(x, w)),
    },
)


def _pointwise(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return scratch.conv2d(x[np.newaxis], weight[:, :, np.newaxis, np.newaxis])[0]


check_pointwise = Check(
    task="f(x, weight) -> the output of a 1x1 convolution",
    right=_pointwise,
    settings=draw(
        ((2, 2, 3), (3, 2)), ((3, 4, 2), (2, 3)), ((4, 3, 5), (6, 4)), ((5, 2, 4), (1, 5))
    ),
    tested="with more channels after than before, with fewer, and with one",
    hint="Does the axis that you sum over hold the input channels, in both arrays?",
    diagnoses={
        "your input is scrambled. `reshape` keeps the numbers in their order: to bring the "
        "channels last, use `moveaxis` or `transpose` first.": (
            lambda x, weight: (weight @ x.reshape(-1, len(x)).T).reshape(-1, *x.shape[1:])
        ),
        "your output is scrambled. Its channels lie last, and `reshape` does not bring them to "
        "the front: use `moveaxis` or `transpose`.": (
            lambda x, weight: np.moveaxis(_pointwise(x, weight), 0, -1).reshape(-1, *x.shape[1:])
        ),
        "your channels are last. Return (C_out, H, W).": (
            lambda x, weight: np.moveaxis(_pointwise(x, weight), 0, -1)
        ),
        TRANSPOSED: lambda x, weight: _pointwise(x, weight).swapaxes(1, 2),
        "the channels must be summed. An output channel is one weighted sum of all inputs.": (
            lambda x, weight: weight[:, :, np.newaxis, np.newaxis] * x
        ),
        CHANNEL_MEAN: lambda x, weight: _pointwise(x, weight) / len(x),
        ONE_CHANNEL: lambda x, weight: _pointwise(x[:1], weight[:, :1]),
        "you added the output channels up. Each is a map of its own.": (
            lambda x, weight: _pointwise(x, weight).sum(axis=0)
        ),
    },
)

# --- Chapter 5: pooling ---------------------------------------------------------------------------


def _max(x: np.ndarray, kernel_size: int, stride: int) -> np.ndarray:
    return scratch.max_pool2d(x[np.newaxis, np.newaxis], kernel_size, stride)[0, 0]


def _mean(x: np.ndarray, kernel_size: int, stride: int) -> np.ndarray:
    return scratch.avg_pool2d(x[np.newaxis, np.newaxis].astype(float), kernel_size, stride)[0, 0]


def _over_the_edge(x: np.ndarray, kernel_size: int, stride: int, reduce: Callable) -> np.ndarray:
    """Reduce all windows that begin inside the picture, over what they see of it."""
    rows, columns = (range(0, n, stride) for n in x.shape)
    windows = [[x[i : i + kernel_size, j : j + kernel_size] for j in columns] for i in rows]
    return np.array([[reduce(window) for window in row] for row in windows])


def _mean_of_what_is_there(x: np.ndarray, kernel_size: int, stride: int) -> np.ndarray:
    """Return the means with the sizes rounded up: a window that is cut off has fewer pixels."""
    x, there = (_rounded_up(a, (kernel_size,) * 2, stride) for a in (x, np.ones(x.shape)))
    return _mean(x, kernel_size, stride) / _mean(there, kernel_size, stride)


POOLS = [((4, 5), 2, 2), ((5, 6), 3, 2), ((7, 8), 2, 3), ((6, 11), 2, 1)]

check_max_pool2d = Check(
    task="f(x, kernel_size, stride) -> the largest number of each window",
    right=_max,
    settings=[*draw(*POOLS), *draw(((5, 4), 2, 2), high=-1)],
    tested="with windows that overlap and windows that leave gaps, strides that do not divide, "
    "and a picture without a positive number",
    hint=HANGS_OVER,
    diagnoses={
        "your maximum starts at 0, so that a negative window gives 0. Start with the window's "
        "first number, or with -inf.": lambda x, k, s: np.maximum(_max(x, k, s), 0),
        "that is the window's minimum. Take the largest number.": lambda x, k, s: -_max(-x, k, s),
        "that is the window's mean. Take the largest number.": _mean,
        "that is the window's sum. Take the largest number.": lambda x, k, s: _mean(x, k, s) * k**2,
        "you compare absolute values. Of -9 and 3 the larger is 3.": (
            lambda x, k, s: _max(abs(x), k, s)
        ),
        STRIDE_IGNORED: lambda x, k, s: _max(x, k, 1),
        SIDE_BY_SIDE: lambda x, k, s: _max(x, k, k),
        **_miscounted(_max, lambda k, s: (k, k)),
        ROUNDED_UP: lambda x, k, s: _max(_rounded_up(x, (k, k), s), k, s),
        CEIL_MODE: lambda x, k, s: _max(_rounded_up(x, (k, k), s, -np.inf), k, s),
        EDGE_WINDOWS: lambda x, k, s: _over_the_edge(x, k, s, np.max),
        TRANSPOSED: lambda x, k, s: _max(x, k, s).T,
    },
)

check_avg_pool2d = Check(
    task="f(x, kernel_size, stride) -> the mean of each window",
    right=_mean,
    settings=[*draw(*POOLS), *_photo((5, 4), 2, 2)],
    tested="with windows that overlap and windows that leave gaps, strides that do not divide, "
    "and a picture of type uint8",
    hint=HANGS_OVER,
    diagnoses={
        "that is the window's maximum. Take the mean.": _max,
        "that is the sum, not the mean. Divide by the number of pixels in a window.": (
            lambda x, k, s: _mean(x, k, s) * k**2
        ),
        "you divided by kernel_size. A window has kernel_size * kernel_size pixels.": (
            lambda x, k, s: _mean(x, k, s) * k
        ),
        STRIDE_IGNORED: lambda x, k, s: _mean(x, k, 1),
        SIDE_BY_SIDE: lambda x, k, s: _mean(x, k, k),
        **_miscounted(_mean, lambda k, s: (k, k)),
        ROUNDED_UP: lambda x, k, s: _mean(_rounded_up(x, (k, k), s), k, s),
        CEIL_MODE: _mean_of_what_is_there,
        EDGE_WINDOWS: lambda x, k, s: _over_the_edge(x, k, s, np.mean),
        TRANSPOSED: lambda x, k, s: _mean(x, k, s).T,
        "your means are whole numbers. One picture is of type uint8, which has no fractions, and "
        "neither has your output. Make it an array of floats.": (
            lambda x, k, s: _wrap(x, _mean(x, k, s))
        ),
        "the numbers wrap around. One picture is of type uint8, which ends at 255, and you add "
        "its pixels in that type. Convert it to float first.": (
            lambda x, k, s: _wrap(x, _mean(x, k, s) * k**2) / k**2
        ),
    },
)

# --- Chapter 6: receptive fields ------------------------------------------------------------------


def _field(layers: Sequence[tuple[int, int]]) -> int:
    return arithmetic.receptive_field(arithmetic.Layer(*layer) for layer in layers).size


def _widen(
    layers: Iterable[tuple[int, int]],
    size: int = 1,
    reach: Callable = lambda k, s: k - 1,
    jump: Callable = lambda jump, s: jump * s,
) -> int:
    """Widen a field layer by layer, by a rule for each layer's reach and for the jump after it."""
    step = 1
    for k, s in layers:
        size += reach(k, s) * step
        step = jump(step, s)
    return size


check_receptive_field = Check(
    task="f(layers) -> the receptive field of one output pixel",
    right=_field,
    settings=[
        ([(3, 1)],),
        ([(3, 1), (5, 1)],),
        ([(3, 2), (4, 1)],),
        ([(7, 2), (3, 2), (3, 1)],),
        ([(2, 2), (5, 1), (2, 3), (3, 2)],),
        ([(11, 4), (3, 2), (5, 1), (3, 3), (2, 2)],),
    ],
    tested="from one layer to five, with strides and without",
    diagnoses={
        "the kernel sizes were added up. Each layer adds kernel_size - 1 to the first pixel.": (
            lambda layers: sum(k for k, _ in layers)
        ),
        "the strides of the layers before are forgotten. A step of a deep layer is as many pixels "
        "of the input as their product.": lambda layers: _widen(layers, jump=lambda jump, s: 1),
        "each layer's own stride was applied too early. It counts for the layers after it.": (
            lambda layers: _widen(layers, reach=lambda k, s: (k - 1) * s)
        ),
        "the first pixel is missing. Without any layer the field has size 1.": (
            lambda layers: _widen(layers, size=0)
        ),
        "each layer reaches kernel_size - 1 steps further, not kernel_size.": (
            lambda layers: _widen(layers, reach=lambda k, s: k)
        ),
        "only the stride of the layer just before counts in your steps. All strides before are "
        "multiplied.": lambda layers: _widen(layers, jump=lambda jump, s: s),
        "the strides were added up. They multiply: two strides of 3 make a step of 9.": (
            lambda layers: _widen(layers, jump=lambda jump, s: jump + s)
        ),
        WRONG_ORDER: lambda layers: _field(layers[::-1]),
        "that is what the last layer sees of the layer before it. Go on to the input.": (
            lambda layers: layers[-1][0]
        ),
    },
)


def _interval(index: int, layers: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
    field = arithmetic.receptive_field(arithmetic.Layer(*layer) for layer in layers)
    first = field.start + index * field.jump
    return first, first + field.size - 1


def _back(index: int, layers: Sequence[tuple[int, int, int]], rule: Callable) -> tuple[int, int]:
    """Go back from an output pixel to the input, by a rule for one layer."""
    first = last = index
    for k, s, p in reversed(layers):
        first, last = rule(first, last, k, s, p)
    return first, last


check_field_interval = Check(
    task="f(index, layers) -> (first, last), the input pixels that an output pixel sees",
    right=_interval,
    settings=[
        (2, [(3, 1, 0)]),
        (0, [(3, 1, 1)]),
        (3, [(3, 2, 1), (4, 1, 0)]),
        (5, [(5, 3, 2), (3, 2, 1), (2, 2, 0)]),
        (1, [(7, 2, 3), (3, 2, 1), (3, 1, 1), (2, 3, 0)]),
    ],
    tested="from one layer to four, inside the picture and over its edge",
    diagnoses={
        "the padding is forgotten. It moves the field towards the beginning.": (
            lambda i, layers: _back(i, layers, lambda a, b, k, s, p: (a * s, b * s + k - 1))
        ),
        "the padding has the wrong sign. The padded input begins *before* pixel 0.": (
            lambda i, layers: _back(i, layers, lambda a, b, k, s, p: (a * s + p, b * s + p + k - 1))
        ),
        "the padding is counted in pixels of the wrong layer. Multiply by the stride, and then "
        "subtract it.": lambda i, layers: _back(
            i, layers, lambda a, b, k, s, p: ((a - p) * s, (b - p) * s + k - 1)
        ),
        "the strides are forgotten. Output i of a layer begins at its input i * stride.": (
            lambda i, layers: _back(i, layers, lambda a, b, k, s, p: (a - p, b - p + k - 1))
        ),
        "each layer adds kernel_size - 1 to `last`, not kernel_size.": (
            lambda i, layers: _back(i, layers, lambda a, b, k, s, p: (a * s - p, b * s - p + k))
        ),
        "`last` is one too far. It is the last pixel that is seen, not the one after it.": (
            lambda i, layers: np.add(_interval(i, layers), (0, 1))
        ),
        "you stopped at the picture's edge. A field may begin in the padding, at a negative "
        "number.": lambda i, layers: np.maximum(_interval(i, layers), 0),
        WRONG_ORDER: lambda i, layers: _interval(i, layers[::-1]),
        "you returned the field's size. Return its last pixel.": (
            lambda i, layers: (_interval(i, layers)[0], -np.subtract(*_interval(i, layers)) + 1)
        ),
    },
)
