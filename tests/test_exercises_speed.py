"""What the checks on training fast hold for right is what torch and `cnnlib.training` do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlib.exercises import speed
from cnnlib.training import TrainConfig
from cnnlib.training.settings import lr_at


def test_a_half_that_is_twice_as_fast_saves_a_quarter():
    assert speed.check_speedup.right([0.5, 0.5], [2, 1]) == pytest.approx(4 / 3)


def test_what_takes_a_tenth_of_the_time_gives_a_ninth_at_most():
    assert speed.check_speedup.right([0.1, 0.9], [1e12, 1]) == pytest.approx(10 / 9)


@pytest.mark.parametrize("setting", speed.check_speedup.settings)
def test_the_shares_of_the_settings_are_a_whole(setting):
    assert sum(setting[0]) == pytest.approx(1)


@pytest.mark.parametrize(("total", "warmup", "peak"), speed.check_one_cycle.settings)
def test_one_cycle_is_the_books_schedule(total, warmup, peak):
    config = TrainConfig(lr=peak, schedule="one_cycle", warmup=warmup / total)
    rates = [lr_at(step, total, config) for step in range(total)]
    assert speed.check_one_cycle.right(total, warmup, peak) == pytest.approx(rates)


def by_torch(finite, scale, interval):
    """Return the scales of torch's own scaler, whose gradients are or are not finite."""
    weight = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=interval)
    scales = []
    for is_finite in finite:
        scaler.scale(weight).backward()
        weight.grad.fill_(1.0 if is_finite else torch.inf)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


@pytest.mark.parametrize("setting", speed.check_loss_scale.settings)
def test_the_loss_scale_is_that_of_torchs_scaler(setting):
    assert speed.check_loss_scale.right(*setting) == by_torch(*setting)
