"""What the checks on comparing networks hold for right is what scipy and torch say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from cnnlib.exercises import compared


def test_agreeing_pairs_are_kendalls():
    random = np.random.default_rng(seed=0)
    for n in (2, 5, 9):
        a, b = random.permutation(n), random.permutation(n)
        pairs = n * (n - 1) / 2
        tau = stats.kendalltau(a, b).statistic  # (agreeing - opposite) / pairs
        assert compared.check_agreeing_pairs.right(a, b) == pytest.approx(pairs * (1 + tau) / 2)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_is_scipys(n):
    first, second = np.random.default_rng(seed=n).normal(80, 1, (2, n))
    t = stats.t.ppf(0.975, n - 1)
    mean, half = compared.check_paired_interval.right(first, second, t)
    low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_the_quantiles_of_the_settings_are_students():
    for first, _, t in compared.check_paired_interval.settings[1:]:
        assert t == pytest.approx(stats.t.ppf(0.975, len(first) - 1), abs=5e-4)


def test_adamw_holds_sixteen_bytes_a_parameter():
    layer = torch.nn.Linear(30, 20)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 30)).sum().backward()
    optimizer.step()
    kept = [value for state in optimizer.state.values() for value in state.values()]
    arrays = [p for p in layer.parameters()] + [p.grad for p in layer.parameters()] + kept
    held = sum(array.nbytes for array in arrays if array.ndim)  # without the counts of steps
    parameters = sum(p.numel() for p in layer.parameters())
    right = compared.check_largest_batch.right
    assert right(parameters, 1, held + 7) == 7
    assert right(parameters, 1, held - 1) == 0
