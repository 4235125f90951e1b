"""What a training run needs of the memory, imports included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_fifty_thousand_pictures_need_less_than_one_and_a_half_gib():
    script = ROOT / "tests" / "lean_run.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr
    peak = int(ended.stdout)
    assert 300 < peak < 1536  # MiB; torch alone takes some hundred
