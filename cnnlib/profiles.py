"""Two profiles, one set of notebooks: ``short`` runs anywhere, ``full`` is the whole budget.

What the environment says of how to run is read here: ``CNNLIB_PROFILE`` and ``CNNLIB_RUNS``.
"""

from __future__ import annotations

import os
from pathlib import Path

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


def runs_folder() -> Path:
    """Return where long runs are kept, those under way and those that have ended.

    That is the folder that ``CNNLIB_RUNS`` names, and ``runs`` in the user's cache folder where it
    names none: outside of any checkout, so that a run goes on when another commit is looked at.
    """
    import platformdirs

    named = os.environ.get("CNNLIB_RUNS", "").strip()
    return Path(named).expanduser() if named else platformdirs.user_cache_path("cnnlib") / "runs"
