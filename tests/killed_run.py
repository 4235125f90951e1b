"""One small training run, begun again after each of a series of kills.

    python killed_run.py CHECKPOINT [KILL_AT ...]

Each KILL_AT counts the batches that a process draws before it kills itself; after the last kill
the run goes on to its end. Prints how each process ended and, last, the hash of the weights. The
processes are forks of one that has imported torch, on one thread: ten imports would take minutes.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys

import torch
import torch._dynamo  # the optimizers do, late: each fork would again
from torch import nn

from cnnlib.data import DeviceBatches, stand_in
from cnnlib.training import TrainConfig, train

CONFIG = TrainConfig(epochs=6, lr=0.05, device="cpu", seed=5)


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


def run(checkpoint, kill_at):
    """Train from the checkpoint to the end, or to the kill; return the hash of the weights."""
    images = stand_in(train=160, test=10)[0]
    batches = DeviceBatches(images, 32, crop=2, flip=True, cutout=6, seed=3)
    model = small_model()
    for _ in train(model, Killer(batches, kill_at), config=CONFIG, checkpoint=checkpoint):
        pass
    weights = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
    return hashlib.sha256(weights).hexdigest()


def in_a_process_of_its_own(work):
    """Run ``work`` in a fork and return its exit code, negative if a signal ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        print(work(), flush=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    torch.set_num_threads(1)  # so that no thread is lost in a fork
    checkpoint, *kills = sys.argv[1:]
    for kill_at in map(int, kills):
        print(in_a_process_of_its_own(lambda k=kill_at: run(checkpoint, k)))
    print(in_a_process_of_its_own(lambda: run(checkpoint, -1)))
