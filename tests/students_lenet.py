"""Students of the checks on LeNet-5: they use torch, or loops, and often err."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from zoo import right, wrong_formulas

from cnnlib.models.lenet import Subsampling

# --- The parameters of LeNet-5 --------------------------------------------------------------------


@right("check_lenet_parameters")
def _(in_channels, num_classes, image_size):
    layers = [
        nn.Conv2d(in_channels, 6, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(120),
        nn.Linear(120, 84),
        nn.Linear(84, num_classes),
    ]
    nn.Sequential(*layers)(torch.zeros(1, in_channels, image_size, image_size))
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    return [count for count in counts if count]


def after_two_stages(n):
    """Return the side of the maps behind the second pooling."""
    return ((n - 4) // 2 - 4) // 2


def count_with(
    i,
    c,
    n,
    side=after_two_stages,
    seen=6,
    maps=16,
    bias=1,
    second=None,
    classes=None,
    channels=None,
):
    """Count LeNet-5 as taught, perhaps with one bug."""
    return [
        6 * 25 * (channels or i) + 6 * bias,
        second or 16 * 25 * seen + 16 * bias,
        120 * maps * side(n) ** 2 + 120 * bias,
        84 * 120 + 84 * bias,
        (classes or c) * 84 + (classes or c) * bias,
    ]


right("check_lenet_parameters")(count_with)
wrong_formulas(
    "check_lenet_parameters",
    {
        "biases are missing": lambda i, c, n: count_with(i, c, n, bias=0),
        "that is the sum": lambda i, c, n: sum(count_with(i, c, n)),
        "in_channels is ignored": lambda i, c, n: count_with(i, c, n, channels=1),
        "num_classes is ignored": lambda i, c, n: count_with(i, c, n, classes=10),
        "image_size is ignored": lambda i, c, n: count_with(i, c, 32),
        "the table's of 1998": lambda i, c, n: count_with(i, c, n, second=60 * 25 + 16),
        "not the picture's channels": lambda i, c, n: count_with(i, c, n, seen=i),
        "kernels are flat": lambda i, c, n: count_with(i, c, n, seen=1),
        "one number a map": lambda i, c, n: count_with(i, c, n, side=lambda n: 1),
        "sees one map": lambda i, c, n: count_with(i, c, n, maps=1),
        "poolings are forgotten": lambda i, c, n: count_with(i, c, n, side=lambda n: n - 4 - 4),
        "keep the size": lambda i, c, n: count_with(i, c, n, side=lambda n: n // 2 // 2),
    },
)


# --- Subsampling ----------------------------------------------------------------------------------


@right("check_subsample")
def _(x, weight, bias):
    layer = Subsampling(len(x)).double()
    layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return layer(torch.tensor(x)[None])[0]


def squash(number):
    return 1.7159 * np.tanh(2 * number / 3)


def subsample_with(x, weight, bias, combine=sum, finish=squash, step=2, change=None):
    """Subsample pixel by pixel, perhaps with one bug."""
    change = change or (lambda total, w, b: total * w + b)
    C, H, W = x.shape
    y = np.zeros((C, (H - 2) // step + 1, (W - 2) // step + 1))
    for c, i, j in product(*map(range, y.shape)):
        window = x[c, step * i : step * i + 2, step * j : step * j + 2]
        y[c, i, j] = change(combine(window.flatten()), weight[c], bias[c])
    return finish(y)


right("check_subsample")(subsample_with)
wrong_formulas(
    "check_subsample",
    {
        "took the mean": lambda *a: subsample_with(*a, combine=np.mean),
        "took the largest": lambda *a: subsample_with(*a, combine=max),
        "tanh is missing": lambda *a: subsample_with(*a, finish=np.array),
        "plain tanh": lambda *a: subsample_with(*a, finish=np.tanh),
        "2 / 3 inside": lambda *a: subsample_with(*a, finish=lambda y: 1.7159 * np.tanh(y)),
        "1.7159 before": lambda *a: subsample_with(*a, finish=lambda y: np.tanh(y / 1.5)),
        "bias is missing": lambda *a: subsample_with(*a, change=lambda total, w, b: total * w),
        "coefficient is missing": lambda *a: subsample_with(
            *a, change=lambda total, w, b: total + b
        ),
        "multiplies the bias too": lambda *a: subsample_with(
            *a, change=lambda total, w, b: (total + b) * w
        ),
        "counts four times": lambda x, weight, bias: squash(
            4
            * F.avg_pool2d(torch.tensor(x * weight[:, None, None] + bias[:, None, None]), 2).numpy()
        ),
        "use the first coefficient": lambda x, weight, bias: subsample_with(
            x, [weight[0]] * len(x), [bias[0]] * len(x)
        ),
        "windows overlap": lambda *a: subsample_with(*a, step=1),
        "maps have been added up": lambda *a: squash(
            sum(subsample_with(*a, finish=np.array))  # over the first axis
        ),
    },
)


# --- Partial connections --------------------------------------------------------------------------


def by_torch(x, weight, table):
    """Convolve with the kernels of the table, in torch."""
    kernels = torch.tensor(weight * np.asarray(table, float)[:, :, None, None])
    return F.conv2d(torch.tensor(x)[None], kernels)[0].numpy()


right("check_partial_connections")(by_torch)


def connect(x, weight, table, kernel=lambda o, c, turn: (o, c), row=lambda o: o, limit=99):
    """Add up correlations map by map, perhaps with one bug; turn counts the connected maps."""
    height, width = np.subtract(x.shape[1:], weight.shape[2:]) + 1
    y = np.zeros((len(weight), height, width))
    for o in range(len(weight)):
        for turn, c in enumerate(np.flatnonzero(table[row(o)])[:limit]):
            w = weight[kernel(o, c, turn)]
            for i, j in product(range(height), range(width)):
                y[o, i, j] += np.sum(x[c, i : i + len(w), j : j + len(w[0])] * w)
    return y


right("check_partial_connections")(connect)
wrong_formulas(
    "check_partial_connections",
    {
        "all maps are connected": lambda x, w, table: by_torch(x, w, table**0),
        "table is inverted": lambda x, w, table: by_torch(x, w, table == 0),
        "table's first row": lambda *a: connect(*a, row=lambda o: 0),
        "kernels have moved up": lambda *a: connect(*a, kernel=lambda o, c, turn: (o, turn)),
        "only the first connected": lambda *a: connect(*a, limit=1),
        "averaged over the connected": lambda x, w, table: (
            by_torch(x, w, table) / np.sum(table, axis=1).reshape(-1, 1, 1)
        ),
        "averaged over all input": lambda x, w, table: by_torch(x, w, table) / len(x),
        "uses the first kernels": lambda *a: connect(*a, kernel=lambda o, c, turn: (0, c)),
        "flipped the kernels": lambda x, w, table: by_torch(x, np.flip(w, (2, 3)), table),
        "output is transposed": lambda *a: by_torch(*a).transpose(0, 2, 1),
        "maps have been added up": lambda *a: sum(by_torch(*a)),
    },
)
