"""Run one experiment and write its record: ``python -m experiments NAME --profile full``.

What has ended is kept in the user's cache folder, or in the one that ``CNNLIB_RUNS`` names, and
what was stopped goes on. ``python -m experiments plan`` lists what is missing, the most wanted
first, and runs it with ``--minutes``. In two processes on this machine, each with its share of
every batch::

    torchrun --standalone --nproc-per-node=2 -m experiments NAME --profile full
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from cnnlib.profiles import PROFILES, profile
from cnnlib.training import processes

from . import WANTED
from .lab import Command
from .lab.plan import plan
from .lab.recording import recorded
from .lab.work import Work


def main():
    """Read the command line, and run what it names."""
    arguments = read_arguments()
    if arguments.data:
        os.environ["CNNLIB_DATA"] = str(arguments.data)
    options = ("profile", "original_pixels", "to", "commit")
    asked = {name: getattr(arguments, name) for name in options}
    answer_signals()
    with processes.joined():
        if arguments.name == "plan":
            plan(asked, arguments.minutes)
            return
        experiment = import_module(f"experiments.{arguments.name}").EXPERIMENT
        command = Command(seeds=arguments.seeds or 1, **asked)
        work = Work(experiment, command)
        recorded(work) if arguments.so_far else work.finished()


def read_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("name", choices=[*WANTED, "plan"])
    parser.add_argument("--profile", choices=PROFILES, default=profile())
    parser.add_argument("--seeds", type=_at_least_one, help="how many seeds, from 0 (default 1)")
    parser.add_argument(
        "--original-pixels",
        type=Path,
        help="an archive or folder of pictures whose test set is measured too, at the end",
    )
    parser.add_argument("--data", type=Path, help="the pictures, as CNNLIB_DATA would name them")
    parser.add_argument("--to", type=Path, help="the folder for runs and records")
    parser.add_argument("--commit", help="the commit of this code, where git cannot tell")
    parser.add_argument(
        "--so-far", action="store_true", help="only write the record of the runs that have ended"
    )
    parser.add_argument("--minutes", type=float, help="plan: run what is missing, for so long")
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: at least one seed must run")
    return int(text)


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
