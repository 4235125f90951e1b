"""The record of a run: what was done, with what, on what, and what came out.

A record is a JSON file in ``results/``, written by ``python -m experiments`` and read by the book,
so that every number on a page leads back to the code, the data and the machine that made it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from cnnlib.files import write_atomically
from cnnlib.provenance import PACKAGES
from cnnlib.statistics import wilson_interval

SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """All that is known of one experiment.

    Parameters
    ----------
    name
        The experiment's name, also that of its file.
    created
        When it began, in UTC (ISO 8601).
    profile
        ``"short"`` or ``"full"``.
    command
        The command line that repeats it.
    git
        ``commit`` and ``dirty``: whether the working tree held uncommitted changes.
    versions
        Of Python and of the packages that compute.
    device
        ``type``, ``name`` and ``threads``.
    precision
        What :func:`cnnlib.training.pick_precision` chose.
    config
        The training configuration, and the batches' and the model's options.
    data
        ``name``, and under ``splits`` the size and the hash of each.
    architecture
        ``name``, ``parameters``, and the ``fingerprint`` of all names and shapes.
    runs
        One a seed: ``seed``, ``seconds``, ``epochs`` (as dicts), and ``test``: for each test set
        its ``n``, ``correct``, ``accuracy``, ``interval`` and ``loss``. Where an experiment
        compares several networks, one an ``arm``, a ``budget`` of epochs and a seed; ``lr`` is its
        peak rate, and ``made`` says when, from which commit and on what it was made.
    checkpoint
        ``file``, ``bytes``, ``sha256`` and ``seed`` of the weights that were kept, and ``probe``:
        what they answer to a fixed input; or None.
    trials
        The trials by which learning rates were chosen: ``arm``, ``budget``, ``seed``, ``lr``,
        ``epochs``, and the ``value`` that it came to, None where it came to no end.
    sketch
        Why the record falls short of what a claim needs, in words; None where it does not. A
        sketch may be shown as one, and nothing be concluded from it.
    """

    name: str
    created: str
    profile: str
    command: str
    git: dict
    versions: dict
    device: dict
    precision: str
    config: dict
    data: dict
    architecture: dict
    runs: list = field(default_factory=list)
    checkpoint: dict | None = None
    trials: list = field(default_factory=list)
    sketch: str | None = None
    schema: int = SCHEMA

    def mean(self, test: str = "test") -> float:
        """Return the mean accuracy over all runs.

        Parameters
        ----------
        test : str
            The name of the test set.

        Returns
        -------
        float
            In [0, 1].
        """
        accuracies = [run["test"][test]["accuracy"] for run in self.runs]
        return sum(accuracies) / len(accuracies)


def measured(n: int, correct: int, loss: float) -> dict:
    """Return a test result in the record's form.

    Parameters
    ----------
    n : int
        How many pictures the test set has.
    correct : int
        How many of them were named right.
    loss : float
        The mean loss.

    Returns
    -------
    dict
        All three, with ``accuracy`` and its ``interval`` after Wilson.

    Raises
    ------
    ValueError
        As in :func:`cnnlib.statistics.wilson_interval`.
    """
    interval = wilson_interval(correct, n)  # which refuses what is not possible
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "interval": list(interval),
        "loss": loss,
    }


def results_folder() -> Path:
    """Return the folder of the shipped records: ``results/`` in a checkout, or the package's."""
    return _shipped("results", "results")


def save(record: Record, folder: str | Path | None = None) -> Path:
    """Validate a record and write it to ``folder/NAME.json``, whole or not at all.

    Parameters
    ----------
    record : Record
        What is to be kept.
    folder : str or Path, optional
        Where; `results_folder()` without it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the record is not valid, see :func:`validate`.
    OSError
        If it cannot be written.
    """
    validate(asdict(record))
    path = Path(folder or results_folder()) / f"{record.name}.json"
    text = _with_rows(json.dumps(asdict(record), indent=1, allow_nan=False)) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
    return path


def load(name: str, folder: str | Path | None = None) -> Record:
    """Read and validate a record.

    Parameters
    ----------
    name : str
        The experiment's.
    folder : str or Path, optional
        Where its record is; `results_folder()` without it.

    Returns
    -------
    Record
        As `save` wrote it.

    Raises
    ------
    ValueError
        If there is no such record (the message lists those that are there), or it is not valid.
    """
    path = _found("record", name, Path(folder or results_folder()))
    try:
        state = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a record: {error}.") from None
    validate(state)
    return Record(**state)


def benchmark(name: str) -> dict:
    """Return what ``python -m benchmarks.NAME`` measured, as it was shipped.

    Parameters
    ----------
    name : str
        The benchmark's.

    Returns
    -------
    dict
        What it wrote, its conditions included.

    Raises
    ------
    ValueError
        If there is no such result; the message lists those that are there.
    """
    path = _found("benchmark", name, _shipped("benchmarks/results", "benchmarks"))
    return json.loads(path.read_text())


