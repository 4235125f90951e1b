"""Several networks under the same conditions, some seeds each, tested once, in one record.

A run that has ended is kept under ``runs/``, so that a comparison which is stopped goes on where
it was, at the latest from its last epoch.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from cnnlib import data, provenance, records
from cnnlib.files import write_atomically
from cnnlib.training import (
    TrainConfig,
    collect_logits,
    fingerprint,
    pick_device,
    pick_precision,
    processes,
    remove_checkpoint,
    train,
)

from .common import RUNS, VALIDATION, describe, original_test, score

#: The augmentation of most comparisons: crops moved by up to four pixels, and mirrored.
MOVED = {"crop": 4, "padding_mode": "reflect", "flip": True}
PREPARED_ON = 5000  # training pictures
FEW = {"validation": 200, "test": 500}  # pictures are enough to see a short run work
TESTS = "test", "original pixels"  # of the parts of the data, those to test on


@dataclass(frozen=True)
class Variant:
    """One network of a comparison, and what is its own in how it learns.

    Parameters
    ----------
    build
        Returns the network with random weights, given the number of classes.
    augmentation
        Options of :class:`cnnlib.data.DeviceBatches`.
    changes
        Fields of :class:`cnnlib.training.TrainConfig` that differ from the comparison's.
    batch_size
        Pictures a step, where they differ from the comparison's.
    prepare
        ``prepare(model, images)`` readies the network for pictures such as these, before it learns.
    measure
        Measures in place of the comparison's `measure`.
    """

    build: Callable[[int], nn.Module]
    augmentation: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)
    batch_size: int | None = None
    prepare: Callable[[nn.Module, torch.Tensor], None] | None = None
    measure: Callable | None = None

    def settings(self) -> dict:
        """Return what a record says of it."""
        own = {"batch_size": self.batch_size} if self.batch_size else {}
        own |= {"prepared_by": self.prepare.__name__} if self.prepare else {}
        return {"augmentation": self.augmentation, **self.changes, **own}


def alike(build: Callable, names) -> dict[str, Variant]:
    """Return variants that differ in their network alone, ``build(name, num_classes)``."""
    return {name: Variant(partial(build, name), MOVED) for name in names}


@dataclass(frozen=True)
class Comparison:
    """Some variants on CIFAR-10, each trained from random weights with several seeds.

    Parameters
    ----------
    name
        The record's name, and that of the experiment.
    variants
        By the names that the record gives them.
    config
        How all of them train; the seed is replaced by each seed in turn.
    batch_size
        Pictures a step.
    train
        Training pictures to use at most; None for all that are not held out.
    held_out
        Hold training pictures out, to choose by. False once there is nothing left to choose.
    measure
        ``measure(model, loader, parts)`` returns more facts for a run's entry in the record, or its
        own ``test``;
        ``loader(images)`` gives normalised batches, and `parts` are the splits by name.
    """

    name: str
    variants: dict[str, Variant]
    config: TrainConfig
    batch_size: int = 128
    train: int | None = None
    held_out: bool = True
    measure: Callable | None = None

    def shortened(self) -> Comparison:
        """Return the same comparison, one epoch on 500 pictures: enough to see it work."""
        return replace(self, config=replace(self.config, epochs=1), train=500)

    def run(self, profile: str, seeds, original_pixels: Path | None = None) -> records.Record:
        """Train every variant with every seed, measure each once, and write the record."""
        if processes.count() > 1:
            raise ValueError(f"{self.name} compares short runs: begin it in one process.")
        plan = self.shortened() if profile == "short" else self
        origin = provenance.describe_run()  # before the work: what is committed now is what runs
        parts = plan.load(profile, original_pixels)
        runs = [
            plan.kept(profile, variant, seed, parts, origin["git"])
            for seed in seeds
            for variant in plan.variants
        ]
        record = plan.record(profile, origin, parts, runs)
        print("record:", records.save(record, RUNS if profile == "short" else None))
        return record

    def load(self, profile: str, original_pixels: Path | None = None) -> dict:
        """Return the pictures to learn from, to choose by, and to test on."""
        train_set, test_set = data.cifar10(fallback=profile == "short")
        parts = {"train": train_set}
        if self.held_out:
            held_out = min(VALIDATION, len(train_set) // 10)
            train_set, validation = data.split(train_set, validation=held_out, seed=0)
            parts = {"train": train_set, "validation": validation}
        parts["test"] = test_set
        most = {"train": self.train} | (FEW if profile == "short" else {})
        parts = {name: part.subset(slice(most.get(name))) for name, part in parts.items()}
        if original_pixels:
            parts["original pixels"] = original_test(original_pixels, test_set)
        return parts

    def kept(self, profile: str, variant: str, seed: int, parts: dict, git: dict) -> dict:
        """Return a run that ended before, from the same commit and settings, or run it now."""
        path = self.folder(profile) / f"{slug(variant)}-{seed}.json"
        facts = {
            "config": asdict(self.own_config(variant, seed)),
            "batch_size": self.batch_size,
            "variant": self.variants[variant].settings(),
            "parts": {name: part.sha256 for name, part in parts.items()},
        }
        # Its name tells the commit and the settings: a run goes on with the same ones only.
        begun = hashlib.sha256(json.dumps([facts, git], default=str).encode()).hexdigest()[:8]
        checkpoint = path.with_suffix(f".{begun}.pt")
        run = remembered(path, facts, git, partial(self.one, variant, seed, parts, checkpoint))
        for ended in path.parent.glob(f"{path.stem}.*.pt"):
            remove_checkpoint(ended)
        return run

    def own_config(self, variant: str, seed: int) -> TrainConfig:
        """Return how one variant trains with one seed."""
        return replace(self.config, seed=seed, **self.variants[variant].changes)

    def one(self, variant: str, seed: int, parts: dict, checkpoint: Path) -> dict:
        """Train one variant with one seed, and measure it at the end."""
        model, epochs = self.trained(variant, self.own_config(variant, seed), parts, checkpoint)
        loader = self.loader(parts)
        results = tested(model, loader, parts)
        measure = self.variants[variant].measure or self.measure
        more = measure(model, loader, parts) if measure else {}
        return {
            "variant": variant,
            "seed": seed,
            "seconds": sum(epoch["seconds"] for epoch in epochs),
            "epochs": epochs,
            "test": results,
            "parameters": sum(p.numel() for p in model.parameters()),
            "fingerprint": fingerprint(model),
            **more,
        }

    def trained(
        self, variant: str, config: TrainConfig, parts: dict, checkpoint: Path | None = None
    ) -> tuple[nn.Module, list[dict]]:
        """Train one variant, and return it with the record of each epoch.

        The seconds of the first epoch are those of the preparation too.
        """
        torch.manual_seed(config.seed)
        own, loader = self.variants[variant], self.loader(parts)
        model = own.build(len(parts["train"].classes))
        started = time.perf_counter()
        if own.prepare:
            images, _ = next(iter(loader(parts["train"], PREPARED_ON)))
            own.prepare(model, images)
        prepared = time.perf_counter() - started
        options = {"seed": config.seed, "shuffle": True, "drop_last": True} | own.augmentation
        batch_size = min(own.batch_size or self.batch_size, len(parts["train"]))
        batches = loader(parts["train"], batch_size, **options)
        epochs = []
        held_out = loader(parts["validation"]) if "validation" in parts else None
        for epoch in train(model, batches, held_out, config, checkpoint=checkpoint):
            speed = f"{epoch.images_per_second:.0f} images/s"
            print(f"{variant}, seed {config.seed}  {epoch}  {speed}", flush=True)
            epochs.append(asdict(epoch))
        epochs[0]["seconds"] += prepared
        return model, epochs

    def loader(self, parts: dict) -> Callable:
        """Return what makes batches of pictures, normalised as those to learn from."""
        mean, std = data.channel_statistics(parts["train"])
        device = pick_device(self.config.device)

        def load(images, batch_size=500, **options):
            options = {"shuffle": False, "mean": mean, "std": std, "device": device} | options
            return data.DeviceBatches(images, batch_size, **options)

        return load

    def record(self, profile: str, origin: dict, parts: dict, runs: list) -> records.Record:
        """Return the record of all runs."""
        device = pick_device(self.config.device)
        settings = {name: variant.settings() for name, variant in self.variants.items()}
        return records.Record(
            name=self.name,
            profile=profile,
            **origin,
            device=provenance.describe_device(str(device)),
            precision=pick_precision(self.config.precision, device),
            config={**asdict(self.config), "batch_size": self.batch_size, "variants": settings},
            data=describe(parts),
            architecture={
                "name": self.name,
                "num_classes": len(parts["train"].classes),
                "parameters": runs[0]["parameters"],
                "fingerprint": runs[0]["fingerprint"],
            },
            runs=runs,
        )

    def folder(self, profile: str) -> Path:
        """Return where runs under way and ended ones are kept."""
        folder = RUNS / f"{self.name}-{profile}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def tested(model: nn.Module, loader: Callable, parts: dict) -> dict[str, dict]:
    """Return how the model does, in fp32, on each of the parts to test on."""
    return {
        name: score(*collect_logits(model, loader(parts[name]), precision="fp32"))
        for name in TESTS
        if name in parts
    }


def remembered(path: Path, facts: dict, git: dict, work: Callable) -> dict:
    """Return what `work` returned before, from the same commit and facts, or do it now."""
    # As JSON gives them back: the keys of a dictionary become text.
    facts = json.loads(json.dumps(facts | {"commit": git["commit"]}))
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("facts") == facts and not git["dirty"]:
        print(f"from {path}", flush=True)
        return found["run"]
    run = work()
    text = json.dumps({"facts": facts, "run": run})
    write_atomically(path, lambda file: file.write(text.encode()))
    return run


def slug(variant: str) -> str:
    """Return a variant's name as the name of a file: ``"max, blur"`` is ``"max-blur"``."""
    return "-".join("".join(c if c.isalnum() else " " for c in variant).split())
