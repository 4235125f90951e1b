"""The experiment on pooling: its crops, its turns, its blur, and its record, on drawn pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms import functional as transforms

from cnnlib import data, records
from cnnlib.training import TrainConfig
from experiments import pooling_shift
from experiments.lab import Command, conduct
from experiments.pooling_shift import Anywhere, Crops, blur_pool, build, shifted, turned

PICTURES = data.stand_in(train=40, test=20)


def crops(at, turn=None):
    batches = data.DeviceBatches(PICTURES[1], 8, shuffle=False)
    return torch.cat([images for images, _ in Crops(batches, at, turn)])


def whole():
    return torch.from_numpy(PICTURES[1].images) / 255


def test_an_unshifted_crop_is_the_middle():
    torch.testing.assert_close(crops(shifted(0)), whole()[:, :, 4:28, 4:28])


def test_pictures_move_in_eight_directions_in_turn():
    moved = crops(shifted(3))
    # Pictures 0, 1, 2 and 11 (the second batch's fourth): right, right and down, down, down-left.
    for i, (top, left) in {0: (4, 7), 1: (7, 7), 2: (7, 4), 11: (7, 1)}.items():
        torch.testing.assert_close(moved[i], whole()[i, :, top : top + 24, left : left + 24])


def test_random_crops_follow_from_seed_and_epoch():
    def draw(seed, epoch):
        at = Anywhere(seed)
        at.set_epoch(epoch)
        return torch.stack(at(0, 1000, 8))

    assert torch.equal(draw(0, 3), draw(0, 3))
    assert not torch.equal(draw(0, 3), draw(0, 4))
    assert not torch.equal(draw(0, 3), draw(1, 3))
    assert draw(0, 3).unique().tolist() == list(range(9))


def test_turning_by_a_right_angle_equals_torchvisions():
    images = whole()[:2]
    first, second = turned(90)(images, 0)
    torch.testing.assert_close(first, transforms.rotate(images[0], 90), atol=1e-4, rtol=0)
    torch.testing.assert_close(second, transforms.rotate(images[1], -90), atol=1e-4, rtol=0)


def test_turning_by_a_small_angle_equals_torchvisions_inside():
    images = whole()[:1]
    expected = transforms.rotate(images, 15, transforms.InterpolationMode.BILINEAR)
    inside = slice(8, 24)
    ours = turned(15)(images, 0)[..., inside, inside]
    torch.testing.assert_close(ours, expected[..., inside, inside], atol=1e-3, rtol=0)


def test_the_blur_is_a_maximum_and_one_two_one():
    x = torch.randn(2, 3, 12, 12)
    row = torch.tensor([1.0, 2.0, 1.0])
    kernel = (torch.outer(row, row) / 16).expand(3, 1, 3, 3)
    largest = F.max_pool2d(x, 2, stride=1, padding=1)
    torch.testing.assert_close(blur_pool()(x), F.conv2d(largest, kernel, stride=2, groups=3))


@pytest.mark.parametrize("arm", pooling_shift.ARMS)
def test_every_arm_halves_three_times(arm):
    model = build(arm)
    x = torch.randn(2, 3, 24, 24)
    sizes = []
    for stage in model[:3]:
        x = stage(x)
        sizes.append(tuple(x.shape[1:]))
    assert sizes == [(32, 12, 12), (64, 6, 6), (128, 3, 3)]
    assert model[3:](x).shape == (2, 10)


@pytest.mark.slow
def test_the_record_says_what_was_done(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "cifar10", lambda fallback: PICTURES)
    config = TrainConfig(epochs=2, lr=0.05, device="cpu")
    quick = replace(pooling_shift.EXPERIMENT, config=config, batch_size=8)
    record = conduct(quick, Command("short", seeds=2, to=tmp_path))
    assert records.load("pooling_shift", tmp_path) == record
    assert len(record.runs) == 2 * len(pooling_shift.ARMS)
    assert record.config["crop"] == 24
    settings = record.config["arms"].items()
    augmented = {name: "anywhere" in own["augmentation"] for name, own in settings}
    assert augmented == {name: name == "max, augmented" for name in pooling_shift.ARMS}
    for run in record.runs:
        assert set(run["test"]) == set(pooling_shift.conditions())
        assert run["test"]["shift 0"] == run["test"]["angle 0"]
        assert run["same_answer"]["shift 0"] == 1
        assert run["test"]["shift 4"]["n"] == 20


def test_original_pixels_are_refused():
    with pytest.raises(ValueError, match="original pixels"):
        conduct(pooling_shift.EXPERIMENT, Command("short", original_pixels="slice.tar"))


def test_a_network_that_counts_bright_pixels_does_not_mind_a_turn():
    """By hand: mean brightness changes little under a turn, so the answers stay the same."""

    class Bright(torch.nn.Module):
        def forward(self, x):
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, -mean], 1)

    bright = replace(
        PICTURES[1],
        images=PICTURES[1].images * 0 + 200,
        labels=PICTURES[1].labels % 2,
        classes=("bright", "dark"),
    )
    parts = {"train": PICTURES[0], "test": bright}
    loader = pooling_shift.EXPERIMENT.loader(parts)
    measured = pooling_shift.under_every_condition(Bright(), loader, parts)
    assert all(result["correct"] == 10 for result in measured["test"].values())
    assert set(measured["same_answer"].values()) == {1.0}
