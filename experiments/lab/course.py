"""A course: the pictures that every arm of an experiment learns from, and how one of them does.

All that decides the numbers of a run stands here, in the arms and in the experiment's own file.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from cnnlib import data
from cnnlib.training import TrainConfig, fingerprint, pick_device, processes, train

from .arms import Arm, at_rate, described
from .command import Command
from .kept import Notes
from .measures import TESTS, Load, Measure, score_on

VALIDATION = 5000  # of the 50,000 training pictures, as in He et al. 2016, section 4.2
PREPARED_ON = 5000  # training pictures


@dataclass(frozen=True)
class Task:
    """One training: of an arm, with a seed, at a rate, for some epochs of a budget."""

    arm: str
    budget: int
    seed: int
    lr: float
    epochs: int
    is_trial: bool = False

    def __str__(self):
        kind = f", trial at {self.lr:.4g}" if self.is_trial else ""
        return f"{self.arm}{kind}, epochs {self.epochs}, seed {self.seed}"


@dataclass(frozen=True)
class Course:
    """What the arms of an experiment learn from, and what is measured of them.

    Runs of one seed meet the same pictures in the same order, and begin with the same weights where
    the arms' networks are the same.

    Parameters
    ----------
    name
        The record's name, and that of the experiment.
    arms
        By the names that the record gives them.
    config
        How all of them train; the seed is replaced by each seed in turn.
    batch_size
        Pictures a step.
    train, validation, test
        Pictures to use at most; None for all.
    held_out
        Hold training pictures out, to choose by. False once there is nothing left to choose.
    test_on
        The parts of the data to test on; the test pictures are not even read where they are none.
    without
        Classes that the networks are not to see, neither in training nor in a test.
    measure
        ``measure(model, load, parts)`` returns more facts for a run's entry in the record, or its
        own ``test``; ``load(images)`` gives normalised batches, `parts` are the splits by name.
    each_epoch
        The same after each epoch, for the epoch's entry: small facts that JSON can hold.
    controls
        The same, each under its own name in the run's ``controls``: what would show a mistake of
        ours that gives the same picture.
    """

    name: str
    arms: dict[str, Arm]
    config: TrainConfig
    batch_size: int = 128
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    held_out: bool = True
    test_on: tuple[str, ...] = TESTS
    without: tuple[str, ...] = ()
    measure: Measure | None = None
    each_epoch: Measure | None = None
    controls: tuple[Measure, ...] = ()

    def load(self, command: Command) -> dict[str, data.ImageSet]:
        """Return the pictures to learn from, to choose by, and to test on."""
        sets = data.cifar10(fallback=command.profile == "short")
        train_set, test_set = map(self._seen, sets)
        parts = {"train": train_set}
        if self.held_out:
            held_out = min(VALIDATION, len(train_set) // 10)
            train_set, validation = data.split(train_set, validation=held_out, seed=0)
            parts = {"train": train_set, "validation": validation}
        if "test" in self.test_on:
            parts["test"] = test_set
        most = {"train": self.train, "validation": self.validation, "test": self.test}
        parts = {name: part.subset(slice(most[name])) for name, part in parts.items()}
        if command.original_pixels and "original pixels" in self.test_on:
            parts["original pixels"] = original_test(command.original_pixels, test_set)
        return parts

    def _seen(self, images: data.ImageSet) -> data.ImageSet:
        """Leave out the classes that the networks are not to see."""
        if not self.without:
            return images
        if unknown := set(self.without) - set(images.classes):
            named = ", ".join(sorted(unknown))
            raise ValueError(f"{images.name} has no class {named}: {', '.join(images.classes)}.")
        return images.only(*(name for name in images.classes if name not in self.without))

    def loader(self, parts: dict) -> Load:
        """Return what makes batches of pictures, normalised as those to learn from."""
        mean, std = data.channel_statistics(parts["train"])
        device = pick_device(self.config.device)

        # Small where nothing is learned: to measure is to need no more memory than to train.
        def load(images, batch_size=250, **options):
            options = {"shuffle": False, "mean": mean, "std": std, "device": device} | options
            return data.DeviceBatches(images, batch_size, **options)

        return load

    def own_config(self, arm: str, seed: int) -> TrainConfig:
        """Return how one arm trains with one seed, at its own rate."""
        return replace(self.config, seed=seed, **self.arms[arm].changes)

    def config_of(self, task: Task) -> TrainConfig:
        """Return how a task trains."""
        return replace(at_rate(self.own_config(task.arm, task.seed), task.lr), epochs=task.epochs)

    def one(self, task: Task, parts: dict, checkpoint: Path) -> tuple[nn.Module, dict]:
        """Train one arm once, and measure it; of a trial, only what it learned is kept."""
        config = self.config_of(task)
        model, epochs = self.trained(task.arm, config, parts, checkpoint)
        run = {
            "arm": task.arm,
            "budget": task.budget,
            "seed": task.seed,
            "lr": task.lr,
            "seconds": sum(epoch["seconds"] for epoch in epochs),
            "epochs": epochs,
        }
        if task.is_trial:
            return model, run
        load = self.loader(parts)
        run |= {
            "test": score_on(model, load, parts, self.test_on),
            "parameters": sum(p.numel() for p in model.parameters()),
            "fingerprint": fingerprint(model),
        }
        if measure := self.arms[task.arm].measure or self.measure:
            run |= measure(model, load, parts)
        if self.controls:
            run["controls"] = {described(each): each(model, load, parts) for each in self.controls}
        return model, run

    def trained(
        self, arm: str, config: TrainConfig, parts: dict, checkpoint: Path | None = None
    ) -> tuple[nn.Module, list[dict]]:
        """Train one arm, and return it with the record of each epoch.

        The seconds of the first epoch are those of the preparation too.
        """
        torch.manual_seed(config.seed)
        own, load = self.arms[arm], self.loader(parts)
        model = own.build(len(parts["train"].classes))
        prepared = _prepared(own, model, load, parts)
        options = {"seed": config.seed, "shuffle": True, "drop_last": True} | own.augmentation
        batch_size = min(own.batch_size or self.batch_size, len(parts["train"]))
        batches = load(parts["train"], batch_size, **options)
        held_out = load(parts["validation"]) if "validation" in parts else None
        notes = Notes(checkpoint) if self.each_epoch else None
        epochs = []
        for epoch in train(model, batches, held_out, config, checkpoint=checkpoint):
            say(f"{arm}, seed {config.seed}  {epoch}  {epoch.images_per_second:.0f} images/s")
            epochs.append(asdict(epoch))
            if notes:
                measure = partial(self.each_epoch, model, load, parts)
                epochs[-1] |= notes.taken(epoch.epoch, measure)
        epochs[0]["seconds"] += prepared
        return model, epochs


def _prepared(arm: Arm, model: nn.Module, load: Load, parts: dict) -> float:
    """Ready a network for its pictures, where its arm says how, and return the seconds it took."""
    started = time.perf_counter()
    if arm.prepare:
        images, _ = next(iter(load(parts["train"], PREPARED_ON)))
        arm.prepare(model, images)
    return time.perf_counter() - started


def original_test(path: Path, like: data.ImageSet) -> data.ImageSet:
    """Return the test pictures of an archive or folder, of the classes of `like` alone."""
    images = data.image_folder(path)[1]
    if not set(like.classes) <= set(images.classes):
        raise ValueError(f"{path} has other classes than {like.name}.")
    return images.only(*like.classes)


def say(text: str) -> None:
    """Print a line at once: of several processes the first alone."""
    if processes.is_first():
        print(text, flush=True)
