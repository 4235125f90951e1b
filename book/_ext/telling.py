"""The few lines that the build says to whoever waits for it, even where Sphinx is to be quiet."""

from __future__ import annotations


def tell(line: str) -> None:
    """Say a line at once: several processes speak, and what waits in one comes too late."""
    print(line, flush=True)
