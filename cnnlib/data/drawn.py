"""Ten kinds of pictures drawn by program, for where no data set can be had."""

from __future__ import annotations

import numpy as np

from .imageset import ImageSet

SIDE = 32
#: The name of the sets, by which a page knows what its numbers come from.
NAME = "stand-in pictures, drawn by program"

# How far, in pixels, a point lies outside each shape: y, x are (n, 32, 32), the size r (n, 1, 1).
KINDS = {
    "circle": lambda y, x, r: np.hypot(y, x) - r,
    "ring": lambda y, x, r: np.abs(np.hypot(y, x) - 0.85 * r) - 0.2 * r,
    "square": lambda y, x, r: np.maximum(np.abs(y), np.abs(x)) - 0.85 * r,
    "triangle": lambda y, x, r: np.maximum(np.abs(x) * np.sqrt(0.75) + y / 2, -y) - 0.65 * r,
    "cross": lambda y, x, r: np.maximum(
        np.minimum(np.abs(y), np.abs(x)) - 0.3 * r, np.maximum(np.abs(y), np.abs(x)) - 1.1 * r
    ),
    "flower": lambda y, x, r: np.hypot(y, x) - r * (0.75 + 0.35 * np.cos(5 * np.arctan2(y, x))),
    "stripes": lambda y, x, r: r / 4 * np.sin(y * 7 / r),
    "checks": lambda y, x, r: r / 3 * np.sin(y * 5 / r) * np.sin(x * 5 / r),
    "dots": lambda y, x, r: r / 4 * (0.8 - np.cos(y * 6 / r) - np.cos(x * 6 / r)),
    "ripples": lambda y, x, r: r / 4 * np.sin(np.hypot(y, x) * 7 / r),
}


def stand_in(train: int = 5000, test: int = 1000, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Draw a labelled set of ten shapes and textures, in place of a data set of photographs.

    Colours, positions, sizes and angles vary and say nothing of the class: one has to look at the
    shape. A shaded background and noise are added. The classes alternate.

    Parameters
    ----------
    train, test : int
        How many pictures of each; at least 1.
    seed : int
        Another seed, other pictures. NumPy keeps `RandomState`'s stream as it is for good.

    Returns
    -------
    train, test : ImageSet
        Pixels of shape ``(N, 3, 32, 32)``.

    Raises
    ------
    ValueError
        If `train` or `test` is less than 1.
    """
    if train < 1 or test < 1:
        raise ValueError(f"train={train}, test={test}: draw at least 1 picture of each")
    return _drawn(train, [seed, 0]), _drawn(test, [seed, 1])


def _drawn(n: int, seed: list[int]) -> ImageSet:
    random = np.random.RandomState(seed)
    labels = np.arange(n) % len(KINDS)
    images = np.empty((n, 3, SIDE, SIDE), dtype=np.uint8)
    for kind, shape in enumerate(KINDS.values()):
        mine = labels == kind
        images[mine] = _pictures(shape, mine.sum(), random)
    return ImageSet(images, labels, tuple(KINDS), NAME)


def _pictures(shape, n: int, random: np.random.RandomState) -> np.ndarray:
    """Paint n pictures of one kind: ink where the shape is, paper elsewhere."""

    def draw(low: float, high: float, *size: int) -> np.ndarray:
        return random.uniform(low, high, (n, *(size or (1, 1))))

    row, column = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    angle = draw(-np.pi, np.pi)
    y, x = row - draw(-6, 6), column - draw(-6, 6)
    y, x = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    # The edge is one pixel wide and soft: (n, 1, 32, 32).
    cover = np.clip(0.5 - shape(y, x, draw(6, 11)), 0, 1)[:, None]

    paper = draw(30, 225, 3, 1, 1)
    ink = paper + np.where(paper < 128, 1, -1) * draw(30, 120, 3, 1, 1)
    shade = draw(-1.5, 1.5, 1, 1, 1) * row + draw(-1.5, 1.5, 1, 1, 1) * column
    noise = random.normal(0, 10, (n, 3, SIDE, SIDE))
    return np.clip(paper + (ink - paper) * cover + shade + noise, 0, 255).round().astype(np.uint8)
