"""An experiment under way: which of its runs have ended, and which are missing."""

from __future__ import annotations

import math
from functools import cached_property, partial
from pathlib import Path
from statistics import mean

from torch import nn

from cnnlib import data, provenance, records
from cnnlib.models import builder_of
from cnnlib.prediction import ModelCard, save_model
from cnnlib.training import (
    NonFiniteLossError,
    pick_device,
    pick_precision,
    processes,
    save_weights,
)

from .command import Command
from .course import Task, say
from .experiment import Experiment
from .kept import WEIGHTS, Kept, code_hash
from .quantities import Quantity
from .rates import Rates, cheapest
from .recording import recorded

COURSE = "experiments.lab.course"  # every run uses it


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
        return recorded(self)

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
        """Return the best rate found so far, and the trials that are missing to be sure.

        Raises
        ------
        ValueError
            If all have been tried, and the arm gets nowhere with any.
        """
        own, rates = self.experiment.own_config(arm, 0).lr, self.experiment.rates_of(arm)
        if rates is None:
            return own, []
        costs: dict[float, float] = {}
        while len(grid := rates.next_grid(own, costs)) > len(costs):
            trials = {
                lr: [self.task(budget, arm, seed, lr, rates) for seed in range(rates.seeds)]
                for lr in grid
            }
            if waiting := [t for tried in trials.values() for t in tried if not self.found(t)]:
                return own, waiting
            cost = self.chosen_by(arm).cost
            costs = {lr: mean(cost(self.found(t)) for t in trials[lr]) for lr in grid}
        best = cheapest(costs)
        if math.isinf(costs[best]):
            tried = ", ".join(f"{lr:.4g}" for lr in sorted(costs))
            raise ValueError(
                f"{arm} diverges or does not get there ({self.chosen_by(arm).name}) at any of the "
                f"rates {tried}: begin elsewhere, or allow its trials a larger share."
            )
        return best, []

    def chosen_by(self, arm: str) -> Quantity:
        """Return what chooses the rate of an arm."""
        return self.experiment.rates_of(arm).by or self.experiment.claim

    def found(self, task: Task) -> dict | None:
        """Return a run that has ended, with the same settings, pictures and code."""
        if task not in self.runs:
            run = self.kept.found(self.path(task), with_weights=self.keeps(task))
            if run is None:
                return None
            self.runs[task] = run
        return self.runs[task]

    def ended(self) -> dict[Task, dict]:
        """Return the runs that have ended, all arms of a seed together."""
        found = {}
        for seed in range(self.command.seeds):
            for budget, arm in self.pairs():
                lr, waiting = self.rate(budget, arm)
                task = self.task(budget, arm, seed, lr)
                if not waiting and (run := self.found(task)):
                    found[task] = run
        return found

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
            self.codes[arm] = code_hash(modules | {f"experiments.{self.experiment.name}", COURSE})
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


def conduct(experiment: Experiment, command: Command) -> records.Record:
    """Do what is still missing of an experiment, and write and return its record."""
    return Work(experiment, command).finished()
