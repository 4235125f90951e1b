"""`cnnlib.statistics`: against scipy's intervals, and against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from cnnlib import statistics


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (10, 10), (8, 10), (8713, 10_000), (1, 1)])
def test_the_interval_equals_scipys(correct, n):
    low, high = statistics.wilson_interval(correct, n, z=1.959963984540054)
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("correct", "n"), [(11, 10), (-1, 10), (0, 0)])
def test_an_impossible_count_is_refused(correct, n):
    with pytest.raises(ValueError, match="not possible"):
        statistics.wilson_interval(correct, n)


def test_the_interval_of_three_seeds_by_hand():
    mean, half = statistics.student_interval([80.0, 82.0, 84.0])
    assert mean == 82
    assert half == pytest.approx(4.3027 * 2 / 3**0.5, rel=1e-4)  # t of two degrees of freedom


def test_the_interval_of_several_columns_is_that_of_each():
    mean, half = statistics.student_interval([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    assert mean.tolist() == [2.5, 5.0]
    assert half == pytest.approx([3.1824 * (5 / 3) ** 0.5 / 2, 0.0], rel=1e-4)


def test_one_seed_has_no_interval():
    with pytest.raises(ValueError, match="at least 2 seeds, and there is 1"):
        statistics.student_interval([0.9])


@pytest.mark.parametrize("shape", [(3,), (5, 4)])
def test_the_interval_of_a_difference_equals_scipys(shape):
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(2, *shape)) + 10 * rng.normal(size=shape)  # a seed is both's
    difference, half = statistics.paired_difference(ours, theirs)
    expected = ttest_rel(ours, theirs).confidence_interval(0.95)
    assert difference - half == pytest.approx(expected.low)
    assert difference + half == pytest.approx(expected.high)


def test_the_interval_of_a_difference_by_hand():
    # Each seed gains 1, 2 or 3, however far the seeds themselves lie apart.
    difference, half = statistics.paired_difference([11, 52, 93], [10, 50, 90])
    assert difference == 2
    assert half == pytest.approx(4.3027 / 3**0.5, rel=1e-4)


def test_pairs_need_the_same_seeds():
    with pytest.raises(ValueError, match=r"the same seeds: here are \(3,\) and \(2,\)"):
        statistics.paired_difference([1, 2, 3], [1, 2])
