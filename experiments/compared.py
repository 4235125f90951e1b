"""Six networks of five families, in their forms for 32 by 32 pixels, under one recipe and budget.

Everybody sees the same 45,000 pictures three times, with AdamW: the one optimiser whose usual
learning rate suits all six, with BatchNorm and without. VGG-16 has BatchNorm here, which came
the year after it.
"""

from __future__ import annotations

from torch import nn

from cnnlib.models import create_model
from cnnlib.training import TrainConfig

from .lab import Experiment, alike

#: arm -> the network's options
NETWORKS = {
    "lenet5": {"in_channels": 3},
    "alexnet": {"image_size": 32},
    "vgg16": {"image_size": 32, "batch_norm": True},
    "googlenet": {"image_size": 32},
    "resnet18": {"image_size": 32},
    "resnet20": {},
}


def build(arm: str, num_classes: int = 10) -> nn.Module:
    """Return the network of that name, with random weights."""
    return create_model(arm, num_classes=num_classes, **NETWORKS[arm])


EXPERIMENT = Experiment(
    name="compared",
    arms=alike(build, NETWORKS),
    config=TrainConfig(
        epochs=3, lr=1e-3, optimizer="adamw", schedule="one_cycle", weight_decay=0.05
    ),
)
