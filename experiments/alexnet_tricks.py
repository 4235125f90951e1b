"""AlexNet's three tricks, one at a time: ReLU, dropout, augmentation.

The network of 2012 in its form for 32 by 32 pixels learns from 20,000 pictures. The three
activations learn with a constant rate and without regularisation, as in figure 1 of the paper:
what is compared is how fast the training error falls. Each has the rate, of a few that are tried
on its first epochs, with which its training loss falls most. Dropout and augmentation are added to
a run with ReLU whose rate falls to zero; there, it is the accuracy on new pictures.

References
----------
A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NeurIPS 2012, sections 3.1, 4.1 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from torch import nn

from cnnlib import provenance, records
from cnnlib.models import create_model
from cnnlib.training import NonFiniteLossError, TrainConfig

from .comparison import MOVED, Comparison, Variant, remembered

ACTIVATIONS = {"ReLU": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
TRIAL = 2  # epochs
#: variant -> the network's options, and the augmentation
VARIANTS = {
    **{name: ({"activation": activation}, {}) for name, activation in ACTIVATIONS.items()},
    "bare": ({}, {}),
    "dropout": ({"dropout": 0.5}, {}),
    "augmentation": ({}, MOVED),
    "dropout and augmentation": ({"dropout": 0.5}, MOVED),
}


def build(variant: str, num_classes: int = 10) -> nn.Module:
    """Return the network of a variant, with random weights."""
    options = {"dropout": 0.0} | VARIANTS[variant][0]
    return create_model("alexnet", num_classes=num_classes, image_size=32, **options)


@dataclass(frozen=True)
class TriedComparison(Comparison):
    """A comparison whose record holds the trials by which its rates were chosen."""

    trials: dict[str, dict] = field(default_factory=dict)

    def record(self, *arguments) -> records.Record:
        """Return the record of all runs, with the trials."""
        record = super().record(*arguments)
        return replace(record, config=record.config | {"trials": self.trials})


def comparison(trials: dict[str, dict]) -> TriedComparison:
    """Return the comparison in which each activation learns at the best of the rates tried.

    The runs in which the rate falls to zero have ReLU's as their highest.
    """
    plain = {"schedule": "constant", "weight_decay": 0.0}
    rates = {name: best(losses) for name, losses in trials.items()}
    changes = {name: {**plain, "lr": rate} for name, rate in rates.items()}
    variants = {
        name: Variant(partial(build, name), augmentation, changes.get(name, {}))
        for name, (_, augmentation) in VARIANTS.items()
    }
    peak = rates.get("ReLU", max(RATES))
    config = TrainConfig(epochs=12, lr=peak, schedule="one_cycle", weight_decay=5e-4)
    return TriedComparison("alexnet_tricks", variants, config, train=20_000, trials=trials)


def best(losses: dict[str, float | None]) -> float:
    """Return the rate with the smallest loss, of those whose trial came to its end."""
    return float(min((rate for rate in losses if losses[rate] is not None), key=losses.get))


def tried(profile: str) -> dict[str, dict]:
    """Return for each activation the training loss at the end of a trial at each rate."""
    folder, git = comparison({}).folder(profile), provenance.describe_run()["git"]
    found = {}
    for name in ACTIVATIONS:
        facts, work = {"rates": list(RATES), "epochs": TRIAL}, partial(trials, name, profile)
        found[name] = remembered(folder / f"rates-{name}.json", facts, git, work)
        print(f"{name}: {found[name]}, so {best(found[name])}", flush=True)
    return found


def trials(variant: str, profile: str) -> dict[str, float | None]:
    """Return the training loss of one activation at the end of a trial at each rate."""
    return {str(rate): trial(variant, rate, profile) for rate in RATES}


def trial(variant: str, rate: float, profile: str) -> float | None:
    """Return the training loss at the end of a trial; None if it ended early."""
    plan = comparison({variant: {str(rate): 0.0}})  # no choice
    plan = plan.shortened() if profile == "short" else plan
    config = replace(plan.own_config(variant, seed=0), epochs=TRIAL)
    try:
        _, epochs = plan.trained(variant, config, plan.load(profile))
    except NonFiniteLossError:
        return None
    return epochs[-1]["train_loss"]


def run(profile, seeds, original_pixels=None):
    """Choose the rates, then train and measure every variant and write the record."""
    return comparison(tried(profile)).run(profile, seeds, original_pixels)
