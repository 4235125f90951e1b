"""How benchmarks record what they measured: where, and under which conditions."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from pathlib import Path

from cnnlib import provenance

RESULTS = Path(__file__).parent / "results"
#: Variables of the environment that change how fast torch computes begin so.
SETTINGS = ("OMP_", "MKL_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "TORCH")


def conditions() -> dict:
    """Return the machine, its load and settings, and the day: a time means nothing without them."""
    settings = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(SETTINGS)}
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "settings": settings,
        "load_average": round(os.getloadavg()[0], 1),  # other work on the machine lengthens it
        "date": date.today().isoformat(),
    }


def computed_on(device) -> dict:
    """Return a device, the precision that it trains in, and the versions that computed."""
    from cnnlib.training import pick_precision  # not for those who time a browser: it needs torch

    return {
        "device": provenance.describe_device(str(device)),
        "precision": pick_precision("auto", device),
        "versions": provenance.describe_run()["versions"],
    }


def save(path: Path, result: dict) -> None:
    """Write what was measured."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
