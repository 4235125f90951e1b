"""Students of the checks on comparing networks: they write loops, or use torch and statistics."""

from __future__ import annotations

import statistics

import torch
from zoo import right, wrong, wrong_formulas

# --- Pairs in order -------------------------------------------------------------------------------


@right("check_agreeing_pairs")
def _(a, b):
    agreeing = 0
    for i in range(len(a)):
        for j in range(i):
            agreeing += (a[i] > a[j] and b[i] > b[j]) or (a[i] < a[j] and b[i] < b[j])
    return agreeing


def signs(values):
    """Return a matrix of the order of every two places: 1, 0 or -1."""
    values = torch.tensor(values)
    return torch.sign(values[:, None] - values[None, :])


def order(values):
    """Return the places from the smallest value to the largest."""
    return sorted(range(len(values)), key=lambda place: values[place])


@wrong("check_agreeing_pairs", "same place in both orders")
def _(a, b):
    return sum(i == j for i, j in zip(order(a), order(b), strict=True))


wrong_formulas(
    "check_agreeing_pairs",
    {
        "in opposite orders": lambda a, b: (signs(a) * signs(b) == -1).sum() / 2,
        "each pair twice": lambda a, b: (signs(a) * signs(b) == 1).sum(),
        "no order": lambda a, b: torch.triu(signs(a) * signs(b) >= 0, diagonal=1).sum(),
        "neighbours alone": lambda a, b: sum(
            (a1 < a2) == (b1 < b2)
            for a1, a2, b1, b2 in zip(a, a[1:], b, b[1:], strict=False)
            if a1 != a2 and b1 != b2
        ),
        "with itself": lambda a, b: (signs(a) * signs(b) == 1).sum() / 2 + len(a),
        "took the opposite pairs away": lambda a, b: (signs(a) * signs(b)).sum() / 2,
        "that is a share": lambda a, b: (signs(a) * signs(b) == 1).sum() / (len(a) ** 2 - len(a)),
    },
)

# --- An interval for a difference -----------------------------------------------------------------


@right("check_paired_interval")
def _(first, second, t):
    d = torch.tensor(first, dtype=torch.float64) - torch.tensor(second, dtype=torch.float64)
    return d.mean(), t * d.std() / len(d) ** 0.5


def differing(half):
    """Return a student who takes the differences, and half of an interval from them."""

    def student(first, second, t):
        d = [a - b for a, b in zip(first, second, strict=True)]
        return statistics.fmean(d), half(d, t)

    return student


def separate(join):
    """Return a student who takes the two lists apart, and joins their spreads."""

    def student(first, second, t):
        spreads = [statistics.stdev(each) * t / len(each) ** 0.5 for each in (first, second)]
        return statistics.fmean(first) - statistics.fmean(second), join(*spreads)

    return student


@wrong("check_paired_interval", "the first from the second")
def _(first, second, t):
    d = torch.tensor(second, dtype=torch.float64) - torch.tensor(first, dtype=torch.float64)
    return d.mean(), t * d.std() / len(d) ** 0.5


wrong_formulas(
    "check_paired_interval",
    {
        "ddof=1": differing(lambda d, t: t * statistics.pstdev(d) / len(d) ** 0.5),
        "interval of one run": differing(lambda d, t: t * statistics.stdev(d)),
        "you divided by n. The mean": differing(lambda d, t: t * statistics.stdev(d) / len(d)),
        "standard error": differing(lambda d, t: statistics.stdev(d) / len(d) ** 0.5),
        "1.96 is for many": differing(lambda d, t: 1.96 * statistics.stdev(d) / len(d) ** 0.5),
        "the variance": differing(lambda d, t: t * statistics.variance(d) / len(d) ** 0.5),
        "whole width": differing(lambda d, t: 2 * t * statistics.stdev(d) / len(d) ** 0.5),
        "the spreads of both": separate(lambda a, b: (a**2 + b**2) ** 0.5),
        "the intervals of both": separate(lambda a, b: a + b),
    },
)

# --- What fits ------------------------------------------------------------------------------------


def filling(held, closed=True):
    """Return a student who puts pictures in, one after the other, beside `held` bytes."""

    def student(parameters, maps, memory):
        used, batch = held * parameters + maps, 0
        while used < memory or (closed and used == memory):
            used, batch = used + maps, batch + 1
        return batch

    return student


right("check_largest_batch")(filling(4 * (1 + 1 + 2)))


@wrong("check_largest_batch", "the largest batch is 0")
def _(parameters, maps, memory):
    return torch.tensor(memory - 16 * parameters).div(maps, rounding_mode="floor")


@wrong("check_largest_batch", "again for each picture")
def _(parameters, maps, memory):
    used = batch = 0
    while (used := used + maps + 4 * 4 * parameters) <= memory:
        batch += 1
    return batch


wrong_formulas(
    "check_largest_batch",
    {
        "the parameters are missing": filling(0),
        "the weights alone": filling(4),
        "weights and gradients": filling(4 + 4),
        "three numbers": filling(3 * 4),
        "a parameter is not a byte": filling(1),
        "you rounded up": lambda p, m, b: max(0, -((16 * p - b) // m)),
        "to the nearest": lambda p, m, b: max(0, round((b - 16 * p) / m)),
        "a whole number": lambda p, m, b: max(0, (b - 16 * p) / m),
        "to the last byte": filling(16, closed=False),
    },
)
