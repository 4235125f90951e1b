"""The checks on whole networks: LeNet-5, counted and built by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnlib import arithmetic, scratch

from .grading import Check, draw

# --- Chapter 9: LeNet -----------------------------------------------------------------------------
#
# In the formulas below i is a number of channels, n the size of the picture and c the number of
# classes; x are maps (C, H, W), and w and b a coefficient and a bias for each of them.


def _halved(size: int) -> int:
    """Return the size of a map after a 5x5 convolution and a 2x2 pooling."""
    return arithmetic.output_size(arithmetic.output_size(size, 5), 2, stride=2)


def _lenet(
    i: int, c: int, inputs: int, first: int = 6, second: int | None = None, bias: bool = True
) -> list[int]:
    """Count LeNet-5 as taught, layer by layer; `inputs` is what its first linear layer sees."""
    full = arithmetic.conv_parameters(first, 16, 5, bias=bias)
    return [
        arithmetic.conv_parameters(i, 6, 5, bias=bias),
        full if second is None else second,
        arithmetic.linear_parameters(inputs, 120, bias=bias),
        arithmetic.linear_parameters(120, 84, bias=bias),
        arithmetic.linear_parameters(84, c, bias=bias),
    ]


def _flat(n: int) -> int:
    """Return how many numbers the second pooling leaves."""
    return 16 * _halved(_halved(n)) ** 2


check_lenet_parameters = Check(
    task="f(in_channels, num_classes, image_size) -> the parameters of each of the five layers",
    right=lambda i, c, n: _lenet(i, c, _flat(n)),
    settings=[(1, 10, 32), (3, 10, 32), (1, 26, 28), (3, 7, 45), (2, 100, 64)],
    tested="with pictures of 28 to 64 pixels, in grey and in colour, and 7 to 100 classes",
    diagnoses={
        "the biases are missing. Each output channel has one, and each output of a linear layer.": (
            lambda i, c, n: _lenet(i, c, _flat(n), bias=False)
        ),
        "that is the sum. Return five numbers, one for each layer.": (
            lambda i, c, n: sum(_lenet(i, c, _flat(n)))
        ),
        "in_channels is ignored. A first kernel is as deep as the picture.": (
            lambda i, c, n: _lenet(1, c, _flat(n))
        ),
        "num_classes is ignored. The last layer has an output for each class.": (
            lambda i, c, n: _lenet(i, 10, _flat(n))
        ),
        "image_size is ignored. A larger picture leaves more numbers for the first linear layer.": (
            lambda i, c, n: _lenet(i, c, _flat(32))
        ),
        "the second convolution sees all 6 maps in the network as taught. With 1,516 parameters "
        "it is the table's of 1998.": lambda i, c, n: _lenet(i, c, _flat(n), second=1516),
        "the second convolution sees the 6 maps of the first, not the picture's channels.": (
            lambda i, c, n: _lenet(i, c, _flat(n), first=i)
        ),
        "the second convolution's kernels are flat in your count. They are as deep as its 6 input "
        "maps.": lambda i, c, n: _lenet(i, c, _flat(n), first=1),
        "your first linear layer sees one number a map. It sees every number of all 16 maps.": (
            lambda i, c, n: _lenet(i, c, 16)
        ),
        "your first linear layer sees one map. There are 16 of them.": (
            lambda i, c, n: _lenet(i, c, _flat(n) // 16)
        ),
        "the poolings are forgotten: each halves the height and the width of the maps.": (
            lambda i, c, n: _lenet(i, c, 16 * (n - 8) ** 2)
        ),
        "your convolutions keep the size. Without padding a 5x5 kernel takes 4 pixels off.": (
            lambda i, c, n: _lenet(i, c, 16 * (n // 4) ** 2)
        ),
    },
)


def _squash(x: np.ndarray) -> np.ndarray:
    return 1.7159 * np.tanh(x * (2 / 3))


def _sums(x: np.ndarray, stride: int = 2) -> np.ndarray:
    """Return the sum of each window of 2 by 2, map by map."""
    return 4 * scratch.avg_pool2d(x[np.newaxis], 2, stride)[0]


def _for_each_map(numbers: np.ndarray) -> np.ndarray:
    """Shape a number for each map so that it meets all pixels of its map."""
    return numbers[:, np.newaxis, np.newaxis]


def _subsample(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, squash: Callable = _squash
) -> np.ndarray:
    return squash(_sums(x) * _for_each_map(w) + _for_each_map(b))


check_subsample = Check(
    task="f(x, weight, bias) -> the maps, subsampled as in 1998",
    right=_subsample,
    settings=[  # small numbers, so that the tanh is not at its end
        tuple(0.1 * numbers for numbers in setting)
        for setting in draw(
            ((1, 2, 4), (1,), (1,)),
            ((2, 4, 6), (2,), (2,)),
            ((3, 6, 2), (3,), (3,)),
            ((4, 4, 10), (4,), (4,)),
        )
    ],
    tested="with one map and with several, and oblong maps",
    hint="Do the maps have the channels first, and each map its own coefficient and bias?",
    diagnoses={
        "you took the mean. The four pixels are added up; the coefficient does the scaling.": (
            lambda x, w, b: _subsample(x / 4, w, b)
        ),
        "you took the largest of the four pixels. That is max pooling; here they are added up.": (
            lambda x, w, b: _squash(
                scratch.max_pool2d(x[np.newaxis], 2, 2)[0] * _for_each_map(w) + _for_each_map(b)
            )
        ),
        "the tanh is missing. It comes last.": lambda x, w, b: _subsample(x, w, b, lambda y: y),
        "that is the plain tanh. The paper's is 1.7159 * tanh(2 / 3 * x).": (
            lambda x, w, b: _subsample(x, w, b, np.tanh)
        ),
        "the 2 / 3 inside the tanh is missing.": (
            lambda x, w, b: _subsample(x, w, b, lambda y: 1.7159 * np.tanh(y))
        ),
        "the 1.7159 before the tanh is missing.": (
            lambda x, w, b: _subsample(x, w, b, lambda y: np.tanh(y * (2 / 3)))
        ),
        "the bias is missing. Add each map's own, after the coefficient.": (
            lambda x, w, b: _subsample(x, w, 0 * b)
        ),
        "the coefficient is missing. Multiply each map's sums by its own.": (
            lambda x, w, b: _subsample(x, w**0, b)
        ),
        "your coefficient multiplies the bias too. Multiply the sum, and then add the bias.": (
            lambda x, w, b: _subsample(x, w, w * b)
        ),
        "your bias counts four times. Add it once, after the sum.": (
            lambda x, w, b: _subsample(x, w, 4 * b)
        ),
        "all your maps use the first coefficient and the first bias. Each map has its own.": (
            lambda x, w, b: _subsample(x, np.full_like(w, w[0]), np.full_like(b, b[0]))
        ),
        "your windows overlap. They lie side by side: the height and the width are halved.": (
            lambda x, w, b: _squash(_sums(x, stride=1) * _for_each_map(w) + _for_each_map(b))
        ),
        "your maps have been added up. Each map is subsampled for itself.": (
            lambda x, w, b: _subsample(x, w, b, lambda y: _squash(y.sum(axis=0)))
        ),
    },
)


def _partial(x: np.ndarray, weight: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Correlate with the kernels that the table leaves; x is (C, H, W)."""
    return scratch.conv2d(x[np.newaxis], weight * table[:, :, np.newaxis, np.newaxis])[0]


