"""ResNet-20 on CIFAR-10 without cats and dogs: the network that the capstone teaches those two."""

from __future__ import annotations

from dataclasses import replace

from . import resnet20_cifar10
from .common import Classification

FULL: Classification = replace(
    resnet20_cifar10.FULL,
    name="resnet20_eight_classes",
    config=replace(resnet20_cifar10.FULL.config, epochs=20),
    without=("cat", "dog"),
)
SHORT = FULL.shortened(epochs=2, train=4000, validation=800)


def run(profile, seeds, original_pixels):
    """Train once a seed, measure on the test set once, write the record."""
    {"short": SHORT, "full": FULL}[profile].run(profile, seeds, original_pixels)
