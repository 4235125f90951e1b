"""The fast network's first layer against scikit-learn's PCA, and views against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from torch import nn

from cnnlib import create_model, data
from cnnlib.models.fast import whitening_kernels
from cnnlib.prediction import Views
from cnnlib.training import TrainConfig, evaluate, fit


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """The cat, cut into squares, with three channels that are far from independent."""
    pixels = torch.from_numpy(data.cat()[:256, :256].copy()).permute(2, 0, 1)
    squares = pixels.unfold(1, 32, 32).unfold(2, 32, 32).flatten(1, 2).transpose(0, 1)
    return (squares.float() / 255 - 0.5) / 0.25


def patches(images: torch.Tensor, size: int) -> np.ndarray:
    """Return all patches of all pictures as rows, by scikit-learn."""
    rows = [extract_patches_2d(image.permute(1, 2, 0).numpy(), (size, size)) for image in images]
    return np.concatenate(rows).transpose(0, 3, 1, 2).reshape(-1, 3 * size * size)


@pytest.mark.parametrize("size", [2, 3])
def test_whitened_patches_are_uncorrelated_and_of_variance_one(photo, size):
    kernels = whitening_kernels(photo, size, epsilon=0)
    outputs = F.conv2d(photo, kernels).transpose(0, 1).flatten(1).double().numpy()
    assert np.allclose(np.cov(outputs), np.eye(3 * size * size), atol=1e-3)


def test_the_kernels_are_those_of_a_whitening_pca(photo):
    rows = patches(photo, 2).astype(np.float64)
    pca = PCA(whiten=True).fit(rows)
    ours = whitening_kernels(photo, 2, epsilon=0).flatten(1).double().numpy()
    theirs = pca.components_ / np.sqrt(pca.explained_variance_)[:, None]
    signs = np.sign((ours * theirs).sum(1, keepdims=True))  # a direction has no sign of its own
    assert np.allclose(signs * ours, theirs, rtol=1e-3, atol=1e-3)


def test_epsilon_keeps_a_direction_without_variance_from_being_blown_up():
    flat = torch.full((4, 1, 8, 8), 0.3)
    assert float(whitening_kernels(flat, 2, epsilon=0.01).flatten(1).norm(dim=1).max()) < 10.001


def test_the_first_layer_is_frozen_once_it_is_white_and_its_biases_learn(photo):
    model = create_model("fastnet").whiten(photo)
    before = model.conv1.weight.clone()
    assert torch.equal(before[:12], -before[12:])
    batches = [(photo[:16], torch.arange(16) % 10)]
    fit(model, batches, config=TrainConfig(epochs=2, precision="fp32", device="cpu"))
    assert torch.equal(model.conv1.weight, before)
    assert (model.conv1.bias != 0).any()


def test_a_fresh_stage_hands_its_first_channels_on():
    stage = create_model("fastnet").stages[0]
    x = torch.randn(2, 24, 6, 6)
    assert torch.equal(stage.conv1(x)[:, :24], x)
    assert not torch.equal(stage.conv1(x)[:, 24:48], x)


def test_pictures_that_leave_nothing_to_pool_are_refused_with_the_least_size():
    model = create_model("fastnet").eval()
    assert model(torch.zeros(1, 3, 9, 9)).shape == (1, 10)
    with pytest.raises(ValueError, match="9"):
        model(torch.zeros(1, 3, 8, 9))


class OnePixel(nn.Module):
    """Answers with the pixel in row 1 and column 1, so that each view answers another one."""

    def forward(self, x):
        return x[:, :, 1, 1]


def test_views_are_the_mean_over_mirrors_and_shifts_worked_by_hand():
    x = torch.arange(12.0).view(1, 1, 3, 4)  # rows 0 1 2 3 / 4 5 6 7 / 8 9 10 11
    plain, shifted_down_right, shifted_up_left = 5 + 6, 0 + 1, 10 + 11  # each with its mirror
    assert Views(OnePixel(), shift=0)(x).item() == plain / 2
    expected = (plain + shifted_down_right + shifted_up_left) / 6
    assert Views(OnePixel(), shift=1)(x).item() == pytest.approx(expected)


def test_views_leave_the_network_in_the_mode_that_it_had():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    batches = [(torch.randn(4, 1, 5, 5), torch.zeros(4, dtype=torch.long))]
    for training in (True, False):
        model.train(training)
        assert evaluate(Views(model), batches, device="cpu", precision="fp32").n == 4
        assert (model.training, model[1].training) == (training, training)


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="shift is -1"):
        Views(nn.Identity(), shift=-1)
