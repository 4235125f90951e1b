"""Memory: keep what one step frees for the next, and say what to do where it is too small."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# The names of glibc's malloc.h, and their numbers.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_ALL = 2**31 - 1  # bytes; the largest that mallopt takes

# What torch says on GPUs, on Linux and on Windows.
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def keep() -> None:
    """From now on, keep freed memory in the process.

    glibc takes a large block from the kernel when it is asked for, and gives it back when it is
    freed. A training step on a CPU does that with every activation, and the kernel has to clear
    each page anew. The peak stays what it was, since the next step needs as much. Where the C
    library is another, nothing happens.
    """
    for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _ALL), (_M_TOP_PAD, 64 * 2**20)):
        _call("mallopt", option, value)


def give_back() -> None:
    """Give the free memory that the process holds back to the system."""
    _call("malloc_trim", 0)


@contextmanager
def enough(otherwise: str) -> Iterator[None]:
    """Do what takes much memory.

    Raises
    ------
    MemoryError
        If there is too little of it: torch's own error has no name for that on every device, and
        does not say what to do. `otherwise` does.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = str(error).lower()
        if isinstance(error, RuntimeError) and not any(sign in said for sign in _SIGNS):
            raise
        raise MemoryError(otherwise) from error


def enough_for(pictures: int, advice: str = ""):
    """Work on a batch of so many pictures, in all processes together, see `enough`.

    `advice` follows the batch size to try.
    """
    return enough(
        f"A batch of {pictures} pictures does not fit into the memory of this device. "
        f"Try a batch size of {max(1, pictures // 2)}{advice}."
    )


def _call(function, *arguments):
    if platform.libc_ver()[0] == "glibc":
        getattr(ctypes.CDLL(None), function)(*arguments)
