"""Look for files that a reader cannot stand: damage sound ones, thousands of them.

    python tools/fuzz.py [--examples 12000] [--reader NAME] [--seed 7] [--record]

Each reader works in processes of its own, in which memory is limited. What breaks a reader's
promise is kept in `tests/corpus`, from which the tests read it again. With ``--record``, how many
inputs each reader was given is written to `tests/corpus/fuzzed.json`, which is committed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from datetime import date
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

#: Inputs a process: Hypothesis keeps something of each, which the limit would soon count.
AT_ONCE = 3000


def fuzz(name: str, examples: int, seed: int) -> dict:
    """Give a reader its inputs, print what came of it, and return it for the record."""
    import fuzzing

    started = time.perf_counter()
    tasks = [(name, min(AT_ONCE, examples - i), seed + i) for i in range(0, examples, AT_ONCE)]
    processes = multiprocessing.get_context("spawn")
    with processes.Pool(1, fuzzing.begin, (name,), maxtasksperchild=1) as pool:
        parts = pool.starmap(fuzzing.fuzz, tasks, chunksize=1)
    seconds = round(time.perf_counter() - started)
    inputs, sound = (sum(getattr(part, key) for part in parts) for key in ("inputs", "sound"))
    broken = [part for part in parts if part.said]
    said = "; ".join(f"{fuzzing.keep(name, part.broken_by)}: {part.said}" for part in broken)
    print(f"{name}: {inputs:,} inputs, {sound:,} sound, {seconds} s. {said}", flush=True)
    return {"inputs": inputs, "sound": sound, "seconds": seconds, "broken": bool(broken)}


def versions() -> dict:
    """Return the versions of Python and of the packages that read, or that damage."""
    from cnnlib import provenance

    others = {name: metadata.version(name) for name in ("hypothesis", "pillow", "safetensors")}
    return provenance.describe_run()["versions"] | others


def main() -> int:
    """Give every reader its inputs, and say what came of it."""
    import fuzzing

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=12_000, help="inputs a reader")
    parser.add_argument("--reader", choices=fuzzing.READERS, action="append")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--record", action="store_true", help="write the counts, to be committed")
    arguments = parser.parse_args()
    names = arguments.reader or fuzzing.READERS
    found = {name: fuzz(name, arguments.examples, arguments.seed) for name in names}
    total, broken = (sum(each[key] for each in found.values()) for key in ("inputs", "broken"))
    print(f"{total:,} inputs in all, seed {arguments.seed}; {broken} readers broke their promise")
    if arguments.record:
        facts = {"date": date.today().isoformat(), "seed": arguments.seed, "versions": versions()}
        text = json.dumps({**facts, "inputs": total, "readers": found}, indent=1) + "\n"
        fuzzing.RECORD.write_text(text, encoding="utf-8")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