def validate(state: dict) -> None:
    """Check that a record is complete and agrees with itself.

    Parameters
    ----------
    state : dict
        The record, as its file holds it.

    Raises
    ------
    ValueError
        With every problem that was found, one a line.
    """
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        found = state.get("schema") if isinstance(state, dict) else type(state).__name__
        raise ValueError(f"The record has schema {found!r}; this cnnlib reads schema {SCHEMA}.")
    try:
        problems = _wrong_fields(state) or [*_wrong_provenance(state), *_wrong_runs(state)]
    except Exception as error:  # values of a wrong kind can fail in any way there is
        problems = [f"- something in it is not possible, or of a wrong kind: {error!r}"]
    if problems:
        raise ValueError(f"The record {state.get('name')!r} is not valid:\n" + "\n".join(problems))


_FIELDS: dict[str, Callable[[object], bool]] = {
    "name": lambda v: isinstance(v, str) and v.isidentifier(),
    "created": lambda v: isinstance(v, str) and _is_time(v),
    "profile": lambda v: v in ("short", "full"),
    "command": lambda v: isinstance(v, str) and v.startswith(("python ", "torchrun ")),
    "git": lambda v: isinstance(v, dict) and {"commit", "dirty"} <= v.keys(),
    "versions": lambda v: isinstance(v, dict) and {"python", *PACKAGES} <= v.keys(),
    "device": lambda v: isinstance(v, dict) and {"type", "name", "threads"} <= v.keys(),
    "precision": lambda v: v in ("fp32", "bf16", "fp16"),
    "config": lambda v: isinstance(v, dict) and "epochs" in v,
    "data": lambda v: isinstance(v, dict) and {"name", "splits"} <= v.keys(),
    "architecture": lambda v: (
        isinstance(v, dict) and {"name", "parameters", "fingerprint"} <= v.keys()
    ),
    "runs": lambda v: isinstance(v, list) and len(v) > 0,
    "checkpoint": lambda v: (
        v is None or (isinstance(v, dict) and {"file", "bytes", "sha256", "seed"} <= v.keys())
    ),
}
#: Fields that a record may lack.
_MORE: dict[str, Callable[[object], bool]] = {
    "trials": lambda v: isinstance(v, list) and all(each.keys() >= _TRIED for each in v),
    "sketch": lambda v: v is None or (isinstance(v, str) and bool(v)),
}
_TRIED = {"arm", "budget", "seed", "lr", "epochs", "value"}


def _shipped(in_checkout, in_package):
    here = Path(__file__).resolve().parent
    folder = here.parent / in_checkout
    return folder if folder.is_dir() else here / in_package


def _found(kind, name, folder):
    path = folder / f"{name}.json"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise ValueError(f"There is no {kind} {name!r} in {folder}; there are: {there}.")
    return path


def _wrong_fields(state):
    known = _FIELDS | {name: is_right for name, is_right in _MORE.items() if name in state}
    extra = sorted(state.keys() - known.keys() - {"schema"})
    return [f"- unknown field {name!r}" for name in extra] + [
        f"- {name!r} is missing or malformed: {state.get(name)!r:.80}"
        for name, is_right in known.items()
        if name not in state or not is_right(state[name])
    ]


def _wrong_provenance(state):
    for split, facts in state["data"]["splits"].items():
        if facts.get("n", 0) < 1 or len(facts.get("sha256", "")) != 64:
            yield f"- split {split!r} lacks its size or its hash"
    kept = state["checkpoint"]
    if kept and len(kept["sha256"]) != 64:
        yield "- the checkpoint lacks its hash"
    if kept and kept["seed"] not in [run.get("seed") for run in state["runs"]]:
        yield f"- the checkpoint's seed {kept['seed']} is none of the runs'"


def _wrong_runs(state):
    runs = [(run.get("arm"), run.get("budget"), run.get("seed")) for run in state["runs"]]
    for arm, _, seed in sorted({each for each in runs if runs.count(each) > 1}, key=str):
        of = f" of {arm!r}" if arm else ""
        yield f"- a seed occurs twice: {seed}{of}"
    for run in state["runs"]:
        where = f"- seed {run.get('seed')}:"
        numbers = [epoch.get("epoch") for epoch in run.get("epochs", [])]
        right = list(range(1, len(numbers) + 1))  # a forged count would make a list without end
        last = _epochs_of(run, state["config"])
        if numbers != right or len(numbers) != last:
            yield f"{where} the epochs are not 1 to {last}"
        if not run.get("test"):
            yield f"{where} there is no test result"
        for name, test in run.get("test", {}).items():
            if not {"n", "correct", "loss"} <= test.keys():
                yield f"{where} {name} lacks n, correct or loss"
                continue
            right = measured(test["n"], test["correct"], test["loss"])
            if any(not _close(test.get(key), right[key]) for key in right):
                yield f"{where} {name}: accuracy or interval do not follow from n and correct"


def _epochs_of(run, config):
    arms = config.get("arms")
    own = arms.get(str(run.get("arm"))) if isinstance(arms, dict) else None
    own = own.get("epochs", config["epochs"]) if isinstance(own, dict) else config["epochs"]
    return run.get("budget", own)


def _close(a, b):
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(_close, a, b))
    return a is not None and math.isclose(a, b, abs_tol=1e-9)


def _with_rows(text):
    """Put each innermost list of numbers onto one line: a kernel, or a row of a matrix."""
    rows = r"\[\n\s+[-+.\de]+(?:,\n\s+[-+.\de]+)*\n\s+\]"
    return re.sub(rows, lambda row: "[" + " ".join(row[0][1:-1].split()) + "]", text)


def _is_time(text):
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
