"""ResNet-20 on CIFAR-10 without cats and dogs: the network that the capstone teaches those two."""

from __future__ import annotations

from dataclasses import replace

from . import resnet20_cifar10

CAPSTONE = resnet20_cifar10.EXPERIMENT
EXPERIMENT = replace(
    CAPSTONE,
    name="resnet20_eight_classes",
    config=replace(CAPSTONE.config, epochs=20),
    without=("cat", "dog"),
    each_epoch=None,
)
