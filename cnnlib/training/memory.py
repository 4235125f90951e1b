"""Let the C library keep the memory that one step frees, for the next."""

from __future__ import annotations

import ctypes
import platform

# The names of glibc's malloc.h, and their numbers.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_ALL = 2**31 - 1  # bytes; the largest that mallopt takes


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


def _call(function, *arguments):
    if platform.libc_ver()[0] == "glibc":
        getattr(ctypes.CDLL(None), function)(*arguments)
