"""AlexNet's three tricks, one at a time: ReLU, dropout, augmentation.

The network of 2012 in its form for 32 by 32 pixels learns from 20,000 pictures. The three
activations learn with a constant rate, each with the best of a few, and without regularisation,
as in figure 1 of the paper; what is compared there is how fast the training error falls. Dropout
and augmentation are added to a run with ReLU whose rate falls to zero; there, it is the accuracy
on new pictures.

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

from .comparison import MOVED, Comparison, Variant

CONSTANT = {"schedule": "constant", "nesterov": False}
#: variant -> the network's options, the augmentation, and how its training differs
VARIANTS = {
    "ReLU": ({"activation": "relu"}, {}, CONSTANT | {"lr": 0.01}),
    "tanh": ({"activation": "tanh"}, {}, CONSTANT | {"lr": 0.01}),
    "sigmoid": ({"activation": "sigmoid"}, {}, CONSTANT | {"lr": 0.01}),
    "bare": ({}, {}, {}),
    "dropout": ({"dropout": 0.5}, {}, {}),
    "augmentation": ({}, MOVED, {}),
    "dropout and augmentation": ({"dropout": 0.5}, MOVED, {}),
}


def build(variant: str, num_classes: int = 10) -> nn.Module:
    """Return the network of a variant, with random weights."""
    options = {"dropout": 0.0} | VARIANTS[variant][0]
    return create_model("alexnet", num_classes=num_classes, image_size=32, **options)


COMPARISON = Comparison(
    name="alexnet_tricks",
    variants={
        name: Variant(partial(build, name), augmentation, changes)
        for name, (_, augmentation, changes) in VARIANTS.items()
    },
    config=TrainConfig(epochs=15, lr=0.03, schedule="one_cycle", weight_decay=5e-4),
    train=20_000,
)
run = COMPARISON.run
