"""How far a measured number may lie from the true one: intervals for counts and for seeds."""

from __future__ import annotations

import math

import numpy as np


def wilson_interval(correct: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval that holds the true accuracy with 95 % confidence (``z = 1.96``).

    Parameters
    ----------
    correct : int
        How many answers are right.
    n : int
        How many there are.
    z : float
        The normal distribution's quantile: 1.96 for 95 %, 2.58 for 99 %.

    Returns
    -------
    low, high : float
        In [0, 1].

    Raises
    ------
    ValueError
        If ``correct`` is not in 0..n, or n is 0.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n} is not possible; n must be 1 or more.")
    p, zz = correct / n, z * z / n
    center = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    # The clip removes a rounding error of 1e-17 where none or all are correct.
    return max(0.0, center - half), min(1.0, center + half)


def student_interval(values) -> tuple:
    """Return the mean over seeds, and half of its 95 % interval after Student.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        One value a seed, or an array of them.

    Returns
    -------
    mean, half
        As floats, or as arrays of the remaining shape: the true mean lies in ``mean ± half``.

    Raises
    ------
    ValueError
        If there are fewer than two seeds: one says nothing of how far the others lie.

    References
    ----------
    Student, "The Probable Error of a Mean", Biometrika, 1908.
    """
    from scipy.stats import t  # half a second, which no other module waits for

    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        raise ValueError(f"An interval needs at least 2 seeds, and there is {n}.")
    half = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / math.sqrt(n)
    return values.mean(axis=0), half


def paired_difference(ours, theirs) -> tuple:
    """Return by how much two arms differ, and half of the 95 % interval of that difference.

    Where both arms share a seed, they share the order of the pictures and, as far as they can, the
    first weights: what these give to both falls out of the difference.

    Parameters
    ----------
    ours, theirs : array_like, shape (seeds, ...)
        One value a seed, in the same order of seeds.

    Returns
    -------
    difference, half
        Of ``ours - theirs``, as in :func:`student_interval`.

    Raises
    ------
    ValueError
        If the arms are not of one shape, or there are fewer than two seeds.
    """
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if ours.shape != theirs.shape:
        raise ValueError(f"Pairs need the same seeds: here are {ours.shape} and {theirs.shape}.")
    return student_interval(ours - theirs)
