"""What the experiments share: train a classifier for several seeds, test it once, record it all."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from cnnlib import data, provenance, records
from cnnlib.models import create_model
from cnnlib.prediction import ModelCard, save_model
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

RUNS = Path("runs")  # checkpoints of runs under way, and the records of short ones
VALIDATION = 5000  # of the 50,000 training pictures, as in He et al. 2016, section 4.2
SUBSET = 500  # test pictures on which a shipped checkpoint is checked again


@dataclass(frozen=True)
class Classification:
    """One classifier on CIFAR-10, trained from random weights.

    Parameters
    ----------
    name
        The record's name.
    model
        A name that :func:`cnnlib.models.create_model` knows.
    config
        How to train; its seed is replaced by each seed in turn.
    batch_size
        Pictures a step.
    augmentation
        Options of :class:`cnnlib.data.DeviceBatches`.
    train, validation
        Pictures to use at most; None for all.
    without
        Classes that the network is not to see, neither in training nor in a test.
    """

    name: str
    model: str
    config: TrainConfig
    batch_size: int
    augmentation: dict
    train: int | None = None
    validation: int | None = None
    without: tuple[str, ...] = ()

    def shortened(self, epochs: int, train: int, validation: int) -> Classification:
        """Return the same experiment with fewer epochs on fewer pictures."""
        config = replace(self.config, epochs=epochs)
        return replace(self, config=config, train=train, validation=validation)

    def run(self, profile: str, seeds, original_pixels: Path | None) -> records.Record:
        """Train and measure with every seed; write the weights and the record."""
        splits, tests = processes.first_then_all(partial(self._load, profile, original_pixels))
        origin = provenance.describe_run()  # before the work: what is committed now is what runs
        runs, models = [], []
        for seed in seeds:
            model, run = self._one(profile, seed, splits, tests)
            models.append(model)
            runs.append(run)
        work = partial(self._written, profile, origin, splits, tests, models, runs)
        return processes.from_first(work)

    def _written(self, profile, origin, splits, tests, models, runs) -> records.Record:
        """Write the best model's weights and the record of all."""
        folder = RUNS if profile == "short" else records.results_folder()
        best = max(range(len(runs)), key=lambda i: runs[i]["epochs"][-1]["validation_accuracy"])
        mean, std = data.channel_statistics(splits["train"])
        weights = folder / f"{self.name}.safetensors"
        save_model(weights, models[best], self._card(splits["train"], mean, std))
        device = pick_device(self.config.device)
        record = records.Record(
            name=self.name,
            profile=profile,
            **origin,
            device=provenance.describe_device(str(device)),
            precision=pick_precision(self.config.precision, device),
            config={
                **asdict(self.config),
                "batch_size": self.batch_size,
                "augmentation": self.augmentation,
                "without": list(self.without),
                "mean": list(mean),
                "std": list(std),
                "processes": processes.count(),
            },
            data=describe({**splits, **tests}),
            architecture={
                "name": self.model,
                "num_classes": len(splits["train"].classes),
                "parameters": sum(p.numel() for p in models[best].parameters()),
                "fingerprint": fingerprint(models[best]),
            },
            runs=runs,
            checkpoint={
                "file": weights.name,
                "bytes": weights.stat().st_size,
                "sha256": provenance.file_sha256(weights),
                "seed": runs[best]["seed"],
                **self._checks(models[best], tests["test"], mean, std),
            },
        )
        print("record:", records.save(record, folder))
        for run in runs:
            remove_checkpoint(self._checkpoint(profile, run["seed"]))
        return record

    def _load(self, profile, original_pixels):
        """Return the splits to learn from and the sets to test on, each touched once."""
        train_set, test_set = map(self._seen, data.cifar10(fallback=profile == "short"))
        held_out = min(VALIDATION, len(train_set) // 10)
        train_set, validation = data.split(train_set, validation=held_out, seed=0)
        splits = {
            "train": train_set.subset(range(len(train_set))[: self.train]),
            "validation": validation.subset(range(len(validation))[: self.validation]),
        }
        tests = {"test": test_set}
        if original_pixels:
            tests["original pixels"] = original_test(original_pixels, test_set)
        return splits, tests

    def _seen(self, images):
        """Leave out what the network is not to see."""
        return images.only(*(name for name in images.classes if name not in self.without))

    def _one(self, profile, seed, splits, tests):
        """Train with one seed and measure at the end."""
        device = pick_device(self.config.device)
        torch.manual_seed(seed)
        model = create_model(self.model, num_classes=len(splits["train"].classes))
        mean, std = data.channel_statistics(splits["train"])

        # Small where nothing is learned: to measure is to need no more memory than to train.
        def batches(images, batch_size=250, **options):
            options = {"mean": mean, "std": std, "device": device, "shuffle": False, **options}
            return data.DeviceBatches(images, batch_size, **options)

        training = batches(
            splits["train"],
            self.batch_size,
            shuffle=True,
            drop_last=True,
            seed=seed,
            **self.augmentation,
        )
        epochs = []
        for record in train(
            model,
            training,
            batches(splits["validation"]),
            replace(self.config, seed=seed),
            checkpoint=self._checkpoint(profile, seed),
        ):
            say(f"seed {seed}  {record}  {record.images_per_second:.0f} images/s")
            epochs.append(asdict(record))
        results, confusions = {}, {}
        for name, images in tests.items():
            logits, labels = collect_logits(model, batches(images), precision="fp32")
            results[name] = score(logits, labels)
            confusions[name] = count_pairs(labels, logits.argmax(1), logits.shape[1])
            low, high = results[name]["interval"]
            accuracy = results[name]["accuracy"]
            say(f"seed {seed}  {name}: {accuracy:.2%} ({low:.2%} to {high:.2%})")
        return model, {
            "seed": seed,
            "seconds": sum(epoch["seconds"] for epoch in epochs),
            "epochs": epochs,
            "test": results,
            "confusion": confusions["test"].tolist(),
        }

    def _checkpoint(self, profile, seed):
        return RUNS / f"{self.name}-{profile}-{seed}.pt"

    def _card(self, images, mean, std):
        """Return what somebody needs who has nothing but the weights."""
        size = tuple(images.images.shape[2:])
        return ModelCard(self.model, images.classes, size, mean, std, images.name)

    def _checks(self, model, test_set, mean, std):
        """Return what the weights must answer again, wherever they are loaded."""
        subset = test_set.subset(range(min(SUBSET, len(test_set))))
        batches = data.DeviceBatches(subset, SUBSET, shuffle=False, mean=mean, std=std)
        logits, labels = collect_logits(model, batches, device="cpu", precision="fp32")
        correct = int((logits.argmax(1) == labels).sum())
        return {
            "probe": probe(model),
            "subset": {"n": len(labels), "correct": correct, "sha256": subset.sha256},
        }


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


def describe(parts: dict) -> dict:
    """Return a record's entry on the data: each split with its size and hash."""
    splits = {
        name: {"name": part.name, "n": len(part), "sha256": part.sha256}
        for name, part in parts.items()
    }
    return {"name": parts["train"].name, "splits": splits}


def score(logits: torch.Tensor, labels: torch.Tensor) -> dict:
    """Return what a record says of a test: how many, how many right, and the mean loss."""
    correct = int((logits.argmax(1) == labels).sum())
    return records.measured(len(labels), correct, float(F.cross_entropy(logits, labels)))


def count_pairs(labels: torch.Tensor, predicted: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the confusion matrix: rows are true classes, columns predicted ones."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, -1)


@torch.no_grad()
def probe(model: torch.nn.Module) -> list[float]:
    """Return the logits, in fp32, of one smooth picture that any machine can compute again."""
    x = torch.linspace(-2, 2, 3 * 32 * 32).view(1, 3, 32, 32)
    return model.cpu().eval()(torch.sin(9 * x)).flatten().tolist()


def matrix_rate(
    device: torch.device, dtype: torch.dtype = torch.bfloat16, n: int = 2048, seconds: float = 3.0
) -> float:
    """Return the best measured rate of an n x n matrix product, in FLOP/s.

    It is about the most that a machine can do: seconds measured on one say little without it.
    Products are made for so many seconds, since a machine that others share has slow moments.
    """
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    fastest, spent = math.inf, 0.0
    while spent < seconds:
        started = time.perf_counter()
        float((a @ b)[0, 0])  # reading a number waits for the device
        took = time.perf_counter() - started
        fastest, spent = min(fastest, took), spent + took
    return 2 * n**3 / fastest
