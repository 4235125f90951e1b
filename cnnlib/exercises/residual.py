"""The checks of the chapter on residual blocks: depths, parameters, and a shortcut without any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnlib.arithmetic import batch_norm_parameters, conv_parameters

from .grading import Check, draw

# In the formulas below i and c are numbers of channels that come in and go out, s is a stride, k
# the number of convolutions in a block, and n how many blocks each stage has.

check_resnet_depth = Check(
    task="f(counts, convolutions) -> the number in the network's name",
    right=lambda n, k: k * sum(n) + 2,
    settings=[((1, 2), 2), ((3, 3, 3), 2), ((2, 2, 2, 2), 2), ((3, 4, 6, 3), 3), ((5, 1, 7), 4)],
    tested="ResNet-18, 20 and 50 among them",
    diagnoses={
        "the layers outside the blocks are missing: the first convolution and the last linear "
        "layer.": lambda n, k: k * sum(n),
        "two layers lie outside the blocks, the first convolution and the last linear one. You "
        "counted one.": lambda n, k: k * sum(n) + 1,
        "you counted blocks. The name counts the layers in them.": lambda n, k: sum(n) + 2,
        "you counted one block a stage. `counts` says how many there are.": (
            lambda n, k: k * len(n) + 2
        ),
        "you counted a projection between two stages. The name leaves shortcuts out.": (
            lambda n, k: k * sum(n) + 2 + len(n) - 1
        ),
        "BatchNorms have weights too, and the name still leaves them out.": (
            lambda n, k: 2 * (k * sum(n) + 1) + 1
        ),
    },
)


def _block(
    conv: Callable = lambda i, o, k: conv_parameters(i, o, k, bias=False),
    norm: Callable = batch_norm_parameters,
    has_projection: Callable = lambda i, c, s: s != 1 or i != c,
    projection: Callable | None = None,
    between: Callable = lambda i, c: c,
) -> Callable:
    """Return a function that counts a block of two convolutions, from the parts' own counts."""

    def count(in_channels: int, channels: int, stride: int) -> int:
        first = conv(in_channels, channels, 3)
        second = conv(between(in_channels, channels), channels, 3)
        total = first + second + 2 * norm(channels)
        if has_projection(in_channels, channels, stride):
            project = projection or (lambda i, c: conv(i, c, 1) + norm(c))
            total += project(in_channels, channels)
        return total

    return count


check_block_parameters = Check(
    task="f(in_channels, channels, stride) -> the parameters of a basic block with option B",
    right=_block(),
    settings=[(4, 4, 1), (3, 5, 1), (6, 6, 2), (16, 32, 2), (7, 4, 3)],
    tested="with a projection and without",
    diagnoses={
        "the BatchNorms are missing. Each has a factor and a summand for every channel.": _block(
            norm=lambda c: 0
        ),
        "a BatchNorm has two parameters a channel, a factor and a summand.": _block(
            norm=lambda c: c
        ),
        "the running means and variances are in your count. They are measured and not learned.": (
            _block(norm=lambda c: 4 * c)
        ),
        "the convolutions have no biases, since the BatchNorm behind each would take them away.": (
            _block(conv=lambda i, o, k: conv_parameters(i, o, k))
        ),
        "the projection is missing. Where the shape changes there is one on the shortcut.": _block(
            has_projection=lambda i, c, s: False
        ),
        "there is a projection only where the shape changes. Elsewhere x is added as it is.": (
            _block(has_projection=lambda i, c, s: True)
        ),
        "a stride changes the shape too. The projection is needed even if the channels stay.": (
            _block(has_projection=lambda i, c, s: i != c)
        ),
        "other channels change the shape too. The projection is needed even if the stride is "
        "1.": _block(has_projection=lambda i, c, s: s != 1),
        "the projection has a BatchNorm too.": _block(
            projection=lambda i, c: conv_parameters(i, c, 1, bias=False)
        ),
        "the projection is a 1x1 convolution. Yours is 3x3.": _block(
            projection=lambda i, c: conv_parameters(i, c, 3, bias=False) + 2 * c
        ),
        "the second convolution receives what the first gives, `channels` of them.": _block(
            between=lambda i, c: i
        ),
    },
)


def _option_a(
    sampled: Callable = lambda x, s: x[:, :, ::s, ::s],
    new: Callable = lambda x, count: np.zeros((len(x), count, *x.shape[2:])),
    before: Callable = lambda count: 0,
) -> Callable:
    """Return option A, or a mistaken form: how it samples, what it adds, and how much in front."""

    def shortcut(x: np.ndarray, out_channels: int, stride: int) -> np.ndarray:
        x = sampled(x, stride)
        added = new(x, out_channels - x.shape[1])
        front = before(added.shape[1])
        return np.concatenate([added[:, :front], x, added[:, front:]], axis=1)

    return shortcut


def _averaged(x: np.ndarray, s: int) -> np.ndarray:
    """Return the means of windows of s by s, without overlap."""
    rows, columns = x.shape[2] // s, x.shape[3] // s
    windows = x[:, :, : rows * s, : columns * s].reshape(*x.shape[:2], rows, s, columns, s)
    return windows.mean(axis=(3, 5))


check_option_a = Check(
    task="f(x, out_channels, stride) -> x in its new shape, zeros for the new channels",
    right=_option_a(),
    settings=draw(
        ((1, 1, 2, 2), 3, 1),
        ((1, 2, 4, 4), 4, 2),
        ((2, 3, 5, 4), 5, 2),
        ((2, 2, 7, 8), 6, 3),
        ((1, 2, 4, 6), 2, 2),
    ),
    tested="with odd sizes, with strides from 1 to 3, and once without new channels",
    diagnoses={
        "the new channels come last. Yours come first.": _option_a(before=lambda count: count),
        "you put half of the zeros before the channels and half behind, as many programs do. "
        "Here all of them come last.": _option_a(before=lambda count: count // 2),
        "the new channels are copies of the old ones. They should be zero.": _option_a(
            new=lambda x, count: x[:, np.arange(count) % x.shape[1]]
        ),
        "the new channels are missing.": _option_a(new=lambda x, count: x[:, :0]),
        "you take the mean of each window. Option A keeps one pixel of it, the first.": _option_a(
            sampled=_averaged
        ),
        "begin with the first row and column, x[:, :, ::stride, ::stride].": _option_a(
            sampled=lambda x, s: x[:, :, s - 1 :: s, s - 1 :: s]
        ),
        "the maps keep their size. Only every `stride`-th row and column should stay.": _option_a(
            sampled=lambda x, s: x
        ),
        "you leave out rows and keep all columns. The stride holds for both.": _option_a(
            sampled=lambda x, s: x[:, :, ::s]
        ),
    },
    hint="The zeros need the shape of the maps after the stride.",
)
