"""The checks on AlexNet: its five answers, its two cards, its normalisation and its dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnnlib.arithmetic import conv_parameters

from .grading import Check, draw

# --- Chapter 10: AlexNet --------------------------------------------------------------------------


def _answers(N: int, C: int, k: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return logits (N, C) of which no two in a row are equal, labels, and k."""
    random = np.random.default_rng(seed=N)
    logits = random.permuted(np.tile(np.arange(C), (N, 1)), axis=1) - C / 4
    return logits, random.integers(0, C, N), k


def _places(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how many logits of each picture are larger than that of its true class."""
    true = logits[np.arange(len(labels)), labels]
    return (logits > true[:, None]).sum(axis=1)


check_top_k_error = Check(
    task="f(logits, labels, k) -> the share of pictures whose label is not among k answers",
    right=lambda z, y, k: np.mean(_places(z, y) >= k),
    settings=[_answers(4, 5, 2), _answers(7, 9, 3), _answers(30, 12, 1), _answers(200, 40, 5)],
    tested="with 5 to 40 classes, and once with the first answer alone",
    diagnoses={
        "that is the share that is right. The error is the share that is wrong.": (
            lambda z, y, k: np.mean(_places(z, y) < k)
        ),
        "only the first answer counts in yours. There are k of them, and any may be right.": (
            lambda z, y, k: np.mean(_places(z, y) >= 1)
        ),
        "only the k-th answer counts in yours. Any of the k may be right.": (
            lambda z, y, k: np.mean(_places(z, y) != k - 1)
        ),
        "you took the k smallest logits. The answers are the largest.": (
            lambda z, y, k: np.mean(_places(-z, y) >= k)
        ),
        "you let it answer k + 1 times. Look at where your slice ends.": (
            lambda z, y, k: np.mean(_places(z, y) > k)
        ),
        "you let it answer k - 1 times. Look at where your slice ends.": (
            lambda z, y, k: np.mean(_places(z, y) >= k - 1)
        ),
        "that is how many pictures are wrong. Divide by how many there are.": (
            lambda z, y, k: np.sum(_places(z, y) >= k)
        ),
        "you divided by the number of classes. The error is a share of the pictures.": (
            lambda z, y, k: np.sum(_places(z, y) >= k) / z.shape[1]
        ),
        "you divided by k times the number of pictures. A picture has one true class, however "
        "many answers it gets.": lambda z, y, k: np.mean(_places(z, y) >= k) / k,
        "that is in per cent. Return a share, between 0 and 1.": (
            lambda z, y, k: 100 * np.mean(_places(z, y) >= k)
        ),
    },
)

# In the formulas below i and o are numbers of channels, k a kernel_size and g the number of groups.

check_grouped_parameters = Check(
    task="f(in_channels, out_channels, kernel_size, groups) -> the parameters of a convolution",
    right=conv_parameters,
    settings=[(2, 4, 3, 1), (4, 6, 3, 2), (9, 6, 5, 3), (8, 24, 1, 4), (96, 256, 5, 2)],
    tested="with one group to four",
    diagnoses={
        "the groups are ignored. A kernel sees the channels of its own group alone.": (
            lambda i, o, k, g: conv_parameters(i, o, k)
        ),
        "the biases are missing. Each output channel has one.": (
            lambda i, o, k, g: conv_parameters(i, o, k, g, bias=False)
        ),
        "that is one group. There are `groups` of them.": (
            lambda i, o, k, g: conv_parameters(i // g, o // g, k)
        ),
        "you divided both numbers of channels. There are still out_channels kernels; each is "
        "less deep.": lambda i, o, k, g: conv_parameters(i // g, o // g, k, bias=False) + o,
        "the biases are divided among the groups too. Each output channel has one.": (
            lambda i, o, k, g: conv_parameters(i, o, k, g, bias=False) + o // g
        ),
        "each group has biases for all output channels in yours. It has them for its own.": (
            lambda i, o, k, g: conv_parameters(i, o, k, g, bias=False) + o * g
        ),
        "you multiplied by the groups. Groups make the kernels less deep, not more.": (
            lambda i, o, k, g: conv_parameters(i * g, o, k)
        ),
        "the kernel is a square. It has kernel_size * kernel_size numbers for each channel that "
        "it sees.": lambda i, o, k, g: conv_parameters(i, o, (k,), g),
    },
)


def _normalised(sums: Callable[[np.ndarray, int], np.ndarray]) -> Callable:
    """Return local response normalisation with a sum of its own, `sums(x, n)`."""
    return lambda x, n, alpha, beta, k: x / (k + alpha * sums(x, n)) ** beta


def _over_channels(x: np.ndarray, before: int, after: int) -> np.ndarray:
    """Add up, for each channel, so many channels before it and after it, and itself."""
    return np.stack([x[max(0, c - before) : c + after + 1].sum(axis=0) for c in range(len(x))])


def _neighbours(x: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of squares over n neighbouring channels, at each place."""
    return _over_channels(x**2, n // 2, n // 2)


def _around(x: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of squares over n by n places, in each channel by itself."""
    far = n // 2
    padded = np.pad(x**2, ((0, 0), (far, far), (far, far)))
    return np.lib.stride_tricks.sliding_window_view(padded, (n, n), axis=(1, 2)).sum(axis=(3, 4))


def _rolled(x: np.ndarray, n: int) -> np.ndarray:
    """Return the sum of squares over n channels, the last a neighbour of the first."""
    return sum(np.roll(x**2, step, axis=0) for step in range(-(n // 2), n // 2 + 1))


check_local_response_norm = Check(
    task="f(x, n, alpha, beta, k) -> the normalised maps (C, H, W)",
    right=_normalised(_neighbours),
    settings=draw(
        ((5, 1, 1), 3, 0.02, 0.5, 2.0),
        ((8, 3, 4), 5, 0.01, 0.75, 2.0),
        ((7, 4, 2), 3, 0.02, 1.5, 1.0),
        ((4, 2, 3), 7, 0.01, 0.75, 3.0),
    ),
    tested="with 3 to 7 neighbours, and once with more neighbours than channels",
    diagnoses={
        "you divided alpha by n, as torch does. The formula takes alpha as it is.": (
            _normalised(lambda x, n: _neighbours(x, n) / n)
        ),
        "the squares are missing. The sum is over x * x.": (
            _normalised(lambda x, n: _over_channels(x, n // 2, n // 2))
        ),
        "the sum is over places in yours. It runs over neighbouring channels, at one place.": (
            _normalised(_around)
        ),
        "the sum reaches n channels to either side. n counts all of them, so n // 2 to a side.": (
            _normalised(lambda x, n: _over_channels(x**2, n, n))
        ),
        "the sum begins at the channel itself. It reaches n // 2 to either side.": (
            _normalised(lambda x, n: _over_channels(x**2, 0, n - 1))
        ),
        "the sum ends at the channel itself. It reaches n // 2 to either side.": (
            _normalised(lambda x, n: _over_channels(x**2, n - 1, 0))
        ),
        "the last channel on the right is missing: a slice ends before its end.": (
            _normalised(lambda x, n: _over_channels(x**2, n // 2, n // 2 - 1))
        ),
        "the channel itself is missing from its sum.": (
            _normalised(lambda x, n: _neighbours(x, n) - x**2)
        ),
        "the first and the last channel are neighbours in yours. The sum ends at both ends.": (
            _normalised(_rolled)
        ),
        "beta is missing: the power of what you divide by.": (
            lambda x, n, alpha, beta, k: x / (k + alpha * _neighbours(x, n))
        ),
        "you multiply. Large neighbours should make a number smaller.": (
            lambda x, n, alpha, beta, k: x * (k + alpha * _neighbours(x, n)) ** beta
        ),
        "that is what to divide by. Divide x by it.": (
            lambda x, n, alpha, beta, k: (k + alpha * _neighbours(x, n)) ** beta
        ),
    },
)


def _with_noise(p: float, *shape: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return an array without zeros, noise in [0, 1) of its shape, and p."""
    random = np.random.default_rng(seed=len(shape))
    return random.uniform(1, 9, shape).round(1), random.uniform(size=shape).round(2), p


check_dropout = Check(
    task="f(x, noise, p) -> x with a share p dropped, for training",
    right=lambda x, noise, p: np.where(noise < p, 0, x / (1 - p)),
    settings=[
        _with_noise(0.25, 6),
        _with_noise(0.5, 4, 5),
        _with_noise(0.8, 2, 3, 4),
        (np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.5, 0.9]), 0.0),
    ],
    tested="with p from 0 to 0.8",
    diagnoses={
        "what stays must grow, by 1 / (1 - p), so that the mean stays what it was.": (
            lambda x, noise, p: np.where(noise < p, 0, x)
        ),
        "you multiplied what stays by 1 - p. That is for the paper's test, where nothing is "
        "dropped; in training, divide.": lambda x, noise, p: np.where(noise < p, 0, x * (1 - p)),
        "you keep a share p, and drop the others. p is the share that goes.": (
            lambda x, noise, p: np.where(noise < p, x / (1 - p), 0)
        ),
        "nothing is dropped. Where the noise is below p, the answer is 0.": (
            lambda x, noise, p: x / (1 - p)
        ),
        "those that go are taken out in yours. They become 0, so that the shape stays.": (
            lambda x, noise, p: x[noise >= p] / (1 - p)
        ),
        "you divided by the share that happens to stay. Divide by the expected one, 1 - p.": (
            lambda x, noise, p: np.where(noise < p, 0, x / np.mean(noise >= p))
        ),
        "that is the paper's network at test time. In training, numbers are dropped.": (
            lambda x, noise, p: x * (1 - p)
        ),
        "you multiplied what stays by 1 + p. To keep the mean, divide it by 1 - p.": (
            lambda x, noise, p: np.where(noise < p, 0, x * (1 + p))
        ),
    },
)
