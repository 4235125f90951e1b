"""Let every accident of `tests/faults.py` happen, and write the table that the book shows.

    python tools/survival.py

A test makes them happen again, and compares what one reads with the table.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "survival.md"
TEXT = """\
# What a training run survives

A run that took an hour should not be lost to a full disk. So each of the accidents below is made
to happen, on every change of this book's code: after the first of three epochs, mostly in the
middle of the second. Then the same call is made again. It goes on from the checkpoint of the first
epoch, and ends with the same weights, to the last bit, as a run that nothing disturbed. (On a CPU,
that is; a GPU adds numbers in an order of its own.)

Two checkpoints are kept: `mine.pt` is that of the last epoch, `mine.previous.pt` is the one before.
Three of the accidents spoil `mine.pt` itself, after the second epoch. Then the call gives a warning
and goes back by one epoch.

What one reads is copied from the runs of the tests, by `tools/survival.py`. A process that is
killed can say nothing, and a script of your own says nothing on SIGTERM. An experiment, which is
begun by `python -m experiments`, does.

| What happens | What one reads |
|---|---|
"""


def main() -> None:
    """Write the page."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import faults

    rows = []
    for what in faults.CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(what, faults.outcome(what, Path(folder))))
            if not faults.goes_on(Path(folder)):
                sys.exit(f"{what}: the run did not go on as it should; the page stays as it was.")
    PAGE.write_text(TEXT + "".join(rows), encoding="utf-8")


def row(what: str, said: str) -> str:
    """Return one line of the table."""
    return f"| {what} | `{said.replace('|', ' ')}` |\n"


if __name__ == "__main__":
    main()
