"""Run one experiment and write its record: ``python -m experiments NAME --profile full``.

In two processes on this machine, each with its share of every batch::

    torchrun --standalone --nproc-per-node=2 -m experiments NAME --profile full
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib import import_module
from pathlib import Path

from cnnlib.profiles import PROFILES, profile
from cnnlib.training import processes

HERE = Path(__file__).parent
SHARED = ("__init__", "__main__", "common", "comparison")
EXPERIMENTS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in SHARED)


def main():
    """Read the command line and hand over to the experiment's ``run``."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--profile", choices=PROFILES, default=profile())
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0 (default 1)")
    parser.add_argument(
        "--original-pixels",
        type=Path,
        help="an archive or folder of pictures whose test set is measured too, at the end",
    )
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds is {arguments.seeds}; at least one seed must run")
    experiment = import_module(f"experiments.{arguments.name}")
    answer_signals()
    with processes.joined():
        experiment.run(arguments.profile, range(arguments.seeds), arguments.original_pixels)


def answer_signals():
    """Let SIGTERM and Ctrl-C end the process with a word, as they may at any moment."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)


def _stop(number, frame):
    """End with a word, and with the exit status that a shell expects after a signal."""
    name = signal.Signals(number).name
    print(f"Stopped by {name}. The same command goes on from the last epoch.", file=sys.stderr)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
