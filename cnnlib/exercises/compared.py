"""The checks of the chapter that compares networks: pairs in order, intervals, and what fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import ceil, sqrt

import numpy as np

from .grading import Check

# In the formulas below p is a number of parameters, m the bytes of a picture's maps, b the bytes of
# the memory, and t a quantile of Student's distribution.

# --- Pairs in order -------------------------------------------------------------------------------


def _pairs(counts: Callable[[float], float]) -> Callable:
    """Return a function that adds up a count of every pair.

    It is a count of the product of the two differences, which is positive where both lists agree.
    """
    return lambda a, b: sum(
        counts((a[i] - a[j]) * (b[i] - b[j])) for i, j in combinations(range(len(a)), 2)
    )


_agreeing = _pairs(lambda product: product > 0)


def _same_places(a: Sequence[float], b: Sequence[float]) -> int:
    """Count what has one place in both orders."""
    return int((np.argsort(a, kind="stable") == np.argsort(b, kind="stable")).sum())


check_agreeing_pairs = Check(
    task="f(a, b) -> how many pairs of places both lists put in the same order",
    right=_agreeing,
    settings=[
        ((1, 2, 3), (4, 6, 5)),
        ((3, 1, 2), (2, 3, 1)),
        ((5, 1, 4, 2), (50, 10, 20, 40)),
        ((3, 3, 1, 2), (7, 7, 6, 5)),
        ((2, 9, 4, 4, 1, 6), (1, 8, 8, 3, 2, 5)),
    ],
    tested="with equal numbers in one list or in both",
    diagnoses={
        "you counted the pairs in opposite orders.": _pairs(lambda product: product < 0),
        "you counted each pair twice, once from either side.": lambda a, b: 2 * _agreeing(a, b),
        "where two numbers are equal there is no order. Such a pair does not count.": _pairs(
            lambda product: product >= 0
        ),
        "you compared neighbours alone. Every place makes a pair with every other.": lambda a, b: (
            sum((a[i] - a[i + 1]) * (b[i] - b[i + 1]) > 0 for i in range(len(a) - 1))
        ),
        "a place makes no pair with itself.": lambda a, b: _agreeing(a, b) + len(a),
        "you took the opposite pairs away. Count only those that agree.": _pairs(np.sign),
        "you counted what has the same place in both orders. Count pairs.": _same_places,
        "that is a share. The number of pairs is asked for.": lambda a, b: (
            _agreeing(a, b) / (len(a) * (len(a) - 1) / 2)
        ),
    },
)

# --- An interval for a difference -----------------------------------------------------------------


def _paired(
    half: Callable[[np.ndarray, float], float] = lambda d, t: t * np.std(d, ddof=1) / sqrt(len(d)),
    difference: Callable = np.subtract,
) -> Callable:
    """Return a function of two lists, from the half of an interval for their differences."""

    def interval(first: Sequence[float], second: Sequence[float], t: float) -> tuple:
        differences = difference(first, second)
        return np.mean(differences), half(differences, t)

    return interval


def _apart(join: Callable[[float, float], float]) -> Callable:
    """Return a function that joins the intervals of two lists, as if they were not paired."""

    def interval(first: Sequence[float], second: Sequence[float], t: float) -> tuple:
        halves = (t * np.std(each, ddof=1) / sqrt(len(each)) for each in (first, second))
        return np.mean(first) - np.mean(second), join(*halves)

    return interval


check_paired_interval = Check(
    task="f(first, second, t) -> the mean of the differences, and half of its interval",
    right=_paired(),
    returns=("mean", "half"),
    settings=[
        ((3, 5), (1, 2), 2),
        ((80, 82, 81), (78, 81, 80), 4.303),
        ((60.5, 61, 59.5), (64, 63, 63.5), 4.303),
        ((70, 71, 73, 72, 74), (69, 71.5, 71, 72, 72), 2.776),
    ],
    tested="with two, three and five seeds",
    diagnoses={
        "you divided by n. The spread of a sample of n divides by n - 1 (`ddof=1`).": _paired(
            lambda d, t: t * np.std(d) / sqrt(len(d))
        ),
        "that is the interval of one run. The mean of n runs varies less, by the square root of "
        "n.": _paired(lambda d, t: t * np.std(d, ddof=1)),
        "you divided by n. The mean of n runs varies less by the square root of n.": _paired(
            lambda d, t: t * np.std(d, ddof=1) / len(d)
        ),
        "that is the standard error. Times t it is half of the interval.": _paired(
            lambda d, t: np.std(d, ddof=1) / sqrt(len(d))
        ),
        "1.96 is for many runs. So few need Student's t, which is larger.": _paired(
            lambda d, t: 1.96 * np.std(d, ddof=1) / sqrt(len(d))
        ),
        "you used the variance in place of its root, the standard deviation.": _paired(
            lambda d, t: t * np.var(d, ddof=1) / sqrt(len(d))
        ),
        "that is the whole width. Half of it is asked for.": _paired(
            lambda d, t: 2 * t * np.std(d, ddof=1) / sqrt(len(d))
        ),
        "you took the first from the second.": _paired(difference=lambda a, b: np.subtract(b, a)),
        "you added up the spreads of both lists. Take the differences first, seed by seed.": (
            _apart(lambda a, b: sqrt(a * a + b * b))
        ),
        "you added up the intervals of both lists. Take the differences first, seed by seed.": (
            _apart(lambda a, b: a + b)
        ),
    },
)

# --- What fits ------------------------------------------------------------------------------------


def _fits(size: int, whole: Callable[[float], float] = int) -> Callable:
    """Return how many pictures fit beside `size` bytes a parameter."""
    return lambda p, m, b: max(0, whole((b - size * p) / m))


check_largest_batch = Check(
    task="f(parameters, maps, memory) -> the largest batch with which a step of AdamW fits",
    right=_fits(16),
    settings=[
        (10, 100, 1000),
        (100, 200, 2200),
        (30, 64, 1500),
        (1000, 50, 9000),
        (270_000, 1_500_000, 2_000_000_000),
    ],
    tested="once with a network that does not fit at all, and once with one that fits to the byte",
    diagnoses={
        "the parameters are missing. They need memory before the first picture does.": _fits(0),
        "you counted the weights alone. Each has a gradient, and AdamW keeps two more numbers "
        "for it.": _fits(4),
        "you counted weights and gradients. AdamW keeps two more numbers for each weight.": (
            _fits(8)
        ),
        "you counted three numbers for each parameter. It is four: the weight, its gradient, and "
        "AdamW's two.": _fits(12),
        "a parameter is not a byte. Each of its four numbers has 4 bytes.": _fits(1),
        "you rounded up. A part of a picture does not fit.": _fits(16, ceil),
        "you rounded to the nearest. A part of a picture does not fit.": _fits(16, round),
        "a batch is a whole number.": _fits(16, float),
        "where not even the parameters fit, the largest batch is 0.": (
            lambda p, m, b: (b - 16 * p) // m
        ),
        "a batch that fills the memory to the last byte still fits.": (
            lambda p, m, b: max(0, (b - 16 * p - 1) // m)
        ),
        "you counted the parameters again for each picture. They are there once.": (
            lambda p, m, b: b // (16 * p + m)
        ),
    },
)
