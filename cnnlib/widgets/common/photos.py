"""Photographs, as widgets hold them, and the cat, of which they show the face and the eye."""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from io import BytesIO

import numpy as np


def photo_url(name: str, photo, largest: int = 256) -> str:
    """Return a photograph as a PNG in a data URL, the form in which a widget's trait holds one.

    Parameters
    ----------
    name : str
        What the messages call it.
    photo : array_like of uint8, shape (H, W) or (H, W, 3)
        Grey or coloured pixels.
    largest : int
        The most rows and columns.

    Raises
    ------
    ValueError
        If it is no such picture, or a larger one.
    """
    from PIL import Image

    pixels = np.asarray(photo)
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_picture or pixels.size == 0:
        raise ValueError(
            f"{name} must be an array of uint8 of shape (H, W) or (H, W, 3), got "
            f"{pixels.dtype} {pixels.shape}"
        )
    if max(pixels.shape[:2]) > largest:
        raise ValueError(
            f"{name} must have at most {largest} rows and columns, got {pixels.shape[:2]}: "
            "make it smaller first"
        )
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def photo_of(url: str):
    """Return the `PIL.Image.Image` in a data URL, such as `photo_url` makes."""
    from PIL import Image

    return Image.open(BytesIO(b64decode(url.partition(",")[2])))


@cache
def cat_photo(size: int = 256, gray: bool = True) -> np.ndarray:
    """Return the face of scikit-image's cat, a square of uint8 pixels.

    Parameters
    ----------
    size : int
        Rows and columns, from 1 to 256. At 256 each is a pixel of the photograph.
    gray : bool
        Shape (size, size), or (size, size, 3) in colour.
    """
    from PIL import Image
    from skimage.data import chelsea

    face = Image.fromarray(chelsea()[6:262, 94:350]).convert("L" if gray else "RGB")
    return np.asarray(face.resize((size, size), Image.Resampling.BOX))


@cache
def cat_eye(size: int = 12) -> tuple[tuple[int, ...], ...]:
    """Return an eye of scikit-image's cat as a small grid of grey levels from 0 to 9.

    One digit a pixel keeps the arithmetic within what one can do in one's head.

    Parameters
    ----------
    size : int
        Rows and columns, from 1 to 16. Every size has the same middle and the same scale: a pixel
        of the grid is the mean of 7 by 7 pixels of the photograph.

    Returns
    -------
    tuple of tuple of int
        Rows of numbers; 0 is the darkest pixel of the 16 by 16 crop, 9 the brightest.
    """
    from skimage.color import rgb2gray
    from skimage.data import chelsea

    largest = 16
    crop = rgb2gray(chelsea()[59:171, 116:228])
    means = crop.reshape(largest, 7, largest, 7).mean(axis=(1, 3))
    low, high = np.percentile(means, [2, 98])
    levels = np.rint(9 * np.clip((means - low) / (high - low), 0, 1)).astype(int)
    start = (largest - size) // 2
    middle = levels[start : start + size, start : start + size]
    return tuple(tuple(int(value) for value in row) for row in middle)


@cache
def color_eye() -> tuple:
    """Return an eye of scikit-image's cat in colour, as digits: shape (3, 6, 6).

    Each pixel is the mean of 14 by 14 pixels of the photograph. All three channels have one scale,
    from 0, the darkest, to 9, the brightest.
    """
    from skimage.data import chelsea

    means = chelsea()[70:154, 121:205].reshape(6, 14, 6, 14, 3).mean(axis=(1, 3))
    low, high = np.percentile(means, [2, 98])
    levels = np.rint(9 * np.clip((means - low) / (high - low), 0, 1)).astype(int)
    return tuple(tuple(map(tuple, channel)) for channel in levels.transpose(2, 0, 1).tolist())
