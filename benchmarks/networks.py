"""Six networks in their forms for 32x32 pictures: what a picture costs, in time and in memory.

The networks of `experiments.compared` take turns: a few training steps of each, then a few batches
predicted by each, and again. Memory is measured in a process of its own for each: what a training
step needs at its peak beyond what was there before the network, weights, gradients and the
optimiser's state included.

    python -m benchmarks.networks [--repeats 5]

Prints images/s, each as a share of the slowest network's, and MiB; writes
`benchmarks/results/networks.json`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.recording import RESULTS, computed_on, conditions, save
from cnnlib.summary import summary
from cnnlib.training import pick_device, pick_precision
from cnnlib.training.settings import autocast
from experiments.compared import NETWORKS, build

RESULT = RESULTS / "networks.json"
BATCH_SIZE = 128
STEPS = 2  # training steps, and predicted batches, in a turn


class Side:
    """A network that trains and predicts on one batch of noise."""

    def __init__(self, name: str, device: torch.device):
        self.device, self.precision = device, pick_precision("auto", device)
        torch.manual_seed(0)
        self.model = build(name).to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        images = torch.randn(BATCH_SIZE, 3, 32, 32, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.arange(BATCH_SIZE, device=device) % 10

    def train(self) -> None:
        """Take one step."""
        self.model.train()
        with autocast(self.device, self.precision):
            logits = self.model(self.images)
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), self.labels).backward()
        self.optimizer.step()

    @torch.no_grad()
    def predict(self) -> None:
        """Predict one batch."""
        self.model.eval()
        with autocast(self.device, self.precision):
            self.model(self.images)

    def images_per_second(self, work) -> float:
        """Return the rate of one turn; reading a number waits for the device."""
        started = time.perf_counter()
        for _ in range(STEPS):
            work()
        float(next(self.model.parameters()).detach().sum())
        return STEPS * BATCH_SIZE / (time.perf_counter() - started)


def peak_of_training(name: str, device_name: str) -> float:
    """Return the MiB that two training steps add at their peak, in a process of its own."""
    device = torch.device(device_name)
    warm_up = nn.Conv2d(3, 8, 3).to(device)
    warm_up(torch.randn(BATCH_SIZE, 3, 32, 32, device=device)).sum().backward()
    before = peak_memory(device)
    side = Side(name, device)
    side.train()
    side.train()
    return (peak_memory(device) - before) / 2**20


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has held so far, or since `forget_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Not getrusage: Linux lets a new process begin with the peak of the one that started it.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak(device: torch.device) -> None:
    """Let `peak_memory` count from what this process holds now, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device = pick_device()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peaks = pool.starmap(peak_of_training, [(name, str(device)) for name in NETWORKS], 1)
    sides = {name: Side(name, device) for name in NETWORKS}
    rates = {name: {"train": [], "predict": []} for name in NETWORKS}
    for _ in range(arguments.repeats + 1):
        for name, side in sides.items():
            rates[name]["train"].append(side.images_per_second(side.train))
            rates[name]["predict"].append(side.images_per_second(side.predict))
    found = {}
    for (name, both), peak in zip(rates.items(), peaks, strict=True):
        train, predict = (median(both[work][1:]) for work in ("train", "predict"))  # first: warm-up
        macs = summary(sides[name].model, (1, 3, 32, 32)).macs
        found[name] = {
            "train_images_per_second": round(train, 1),
            "predict_images_per_second": round(predict, 1),
            "training_peak_mib": round(peak, 1),
            "train_macs_per_second": round(3 * macs * train),
        }
    slowest = min(each["train_images_per_second"] for each in found.values())
    for name, each in found.items():
        ratio = each["train_images_per_second"] / slowest
        print(f"{name:10s} {each['train_images_per_second']:8.0f} images/s trained", end="")
        print(f" ({ratio:5.1f} x), {each['predict_images_per_second']:8.0f} predicted", end="")
        print(f", {each['training_peak_mib']:6.0f} MiB")
    result = {
        "what": f"training and predicting batches of {BATCH_SIZE}, weights by AdamW",
        "networks": found,
    }
    save(RESULT, result | computed_on(device) | conditions())


if __name__ == "__main__":
    main()
