"""Train ResNet-20 for a few steps on as many pictures as CIFAR-10 has; print the peak in MiB."""

from __future__ import annotations

import resource
from itertools import islice

import numpy as np

from cnnlib import create_model, data
from cnnlib.training import TrainConfig, train

N, STEPS = 50_000, 8


class FewSteps:
    """The first steps of each epoch."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return STEPS

    def __iter__(self):
        return islice(self.batches, STEPS)


if __name__ == "__main__":
    pixels = np.random.default_rng(0).integers(0, 256, (N, 3, 32, 32), dtype=np.uint8)
    images = data.ImageSet(pixels, np.arange(N) % 10, data.CIFAR10_CLASSES, "noise")
    mean, std = data.channel_statistics(images)
    batches = data.DeviceBatches(images, 128, crop=4, flip=True, mean=mean, std=std)
    config = TrainConfig(epochs=2, device="cpu")
    for _ in train(create_model("resnet20"), FewSteps(batches), config=config):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
