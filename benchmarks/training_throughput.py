"""Training on CIFAR-10 pictures: the textbook loop against `cnnlib.train`, timed in one run.

Aim: on two CPU cores `cnnlib.train` trains ResNet-20 at least 2.2 times as fast as the textbook
loop, compiled 2.7 times, data and augmentation included, and augmentation takes at most 8 % of a
step. The textbook loop has torchvision's transforms on PIL pictures, a DataLoader (with no or two
worker processes, whichever is faster), fp32, NCHW, and `.item()` at every step.

    python -m benchmarks.training_throughput [--networks resnet20 ...] [--images 6400] [--repeats 5]

Each side lives in a process of its own, so that none sees what another has set, and all sides of a
network take turns; the first epoch of each is warm-up and is not counted. Memory is the most that
the side's process holds while it trains, the imports included. Prints images/s, the ratio, the
least and the most that one turn gave, and the share of the machine's measured bf16 matrix rate, and
which of the aims are missed; writes `benchmarks/results/training_throughput.json`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from benchmarks.networks import forget_peak, peak_memory
from benchmarks.recording import RESULTS, computed_on, conditions, save
from cnnlib import data
from cnnlib.models import create_model
from cnnlib.training import TrainConfig, pick_device, train
from experiments.lab.measures import matrix_rate

RESULT = RESULTS / "training_throughput.json"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
BATCH_SIZE = 128
#: network -> what it takes beside its name, and the share of the pictures that it is timed on
NETWORKS = {
    "resnet20": ({}, 1.0),
    "resnet18": ({"num_classes": 10, "image_size": 32}, 0.1),  # its epoch takes 14 times as long
    "simple_cnn": ({"num_classes": 10, "image_size": 32}, 1.0),
}
SIDES = ("textbook, 0 workers", "textbook, 2 workers", "cnnlib", "cnnlib, compiled")
TEXTBOOK = SIDES[:2]
#: What ResNet-20 should reach on two cores: times the textbook, and the augmentation's share.
AIMS = {"cnnlib": 2.2, "cnnlib, compiled": 2.7}
AUGMENTATION_AT_MOST = 0.08


class PILPictures(Dataset):
    """Pictures as a tutorial holds them: one PIL image at a time, transformed one at a time."""

    def __init__(self, images: data.ImageSet):
        to_pil = transforms.ToPILImage()
        self.pictures = [to_pil(torch.from_numpy(image)) for image in images.images]
        self.labels = images.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(self.pictures[i]), self.labels[i]


def network(name: str) -> nn.Module:
    """Build a network of `NETWORKS`."""
    return create_model(name, **NETWORKS[name][0])


def pictures(name: str, n: int) -> data.ImageSet:
    """Return the training pictures on which a network is timed."""
    return data.cifar10()[0].subset(slice(max(BATCH_SIZE, int(n * NETWORKS[name][1]))))


def textbook(name: str, images: data.ImageSet, workers: int) -> Iterator[float]:
    """Yield the seconds of one epoch after another of the textbook loop."""
    device = pick_device()
    loader = DataLoader(
        PILPictures(images), BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers
    )
    model = network(name).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    while True:
        yield textbook_epoch(model, loader, optimizer, device)


def textbook_epoch(model: nn.Module, loader: DataLoader, optimizer, device) -> float:
    """Train for one epoch as tutorials show it, and return the seconds."""
    started, total = time.perf_counter(), 0.0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return time.perf_counter() - started


def batches(images: data.ImageSet) -> data.DeviceBatches:
    """Return batches with crop and flip, on the device."""
    options = {"crop": 4, "flip": True, "mean": MEAN, "std": STD, "drop_last": True}
    return data.DeviceBatches(images, BATCH_SIZE, device=pick_device(), **options)


def ours(name: str, images: data.ImageSet, epochs: int, compiled: bool) -> Iterator[float]:
    """Yield the seconds of one epoch after another of `cnnlib.train`."""
    config = TrainConfig(epochs=epochs, lr=0.01, compile=compiled)
    for record in train(network(name), batches(images), config=config):
        yield record.seconds


def augmentation(images: data.ImageSet) -> float:
    """Return the seconds that an epoch's batches take without any training."""
    served = batches(images)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        for x, _ in served:
            last = x
        float(last.sum())  # reading a number waits for the device
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def epochs_of(side: str, name: str, n: int, epochs: int) -> Iterator[float]:
    """Return the epochs of one side of a network."""
    images = pictures(name, n)
    forget_peak(pick_device())  # reading all the pictures takes more than training on some
    if side in TEXTBOOK:
        return textbook(name, images, workers=2 * (side == SIDES[1]))
    return ours(name, images, epochs, compiled=side == SIDES[3])


