"""What a set of labelled pictures is, how it is split, and two small real ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A set of labelled pictures, all of one size.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, C, H, W)
        Pixels from 0 to 255. Treat them as read-only: `sha256` is computed once.
    labels : ndarray of int64, shape (N,)
        Indices into `classes`.
    classes : tuple of str
        The classes' names.
    name : str
        What the pictures are, in words that a caption can use.

    Raises
    ------
    ValueError
        If the pixels are not uint8 ``(N, C, H, W)``, if there is not one label a picture, or if a
        label lies outside the classes.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str

    def __post_init__(self):
        images, labels = np.ascontiguousarray(self.images), np.asarray(self.labels)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(
                f"images are {images.dtype} with shape {images.shape}; uint8 with shape "
                "(N, C, H, W) is needed"
            )
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{len(images)} images need as many integer labels; these are {labels.dtype} "
                f"with shape {labels.shape}"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"two classes share one name: {list(self.classes)}")
        outside = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if outside.size:
            raise ValueError(
                f"label {labels[outside[0]]} of image {outside[0]} is outside the "
                f"{len(self.classes)} classes; labels run from 0 to {len(self.classes) - 1}"
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))
        object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return f"ImageSet({self.name!r}, images {self.images.shape}, {len(self.classes)} classes)"

    @cached_property
    def sha256(self) -> str:
        """Hash of pixels, labels and classes, as a run's record keeps it."""
        digest = hashlib.sha256(repr((self.images.shape, self.classes)).encode())
        for start in range(0, len(self), 1000):
            digest.update(np.ascontiguousarray(self.images[start : start + 1000]))
        digest.update(np.ascontiguousarray(self.labels, dtype="<i8"))
        return digest.hexdigest()

    def subset(self, indices) -> ImageSet:
        """Return the pictures with these indices, in this order.

        Parameters
        ----------
        indices : sequence of int, slice, or boolean mask of length N
            Which pictures to keep.

        Returns
        -------
        ImageSet
            Of the same classes and name.

        Raises
        ------
        ValueError
            If there is no picture of such an index.
        """
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            indices = indices if indices.size else indices.astype(np.int64)
        try:
            chosen = np.arange(len(self))[indices]
        except IndexError as error:
            raise ValueError(f"no such pictures among these {len(self)}: {error}") from None
        return ImageSet(self.images[chosen], self.labels[chosen], self.classes, self.name)

    def only(self, *classes: str) -> ImageSet:
        """Return the pictures of these classes alone, labelled 0, 1, ... in the order given.

        Parameters
        ----------
        *classes : str
            At least one of the set's.

        Returns
        -------
        ImageSet
            Of these classes, and of the same name.

        Raises
        ------
        ValueError
            If a class is none of the set's, or none is given.
        """
        unknown = [name for name in classes if name not in self.classes]
        if unknown or not classes:
            raise ValueError(f"unknown classes {unknown}; choose from {', '.join(self.classes)}")
        new_label = np.full(len(self.classes), -1)
        new_label[[self.classes.index(name) for name in classes]] = np.arange(len(classes))
        labels = new_label[self.labels]
        kept = np.flatnonzero(labels >= 0)
        return ImageSet(self.images[kept], labels[kept], classes, self.name)


def split(data: ImageSet, validation: int = 5000, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Set some pictures of every class aside, to choose settings by.

    Each class gives its share. The choice follows from hashes of (seed, index), so that it is the
    same on every machine and with every version of NumPy; both parts keep the pictures' order.

    Parameters
    ----------
    data : ImageSet
        Usually a training set.
    validation : int
        How many pictures to set aside; at least 1 and fewer than there are.
    seed : int
        Another seed, another choice.

    Returns
    -------
    train, validation : ImageSet
        Two sets without a picture in common.

    Raises
    ------
    ValueError
        If `validation` is no whole number from 1 to one less than there are pictures.
    """
    if not isinstance(validation, int | np.integer) or not 0 < validation < len(data):
        raise ValueError(
            f"validation={validation!r}: choose a whole number from 1 to {len(data) - 1}, fewer "
            f"than the {len(data)} pictures there are"
        )
    order = np.array(
        sorted(range(len(data)), key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())
    )
    share = np.bincount(data.labels, minlength=len(data.classes)) * validation / len(data)
    count = np.floor(share).astype(int)
    # The largest remainders take what rounding down has left over.
    count[np.argsort(count - share, kind="stable")[: validation - count.sum()]] += 1
    chosen = np.concatenate([order[data.labels[order] == k][:n] for k, n in enumerate(count)])
    mask = np.zeros(len(data), dtype=bool)
    mask[chosen] = True
    return data.subset(~mask), data.subset(mask)


def channel_statistics(data: ImageSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, on the scale where 255 is 1.

    Parameters
    ----------
    data : ImageSet
        N pictures ``(N, C, H, W)``; a thousand are read at a time.

    Returns
    -------
    mean, std : tuple of float, length C
        Over all pictures and positions; the sums are exact.

    Raises
    ------
    ValueError
        If the set is empty.
    """
    total, squares = 0, 0
    for start in range(0, len(data), 1000):
        pixels = data.images[start : start + 1000].astype(np.int64)
        total = total + pixels.sum(axis=(0, 2, 3))
        squares = squares + (pixels**2).sum(axis=(0, 2, 3))
    n = len(data) * data.images.shape[2] * data.images.shape[3]
    if n == 0:
        raise ValueError("an empty set has no mean; give at least one picture")
    mean = total / n
    std = np.sqrt(squares / n - mean**2)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def digits() -> tuple[ImageSet, ImageSet]:
    """Return 1,797 real handwritten digits, 8x8, as 1,437 for training and 360 for the test.

    Returns
    -------
    train, test : ImageSet
        Pixels of shape ``(N, 1, 8, 8)``; the original's 0 to 16 becomes 0 to 255.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998, as shipped with scikit-learn.
    """
    from sklearn.datasets import load_digits

    source = load_digits()
    images = np.round(source.images * (255 / 16)).astype(np.uint8)[:, None]
    names = tuple(str(digit) for digit in range(10))
    return split(ImageSet(images, source.target, names, "handwritten digits, 8x8"), 360)


def cat(height: int | None = None, gray: bool = False) -> np.ndarray:
    """Return Chelsea the cat, a photograph by Stefan van der Walt (CC0), from scikit-image.

    Parameters
    ----------
    height : int, optional
        Rows of the result, the proportions kept; as photographed (300 x 451) without it.
    gray : bool
        Luminance alone (ITU-R 601), instead of red, green and blue.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W)
        Pixels from 0 to 255.

    Raises
    ------
    ValueError
        If `height` is less than 1.
    """
    from skimage.data import chelsea

    picture = Image.fromarray(chelsea())
    if height is not None:
        if height < 1:
            raise ValueError(f"height={height}: choose at least 1 pixel")
        width = max(1, round(picture.width * height / picture.height))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.array(picture.convert("L") if gray else picture)
