"""An experiment under way: which of its runs have ended, which are missing, and their record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from shutil import copyfileobj
from statistics import mean

from torch import nn

from cnnlib import data, provenance, records
from cnnlib.files import write_atomically
from cnnlib.models import builder_of
from cnnlib.prediction import ModelCard, save_model
from cnnlib.training import (
    NonFiniteLossError,
    collect_logits,
    load_weights,
    pick_device,
    pick_precision,
    processes,
    save_weights,
)

from .arms import Rates, cheapest
from .command import Command
from .experiment import Experiment, Task, say
from .findings import sentences, shortcomings
from .kept import WEIGHTS, Kept, code_hash
from .measures import probe
from .quantities import VALIDATION_ACCURACY

#: Modules that every run uses.
LAB = {f"experiments.lab.{name}" for name in ("arms", "experiment", "measures")}
TRIED = ("arm", "budget", "seed", "lr", "epochs")  # of a trial, for the record
SUBSET = 500  # test pictures on which shipped weights are checked again


class Work:
    """What a command makes of an experiment.

    Parameters
    ----------
    experiment
        What is to be run; shortened, where the command is for a short run.
    command
        How much of it, and where it is to be.
    """

    def __init__(self, experiment: Experiment, command: Command):
        self.experiment = experiment.shortened() if command.profile == "short" else experiment
        self.command = command
        self.origin = command.origin()  # now: what is committed now is what runs
        self.kept = Kept(command.runs / f"{experiment.name}-{command.profile}")
        self.runs: dict[Task, dict] = {}
        self.codes: dict[str, str] = {}

    @cached_property
    def parts(self) -> dict[str, data.ImageSet]:
        """The pictures; what is downloaded or decoded, the first process does."""
        return processes.first_then_all(partial(self.experiment.load, self.command))

    def finished(self) -> records.Record:
        """Do what is missing, one task after the other, and write the record."""
        while missing := self.missing():
            self.do(missing[0])
        return self.recorded()

    # --- What is there, and what is missing ---------------------------------------------------

    def missing(self) -> list[Task]:
        """Return what is known to be missing: trials, then runs, all arms of a seed together.

        Runs whose rate is not chosen yet stand there too, at the arm's own rate, after its trials.
        """
        trials, rates = [], {}
        for budget, arm in self.pairs():
            rates[budget, arm], waiting = self.rate(budget, arm)
            trials += waiting
        runs = [
            self.task(budget, arm, seed, rates[budget, arm])
            for seed in range(self.command.seeds)
            for budget, arm in self.pairs()
        ]
        return trials + [task for task in runs if not self.found(task)]

    def ready(self) -> list[Task]:
        """Return what is missing and waits for no other task."""
        missing = self.missing()
        waiting = {(task.budget, task.arm) for task in missing if task.is_trial}
        return [t for t in missing if t.is_trial or (t.budget, t.arm) not in waiting]

    def pairs(self) -> list[tuple[int, str]]:
        """Return every budget with every arm."""
        own = {arm: self.experiment.own_config(arm, 0).epochs for arm in self.experiment.arms}
        budgets = self.experiment.budgets
        return [(b, arm) for b in budgets for arm in own] or [(b, arm) for arm, b in own.items()]

    def task(self, budget: int, arm: str, seed: int, lr: float, trial: Rates | None = None) -> Task:
        """Return a run, or one of an arm's trials."""
        epochs = trial.epochs(budget) if trial else budget
        return Task(arm, budget, seed, lr, epochs, is_trial=bool(trial))

    def rate(self, budget: int, arm: str) -> tuple[float, list[Task]]:
        """Return the best rate found so far, and the trials that are missing to be sure."""
        own, rates = self.experiment.own_config(arm, 0).lr, self.experiment.rates_of(arm)
        if rates is None:
            return own, []
        costs: dict[float, float] = {}
        while len(grid := rates.next_grid(own, costs)) > len(costs):
            trials = [
                self.task(budget, arm, seed, lr, rates)
                for lr in grid
                for seed in range(rates.seeds)
            ]
            if waiting := [trial for trial in trials if not self.found(trial)]:
                return own, waiting
            claim = rates.by or self.experiment.claim
            for lr in grid:
                tried = [self.found(trial) for trial in trials if trial.lr == lr]
                costs[lr] = mean(map(claim.cost, tried))
        return cheapest(costs), []

    def found(self, task: Task) -> dict | None:
        """Return a run that has ended, with the same settings, pictures and code."""
        if task not in self.runs:
            run = self.kept.found(self.path(task), with_weights=self.keeps(task))
            if run is None:
                return None
            self.runs[task] = run
        return self.runs[task]

    def facts(self, task: Task) -> dict:
        """Return all that decides the numbers of a task."""
        return {
            **self.experiment.settings(task),
            "pictures": {name: part.sha256 for name, part in self.parts.items()},
            "code": self.code(task.arm),
        }

    def code(self, arm: str) -> str:
        """Return the hash of the code that an arm uses, its network's included."""
        if arm not in self.codes:
            model = self.built(arm)
            modules = {type(module).__module__ for module in model.modules()}
            if hasattr(model, "origin"):
                modules.add(builder_of(model.origin["architecture"]).__module__)
            self.codes[arm] = code_hash(modules | {f"experiments.{self.experiment.name}"} | LAB)
        return self.codes[arm]

    def built(self, arm: str) -> nn.Module:
        """Return an arm's network, with random weights."""
        return self.experiment.arms[arm].build(len(self.parts["train"].classes))

    def path(self, task: Task) -> Path:
        """Return where a task is kept once it has ended."""
        return self.kept.path(str(task), self.facts(task))

    def keeps(self, task: Task) -> bool:
        """Return whether the weights of a task are kept too."""
        return not task.is_trial and (self.experiment.keep_all or task.arm == self.experiment.keep)

    # --- One after the other ------------------------------------------------------------------

    def do(self, task: Task) -> None:
        """Train and measure, and keep what came out; go on, where that was begun before."""
        path, facts = self.path(task), self.facts(task)
        say(f"{self.experiment.name}: {task}")
        try:
            model, run = self.experiment.one(task, self.parts, path.with_suffix(".pt"))
        except NonFiniteLossError as error:
            if not task.is_trial:
                raise
            run = {"arm": task.arm, "seed": task.seed, "diverged": str(error)}
        if self.keeps(task) and processes.is_first():
            self.keep_weights(path.with_suffix(WEIGHTS), model)
        self.kept.keep(path, facts, run | {"made": self.made()})

    def made(self) -> dict:
        """Return when, from which commit and on what a run was made."""
        device = pick_device(self.experiment.config.device)
        return {
            **{name: self.origin[name] for name in ("created", "git", "versions")},
            "device": provenance.describe_device(str(device)),
            "precision": pick_precision(self.experiment.config.precision, device),
        }

    def keep_weights(self, path: Path, model: nn.Module) -> None:
        """Write the weights of a run, with what somebody needs who has nothing but them."""
        if not hasattr(model, "origin"):
            save_weights(path, model, {})
            return
        images = self.parts["train"]
        mean, std = data.channel_statistics(images)
        size = tuple(images.images.shape[2:])
        name, options = model.origin["architecture"], model.origin["options"]
        card = ModelCard(name, images.classes, size, mean, std, images.name, options=options)
        save_model(path, model, card)

    # --- The record ---------------------------------------------------------------------------

    def recorded(self) -> records.Record:
        """Write the record of all runs that have ended, and say what it supports."""
        missing, ended = self.missing(), self.ended()
        return processes.from_first(partial(self._written, ended, len(missing)))

    def _written(self, ended: dict[Task, dict], missing: int) -> records.Record:
        record = self.record(ended, missing)
        print("record:", records.save(record, self.command.records))
        for sentence in sentences(record, self.experiment.claim, self.against()):
            print(sentence)
        return record

    def against(self) -> dict[str, str]:
        """Return the arm with which each arm is compared; a sole arm stands by itself."""
        arms = self.experiment.arms
        first, *others = arms
        pairs = {name: arm.against or first for name, arm in arms.items()}
        return {a: b for a, b in pairs.items() if a != b} if others else pairs

    def record(self, ended: dict[Task, dict], missing: int) -> records.Record:
        """Return the record of the runs that have ended, where some are still missing."""
        runs, kept = list(ended.values()), self.shipped(ended)
        facts = {
            "name": self.experiment.name,
            "profile": self.command.profile,
            **self.origin,
            "created": min(run["made"]["created"] for run in runs),
            **{name: runs[0]["made"][name] for name in ("versions", "device", "precision")},
            "config": self.experiment.summary(self.parts),
            "data": described(self.parts),
            "architecture": self.architecture(next(iter(kept or ended))),
            "runs": runs,
            "trials": list(self.trials()),
            "checkpoint": self.checkpoint(*next(iter(kept.items()))) if kept else None,
        }
        why = shortcomings(records.Record(**facts))
        why += [f"{len(runs)} of {len(runs) + missing} runs"] if missing else []
        return records.Record(**facts, sketch="; ".join(why) or None)

    def ended(self) -> dict[Task, dict]:
        """Return the runs that have ended, all arms of a seed together."""
        found = {}
        for seed in range(self.command.seeds):
            for budget, arm in self.pairs():
                lr, waiting = self.rate(budget, arm)
                task = self.task(budget, arm, seed, lr)
                if not waiting and (run := self.found(task)):
                    found[task] = run
        if not found:
            raise ValueError(f"No run of {self.experiment.name} has ended: there is no record yet.")
        return found

    def trials(self) -> Iterator[dict]:
        """Yield what was tried, and what it gave; nothing where it came to no end."""
        for task, run in self.runs.items():
            if task.is_trial:
                rates = self.experiment.rates_of(task.arm)
                claim = rates.by or self.experiment.claim
                value = math.inf if "diverged" in run else claim.of(run)
                yield {
                    **{name: getattr(task, name) for name in TRIED},
                    "value": value if math.isfinite(value) else None,
                    "seconds": run.get("seconds"),
                }

    def architecture(self, task: Task) -> dict:
        """Return what a record says of a network: by its own name, where there is but one."""
        run, model = self.runs[task], self.built(task.arm)
        is_one = self.experiment.keep or len(self.experiment.arms) == 1
        name = model.origin["architecture"] if is_one and hasattr(model, "origin") else None
        return {
            "name": name or self.experiment.name,
            "num_classes": len(self.parts["train"].classes),
            "parameters": run["parameters"],
            "fingerprint": run["fingerprint"],
        }

    def shipped(self, ended: dict[Task, dict]) -> dict[Task, dict]:
        """Return the run whose weights ship, by its task, if there is one."""
        last = max(task.budget for task in ended)
        chosen = [task for task in ended if (task.arm, task.budget) == (self.experiment.keep, last)]
        best = sorted(chosen, key=lambda task: VALIDATION_ACCURACY.cost(ended[task]))[:1]
        return {task: ended[task] for task in best}

    def checkpoint(self, task: Task, run: dict) -> dict:
        """Put a run's weights beside the record; return what they must answer again, anywhere."""
        source = self.path(task).with_suffix(WEIGHTS)
        target = self.command.records / f"{self.experiment.name}{WEIGHTS}"
        with open(source, "rb") as weights:
            write_atomically(target, partial(copyfileobj, weights))
        model = self.built(task.arm)
        load_weights(target, model)
        return {
            "file": target.name,
            "bytes": target.stat().st_size,
            "sha256": provenance.file_sha256(target),
            "arm": task.arm,
            "seed": task.seed,
            "probe": probe(model),
            "subset": self.checked(model),
        }

    def checked(self, model: nn.Module) -> dict:
        """Return how many of the first test pictures a network names right, on the CPU."""
        subset = self.parts["test"].subset(slice(SUBSET))
        mean, std = data.channel_statistics(self.parts["train"])
        batches = data.DeviceBatches(subset, SUBSET, shuffle=False, mean=mean, std=std)
        logits, labels = collect_logits(model, batches, device="cpu", precision="fp32")
        correct = int((logits.argmax(1) == labels).sum())
        return {"n": len(labels), "correct": correct, "sha256": subset.sha256}


def described(parts: dict) -> dict:
    """Return a record's entry on the data: each split with its size and hash."""
    splits = {
        name: {"name": part.name, "n": len(part), "sha256": part.sha256}
        for name, part in parts.items()
    }
    return {"name": parts["train"].name, "splits": splits}
