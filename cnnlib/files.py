"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_atomically(
    path: str | Path, write: Callable[[BinaryIO], object], previous: Path | None = None
) -> None:
    """Call ``write(file)`` on a temporary file beside `path`, then rename it to `path`.

    Whoever reads `path`, at whatever moment, finds the old file or the new one, never a half.
    Folders on the way are made.

    Parameters
    ----------
    path : str or Path
        Where the file is to be.
    write : callable
        Takes the open binary file. What it raises is passed on, and `path` stays as it was.
    previous : Path, optional
        In the same folder: where to keep the file that was at `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if previous and path.exists():
            _keep(path, previous)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _settle(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left beside it."""
    for left in path.parent.iterdir():
        number = left.name.removeprefix(f"{path.name}.").removesuffix(".tmp")
        if number.isdigit() and left.name == f"{path.name}.{number}.tmp":
            left.unlink(missing_ok=True)


def _temporary(path):
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def _keep(path, previous):
    """Give the file at `path` a second name, so that it is never without its first."""
    second = _temporary(previous)
    second.unlink(missing_ok=True)
    try:
        try:
            os.link(path, second)
        except OSError:  # a file system without links
            shutil.copyfile(path, second)
        os.replace(second, previous)
    finally:  # which is still there where both were names of one file
        second.unlink(missing_ok=True)


def _settle(folder):
    """Let the new name reach the disk too, where a system can be asked for that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
