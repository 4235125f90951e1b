"""Sets of pictures: what they are, how they are split, and the small ones that are always there."""

from __future__ import annotations

import hashlib
import heapq
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import chelsea
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier

from cnnlib import data


def make_set(n=20, channels=3, size=4, classes=("a", "b"), seed=0):
    random = np.random.RandomState(seed)
    images = random.randint(0, 256, (n, channels, size, size)).astype(np.uint8)
    return data.ImageSet(images, np.arange(n) % len(classes), classes, "made")


def test_importing_data_leaves_torch_alone():
    code = "import sys, cnnlib.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ImageSet


@pytest.mark.parametrize(
    ("images", "labels", "classes", "message"),
    [
        (np.zeros((2, 3, 4, 4)), [0, 1], "ab", "float64 with shape"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], "ab", r"\(2, 4, 4\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0], "ab", "2 images need as many"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0.0, 1.0], "ab", "float64"),
        (np.zeros((3, 3, 4, 4), np.uint8), [0, 1, 2], "ab", "label 2 of image 2 .* 0 to 1"),
        (np.zeros((3, 3, 4, 4), np.uint8), [0, -1, 0], "ab", "label -1 of image 1"),
        (np.zeros((1, 3, 4, 4), np.uint8), [0], "aa", "share one name"),
    ],
)
def test_image_set_refuses(images, labels, classes, message):
    with pytest.raises(ValueError, match=message):
        data.ImageSet(images, np.array(labels), tuple(classes), "made")


def test_image_set_holds_one_layout():
    made = make_set()
    turned = data.ImageSet(
        np.asfortranarray(made.images), made.labels.astype(np.uint8), ["a", "b"], "made"
    )
    assert turned.images.flags.c_contiguous
    assert turned.labels.dtype == np.int64
    assert turned.classes == ("a", "b")
    assert turned.sha256 == made.sha256


def test_subset():
    made = make_set()
    assert len(made) == 20
    chosen = made.subset([5, 2])
    np.testing.assert_array_equal(chosen.images, made.images[[5, 2]])
    assert chosen.labels.tolist() == [1, 0]
    assert (chosen.classes, chosen.name) == (made.classes, made.name)
    assert len(made.subset([])) == 0
    np.testing.assert_array_equal(made.subset(slice(3, 6)).images, made.images[3:6])
    np.testing.assert_array_equal(made.subset(made.labels == 1).images, made.images[1::2])
    with pytest.raises(ValueError, match="index 20 is out of bounds"):
        made.subset([0, 20])


def test_only():
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    made = data.ImageSet(images, np.array([0, 1, 2, 1, 0, 2]), ("ant", "bee", "cat"), "made")
    chosen = made.only("cat", "ant")
    assert chosen.images.ravel().tolist() == [0, 2, 4, 5]
    assert chosen.labels.tolist() == [1, 0, 1, 0]
    assert chosen.classes == ("cat", "ant")
    with pytest.raises(ValueError, match=r"\['dog'\]; choose from ant, bee, cat"):
        made.only("dog", "ant")
    with pytest.raises(ValueError, match="choose from"):
        made.only()


def test_sha256_follows_content():
    made = make_set()
    images = made.images.copy()
    images[7, 1, 2, 3] ^= 1
    others = [
        data.ImageSet(images, made.labels, made.classes, "made"),
        data.ImageSet(made.images, 1 - made.labels, made.classes, "made"),
        data.ImageSet(made.images, made.labels, ("a", "c"), "made"),
        data.ImageSet(made.images.reshape(20, 3, 2, 8), made.labels, made.classes, "made"),
    ]
    assert len({made.sha256, *(other.sha256 for other in others)}) == 5
    assert make_set().sha256 == made.sha256
    renamed = data.ImageSet(made.images, made.labels, made.classes, "renamed")
    assert renamed.sha256 == made.sha256


# Splits and statistics


