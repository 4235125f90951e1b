"""What is missing of all experiments, how long it takes, and the running of as much as fits."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from importlib import import_module

from cnnlib import provenance, records
from cnnlib.files import write_atomically
from cnnlib.training import NonFiniteLossError, load_checkpoint, pick_device

from .. import WANTED
from .command import Command
from .course import Task
from .kept import read_kept
from .recording import recorded
from .work import Work

STEPS = 4  # are timed, after as many that are not
BESIDE = 1.3  # times the training: what is measured after each epoch and at the end


def plan(options: dict, minutes: float | None = None) -> None:
    """List what is missing, the most wanted first; with `minutes`, run what fits into them.

    Parameters
    ----------
    options
        Of :class:`Command`, but for the number of seeds, which `WANTED` says.
    minutes
        How long. Only whole runs are begun, and trials; each experiment whose last run has ended
        writes its record.
    """
    for work in wanted(options):
        with passing_over(work.experiment.name):
            print(line(work), flush=True)
    if minutes is not None:
        run(wanted(options), 60 * minutes)


def wanted(options: dict) -> Iterator[Work]:
    """Yield the experiments whose record is not there, or is a sketch, the most wanted first.

    One at a time: each has its own pictures.
    """
    for name, seeds in WANTED.items():
        with passing_over(name):
            command = Command(seeds=seeds, **options)
            if not is_recorded(name, command):
                yield Work(import_module(f"experiments.{name}").EXPERIMENT, command)


@contextmanager
def passing_over(name: str) -> Iterator[None]:
    """Go on with the next experiment where one cannot: it diverges, is damaged or runs already."""
    try:
        yield
    except (NonFiniteLossError, OSError, ValueError) as error:
        print(f"{name} is passed over: {error}", flush=True)


def is_recorded(name: str, command: Command) -> bool:
    """Return whether a record has all seeds, and is no sketch."""
    if not (command.records / f"{name}.json").exists():
        return False
    record = records.load(name, command.records)
    seeds = {run["seed"] for run in record.runs}
    is_full = record.profile == command.profile and seeds >= set(range(command.seeds))
    return is_full and not record.sketch


def line(work: Work) -> str:
    """Return what is missing of an experiment, and for how long it would run."""
    missing = work.missing()
    trials = sum(task.is_trial for task in missing)
    took = sum(seconds(work, task) for task in missing)
    what = f"{len(missing) - trials:3d} runs, {trials:3d} trials"
    return f"{work.experiment.name:24s}{what}, about {took / 60:6.1f} minutes"


def run(works: Iterable[Work], allowed: float) -> None:
    """Do what is missing, in order, as long as it fits into so many seconds."""
    ends = time.monotonic() + allowed
    for work in works:
        with passing_over(work.experiment.name):
            while task := _first_that_fits(work, ends - time.monotonic()):
                work.do(task)
            if not work.missing():
                recorded(work)


def _first_that_fits(work: Work, left: float) -> Task | None:
    return next((task for task in work.ready() if seconds(work, task) <= left), None)


def seconds(work: Work, task: Task) -> float:
    """Return about how long a task will take, from where it stands."""
    checkpoint, done = work.path(task).with_suffix(".pt"), 0
    if checkpoint.exists():
        done = len(load_checkpoint(checkpoint)["history"])
    return BESIDE * (task.epochs - done) * epoch_seconds(work, task.arm)


def epoch_seconds(work: Work, arm: str) -> float:
    """Return how long an epoch of an arm takes here: as its runs took, or some of its steps."""
    ended = [run for task, run in work.runs.items() if task.arm == arm and run.get("epochs")]
    if ended:
        return sum(run["seconds"] for run in ended) / sum(len(run["epochs"]) for run in ended)
    device = provenance.describe_device(str(pick_device(work.experiment.config.device)))
    path = work.command.runs / "epoch_seconds.json"
    known = (read_kept(path) if path.exists() else None) or {}
    key = f"{work.kept.folder.name}, {arm}: {device['name']}, {device['threads']} threads"
    if key not in known:
        known[key] = _timed(work, arm)
        write_atomically(path, lambda file: file.write(json.dumps(known, indent=1).encode()))
    return known[key]


def _timed(work: Work, arm: str) -> float:
    """Train some steps, twice, and return how long an epoch is if all steps are as the last."""
    experiment = replace(work.experiment, each_epoch=None)
    steps = STEPS * (experiment.arms[arm].batch_size or experiment.batch_size)
    few = {name: part.subset(slice(steps)) for name, part in work.parts.items()}
    config = replace(experiment.own_config(arm, 0), epochs=2)
    with redirect_stdout(io.StringIO()):
        _, (_, timed) = experiment.trained(arm, config, few)
    return timed["seconds"] * len(work.parts["train"]) / len(few["train"])
