"""Where a number comes from: the moment, the command, the commit, the versions, the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "torchvision", "numpy", "cnnlib")


def describe_run() -> dict:
    """Return when, by which command, from which commit and with which versions this runs."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"-m {module.parent or module.name}" if module else Path(sys.argv[0]).name
    # Files by their names alone: folders differ from one machine to the next.
    arguments = [Path(a).name if os.path.exists(a) else a for a in sys.argv[1:]]
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([_launcher(), program, *arguments]),
        "git": _git_state(),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in PACKAGES},
        },
    }


def describe_device(device: str = "cpu") -> dict:
    """Return what computes.

    Parameters
    ----------
    device : str
        As torch calls it, such as ``"cpu"`` or ``"cuda:0"``.

    Returns
    -------
    dict
        The device's ``type`` and ``name``, and the number of torch's ``threads``.
    """
    import torch

    kind = torch.device(device).type
    name = torch.cuda.get_device_name(device) if kind == "cuda" else _cpu_name()
    return {"type": kind, "name": name, "threads": torch.get_num_threads()}


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        The same for the same bytes, whatever the file is called.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # of a copy that was never installed
        return None


def _launcher() -> str:
    """Return what begins the program: python, or torchrun with the number of processes."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return "python"
    machines, processes = os.environ["GROUP_WORLD_SIZE"], os.environ["LOCAL_WORLD_SIZE"]
    where = "--standalone" if machines == "1" else f"--nnodes={machines}"
    return f"torchrun {where} --nproc-per-node={processes}"


def _git_state():
    def git(*arguments):
        here = Path(__file__).resolve().parent
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}  # installed from a wheel: there is no repository


def _cpu_name():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
