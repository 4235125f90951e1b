"""The record of an experiment: what its runs gave, and the weights that ship with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING

from torch import nn

from cnnlib import data, provenance, records
from cnnlib.files import write_atomically
from cnnlib.training import collect_logits, load_weights, processes

from .course import Task
from .findings import sentences, shortcomings
from .kept import WEIGHTS
from .measures import probe
from .quantities import VALIDATION_ACCURACY

if TYPE_CHECKING:
    from .work import Work

SUBSET = 500  # test pictures on which shipped weights are checked again
TRIED = ("arm", "budget", "seed", "lr", "epochs")  # of a trial


def recorded(work: Work) -> records.Record:
    """Write the record of all runs that have ended, and say what it supports.

    Raises
    ------
    ValueError
        If no run has ended, or the record that is there says more than this one would.
    """
    missing, ended = work.missing(), work.ended()
    if not ended:
        raise ValueError(f"No run of {work.experiment.name} has ended: there is no record yet.")
    return processes.from_first(partial(_written, work, ended, len(missing)))


def _written(work: Work, ended: dict[Task, dict], missing: int) -> records.Record:
    record = record_of(work, ended, missing)
    require_better(record, work.command.records)
    print("record:", records.save(record, work.command.records))
    for sentence in sentences(record, work.experiment.claim, _against(work.experiment.arms)):
        print(sentence)
    return record


def require_better(record: records.Record, folder: Path) -> None:
    """Raise `ValueError` where a record would take the place of one that says more."""
    if not (folder / f"{record.name}.json").exists():
        return
    there = records.load(record.name, folder)
    is_whole = there.profile == "full" and not there.sketch
    why = "short" if record.profile == "short" else record.sketch
    if is_whole and why:
        seeds = len({run["seed"] for run in there.runs})
        raise ValueError(
            f"{folder} holds a full record of {record.name} with {seeds} seeds, and this one is "
            f"{why}: ask for as many by --seeds, or write elsewhere by --to."
        )


def _against(arms: dict) -> dict[str, str]:
    """Return the arm with which each arm is compared; a sole arm stands by itself."""
    first, *others = arms
    pairs = {name: arm.against or first for name, arm in arms.items()}
    return {a: b for a, b in pairs.items() if a != b} if others else pairs


def record_of(work: Work, ended: dict[Task, dict], missing: int) -> records.Record:
    """Return the record of the runs that have ended, where some are still missing."""
    runs, shipped = list(ended.values()), _shipped(work.experiment.keep, ended)
    facts = {
        "name": work.experiment.name,
        "profile": work.command.profile,
        **work.origin,
        "created": min(run["made"]["created"] for run in runs),
        **{name: runs[0]["made"][name] for name in ("versions", "device", "precision")},
        "config": work.experiment.summary(work.parts),
        "data": _described(work.parts),
        "architecture": _architecture(work, shipped or next(iter(ended))),
        "runs": runs,
        "trials": list(_trials(work)),
        "checkpoint": _checkpoint(work, shipped) if shipped else None,
    }
    why = [work.experiment.sketch] if work.experiment.sketch else []
    why += shortcomings(records.Record(**facts))
    why += [f"{len(runs)} of {len(runs) + missing} runs"] if missing else []
    return records.Record(**facts, sketch="; ".join(why) or None)


def _described(parts: dict) -> dict:
    """Return the entry on the data: each split with its size and hash."""
    splits = {
        name: {"name": part.name, "n": len(part), "sha256": part.sha256}
        for name, part in parts.items()
    }
    return {"name": parts["train"].name, "splits": splits}


def _architecture(work: Work, task: Task) -> dict:
    """Return the entry on a network: by its own name, where there is but one."""
    run, model = work.runs[task], work.built(task.arm)
    is_one = work.experiment.keep or len(work.experiment.arms) == 1
    name = model.origin["architecture"] if is_one and hasattr(model, "origin") else None
    return {
        "name": name or work.experiment.name,
        "num_classes": len(work.parts["train"].classes),
        "parameters": run["parameters"],
        "fingerprint": run["fingerprint"],
    }


def _trials(work: Work) -> Iterator[dict]:
    """Yield what was tried, and what it gave; None where it came to no end."""
    for task, run in work.runs.items():
        if task.is_trial:
            value = math.inf if "diverged" in run else work.chosen_by(task.arm).of(run)
            yield {
                **{name: getattr(task, name) for name in TRIED},
                "value": value if math.isfinite(value) else None,
                "seconds": run.get("seconds"),
            }


def _shipped(arm: str, ended: dict[Task, dict]) -> Task | None:
    """Return the run of an arm whose weights ship: the best of its seeds, at the last budget."""
    last = max(task.budget for task in ended)
    runs = [task for task in ended if (task.arm, task.budget) == (arm, last)]
    return min(runs, key=lambda task: VALIDATION_ACCURACY.cost(ended[task]), default=None)


def _checkpoint(work: Work, task: Task) -> dict:
    """Put a run's weights beside the record; return what they must answer again, anywhere."""
    source = work.path(task).with_suffix(WEIGHTS)
    target = work.command.records / f"{work.experiment.name}{WEIGHTS}"
    with open(source, "rb") as weights:
        write_atomically(target, partial(copyfileobj, weights))
    model = work.built(task.arm)
    load_weights(target, model)
    return {
        "file": target.name,
        "bytes": target.stat().st_size,
        "sha256": provenance.file_sha256(target),
        "arm": task.arm,
        "seed": task.seed,
        "probe": probe(model),
        "subset": _checked(model, work.parts),
    }


def _checked(model: nn.Module, parts: dict) -> dict:
    """Return how many of the first test pictures a network names right, on the CPU."""
    subset = parts["test"].subset(slice(SUBSET))
    mean, std = data.channel_statistics(parts["train"])
    batches = data.DeviceBatches(subset, SUBSET, shuffle=False, mean=mean, std=std)
    logits, labels = collect_logits(model, batches, device="cpu", precision="fp32")
    correct = int((logits.argmax(1) == labels).sum())
    return {"n": len(labels), "correct": correct, "sha256": subset.sha256}
