"""Two classes that a network has never seen, learned from a hundred pictures of each.

Supported could be: in the epochs of the capstone's short run, each at a rate of its own, a
ResNet-20 that knows eight other classes of CIFAR-10 comes further than one with random weights.
Contradicted would it be by a difference whose interval holds zero, or the other way round. Held
fixed are the network, the pictures, their order and their augmentation. Other pairs of classes,
more pictures and longer trainings are not tried.

Beside it stands what the frozen network of eight classes still knows of them once it has looked at
the new pictures, in training mode and in eval mode: BatchNorm's statistics are no weights.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from cnnlib import data, records, transfer
from cnnlib.models import create_model
from cnnlib.prediction import load_model
from cnnlib.training import TrainConfig, collect_logits

from .lab import MOVED, TEST_ACCURACY, VALIDATION_ACCURACY, Arm, Command, Experiment, Rates
from .lab.measures import score

EIGHT = records.load("resnet20_eight_classes")
PAIR = tuple(EIGHT.config["without"])
FEW = 100  # pictures of each
LOOKS = 5  # times at each of them
BATCH_SIZE = 20
NORMAL = {name: EIGHT.config[name] for name in ("mean", "std")}


def knows_eight() -> nn.Module:
    """Return the network of eight classes, as it ships."""
    return load_model(records.results_folder() / EIGHT.checkpoint["file"])


def fine_tuned(weights: str, num_classes: int) -> nn.Module:
    """Return it with a new head; the hash of its `weights` tells these runs from others'."""
    return transfer.replace_head(knows_eight(), num_classes)


def after_looking(_model: nn.Module, load, parts: dict) -> dict:
    """Return how the frozen network does on its own classes, having looked in either mode."""
    found = {}
    for mode in ("eval", "training"):
        network = transfer.freeze(knows_eight()).train(mode == "training")
        batches = load(parts["train"], BATCH_SIZE, shuffle=True, **MOVED)
        network.to(batches.device)
        for look in range(LOOKS):
            batches.set_epoch(look)
            with torch.no_grad():
                for images, _ in batches:
                    network(images)
        found[mode] = score(*collect_logits(network, load(parts["familiar"]), precision="fp32"))
    return {"after_looking": found}


class FewPictures(Experiment):
    """An experiment on two classes, with few pictures to learn from."""

    def load(self, command: Command) -> dict[str, data.ImageSet]:
        """Return pictures of the two classes, and test pictures of the eight: the familiar ones."""
        parts = super().load(command)
        own = [name for name in parts["test"].classes if name not in PAIR]
        pair = {name: part.only(*PAIR) for name, part in parts.items()}
        first = [np.flatnonzero(pair["train"].labels == label)[:FEW] for label in (0, 1)]
        lessons = pair["train"].subset(np.concatenate(first))
        return pair | {"train": lessons, "familiar": parts["test"].only(*own)}

    def loader(self, parts: dict):
        """Return what makes batches of pictures, normalised as those of the network of eight."""
        return partial(super().loader(parts), **NORMAL)

    def summary(self, parts: dict) -> dict:
        """Return what a record says of all settings, with that normalisation."""
        return super().summary(parts) | NORMAL


EXPERIMENT = FewPictures(
    name="fine_tuning",
    arms={
        "from random weights": Arm(partial(create_model, "resnet20"), MOVED, {"lr": 0.01}),
        "fine-tuned": Arm(
            partial(fine_tuned, EIGHT.checkpoint["sha256"]),
            MOVED,
            {"lr": 0.02},
            measure=after_looking,
        ),
    },
    config=TrainConfig(epochs=15),
    batch_size=BATCH_SIZE,
    rates=Rates(by=VALIDATION_ACCURACY),
    claim=TEST_ACCURACY,
    sketch="rates chosen where random weights are at chance; one budget; "
    "one choice of lessons; one pre-trained network, and one look in each mode",
)
