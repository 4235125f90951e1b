"""ResNet-20 on CIFAR-10, from random weights: the run that the capstone shows."""

from __future__ import annotations

from cnnlib.training import TrainConfig

from .common import Classification

FULL = Classification(
    name="resnet20_cifar10",
    model="resnet20",
    config=TrainConfig(epochs=60, lr=0.2, schedule="one_cycle", warmup=0.2, weight_decay=5e-4),
    batch_size=128,
    augmentation={"crop": 4, "padding_mode": "reflect", "flip": True},
)

# Enough to see that everything works, in under a minute.
SHORT = FULL.shortened(epochs=2, train=5000, validation=1000)


def run(profile, seeds, original_pixels):
    """Train once a seed, measure on the test set once, write the record."""
    {"short": SHORT, "full": FULL}[profile].run(profile, seeds, original_pixels)
