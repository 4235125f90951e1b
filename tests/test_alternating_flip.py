"""Flips that alternate from epoch to epoch, seen in the pictures themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_data import make_set

from cnnlib.data import DeviceBatches


def flipped_by_picture(made, epoch, **options):
    """Tell of each picture of the set whether the epoch shows it flipped."""
    batches = DeviceBatches(made, 16, flip="alternating", **options)
    batches.set_epoch(epoch)
    images = torch.cat([images for images, _ in batches])
    pixels = (255 * images).round().to(torch.uint8).numpy()
    order = batches._draw().order.numpy()
    sides = {}
    for picture, number in zip(pixels, order, strict=True):
        is_same = np.array_equal(picture, made.images[number])
        assert is_same or np.array_equal(picture, made.images[number][:, :, ::-1])
        sides[number] = not is_same
    return np.array([sides[number] for number in range(len(made))])


def test_two_epochs_in_a_row_show_both_sides_of_every_picture():
    made = make_set(200, 3, size=6)
    first = flipped_by_picture(made, 0)
    assert 70 < first.sum() < 130  # half of them, by chance
    for epoch in range(1, 5):
        np.testing.assert_array_equal(flipped_by_picture(made, epoch), first ^ (epoch % 2 == 1))


def test_seeds_begin_with_other_sides():
    made = make_set(200, 3, size=6)
    assert (flipped_by_picture(made, 0) != flipped_by_picture(made, 0, seed=1)).any()


def test_another_word_is_refused():
    with pytest.raises(ValueError, match=r"flip='random'.*alternating"):
        DeviceBatches(make_set(4), 2, flip="random")
