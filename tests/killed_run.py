"""A small training run in a process of its own, which may kill itself at a given step.

    python killed_run.py CHECKPOINT KILL_AT

KILL_AT counts the batches that this process has drawn; -1 lets the run end. At the end it prints
the hash of the weights.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys

import torch
from torch import nn

from cnnlib.data import DeviceBatches, stand_in
from cnnlib.training import TrainConfig, train


class Killer:
    """Batches that kill the process when the given number of them has been drawn."""

    def __init__(self, batches, kill_at):
        self.batches, self.kill_at, self.drawn = batches, kill_at, 0

    def __len__(self):
        return len(self.batches)

    def set_epoch(self, epoch):
        self.batches.set_epoch(epoch)

    def __iter__(self):
        for batch in self.batches:
            if self.drawn == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.drawn += 1
            yield batch


def small_model():
    """Return a network with everything that has a state of its own: BatchNorm and dropout."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.Flatten(),
        nn.Linear(8 * 7 * 7, 10),
    )


def main(checkpoint, kill_at):
    """Train to the end or to the kill."""
    images = stand_in(train=160, test=10)[0]
    batches = DeviceBatches(images, 32, crop=2, flip=True, cutout=6, seed=3)
    model = small_model()
    for _ in train(model, Killer(batches, kill_at), config=CONFIG, checkpoint=checkpoint):
        pass
    weights = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest())


CONFIG = TrainConfig(epochs=6, lr=0.05, device="cpu", seed=5)

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
