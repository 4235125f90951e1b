"""One process of a training run that `torchrun` starts: see test_several_processes.py.

    torchrun --standalone --nproc-per-node=2 shared_run.py FOLDER [--kill RANK]

Writes what the run gave to FOLDER/rank-N.json. With --kill, that rank kills itself in the middle
of the second epoch, once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from cnnlib.data import DeviceBatches, stand_in
from cnnlib.training import TrainConfig, collect_logits, evaluate, processes, train

CONFIG = TrainConfig(epochs=3, lr=0.05, device="cpu", precision="fp32", seed=1, grad_clip=1.0)


def small_model(norm=False):
    """Return a small network, with BatchNorm or without."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8) if norm else nn.Identity(),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.Flatten(),
        nn.Linear(8 * 7 * 7, 10),
    )


def sets():
    """Return 90 pictures to learn from and 33 to measure on: neither is a multiple of two."""
    images, test = stand_in(train=90, test=33)
    return images.subset(range(90)), test


class Killer:
    """Batches in whose course a rank dies, if it has not died before."""

    def __init__(self, batches, folder, rank):
        self.batches, self.mark, self.rank = batches, folder / "died", rank

    def __len__(self):
        return len(self.batches)

    def set_epoch(self, epoch):
        self.batches.set_epoch(epoch)

    def __iter__(self):
        for i, batch in enumerate(self.batches):
            is_it = self.batches.epoch == 2 and i == 1 and processes.rank() == self.rank
            if is_it and not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def run(folder: Path, kill: int | None = None, norm: bool = False) -> dict:
    """Train and measure, alone or together, and return what came out."""
    images, test = sets()
    batches = DeviceBatches(images, 32, crop=2, flip=True, seed=3)  # 32, 32, 26
    validation = DeviceBatches(test, 16, shuffle=False)  # 16, 16, 1
    model = small_model(norm)
    epochs = train(
        model,
        batches if kill is None else Killer(batches, folder, kill),
        validation,
        CONFIG,
        checkpoint=folder / "run.pt",
    )
    history = [asdict(epoch) for epoch in epochs]
    result = evaluate(model, validation, device="cpu", precision="fp32")
    logits, _ = collect_logits(model, validation, device="cpu", precision="fp32")
    return {
        "processes": processes.count(),
        "history": history,
        "evaluation": asdict(result),
        "logits": logits.tolist(),
        "weights": [p.flatten().tolist() for p in model.state_dict().values()],
    }


def refused(work) -> str:
    """Return the message with which ``work`` is refused."""
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    torch.set_num_threads(1)
    where = Path(sys.argv[1])
    with processes.joined():
        found = run(where, int(sys.argv[-1]) if "--kill" in sys.argv else None)
        if "--kill" not in sys.argv:
            (where / "norm").mkdir(exist_ok=True)
            found["norm"] = run(where / "norm", norm=True)
            few = [(torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.long))]
            found["too few"] = refused(lambda: list(train(small_model(), few, config=CONFIG)))
            found["from first"] = processes.from_first(lambda: [dist.get_rank(), "first"])
            found["raised"] = refused(lambda: processes.from_first(lambda: int("seven")))
        (where / f"rank-{processes.rank()}.json").write_text(json.dumps(found))