def test_split_is_a_stratified_partition():
    made = make_set(103, classes=("a", "b", "c"))
    train, validation = data.split(made, 20)
    assert (len(train), len(validation)) == (83, 20)
    # 35, 34 and 34 pictures of 103: shares of 6.8, 6.6 and 6.6, of which one is rounded down.
    assert sorted(np.bincount(validation.labels).tolist()) == [6, 7, 7]
    both = {image.tobytes() for part in (train, validation) for image in part.images}
    assert both == {image.tobytes() for image in made.images}


def test_split_takes_the_lowest_hashes():
    made = make_set(40)

    def rank(index):
        return hashlib.sha256(f"7 {index}".encode()).hexdigest()

    expected = sorted(
        heapq.nsmallest(3, range(0, 40, 2), key=rank)
        + heapq.nsmallest(3, range(1, 40, 2), key=rank)
    )
    _, validation = data.split(made, 6, seed=7)
    assert validation.sha256 == made.subset(expected).sha256
    assert data.split(made, 6, seed=8)[1].sha256 != validation.sha256


@pytest.mark.parametrize("validation", [0, -1, 20, 2.5])
def test_split_refuses(validation):
    with pytest.raises(ValueError, match=f"validation={validation}"):
        data.split(make_set(20), validation)


def test_channel_statistics():
    made = make_set(1234)  # more than one block of 1,000
    mean, std = data.channel_statistics(made)
    scaled = made.images / 255
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, scaled.std(axis=(0, 2, 3)), rtol=1e-12)
    with pytest.raises(ValueError, match="empty set"):
        data.channel_statistics(made.subset([]))


# Small sets that are always there


def test_digits():
    train, test = data.digits()
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.shape[1:] == (1, 8, 8)
    source = load_digits()
    original = {
        (image.astype(np.uint8).tobytes(), label)
        for image, label in zip(source.images, source.target, strict=True)
    }
    restored = {
        (np.round(image[0] / 255 * 16).astype(np.uint8).tobytes(), label)
        for part in (train, test)
        for image, label in zip(part.images, part.labels, strict=True)
    }
    assert restored == original
    assert train.images.max() == 255
    assert np.bincount(test.labels).min() >= 34


def test_cat():
    np.testing.assert_array_equal(data.cat(), chelsea())
    assert data.cat(100).shape == (100, 150, 3)
    gray = data.cat(gray=True)
    assert gray.shape == (300, 451)
    weighted = chelsea() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray - weighted).max() <= 1
    reference = Image.fromarray(chelsea()).resize((75, 50), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(data.cat(50), np.array(reference))
    with pytest.raises(ValueError, match="height=0"):
        data.cat(0)


def test_stand_in_is_drawn_the_same_every_time():
    train, test = data.stand_in(200, 50)
    again, _ = data.stand_in(200, 50)
    assert train.sha256 == again.sha256
    assert train.subset(range(50)).sha256 != test.sha256
    assert data.stand_in(200, 50, seed=1)[0].sha256 != train.sha256
    assert train.images.shape == (200, 3, 32, 32)
    assert np.bincount(train.labels).tolist() == [20] * 10
    assert train.name == test.name == "stand-in pictures, drawn by program"
    with pytest.raises(ValueError, match="test=0"):
        data.stand_in(10, 0)


@pytest.mark.slow
def test_stand_in_is_told_apart_by_shape_and_not_by_pixels():
    train, test = data.stand_in(2000, 500)

    def spectrum(images):
        """Amplitudes of the grey picture: what is left when the position is forgotten."""
        gray = images.mean(axis=1)
        gray = gray - gray.mean(axis=(1, 2), keepdims=True)
        gray /= gray.std(axis=(1, 2), keepdims=True)
        return np.abs(np.fft.rfft2(gray)).reshape(len(images), -1)

    def accuracy(model, view):
        return model.fit(view(train.images), train.labels).score(view(test.images), test.labels)

    assert accuracy(RidgeClassifier(), lambda x: x.reshape(len(x), -1) / 255) < 0.25
    assert accuracy(RandomForestClassifier(50, random_state=0), spectrum) > 0.5
