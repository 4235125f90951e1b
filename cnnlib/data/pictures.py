"""Folders and archives of picture files, one folder a class, made into an `ImageSet`."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from . import archives
from .imageset import ImageSet

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
# What Pillow may be asked to decode: of the others, some would start a program to do it.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 50_000_000  # a camera's picture; decoding takes up to 16 bytes a pixel
MAX_DECODED_BYTES = 2**29  # of all pictures together; putting them in order takes as much again
LAYOUT = "lay the pictures out as <class>/*, or as train/<class>/* and test/<class>/*"
ONE_SIZE = "give one size for all, as in image_folder(path, size=64)"

Part = tuple[np.ndarray, np.ndarray, tuple[str, ...]]  # images, labels, classes


def image_folder(
    path: str | Path, size: int | None = None, skip_broken: bool = False
) -> ImageSet | tuple[ImageSet, ImageSet]:
    """Load your own pictures: a folder or an archive (tar, tar.gz, zip), one folder a class.

    Parameters
    ----------
    path : str or Path
        Laid out as ``<class>/*``, or as ``train/<class>/*`` and ``test/<class>/*``.
    size : int, optional
        Cut the largest square out of each picture's centre and scale it to `size` x `size`.
        Without it, all pictures must have one size.
    skip_broken : bool
        Leave pictures that cannot be read out, with a warning that counts them.

    Returns
    -------
    ImageSet, or (train, test) where the layout has both
        RGB pixels of shape ``(N, 3, H, W)``; the classes in alphabetical order. The classes
        alternate, so that the first n pictures hold some of each.

    Raises
    ------
    ValueError
        If there is no picture, no class folder, a broken picture (named), a mixture of sizes, a
        corrupt archive, or train and test differ in their classes; if `size` is less than 1; or
        if the pixels of an archive take more than 512 MiB. A folder's may take what memory there
        is, twice over while they are put in order.
    """
    path = Path(path).expanduser()
    parts = read_pictures(path, archives.read_files(path, is_picture), size, skip_broken)
    sets = [ImageSet(*part, f"pictures from {path.name}") for part in parts]
    return sets[0] if len(sets) == 1 else tuple(sets)


def read_pictures(
    path: Path,
    files: Iterable[tuple[PurePosixPath, bytes]],
    size: int | None = None,
    skip_broken: bool = False,
) -> list[Part]:
    """Decode files, each of which is a picture.

    Parameters
    ----------
    path : Path
        Where the files come from; for the messages.
    files : iterable of (PurePosixPath, bytes)
        Each with its path below `path`, and what it holds.
    size, skip_broken
        As in `image_folder`.

    Returns
    -------
    list of (images, labels, classes)
        One part, or train and test.

    Raises
    ------
    ValueError
        As in `image_folder`.
    """
    if size is not None and size < 1:
        raise ValueError(f"size={size}: choose at least 1 pixel")
    found: dict[str, list] = {}
    broken, decoded, first = [], 0, None
    for name, content in files:
        part, label = _place(path, name)
        try:
            pixels = _decode(content, size)
        except Exception as error:  # a damaged picture can fail in any way there is
            if not skip_broken:
                raise ValueError(
                    f"{name} in {path} cannot be read ({error}); mend or remove it, or skip such "
                    "pictures with skip_broken=True"
                ) from error
            broken.append(name)
            continue
        first = first or (name, pixels.shape)
        if pixels.shape != first[1]:
            raise ValueError(
                f"the pictures of {path} differ in size: (C, H, W) is {first[1]} for {first[0]} "
                f"and {pixels.shape} for {name}; {ONE_SIZE}"
            )
        decoded += pixels.nbytes
        if decoded > MAX_DECODED_BYTES and not path.is_dir():  # an archive may be a stranger's
            raise ValueError(
                f"the pictures of {path} decode to more than {MAX_DECODED_BYTES:,} bytes; if you "
                f"know them, unpack the archive and name its folder, or {ONE_SIZE}"
            )
        found.setdefault(part, []).append((label, name.name, pixels))
    if broken:
        warnings.warn(
            f"skipped {len(broken)} broken pictures of {path}: {broken[0]} ...", stacklevel=3
        )
    _check_parts(path, found)
    return [_dealt(found[part]) for part in ("", "train", "test") if part in found]


def is_picture(name: PurePosixPath) -> bool:
    """Tell pictures from lists and read-me files, and from what file managers leave behind."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _place(path: Path, name: PurePosixPath) -> tuple[str, str]:
    """Return the part ("train", "test" or "") and the class that a picture's folders name."""
    *above, label = name.parts[:-1] or [""]
    if label in ("", "train", "test"):
        raise ValueError(f"{name} in {path} lies in no class folder; {LAYOUT}")
    return above[-1] if above and above[-1] in ("train", "test") else "", label


def open_picture(picture: str | Path | Image.Image | np.ndarray) -> Image.Image:
    """Return a picture in RGB, upright, wherever it comes from.

    Parameters
    ----------
    picture : str, Path, PIL.Image.Image or numpy.ndarray
        A file, or a picture; an array is of uint8, ``(H, W)`` or ``(H, W, 3)``.

    Returns
    -------
    PIL.Image.Image
        Of mode RGB.

    Raises
    ------
    ValueError
        If there is no such file, it cannot be read, it has more pixels than `MAX_PIXELS` or than
        Pillow's own limit, or the array is of another kind.
    """
    try:
        if isinstance(picture, np.ndarray):
            return _of_array(picture).convert("RGB")
        if isinstance(picture, Image.Image):
            return _upright(picture)
        return _opened(Path(picture).expanduser().read_bytes())
    except Exception as error:  # a damaged picture can fail in any way there is
        name = picture if isinstance(picture, str | Path) else f"the {type(picture).__name__}"
        raise ValueError(f"{name} cannot be read as a picture ({error})") from error


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        return _upright(picture)


def _upright(picture: Image.Image) -> Image.Image:
    """Decode a picture, unless it has more pixels than we, or Pillow, would decode."""
    if picture.width * picture.height > min(MAX_PIXELS, Image.MAX_IMAGE_PIXELS or MAX_PIXELS):
        raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
    return ImageOps.exif_transpose(picture).convert("RGB")


def _of_array(pixels: np.ndarray) -> Image.Image:
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise ValueError(
            f"it is {pixels.dtype} of shape {pixels.shape}; give uint8, (H, W) or (H, W, 3)"
        )
    return Image.fromarray(pixels)


def _decode(content: bytes, size: int | None) -> np.ndarray:
    """Return a picture as uint8 (3, H, W)."""
    picture = _opened(content)
    if size is not None:
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return np.array(picture).transpose(2, 0, 1)


def _check_parts(path: Path, found: dict[str, list]) -> None:
    """Require one plain set, or a train and a test set with the same classes."""
    if not found:
        raise ValueError(f"{path} holds no picture that can be read; {LAYOUT}")
    if set(found) not in ({""}, {"train", "test"}):
        parts = sorted(part or "neither" for part in found)
        raise ValueError(f"of train/ and test/, {path} has pictures in {parts} only; {LAYOUT}")
    classes = [{label for label, _, _ in pictures} for pictures in found.values()]
    odd = sorted(classes[0] ^ classes[-1])
    if odd:
        raise ValueError(f"only one of train and test in {path} has the classes {odd}; give both")


def _dealt(pictures: list) -> Part:
    """Sort by name within each class, then deal the classes out in turn."""
    classes = tuple(sorted({label for label, _, _ in pictures}))
    served, deal = Counter(), []
    for label, _, pixels in sorted(pictures, key=lambda picture: picture[:2]):
        deal.append((served[label], classes.index(label), pixels))
        served[label] += 1
    deal.sort(key=lambda picture: picture[:2])
    return np.stack([pixels for *_, pixels in deal]), np.array([k for _, k, _ in deal]), classes
