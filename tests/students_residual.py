"""Students of the checks on residual blocks: they count with torch, or by their own sums."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from zoo import right, wrong, wrong_formulas

# --- The depth ------------------------------------------------------------------------------------


@right("check_resnet_depth")
def _(counts, convolutions):
    layers = ["conv1"]
    for stage, count in enumerate(counts, start=1):
        for block in range(count):
            layers += [f"layer{stage}.{block}.conv{i}" for i in range(1, convolutions + 1)]
    return len([*layers, "fc"])


wrong_formulas(
    "check_resnet_depth",
    {
        "outside the blocks are missing": lambda counts, k: sum(count * k for count in counts),
        "You counted one.": lambda counts, k: 1 + sum(count * k for count in counts),
        "you counted blocks": lambda counts, k: 1 + np.sum(counts) + 1,
        "one block a stage": lambda counts, k: 2 + sum(k for _ in counts),
        "a projection between two stages": lambda counts, k: (
            2 + sum(count * k for count in counts) + len(counts[1:])
        ),
        "BatchNorms have weights too": lambda counts, k: 3 + sum(2 * count * k for count in counts),
    },
)

# --- The parameters of a block --------------------------------------------------------------------


def counted(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def conv(i, o, k, **options):
    return nn.Conv2d(i, o, k, bias=False, **options)


@right("check_block_parameters")
def _(in_channels, channels, stride):
    branch = (
        conv(in_channels, channels, 3, stride=stride),
        nn.BatchNorm2d(channels),
        conv(channels, channels, 3),
        nn.BatchNorm2d(channels),
    )
    with torch.no_grad():
        x = torch.zeros(1, in_channels, 12, 12)
        y = branch[2](F.pad(branch[0](F.pad(x, [1] * 4)), [1] * 4))
    if x.shape == y.shape:
        return counted(*branch)
    return counted(*branch, conv(in_channels, channels, 1), nn.BatchNorm2d(channels))


def summed(branch, projection):
    """Return a student who adds up the branch, and the projection where the shape changes."""
    return lambda i, c, s: branch(i, c) + (projection(i, c) if (i, 1) != (c, s) else 0)


def threes(i, c):
    return 9 * c * (i + c)


wrong_formulas(
    "check_block_parameters",
    {
        "the BatchNorms are missing": summed(threes, lambda i, c: i * c),
        "two parameters a channel": summed(
            lambda i, c: threes(i, c) + 2 * c, lambda i, c: i * c + c
        ),
        "running means and variances": summed(
            lambda i, c: threes(i, c) + 8 * c, lambda i, c: i * c + 4 * c
        ),
        "no biases": summed(lambda i, c: threes(i, c) + 6 * c, lambda i, c: i * c + 3 * c),
        "the projection is missing": lambda i, c, s: threes(i, c) + 4 * c,
        "only where the shape changes": lambda i, c, s: threes(i, c) + i * c + 6 * c,
        "a stride changes the shape too": lambda i, c, s: (
            threes(i, c) + 4 * c + (i * c + 2 * c) * (i != c)
        ),
        "other channels change the shape too": lambda i, c, s: (
            threes(i, c) + 4 * c + (i * c + 2 * c) * (s > 1)
        ),
        "the projection has a BatchNorm too": summed(
            lambda i, c: threes(i, c) + 4 * c, lambda i, c: i * c
        ),
        "Yours is 3x3": summed(lambda i, c: threes(i, c) + 4 * c, lambda i, c: 9 * i * c + 2 * c),
        "receives what the first gives": summed(
            lambda i, c: 18 * i * c + 4 * c, lambda i, c: i * c + 2 * c
        ),
    },
)

# --- Option A -------------------------------------------------------------------------------------


@right("check_option_a")
def _(x, out_channels, stride):
    n, channels, height, width = x.shape
    y = np.zeros((n, out_channels, -(-height // stride), -(-width // stride)))
    for place in np.ndindex(n, channels, *y.shape[2:]):
        a, c, i, j = place
        y[place] = x[a, c, i * stride, j * stride]
    return y


def padded(x, before, behind):
    """Return a tensor with channels of zeros before and behind."""
    return F.pad(torch.as_tensor(x), (0, 0, 0, 0, before, behind))


@wrong("check_option_a", "Yours come first")
def _(x, out_channels, stride):
    return padded(x[:, :, ::stride, ::stride], out_channels - x.shape[1], 0)


@wrong("check_option_a", "half of the zeros before")
def _(x, out_channels, stride):
    new = out_channels - x.shape[1]
    return padded(x[:, :, ::stride, ::stride], new // 2, new - new // 2)


@wrong("check_option_a", "copies of the old ones")
def _(x, out_channels, stride):
    small = x[:, :, ::stride, ::stride]
    return np.concatenate([small] * out_channels, axis=1)[:, :out_channels]


@wrong("check_option_a", "the new channels are missing")
def _(x, out_channels, stride):
    return x[:, :, ::stride, ::stride]


@wrong("check_option_a", "the mean of each window")
def _(x, out_channels, stride):
    means = F.avg_pool2d(torch.from_numpy(x), stride)
    return padded(means, 0, out_channels - x.shape[1])


@wrong("check_option_a", "begin with the first row and column")
def _(x, out_channels, stride):
    last = stride - 1
    return padded(x[:, :, last::stride, last::stride], 0, out_channels - x.shape[1])


@wrong("check_option_a", "the maps keep their size")
def _(x, out_channels, stride):
    return padded(x, 0, out_channels - x.shape[1])


@wrong("check_option_a", "keep all columns")
def _(x, out_channels, stride):
    return padded(x[:, :, ::stride, :], 0, out_channels - x.shape[1])
