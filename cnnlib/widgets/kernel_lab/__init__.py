"""`KernelLab`: a photo, a kernel to pick or to edit, and the filtered photo at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import traitlets

from cnnlib.widgets.common import base, checks, photos
from cnnlib.widgets.convolution import VERTICAL_EDGE

#: What a kernel may be: rows and columns, and the size of its numbers.
LIMITS = {"kernel": [1, 5], "weight": checks.LARGEST}
#: The words that a trait may be.
CHOICES = {"edges": ("zero", "repeat"), "show": ("auto", "photo", "signed", "magnitude")}
#: Where one looks first: at the rim of an eye of the cat.
CAT_PLACE = (104, 89)


class KernelLab(base.Widget):
    """Filter a photo with a small kernel: pick one or type one, and look at any pixel's sum.

    Every argument is a trait: it can be set later, observed, and joined to other widgets by
    ``ipywidgets.link`` and ``jslink``. The trait ``photo`` holds the photo as a PNG in a data URL.

    Parameters
    ----------
    photo : array_like of uint8, shape (H, W) or (H, W, 3), optional
        Grey or coloured, at most 256 rows and columns. A coloured photo is filtered channel by
        channel. The face of a cat, in grey, by default.
    kernel : array_like, shape (kH, kW), optional
        Numbers from -999 to 999; 1 to 5 rows and columns. A vertical edge by default.
    flip : bool
        False for correlation, as in deep learning; True for convolution proper, with the kernel
        turned half round.
    edges : {"zero", "repeat"}
        What stands beyond the edge of the photo: zeros, as in a layer, or the nearest pixel again.
        The output is as large as the photo.
    show : {"auto", "photo", "signed", "magnitude"}
        How the output's numbers become colours. "photo" cuts off what lies outside 0 to 255.
        "signed" is blue where negative, white at 0, red where positive (of a coloured photo, one
        channel). "magnitude" drops the signs. "auto" takes "signed" for a kernel with negative
        numbers that add up to less than 1/2, "photo" for the others.
    row, column : int, optional
        The pixel whose sum is shown, from 0. The middle by default, or an eye of the cat.
    channel : int
        The channel of a coloured photo whose numbers are shown: 0 red, 1 green, 2 blue.

    Raises
    ------
    ValueError
        If the photo or the kernel is none, or a setting is out of range.
    """

    _esm = base.module("kernel_lab")
    _css = base.style("kernel_lab")

    photo = traitlets.Unicode().tag(sync=True)
    kernel = traitlets.List().tag(sync=True)
    flip = traitlets.Bool(False).tag(sync=True)
    edges = traitlets.Unicode("zero").tag(sync=True)
    show = traitlets.Unicode("auto").tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, photo=None, kernel=VERTICAL_EDGE, **traits):
        pixels = photos.cat_photo() if photo is None else np.asarray(photo)
        url = photos.photo_url("photo", pixels)
        middle = [(size - 1) // 2 for size in pixels.shape[:2]]
        row, column = CAT_PLACE if photo is None else middle
        super().__init__(
            photo=url,
            kernel=checks.number_grid("kernel", kernel, LIMITS["kernel"]),
            limits=LIMITS,
            **({"row": row, "column": column} | traits),
        )

    @property
    def pixels(self) -> np.ndarray:
        """The photo: uint8, of shape (H, W) or (H, W, 3)."""
        return read_photo(self.photo)

    def __repr__(self) -> str:
        shapes = "x".join(map(str, self.pixels.shape)), f"{len(self.kernel)}x{len(self.kernel[0])}"
        return (
            f"KernelLab(photo {shapes[0]}, kernel {shapes[1]}, flip={self.flip}, "
            f"edges={self.edges!r}, show={self.show!r})"
        )

    @traitlets.validate("photo")
    def _check_photo(self, proposal):
        read_photo(proposal["value"])
        return proposal["value"]

    @traitlets.validate("kernel")
    def _check_kernel(self, proposal):
        return checks.number_grid("kernel", proposal["value"], LIMITS["kernel"])

    @traitlets.validate("edges", "show")
    def _check_word(self, proposal):
        name = proposal["trait"].name
        rule = f"{name} must be one of {', '.join(CHOICES[name])}"
        return checks.one_of(proposal, CHOICES[name], rule)

    @traitlets.validate("row", "column", "channel")
    def _check_place(self, proposal):
        sizes = dict(
            zip(("row", "column", "channel"), np.atleast_3d(self.pixels).shape, strict=True)
        )
        return checks.within(proposal, {name: (0, size - 1) for name, size in sizes.items()})


@lru_cache(8)
def read_photo(url: str) -> np.ndarray:
    """Return the pixels of a PNG in a data URL, as `photos.photo_url` makes one.

    Parameters
    ----------
    url : str
        As the trait ``photo`` holds it.

    Returns
    -------
    numpy.ndarray of uint8, shape (H, W) or (H, W, 3)

    Raises
    ------
    ValueError
        If it is no such picture.
    """
    try:
        image = photos.photo_of(url)
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (ValueError, OSError) as error:
        raise ValueError(
            f"photo must be a PNG in a data URL, got {url[:40]!r}: make one with "
            "cnnlib.widgets.common.photos.photo_url, or give the array to KernelLab(photo=...)"
        ) from error
