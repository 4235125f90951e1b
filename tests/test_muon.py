"""Muon against torch's own, which takes matrices only, and against the decomposition itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlib import data
from cnnlib.training import TrainConfig, fit, train
from cnnlib.training.loop import _optimizer
from cnnlib.training.muon import Muon, orthogonalised


def gradients(shape, steps=5):
    """Return some gradients of a shape, each of a different size."""
    generator = torch.Generator().manual_seed(0)
    return [10**-i * torch.randn(shape, generator=generator) for i in range(steps)]


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (64, 2, 3, 3), (6, 6, 1, 1)])
def test_kernels_move_as_the_matrices_of_torch(shape):
    start = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    kernel = nn.Parameter(start.clone().to(memory_format=torch.channels_last))
    matrix = nn.Parameter(start.flatten(1).clone())
    ours = Muon([kernel], lr=0.1, momentum=0.6, weight_decay=0.02)
    theirs = torch.optim.Muon([matrix], lr=0.1, momentum=0.6, weight_decay=0.02, ns_steps=3)
    for gradient in gradients(shape):
        kernel.grad, matrix.grad = gradient, gradient.flatten(1)
        ours.step()
        theirs.step()
    way = (matrix - start.flatten(1)).norm()
    assert (kernel.flatten(1) - matrix).norm() < 0.02 * way  # bf16, summed in another order


@pytest.mark.parametrize("shape", [(5, 4), (7,)])
def test_all_else_moves_as_with_nesterov(shape):
    start = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    one, other = (nn.Parameter(start.clone()) for _ in range(2))
    ours = Muon([one], lr=0.1, momentum=0.6)
    theirs = torch.optim.SGD([other], lr=0.1, momentum=0.6, nesterov=True)
    for gradient in gradients(shape):
        one.grad, other.grad = gradient, gradient.clone()
        ours.step()
        theirs.step()
    torch.testing.assert_close(one, other)


def test_weights_decay_whatever_the_gradient():
    weights = nn.Parameter(torch.full((3, 2), 2.0))
    weights.grad = torch.zeros(3, 2)
    Muon([weights], lr=0.5, weight_decay=0.1).step()
    torch.testing.assert_close(weights.data, torch.full((3, 2), 1.9))  # 2 (1 - 0.5 * 0.1)


def test_what_has_no_gradient_stays():
    kernel = nn.Parameter(torch.ones(2, 2, 3, 3))
    Muon([kernel], lr=0.5, weight_decay=0.1).step()
    assert (kernel == 1).all()


@pytest.mark.parametrize("shape", [(16, 50), (50, 16)])
def test_all_directions_become_equally_long(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalised(matrix, iterations=5)
    values = torch.linalg.svdvals(found)
    assert 0.6 < values.min() < values.max() < 1.3
    assert torch.cosine_similarity(found.flatten(), (u @ v).flatten(), dim=0) > 0.97
    assert found.shape == matrix.shape
    assert found.dtype == matrix.dtype


def test_no_gradient_at_all_is_no_step():
    assert (orthogonalised(torch.zeros(4, 6)) == 0).all()


def test_kernels_have_a_rate_of_their_own():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    config = TrainConfig(optimizer="muon", lr=0.5, kernel_lr=0.05, weight_decay=0.02)
    groups = {
        tuple(p.shape for p in group["params"]): (group["peak"], group["weight_decay"])
        for group in _optimizer(model, config, None).param_groups
    }
    assert groups == {
        ((4, 3, 3, 3),): (pytest.approx(0.05), 0.02),
        ((2, 4),): (0.5, 0.02),
        ((4,), (2,)): (0.5, 0.0),
    }
    halved = [{"params": list(model.parameters()), "lr": 0.25}]
    kernels = _optimizer(model, config, halved).param_groups[0]
    assert kernels["peak"] == pytest.approx(0.025)


def small():
    """Return a small network with a convolution, and the batches to train it."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    images, _ = data.stand_in(train=32, test=10)
    return nn.Sequential(*layers, nn.Linear(4, 10)), data.DeviceBatches(images, 8, crop=1)


def test_a_run_goes_on_to_the_bit(tmp_path):
    config = TrainConfig(epochs=3, lr=0.1, optimizer="muon", device="cpu")
    (whole, batches), (resumed, _) = small(), small()
    records = fit(whole, batches, config=config)
    next(train(small()[0], batches, config=config, checkpoint=tmp_path / "run.pt"))
    assert len(fit(resumed, batches, config=config, checkpoint=tmp_path / "run.pt")) == 3
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    assert records[-1].train_loss < records[0].train_loss
