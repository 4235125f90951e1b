"""AlexNet's three tricks, one at a time: ReLU, dropout, augmentation.

The network of 2012 in its form for 32 by 32 pixels learns from 20,000 pictures. The three
activations learn with a constant rate and without regularisation, as in figure 1 of the paper: what
is compared is how soon the training error is 25 %. Dropout and augmentation are added to a run with
ReLU whose rate falls to zero; there, it is the accuracy on new pictures. Each arm has a rate of its
own.

References
----------
A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NeurIPS 2012, sections 3.1, 4.1 and 4.2.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from cnnlib.models import create_model
from cnnlib.training import TrainConfig

from .lab import MOVED, TRAINING_ERROR, Arm, Experiment, Rates

PLAIN = {"schedule": "constant", "weight_decay": 0.0}
#: activation -> the rate about which its own is looked for
ACTIVATIONS = {"ReLU": 0.004, "tanh": 0.01, "sigmoid": 0.1}
#: arm -> the network's options, and the augmentation
TRICKS = {
    "bare": ({}, {}),
    "dropout": ({"dropout": 0.5}, {}),
    "augmentation": ({}, MOVED),
    "dropout and augmentation": ({"dropout": 0.5}, MOVED),
}


def build(arm: str, num_classes: int = 10) -> nn.Module:
    """Return the network of an arm, with random weights."""
    own = {"activation": arm.lower()} if arm in ACTIVATIONS else TRICKS[arm][0]
    return create_model("alexnet", num_classes=num_classes, image_size=32, **{"dropout": 0.0} | own)


def activation(name: str, lr: float) -> Arm:
    """Return an arm that learns with one of the activations."""
    changes = PLAIN | {"lr": lr}
    return Arm(partial(build, name), {}, changes, rates=Rates(by=TRAINING_ERROR, share=0.5))


EXPERIMENT = Experiment(
    name="alexnet_tricks",
    arms={
        **{name: activation(name, lr) for name, lr in ACTIVATIONS.items()},
        **{
            name: Arm(partial(build, name), moved, against="bare")
            for name, (_, moved) in TRICKS.items()
        },
    },
    config=TrainConfig(epochs=12, lr=0.004, schedule="one_cycle", weight_decay=5e-4),
    rates=Rates(),
    train=20_000,
)
