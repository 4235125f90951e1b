"""Two profiles, one set of notebooks: ``short`` runs anywhere, ``full`` is the whole budget."""

from __future__ import annotations

import os

PROFILES = ("short", "full")


def profile() -> str:
    """Return the profile that ``CNNLIB_PROFILE`` names, ``"short"`` where it names none.

    Raises
    ------
    ValueError
        If the variable holds anything but ``short`` or ``full``.
    """
    name = os.environ.get("CNNLIB_PROFILE", "") or "short"
    if name not in PROFILES:
        raise ValueError(f"CNNLIB_PROFILE is {name!r}; it must be one of {', '.join(PROFILES)}.")
    return name


def choose(*, short, full):
    """Return ``short`` or ``full``, whichever value belongs to the profile in force.

    Examples
    --------
    >>> epochs = choose(short=2, full=40)
    """
    return {"short": short, "full": full}[profile()]