class Side:
    """One side of a comparison, in a process of its own that works when it is asked to.

    Parameters
    ----------
    epochs
        A function of a module, which returns an iterator over the seconds of its epochs.
    *arguments
        What it is called with.
    """

    def __init__(self, epochs: Callable[..., Iterator[float]], *arguments):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, epochs, arguments))
        self.process.start()

    def epoch(self) -> float:
        """Train for one more epoch, and return its seconds."""
        self.connection.send("epoch")
        return self.connection.recv()

    def end(self) -> float:
        """End the process, and return the MiB that it held at its peak (workers not counted)."""
        self.connection.send("end")
        peak = self.connection.recv()
        self.process.join()
        return peak / 2**20


def serve(connection, epochs: Callable[..., Iterator[float]], arguments: tuple) -> None:
    """Answer a `Side` from within its process."""
    seconds = epochs(*arguments)
    while connection.recv() == "epoch":
        connection.send(next(seconds))
    connection.send(peak_memory(pick_device()))


def flops_per_image(model: nn.Module) -> float:
    """Count the FLOPs of a training step a picture, forward and backward, by torch's counter."""
    x = torch.randn(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    return counter.get_total_flops() / 2


def measured(name: str, n: int, repeats: int, rate: float) -> dict:
    """Return what was measured of one network."""
    images = pictures(name, n)
    counted = len(images) // BATCH_SIZE * BATCH_SIZE
    sides = {side: Side(epochs_of, side, name, n, repeats + 1) for side in SIDES}
    seconds = {side: [] for side in SIDES}
    for _ in range(repeats + 1):
        for side, worker in sides.items():
            seconds[side].append(worker.epoch())
    peaks = [worker.end() for worker in sides.values()]
    middle = {side: median(times[1:]) for side, times in seconds.items()}
    speed = {side: counted / value for side, value in middle.items()}
    best, flops = max(TEXTBOOK, key=speed.get), flops_per_image(network(name))
    turns = {
        side: [t / own for t, own in zip(seconds[best][1:], times[1:], strict=True)]
        for side, times in seconds.items()
    }
    return {
        "images_per_epoch": counted,
        "flops_per_image": flops,
        "augmentation_share": round(augmentation(images) / middle["cnnlib"], 4),
        "sides": {
            side: {
                "images_per_second": round(speed[side], 2),
                "ratio": round(speed[side] / speed[best], 3),
                "ratio_of_turns": [round(min(turns[side]), 3), round(max(turns[side]), 3)],
                "share_of_matrix_rate": round(speed[side] * flops / rate, 4),
                "peak_mib": round(peak),
            }
            for side, peak in zip(SIDES, peaks, strict=True)
        },
    }


def missed(found: dict) -> list[str]:
    """Return which aims a network's numbers miss, in words."""
    ratios = {side: found["sides"][side]["ratio"] for side in AIMS}
    words = [
        f"{side}: {ratio:.2f} times the textbook, {AIMS[side]} wanted"
        for side, ratio in ratios.items()
        if ratio < AIMS[side]
    ]
    share = found["augmentation_share"]
    if share > AUGMENTATION_AT_MOST:
        words.append(f"augmentation: {share:.1%} of a step, {AUGMENTATION_AT_MOST:.0%} at most")
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device = pick_device()
    rate, found = matrix_rate(device), {}
    described = computed_on(device)
    print(f"{described['device']['name']}; bf16 matrix rate: {rate / 1e12:.2f} TFLOP/s")
    for name in arguments.networks:
        found[name] = measured(name, arguments.images, arguments.repeats, rate)
        share = found[name]["augmentation_share"]
        print(f"{name}: augmentation takes {share:.1%} of a step", flush=True)
        for side, each in found[name]["sides"].items():
            print(f"  {side:20s} {each['images_per_second']:7.0f} images/s", end="")
            least, most = each["ratio_of_turns"]
            print(f"  {each['ratio']:5.2f} x ({least:.2f} to {most:.2f})", end="")
            print(f"  {each['share_of_matrix_rate']:6.1%}", end="")
            print(f" of the matrix rate, {each['peak_mib']:5d} MiB", flush=True)
    below = missed(found["resnet20"]) if "resnet20" in found else []
    for words in below:
        print(f"missed by resnet20, {words}")
    result = {
        "what": "images/s of training, augmentation included",
        "data": data.cifar10()[0].name,
        "repeats": arguments.repeats,
        "batch_size": BATCH_SIZE,
        "bf16_matrix_rate": rate,
        "networks": found,
        "aims": {"ratio": AIMS, "augmentation_share": AUGMENTATION_AT_MOST, "missed": below},
    }
    save(RESULT, result | described | conditions())


if __name__ == "__main__":
    main()
