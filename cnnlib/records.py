"""The record of a run: what was done, with what, on what, and what came out.

A record is a JSON file in ``results/``, written by ``python -m experiments`` and read by the book,
so that every number on a page leads back to the code, the data and the machine that made it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from cnnlib.files import write_atomically

SCHEMA = 1
PACKAGES = ("torch", "torchvision", "numpy", "cnnlib")


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
        compares several networks, one a ``variant`` and seed.
    checkpoint
        ``file``, ``bytes``, ``sha256`` and ``seed`` of the weights that were kept, and ``probe``:
        what they answer to a fixed input; or None.
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


def wilson_interval(correct: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval that holds the true accuracy with 95 % confidence (``z = 1.96``).

    Parameters
    ----------
    correct : int
        How many answers are right.
    n : int
        How many there are.
    z : float
        The normal distribution's quantile: 1.96 for 95 %, 2.58 for 99 %.

    Returns
    -------
    low, high : float
        In [0, 1].

    Raises
    ------
    ValueError
        If ``correct`` is not in 0..n, or n is 0.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n} is not possible; n must be 1 or more.")
    p, zz = correct / n, z * z / n
    center = (p + zz / 2) / (1 + zz)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    # The clip removes a rounding error of 1e-17 where none or all are correct.
    return max(0.0, center - half), min(1.0, center + half)


def student_interval(values) -> tuple:
    """Return the mean over seeds, and half of its 95 % interval after Student.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        One value a seed, or an array of them.

    Returns
    -------
    mean, half
        As floats, or as arrays of the remaining shape: the mean lies within ``mean ± half``.

    Raises
    ------
    ValueError
        If there are fewer than two seeds: one says nothing of how far the others lie.

    References
    ----------
    Student, "The Probable Error of a Mean", Biometrika, 1908.
    """
    import numpy as np
    from scipy.stats import t

    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        raise ValueError(f"An interval needs at least 2 seeds, and there is {n}.")
    half = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / math.sqrt(n)
    return values.mean(axis=0), half


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
        As in :func:`wilson_interval`.
    """
    interval = wilson_interval(correct, n)  # which refuses what is not possible
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "interval": list(interval),
        "loss": loss,
    }


def provenance() -> dict:
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
            **{name: metadata.version(name) for name in PACKAGES},
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
    text = json.dumps(asdict(record), indent=1, allow_nan=False) + "\n"
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
    extra = sorted(state.keys() - _FIELDS.keys() - {"schema"})
    return [f"- unknown field {name!r}" for name in extra] + [
        f"- {name!r} is missing or malformed: {state.get(name)!r:.80}"
        for name, is_right in _FIELDS.items()
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
    runs = [(run.get("variant"), run.get("seed")) for run in state["runs"]]
    for variant, seed in sorted({each for each in runs if runs.count(each) > 1}, key=str):
        of = f" of {variant!r}" if variant else ""
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
    variants = config.get("variants")
    own = variants.get(str(run.get("variant"))) if isinstance(variants, dict) else None
    return own.get("epochs", config["epochs"]) if isinstance(own, dict) else config["epochs"]


def _close(a, b):
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(_close, a, b))
    return a is not None and math.isclose(a, b, abs_tol=1e-9)


def _is_time(text):
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


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
