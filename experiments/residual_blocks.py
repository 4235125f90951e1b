"""What the parts of a residual block are worth, and what a trained network does without one.

ResNet-20 with shortcuts A and B, with branches that begin at zero (and shortcut B), with
pre-activation, and plain-20 without shortcuts. At the end each of the nine blocks is taken away
in turn.

References
----------
K. He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385, 2015 (A and B).
A. Veit, M. Wilber, S. Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow
Networks", NeurIPS 2016: taking blocks away.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn

from cnnlib.models import create_model
from cnnlib.models.residual import OptionA
from cnnlib.training import TrainConfig, evaluate

from .lab import Experiment, alike

#: arm -> the network's name and its options
NETWORKS = {
    "shortcut A": ("resnet20", {}),
    "shortcut B": ("resnet20", {"shortcut": "B"}),
    "branch at zero": ("resnet20", {"shortcut": "B", "zero_init_residual": True}),
    "pre-activation": ("resnet20", {"preactivation": True}),
    "plain": ("plain20", {}),
}


def build(arm: str, num_classes: int = 10) -> nn.Module:
    """Return the network of an arm, with random weights."""
    name, options = NETWORKS[arm]
    return create_model(name, num_classes=num_classes, **options)


def blocks(model: nn.Module) -> list[tuple[nn.Sequential, int]]:
    """Return where each block stands: its stage, and its place in it."""
    return [(stage, i) for stage in model.stages() for i in range(len(stage))]


@torch.no_grad()
def without(model: nn.Module, number: int) -> nn.Module:
    """Return a copy of the network that has lost one block: what is left is its shortcut."""
    model = deepcopy(model)
    stage, i = blocks(model)[number]
    if stage[i].shortcut is None:
        conv1 = stage[i].conv1
        stage[i] = OptionA(conv1.out_channels, conv1.stride[0])
        return model
    for last in (stage[i].conv2, stage[i].bn2):  # whichever comes last, F(x) is zero
        for parameter in last.parameters():
            parameter.zero_()
    return model


def take_blocks_away(model: nn.Module, load, parts: dict) -> dict:
    """Return the test accuracy without each block in turn."""
    accuracies = [
        evaluate(without(model, number), load(parts["test"])).accuracy
        for number in range(len(blocks(model)))
    ]
    return {"without_block": accuracies}


ARMS = alike(build, NETWORKS)
ARMS["branch at zero"] = replace(ARMS["branch at zero"], against="shortcut B")
EXPERIMENT = Experiment(
    name="residual_blocks",
    arms=ARMS,
    config=TrainConfig(epochs=8, lr=0.2, schedule="one_cycle", weight_decay=5e-4),
    measure=take_blocks_away,
)
