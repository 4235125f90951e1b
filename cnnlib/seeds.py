"""Seeds that do not meet: one for each text, such as ``"seed epoch process"``."""

from __future__ import annotations

import hashlib


def seed_of(text: str) -> int:
    """Return a seed for `text`, in 0..2**56 - 1.

    Sums of seeds meet: with ``seed + epoch``, epoch 2 of seed 0 would be epoch 1 of seed 1. The
    first bytes of a SHA-256 do not.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
