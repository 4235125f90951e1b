"""Batches on the device, against a slow reference that treats one picture at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_data import make_set

from cnnlib.data import DeviceBatches, ImageSet

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def reference(image, shift, flip, centre, *, crop, mode, cutout, mean, std, size=None):
    """Augment and normalise one picture (C, H, W) by slices, in float64."""
    height, width = (size, size) if size else image.shape[1:]
    padded = np.pad(image, ((0, 0), (crop, crop), (crop, crop)), mode=mode)
    top, left = shift
    cut = padded[:, top : top + height, left : left + width]
    cut = cut[:, :, ::-1] if flip else cut
    normal = (cut / 255 - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
    if cutout:
        row, column = (int(c) - cutout // 2 for c in centre)
        normal[:, max(row, 0) : row + cutout, max(column, 0) : column + cutout] = 0
    return normal


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize(
    ("crop", "flip", "cutout"),
    [(0, False, 0), (2, False, 0), (0, True, 0), (3, True, 3), (1, True, 4)],
)
@pytest.mark.parametrize("size", [None, 4, 6])
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_equals_the_reference(padding_mode, crop, flip, cutout, channels, size):
    made = make_set(50, channels, size=6)
    mean, std = MEAN[:channels], STD[:channels]
    moves = {"crop": crop, "flip": flip, "cutout": cutout, "padding_mode": padding_mode}
    batches = DeviceBatches(made, 16, **moves, size=size, mean=mean, std=std)
    batches.set_epoch(3)
    order, shift, flipped, centre = (drawn.numpy() for drawn in batches._draw())
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    mode = {"zeros": "constant", "reflect": "reflect"}[padding_mode]
    expected = [
        reference(
            made.images[k], shift[i], flipped[i], centre[i],
            crop=crop, mode=mode, cutout=cutout, mean=mean, std=std, size=size,
        )
        for i, k in enumerate(order)
    ]  # fmt: skip
    np.testing.assert_allclose(images.numpy(), np.stack(expected), atol=2e-6)
    np.testing.assert_array_equal(labels.numpy(), made.labels[order])
    assert flip or not flipped.any()


def test_oblong_pictures_keep_rows_and_columns_apart():
    made = make_set(8, size=6)
    made = type(made)(made.images[:, :, :4], made.labels, made.classes, "oblong")
    batches = DeviceBatches(made, 8, crop=1, flip=True)
    order, shift, flipped, centre = (drawn.numpy() for drawn in batches._draw())
    ((images, _),) = batches
    for i, k in enumerate(order):
        expected = reference(
            made.images[k], shift[i], flipped[i], centre[i],
            crop=1, mode="constant", cutout=0, mean=[0] * 3, std=[1] * 3,
        )  # fmt: skip
        np.testing.assert_allclose(images[i].numpy(), expected, atol=2e-6)


def test_squares_of_oblong_pictures_come_from_everywhere():
    made = make_set(3000, channels=1, size=6)
    made = type(made)(made.images[:, :, :4], made.labels, made.classes, "oblong")
    batches = DeviceBatches(made, 3000, size=3, crop=1)
    ((images, _),) = batches
    assert images.shape == (3000, 1, 3, 3)
    # Padded they are 6 by 8: 4 rows and 6 columns to begin at, 125 expected of each, deviation 11.
    shift = batches._draw().shift
    places = torch.bincount(shift[:, 0] * 6 + shift[:, 1], minlength=24)
    assert len(places) == 24
    assert (places - 125).abs().max() < 5 * 11


def test_pictures_grow_with_the_epochs():
    batches = DeviceBatches(make_set(10, size=6), 10, size={0: 3, 5: 6, 2: 4})
    seen = []
    for epoch in range(8):
        batches.set_epoch(epoch)
        ((images, _),) = batches
        seen.append(images.shape[-1])
    assert seen == [3, 3, 4, 4, 4, 6, 6, 6]
    assert batches.facts()["size"] == [(0, 3), (2, 4), (5, 6)]


def test_an_epoch_that_has_begun_keeps_its_size():
    batches = DeviceBatches(make_set(10, size=6), 5, size={0: 3, 1: 6})
    begun = iter(batches)
    next(begun)
    batches.set_epoch(1)
    assert next(begun)[0].shape[-1] == 3


def test_pictures_of_their_own_size_need_no_size():
    made = make_set(10, size=6)
    ((plain, _),) = DeviceBatches(made, 10, flip=True)
    ((sized, _),) = DeviceBatches(made, 10, flip=True, size=6)
    assert torch.equal(plain, sized)


@pytest.mark.parametrize("size", [0, 5, -1, {0: 5}, {1: 4}, {0: 2, 3: 9}, {0: "2"}])
def test_sizes_that_cannot_be_are_refused(size):
    made = make_set(8, size=6)
    oblong = type(made)(made.images[:, :, :4], made.labels, made.classes, "oblong")
    with pytest.raises(ValueError, match=r"size=.*choose a side from 1 to 4 pixels"):
        DeviceBatches(oblong, 8, size=size)


def test_without_augmentation_the_set_comes_in_order():
    made = make_set(50)
    batches = DeviceBatches(made, 16, shuffle=False)
    assert (len(batches), batches.n, batches.classes) == (4, 50, ("a", "b"))
    parts = list(batches)
    assert [len(labels) for _, labels in parts] == [16, 16, 16, 2]
    images = torch.cat([images for images, _ in parts])
    torch.testing.assert_close(images, torch.from_numpy(made.images) / 255)
    assert torch.cat([labels for _, labels in parts]).tolist() == made.labels.tolist()
    assert parts[0][1].dtype == torch.int64


def test_drop_last_serves_whole_batches_only():
    batches = DeviceBatches(make_set(50), 16, drop_last=True)
    assert (len(batches), batches.n) == (3, 48)
    assert [len(labels) for _, labels in batches] == [16, 16, 16]


def everything(batches, epoch):
    batches.set_epoch(epoch)
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    options = {"crop": 2, "flip": True, "cutout": 2}
    made = make_set(50)
    one = DeviceBatches(made, 16, seed=5, **options)
    before = torch.random.get_rng_state()
    first, fourth = everything(one, 0), everything(one, 3)
    assert torch.equal(torch.random.get_rng_state(), before)

    torch.manual_seed(99)  # what else draws random numbers changes nothing
    resumed = DeviceBatches(made, 16, seed=5, **options)
    assert all(map(torch.equal, everything(resumed, 3), fourth))
    assert all(map(torch.equal, everything(one, 0), first))
    # Iterating does not advance by itself, and the batch size does not matter.
    assert all(map(torch.equal, everything(DeviceBatches(made, 7, seed=5, **options), 0), first))

    assert not torch.equal(first[0], fourth[0])
    other = DeviceBatches(made, 16, seed=6, **options)
    assert not torch.equal(everything(other, 0)[0], first[0])


def test_two_iterators_do_not_disturb_each_other():
    batches = DeviceBatches(make_set(50), 16, crop=1)
    for (left, _), (right, _) in zip(batches, batches, strict=True):
        assert torch.equal(left, right)


def test_draws_are_spread_evenly():
    batches = DeviceBatches(make_set(6000, channels=1, size=8), crop=2, flip=True, cutout=3)
    order, shift, flip, centre = batches._draw()
    assert sorted(order.tolist()) == list(range(6000))
    assert (order != torch.arange(6000)).any()
    # 25 offsets, 240 expected of each, standard deviation 15; 64 centres, 94 and 10.
    offsets = torch.bincount(shift[:, 0] * 5 + shift[:, 1], minlength=25)
    assert len(offsets) == 25
    assert (offsets - 240).abs().max() < 5 * 15
    centres = torch.bincount(centre[:, 0] * 8 + centre[:, 1], minlength=64)
    assert len(centres) == 64
    assert (centres - 94).abs().max() < 5 * 10
    assert abs(flip.float().mean() - 0.5) < 0.03  # standard deviation 0.0065
    # Flips know nothing of offsets.
    assert abs(torch.corrcoef(torch.stack([flip.float(), shift[:, 1].float()]))[0, 1]) < 0.06


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_format(channels_last):
    made = make_set(8)
    batches = DeviceBatches(made, 4, shuffle=False, channels_last=channels_last)
    images, _ = next(iter(batches))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=layout)
    expected = torch.from_numpy(made.images[:4]) / 255
    torch.testing.assert_close(images.contiguous(), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 21, "drop_last": True}, "batch_size=21: choose from 1 to 20"),
        ({"crop": -1}, "crop=-1"),
        ({"crop": 4, "padding_mode": "reflect"}, "crop=4: choose from 0 to 3"),
        ({"padding_mode": "wrap"}, "padding_mode='wrap'"),
        ({"cutout": 5}, "cutout=5"),
        ({"cutout": -1}, "cutout=-1"),
        ({"mean": MEAN}, "give both"),
        ({"mean": (0.5,), "std": (0.5,)}, "each of the 3 channels"),
        ({"mean": MEAN, "std": (0.2, 0.0, 0.2)}, "std above 0"),
    ],
)
def test_settings_that_cannot_be_meant(options, message):
    with pytest.raises(ValueError, match=message):
        DeviceBatches(make_set(20), **options)


def test_an_empty_set_makes_no_batches():
    with pytest.raises(ValueError, match="empty set"):
        DeviceBatches(make_set(20).subset([]))


def test_too_many_pixels_are_named_and_so_is_the_way_out(tmp_path):
    # A file with nothing in it; padded, each picture would take 3 * 404 * 404 bytes.
    pixels = np.memmap(tmp_path / "huge", np.uint8, "w+", shape=(10**6, 3, 400, 400))
    huge = ImageSet(pixels, np.zeros(10**6, np.int64), ("a",), "huge")
    with pytest.raises(MemoryError, match=r"1,000,000 pictures, padded by 2, take 466,965 MiB"):
        DeviceBatches(huge, 8, crop=2)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_every_device_serves_what_the_cpu_serves(device):
    if not getattr(torch, device).is_available():
        pytest.skip(f"no {device} here")
    options = {"crop": 2, "flip": True, "cutout": 2, "mean": MEAN, "std": STD}
    made = make_set(50)
    here, there = (
        DeviceBatches(made, 16, **options),
        DeviceBatches(made, 16, device=device, **options),
    )
    for (images, labels), (images_there, labels_there) in zip(here, there, strict=True):
        assert images_there.device.type == device
        torch.testing.assert_close(images_there.cpu(), images)
        assert labels_there.cpu().equal(labels)
