"""What a training run needs of the memory, imports included."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_experiment_needs_less_than_one_and_a_half_gib(tmp_path):
    script = ROOT / "tests" / "lean_run.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    ended = subprocess.run([sys.executable, str(script)], timeout=900, **options)
    assert ended.returncode == 0, ended.stderr
    peak = int(ended.stdout.split()[-1])
    assert 300 < peak < 1536  # MiB; torch alone takes some hundred


FAULTS = """
import resource, torch
from cnnlib import memory
if {keep}:
    memory.keep()
def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        x = torch.ones(10 * 2**20)  # 40 MiB, freed at the next turn
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(work() for _ in range(6)))  # a small object may lie where a large one would fit
"""


def page_faults(keep: bool) -> int:
    """Return how often the kernel had to hand out a page in the best of six equal loops."""
    script = [sys.executable, "-c", FAULTS.format(keep=keep)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    environment["PYTHONPATH"] = str(ROOT)
    return int(subprocess.run(script, env=environment, capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_kept_memory_is_not_asked_for_again():
    pages = 10 * 40 * 2**20 // resource.getpagesize()
    assert page_faults(keep=False) > pages / 2
    assert page_faults(keep=True) < pages / 100
