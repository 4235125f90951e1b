"""Run the experiment on ResNet-20 with as many pictures as CIFAR-10 has; print the peak in MiB.

All is as in the experiment, but for the pictures, which are noise, and for its length: two epochs
of a few steps, and a few batches to measure on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.networks import peak_memory
from cnnlib import data
from experiments.lab import Command, conduct
from experiments.resnet20_cifar10 import EXPERIMENT

STEPS = 8


class FewSteps(data.DeviceBatches):
    """All pictures, of which the first few batches are served."""

    def __init__(self, images, batch_size, **options):
        super().__init__(images, batch_size, **options)
        self.n = min(self.n, STEPS * batch_size)


def noise(n: int) -> data.ImageSet:
    """Return n pictures of noise."""
    pixels = np.random.default_rng(n).integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
    return data.ImageSet(pixels, np.arange(n) % 10, data.CIFAR10_CLASSES, "noise")


if __name__ == "__main__":
    data.cifar10 = lambda fallback: (noise(50_000), noise(10_000))
    data.DeviceBatches = FewSteps
    quick = replace(EXPERIMENT, config=replace(EXPERIMENT.config, epochs=2, device="cpu"))
    record = conduct(quick, Command("full", to=Path.cwd()))
    assert record.data["splits"]["train"]["n"] == 45_000
    print(peak_memory(torch.device("cpu")) // 2**20)
