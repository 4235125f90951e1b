"""From the textbook loop to `cnnlib.train`, one change at a time: ResNet-20 on CIFAR-10 pictures.

Each step keeps what the steps before it changed. What the network computes stays the same, but for
the rounding of bf16; the last step alone, larger batches, also changes how it learns.

    python -m benchmarks.training_steps [--images 6400] [--repeats 3]

Each step lives in a process of its own, and all take turns; the first epoch of each is warm-up and
is not counted. Prints images/s, the ratio to the step before and to the textbook; writes
`benchmarks/results/training_steps.json`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import torch
import torch.nn.functional as F

from benchmarks.recording import RESULTS, computed_on, conditions, save
from benchmarks.training_throughput import (
    BATCH_SIZE,
    MEAN,
    STD,
    Side,
    flops_per_image,
    network,
    pictures,
    textbook,
)
from cnnlib import data, memory
from cnnlib.training import pick_device, pick_precision
from cnnlib.training.settings import autocast
from experiments.lab.measures import matrix_rate

RESULT = RESULTS / "training_steps.json"
#: step -> what it changes in `loop`; the first one is the textbook's own loop
STEPS = {
    "the textbook's loop": None,
    "bytes on the device": {"alone": True},
    "augmented by the batch": {"alone": False},
    "the loss read once an epoch": {"read": False},
    "channels last": {"channels_last": True},
    "half the bits": {"precision": "auto"},
    "memory kept": {"keep": True},
    "compiled": {"compiled": True},
    "batches of 512": {"batch_size": 512},
}


def epochs_of(step: str, n: int) -> Iterator[float]:
    """Yield the seconds of one epoch after another, with all changes up to `step`."""
    images = pictures("resnet20", n)
    names = list(STEPS)
    if step == names[0]:
        return textbook("resnet20", images, workers=0)
    changes = [STEPS[name] for name in names[1 : names.index(step) + 1]]
    return loop(images, **{key: value for change in changes for key, value in change.items()})


class OneByOne:
    """Batches of pictures that lie as bytes on the device; each is moved and mirrored alone."""

    def __init__(self, images: data.ImageSet, batch_size: int, device: torch.device) -> None:
        self.padded = F.pad(torch.from_numpy(images.images).to(device), (4, 4, 4, 4))
        self.labels = torch.from_numpy(images.labels).to(device)
        self.mean, self.std = (torch.tensor(t, device=device).view(3, 1, 1) for t in (MEAN, STD))
        self.batch_size = batch_size
        self.n = len(images) // batch_size * batch_size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for numbers in torch.randperm(len(self.labels))[: self.n].split(self.batch_size):
            images = torch.stack([self.moved(number) for number in numbers.tolist()])
            labels = self.labels[numbers.to(self.labels.device)]
            yield (images / 255 - self.mean) / self.std, labels

    def moved(self, number: int) -> torch.Tensor:
        """Return one picture, cropped at random and mirrored half of the time."""
        (top, left), mirrored = torch.randint(9, (2,)).tolist(), torch.rand(()) < 0.5
        image = self.padded[number, :, top : top + 32, left : left + 32]
        return image.flip(-1) if mirrored else image


def loop(
    images: data.ImageSet,
    batch_size: int = BATCH_SIZE,
    alone: bool = False,
    read: bool = True,
    channels_last: bool = False,
    precision: str = "fp32",
    keep: bool = False,
    compiled: bool = False,
) -> Iterator[float]:
    """Train on pictures that lie on the device."""
    device = pick_device()
    precision = pick_precision(precision, device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    batch_size = min(batch_size, len(images))
    options = {"crop": 4, "flip": True, "mean": MEAN, "std": STD, "drop_last": True}
    options |= {"device": device, "channels_last": channels_last}
    if alone:
        batches = OneByOne(images, batch_size, device)
    else:
        batches = data.DeviceBatches(images, batch_size, **options)
    model = network("resnet20").to(device, memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    if keep:
        memory.keep()
    if compiled:
        model.compile()
    while True:
        started, total = time.perf_counter(), torch.zeros((), device=device)
        for x, y in batches:
            optimizer.zero_grad()
            with autocast(device, precision):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += loss.item() if read else loss.detach()
        float(total)  # reading a number waits for the device
        yield (time.perf_counter() - started) * len(images) / batches.n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    device = pick_device()
    rate, flops = matrix_rate(device), flops_per_image(network("resnet20"))
    sides = {step: Side(epochs_of, step, arguments.images) for step in STEPS}
    seconds = {step: [] for step in STEPS}
    for _ in range(arguments.repeats + 1):
        for step, side in sides.items():
            seconds[step].append(side.epoch())
    for side in sides.values():
        side.end()
    found, before = [], None
    for step, times in seconds.items():
        speed = arguments.images / median(times[1:])
        first = found[0]["images_per_second"] if found else speed
        found.append(
            {
                "step": step,
                "images_per_second": round(speed, 1),
                "ratio_to_step_before": round(speed / (before or speed), 3),
                "ratio_to_textbook": round(speed / first, 3),
                "share_of_matrix_rate": round(speed * flops / rate, 4),
                "first_epoch_seconds": round(times[0], 2),
            }
        )
        before = speed
        print(
            f"{step:45s} {speed:7.0f} images/s  {found[-1]['ratio_to_step_before']:5.2f} x", end=""
        )
        print(f"  {found[-1]['ratio_to_textbook']:5.2f} x the textbook", flush=True)
    result = {
        "what": "images/s of training ResNet-20, augmentation included",
        "data": data.cifar10()[0].name,
        "repeats": arguments.repeats,
        "flops_per_image": flops,
        "bf16_matrix_rate": rate,
        "steps": found,
    }
    save(RESULT, result | computed_on(device) | conditions())


if __name__ == "__main__":
    main()
