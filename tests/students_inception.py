"""Students of the checks on VGG and GoogLeNet: they count with torch or by their own sums."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from zoo import right, wrong, wrong_formulas


def on_meta(layers):
    """Return a stack of layers that have shapes and no numbers."""
    with torch.device("meta"):
        return nn.Sequential(*layers())


def counted(module):
    return sum(p.numel() for p in module.parameters())


# --- Chapter 11 -----------------------------------------------------------------------------------


@right("check_vgg_parameters")
def _(in_channels, counts, channels):
    def layers():
        before = in_channels
        for count, after in zip(counts, channels, strict=True):
            for _ in range(count):
                yield nn.Conv2d(before, after, 3, padding=1)
                before = after

    return counted(on_meta(layers))


def add_blocks(in_channels, counts, channels, block):
    """Add up `block(before, after, count)`, as a student does who thinks block by block."""
    total, before = 0, in_channels
    for count, after in zip(counts, channels, strict=True):
        total += block(before, after, count)
        before = after
    return total


def inside(before, after, count):
    """Return the weights of one block."""
    return 3 * 3 * before * after + 3 * 3 * after * after * (count - 1)


BLOCKS = {
    "the biases are missing": inside,
    "one bias a block": lambda b, a, count: inside(b, a, count) + a,
    "what the block receives": lambda b, a, count: (9 * b * a + a) * count,
    "as many channels before as after": lambda b, a, count: (9 * a * a + a) * count,
    "one convolution a block": lambda b, a, count: (9 * b + 1) * a,
    "kernel is a square": lambda b, a, count: inside(b, a, count) // 3 + a * count,
    "input channels are missing": lambda b, a, count: 10 * a * count,
}
for words, block in BLOCKS.items():
    wrong("check_vgg_parameters", words)(lambda i, n, c, block=block: add_blocks(i, n, c, block))


@wrong("check_vgg_parameters", "starts from the picture again")
def _(in_channels, counts, channels):
    pairs = zip(counts, channels, strict=True)
    return sum(inside(in_channels, after, count) + after * count for count, after in pairs)


@right("check_stack_macs")
def _(in_channels, out_channels, depth, size):
    x, macs = torch.empty(1, in_channels, size, size, device="meta"), 0
    for _ in range(depth):
        layer = nn.Conv2d(x.shape[1], out_channels, 3, padding=1, bias=False, device="meta")
        x = layer(x)
        macs += layer.weight.numel() * x.shape[2] * x.shape[3]
    return macs


wrong_formulas(
    "check_stack_macs",
    {
        "every layer starts from in_channels": lambda i, o, d, n: 9 * n * n * i * o * d,
        "starts from out_channels": lambda i, o, d, n: 9 * n * n * o * o * d,
        "change in your last layer": lambda i, o, d, n: 9 * n * n * (i * i * (d - 1) + i * o),
        "first layer alone": lambda i, o, d, n: 9 * n * n * i * o,
        "size * size positions, and": lambda i, o, d, n: 9 * n * (i * o + (d - 1) * o * o),
        "number of weights": lambda i, o, d, n: 9 * (i * o + (d - 1) * o * o),
        "kernel is a square": lambda i, o, d, n: 3 * n * n * (i * o + (d - 1) * o * o),
        "one kernel that sees as much": lambda i, o, d, n: (1 + 2 * d) ** 2 * n * n * i * o,
    },
)


@wrong("check_stack_macs", "shrink by two pixels")
def _(in_channels, out_channels, depth, size):
    macs = 0
    for _ in range(depth):
        size -= 2
        macs += 9 * in_channels * out_channels * size**2
        in_channels = out_channels
    return macs


# --- Chapter 12 -----------------------------------------------------------------------------------


@right("check_inception_channels")
def _(in_channels, widths):
    one, _, three, _, five, pool = widths
    return one + three + five + pool


wrong_formulas(
    "check_inception_channels",
    {
        "reductions are counted too": lambda i, widths: np.sum(widths),
        "in place of the 3x3 and the 5x5": lambda i, w: sum(w[k] for k in (0, 1, 3, 5)),
        "branch with the pooling is missing": lambda i, w: sum(w[:5:2]),
        "passes all its input channels on": lambda i, w: i + sum(w[:5:2]),
        "not part of the output": lambda i, w: i + sum(w) - w[1] - w[3],
        "took the widest": lambda i, w: np.max([w[0], w[2], w[4], w[5]]),
    },
)


@right("check_bottleneck_macs")
def _(in_channels, reduced, out_channels, kernel_size, size):
    one = nn.Conv2d(in_channels, reduced, 1, bias=False, device="meta")
    two = nn.Conv2d(reduced, out_channels, kernel_size, bias=False, device="meta")
    return (counted(one) + counted(two)) * size**2


wrong_formulas(
    "check_bottleneck_macs",
    {
        "without a bottleneck": lambda i, r, o, k, n: n * n * i * o * k * k,
        "the 1x1 is missing": lambda i, r, o, k, n: n * n * r * o * k * k,
        "the second convolution is missing": lambda i, r, o, k, n: n * n * i * r,
        "receives `reduced` channels. The": lambda i, r, o, k, n: n * n * i * (r + o * k * k),
        "the first convolution is 1x1": lambda i, r, o, k, n: n * n * r * (i + o) * k * k,
        "kernel is a square": lambda i, r, o, k, n: n * n * r * (i + o * k),
        "size * size positions, and": lambda i, r, o, k, n: n * r * (i + o * k * k),
        "number of weights": lambda i, r, o, k, n: r * (i + o * k * k),
        "let the second one shrink": lambda i, r, o, k, n: (
            r * (i * n**2 + o * k**2 * (n - (k - 1)) ** 2)
        ),
    },
)
