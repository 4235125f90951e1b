"""Batches of pictures that stay on the disk: the same as of those in memory, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_data import make_set

from cnnlib.data import DeviceBatches, ImageSet, StreamedBatches, channel_statistics, split
from cnnlib.data.imageset import RowsOnDisk


def on_disk(made, folder):
    np.save(folder / "images.npy", made.images)
    images = np.load(folder / "images.npy", mmap_mode="r")
    return ImageSet(images, made.labels, made.classes, made.name)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False, "batch_size": 7},
        {"crop": 2, "flip": True, "cutout": 3, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)},
        {"crop": 3, "padding_mode": "reflect", "dtype": torch.float64, "channels_last": False},
        {"drop_last": True, "seed": 5, "flip": "alternating"},
        {"size": {0: 3, 1: 5}, "crop": 1},
    ],
)
def test_the_batches_are_those_of_a_set_in_memory(tmp_path, options):
    made, options = make_set(50, 3, size=6), {"batch_size": 16} | options
    kept = DeviceBatches(made, **options)
    streamed = StreamedBatches(on_disk(made, tmp_path), **options)
    assert len(streamed) == len(kept)
    for epoch in (0, 3):
        for batches in (kept, streamed):
            batches.set_epoch(epoch)
        for (images, labels), (expected, wanted) in zip(streamed, kept, strict=True):
            assert torch.equal(images, expected)
            assert images.stride() == expected.stride()
            assert torch.equal(labels, wanted)


def test_pictures_stay_on_the_disk_until_their_batch(tmp_path):
    class Asked:
        """An array that notes for which pictures it is asked."""

        def __init__(self, array):
            self.array, self.counts = array, []

        def __getitem__(self, wanted):
            self.counts.append(len(wanted))
            return self.array[wanted]

    data = on_disk(make_set(50, 3, size=6), tmp_path)
    assert isinstance(data.images.base, np.memmap)  # the set itself has not read them either
    batches = StreamedBatches(data, 16, crop=1)
    batches._images_on_disk = asked = Asked(data.images)
    steps = iter(batches)
    assert asked.counts == []
    next(steps)
    assert asked.counts == [16]
    assert len(list(steps)) == 3
    assert asked.counts == [16, 16, 16, 2]


PARTS = {
    "split": lambda made: split(made, 10)[0],
    "subset": lambda made: made.subset([7, 3, 3, 40]),
    "slice": lambda made: made.subset(slice(10, 30)),
    "only": lambda made: made.only("b"),
    "part of a part": lambda made: split(split(made, 10)[0], 5)[1].subset([2, 0]),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_of_a_set_on_the_disk_stays_there_and_is_the_same(tmp_path, part):
    made = make_set(50, 3, size=6)
    expected, found = part(made), part(on_disk(made, tmp_path))
    assert isinstance(found.images, RowsOnDisk)
    assert found.images.shape == expected.images.shape
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.images[1], expected.images[1])
    assert found.sha256 == expected.sha256
    assert (found.classes, found.name) == (expected.classes, expected.name)
    assert channel_statistics(found) == channel_statistics(expected)
    options = {"batch_size": 3, "crop": 1, "flip": True}
    for kind in (DeviceBatches, StreamedBatches):
        for ours, theirs in zip(kind(found, **options), kind(expected, **options), strict=True):
            assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_to_choose_a_part_reads_no_picture(tmp_path, monkeypatch, part):
    made = on_disk(make_set(50, 3, size=6), tmp_path)
    made = made.subset(slice(None))  # from here on, whoever reads a picture asks for it
    asked, read = [], RowsOnDisk.__getitem__
    monkeypatch.setattr(
        RowsOnDisk, "__getitem__", lambda rows, index: asked.append(index) or read(rows, index)
    )
    chosen = part(made)
    assert asked == []
    chosen.images[:2]
    assert asked != []


def test_a_map_in_another_order_is_not_read_either(tmp_path):
    made = make_set(50, 3, size=6)
    np.save(tmp_path / "images.npy", np.asfortranarray(made.images))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    mapped = ImageSet(images, made.labels, made.classes, made.name)
    assert isinstance(mapped.images.base, np.memmap)
    assert mapped.sha256 == made.sha256
