"""Look for files that a reader cannot stand: damage sound ones, thousands of them.

    python tools/fuzz.py [--examples 12000] [--reader NAME]

Each reader works in a process of its own, in which memory is limited. What breaks a reader's
promise is kept in `tests/corpus`, from which the tests read it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def fuzz(name: str, examples: int) -> tuple[int, int, str]:
    """Return how many inputs a reader was given, how many were sound, and what broke it."""
    import fuzzing
    from hypothesis import HealthCheck, given, settings
    from hypothesis.errors import Flaky

    warnings.simplefilter("ignore")
    reader = fuzzing.READERS[name]
    sound, counts = reader.sound(), [0, 0]
    with tempfile.TemporaryDirectory() as folder:
        for content in sound:
            fuzzing.check(reader, content, Path(folder))
        fuzzing.limit_memory()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(fuzzing.damaged(sound))
        def once(content):
            counts[0] += 1
            try:
                counts[1] += fuzzing.check(reader, content, Path(folder))
            except fuzzing.BrokenPromiseError:
                once.content = content
                raise

        try:
            once()
        except (fuzzing.BrokenPromiseError, Flaky) as error:
            return *counts, f"{fuzzing.keep(name, once.content)}: {error!r}"
    return *counts, ""


def main() -> int:
    """Give every reader its inputs, and say what came of it."""
    import fuzzing

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=12_000, help="inputs a reader")
    parser.add_argument("--reader", choices=fuzzing.READERS, action="append")
    arguments = parser.parse_args()
    total, broken = 0, 0
    for name in arguments.reader or fuzzing.READERS:
        started = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            given, sound, said = pool.apply(fuzz, (name, arguments.examples))
        total, broken = total + given, broken + bool(said)
        seconds = time.perf_counter() - started
        print(f"{name}: {given:,} inputs, {sound:,} sound, {seconds:.0f} s. {said}", flush=True)
    print(f"{total:,} inputs in all; {broken} readers broke their promise")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
