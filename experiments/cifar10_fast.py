"""A recipe for a short training on CIFAR-10: `fastnet`, whitened, trained by Muon.

Choices are made on the validation pictures; `fast_trials` shows what others would give. Then the
network learns from all training pictures, those included. The test pictures, which also score the
rows of `fast_steps`, judge it at the end: each as it is, and in six views.

References
----------
D. C. Page, "How to Train Your ResNet", myrtle.ai, 2018 and 2019; K. Jordan, "94% on CIFAR-10 in
3.29 Seconds on a Single GPU", arXiv:2404.00498, 2024; K. Jordan et al., "Muon: An optimizer for
hidden layers in neural networks", 2024.
"""

from __future__ import annotations

import torch
from torch import nn

from cnnlib.models import create_model
from cnnlib.prediction import Views
from cnnlib.training import TrainConfig

from .lab import TEST_ACCURACY, Arm, Experiment
from .lab.measures import matrix_rate, score_on

#: Crops moved by up to two pixels; every picture is mirrored in every other epoch.
ALTERNATING = {"crop": 2, "padding_mode": "reflect", "flip": "alternating"}
CONFIG = TrainConfig(
    epochs=8,
    optimizer="muon",
    lr=2.0,
    kernel_lr=0.08,
    momentum=0.6,
    schedule="one_cycle",
    warmup=0.2,
    weight_decay=0.02,
    label_smoothing=0.2,
    ema=0.95,
)
BATCH_SIZE = 256


def build(num_classes: int = 10) -> nn.Module:
    """Return the network, with random weights."""
    return create_model("fastnet", num_classes=num_classes)


def whiten(model: nn.Module, images: torch.Tensor) -> None:
    """Set the first layer for pictures such as these, and freeze it."""
    model.whiten(images)


def in_views(model: nn.Module, load, parts: dict) -> dict:
    """Return what the network scores if it looks at each test picture six times."""
    return {"views": score_on(Views(model), load, parts)}


def in_views_and_rate(model: nn.Module, load, parts: dict) -> dict:
    """Return the scores of six looks, and what the machine can do, as the seconds depend on it."""
    device = next(model.parameters()).device
    return in_views(model, load, parts) | {"bf16_matrix_rate": matrix_rate(device)}


EXPERIMENT = Experiment(
    name="cifar10_fast",
    arms={"fastnet": Arm(build, ALTERNATING, prepare=whiten)},
    config=CONFIG,
    batch_size=BATCH_SIZE,
    held_out=False,
    claim=TEST_ACCURACY,
    measure=in_views_and_rate,
)