def _in_turn(x: np.ndarray, weight: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Let the maps that are seen meet the first kernels, in turn."""
    moved = np.zeros_like(weight)
    for kernels, source, seen in zip(moved, weight, table, strict=True):
        kernels[seen == 1] = source[: int(seen.sum())]
    return _partial(x, moved, table)


def _first_seen(table: np.ndarray) -> np.ndarray:
    """Return the table with only the first map that each row sees."""
    return table * (table.cumsum(axis=1) == 1)


def _table(*rows: str) -> np.ndarray:
    """Return a table of 0 and 1 from rows of digits."""
    return np.array([[int(digit) for digit in row] for row in rows])


check_partial_connections = Check(
    task="f(x, weight, table) -> the maps of a convolution with missing connections",
    right=_partial,
    settings=[
        (*draw(((3, 3, 4), (2, 3, 2, 2)))[0], _table("011", "101")),
        (*draw(((4, 5, 4), (3, 4, 2, 3)))[0], _table("0110", "0011", "1001")),
        (*draw(((2, 4, 6), (4, 2, 3, 2)))[0], _table("01", "11", "10", "11")),
        (*draw(((5, 6, 7), (3, 5, 3, 3)))[0], _table("01101", "11111", "00010")),
    ],
    tested="with oblong maps and kernels, and tables that leave one connection or all",
    hint="Is table[o, c] the connection from input map c to output map o?",
    diagnoses={
        "the table is ignored: all maps are connected.": (
            lambda x, weight, table: _partial(x, weight, np.ones_like(table))
        ),
        "the table is inverted. A 1 is a connection, a 0 is none.": (
            lambda x, weight, table: _partial(x, weight, 1 - table)
        ),
        "every output map uses the table's first row. Output map o has the row table[o].": (
            lambda x, weight, table: _partial(x, weight, np.broadcast_to(table[0], table.shape))
        ),
        "your kernels have moved up. Input map c meets weight[o, c], also where maps before it are "
        "left out.": _in_turn,
        "only the first connected map counts in your output. Sum over all that are connected.": (
            lambda x, weight, table: _partial(x, weight, _first_seen(table))
        ),
        "you averaged over the connected maps. They are summed.": (
            lambda x, weight, table: _partial(x, weight, table / table.sum(axis=1, keepdims=True))
        ),
        "you averaged over all input maps. Those that are connected are summed.": (
            lambda x, weight, table: _partial(x, weight, table / len(x))
        ),
        "every output map uses the first kernels. Output map o has the kernels weight[o].": (
            lambda x, weight, table: _partial(x, np.broadcast_to(weight[0], weight.shape), table)
        ),
        "you flipped the kernels. A layer correlates.": (
            lambda x, weight, table: _partial(x, weight[:, :, ::-1, ::-1], table)
        ),
        "your output is transposed. Rows and columns have changed places.": (
            lambda x, weight, table: _partial(x, weight, table).swapaxes(1, 2)
        ),
        "the output maps have been added up. Each is a map of its own.": (
            lambda x, weight, table: _partial(x, weight, table).sum(axis=0)
        ),
    },
)
