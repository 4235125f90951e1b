"""Epochs, seconds and FLOPs until 80 % of the validation pictures are named: three recipes.

Each recipe's schedule ends with its budget, which `RECIPES` gives; one that does not reach the mark
within it says so:

- textbook: ResNet-20, the loop of `training_throughput`, and the settings of He et al. 2015,
  section 4.2: rate 0.1, divided by ten at half and three quarters, weight decay 1e-4;
- default: ResNet-20 as `experiments.resnet20_cifar10` trains it;
- fast: `experiments.cifar10_fast`, the whitening of its first layer included.

    python -m benchmarks.time_to_accuracy [--seeds 3] [--recipes textbook default fast]

Prints a line an epoch and the ratios; writes `benchmarks/results/time_to_accuracy.json` after each
seed. The pictures are read before the clock starts, and the clock stands while the validation set
is looked at, in the precision that the recipe trains in. No test picture is touched.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import torch
from torch.utils.data import DataLoader

from benchmarks.recording import RESULTS, computed_on, conditions, save
from benchmarks.training_throughput import (
    BATCH_SIZE,
    MEAN,
    STD,
    PILPictures,
    flops_per_image,
    textbook_epoch,
)
from cnnlib import data
from cnnlib.models import create_model
from cnnlib.training import evaluate, pick_device
from experiments import cifar10_fast, resnet20_cifar10
from experiments.lab import Command, Experiment
from experiments.lab.measures import matrix_rate

RESULT = RESULTS / "time_to_accuracy.json"
TARGET = 0.80
#: recipe -> its network, and its budget in epochs
RECIPES = {"textbook": ("resnet20", 12), "default": ("resnet20", 5), "fast": ("fastnet", 2)}

Progress = Iterator[tuple[float, float]]  # seconds so far, validation accuracy


def textbook(parts: dict, epochs: int, seed: int) -> Progress:
    """Train as He et al. describe it, in the loop that tutorials show."""
    torch.manual_seed(seed)
    device = pick_device()
    model = create_model("resnet20").to(device)
    loader = DataLoader(PILPictures(parts["train"]), BATCH_SIZE, shuffle=True)
    normal = {"mean": MEAN, "std": STD, "device": device}  # as the loader's
    validation = data.DeviceBatches(parts["validation"], 500, shuffle=False, **normal)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    milestones = [epochs // 2, 3 * epochs // 4]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.1)
    seconds = 0.0
    for _ in range(epochs):
        seconds += textbook_epoch(model.train(), loader, optimizer, device)
        schedule.step()
        yield seconds, evaluate(model, validation, precision="fp32").accuracy


def of_the_book(experiment: Experiment, parts: dict, epochs: int, seed: int) -> Progress:
    """Train the only arm of an experiment."""
    (arm,) = experiment.arms
    config = replace(experiment.own_config(arm, seed), epochs=epochs)
    _, history = experiment.trained(arm, config, parts)
    seconds = 0.0
    for epoch in history:
        seconds += epoch["seconds"]
        yield seconds, epoch["validation_accuracy"]


def progress(recipe: str, parts: dict, seed: int) -> Progress:
    """Return the epochs of a recipe."""
    _, epochs = RECIPES[recipe]
    if recipe == "textbook":
        return textbook(parts, epochs, seed)
    default = replace(resnet20_cifar10.EXPERIMENT, each_epoch=None)
    experiment = default if recipe == "default" else cifar10_fast.EXPERIMENT
    return of_the_book(experiment, parts, epochs, seed)


def flops(recipe: str, epochs: int) -> float:
    """Return the FLOPs that a recipe spends on one picture, shown in so many epochs.

    Those of the network, forward and backward; what the optimiser adds is not among them.
    """
    network, _ = RECIPES[recipe]
    return epochs * flops_per_image(create_model(network))


def until_the_target(recipe: str, parts: dict, seed: int) -> dict:
    """Train until the target is reached, or the budget ends."""
    accuracies, reached = [], False
    for seconds, accuracy in progress(recipe, parts, seed):
        accuracies.append(accuracy)
        print(f"{recipe}, seed {seed}: {seconds:7.1f} s  {accuracy:.2%}", flush=True)
        if reached := accuracy >= TARGET:
            break
    return {
        "seed": seed,
        "budget": RECIPES[recipe][1],
        "reached": reached,
        "epochs": len(accuracies),
        "seconds": round(seconds, 1),
        "flops": flops(recipe, len(accuracies)) * len(parts["train"]),
        "accuracies": accuracies,
    }


def summary(runs: dict[str, list[dict]]) -> Iterator[str]:
    """Say of each recipe what it took, and how much sooner it was there than the first."""
    slowest = mean(run["seconds"] for run in next(iter(runs.values())))
    for recipe, found in runs.items():
        seconds, epochs, work = (
            mean(run[key] for run in found) for key in ("seconds", "epochs", "flops")
        )
        there = "reached" if all(run["reached"] for run in found) else "NOT REACHED"
        spent = f"{epochs:.1f} epochs, {seconds:.0f} s, {work / 1e12:.0f} TFLOP"
        yield f"{recipe:9s} {there} after {spent}: {slowest / seconds:.2f} times as fast"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    arguments = parser.parse_args()
    parts = replace(cifar10_fast.EXPERIMENT, held_out=True).load(Command("full"))
    runs = {recipe: [] for recipe in arguments.recipes}
    result = {
        "what": f"training until {TARGET:.0%} of the validation pictures are named",
        "target": TARGET,
        "data": parts["train"].name,
        "bf16_matrix_rate": matrix_rate(pick_device()),
        "recipes": runs,
    }
    for seed in range(arguments.seeds):  # in turns, so that all meet the same moods of the machine
        for recipe, found in runs.items():
            found.append(until_the_target(recipe, parts, seed))
        # A seed takes the better part of an hour: what has ended is kept.
        save(RESULT, result | computed_on(pick_device()) | conditions())
    print(*summary(runs), sep="\n")


if __name__ == "__main__":
    main()
