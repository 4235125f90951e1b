"""Training on pictures that stay on the disk, against the same pictures in memory.

Claim: `cnnlib.data.StreamedBatches`, reading from a file that NumPy maps, trains ResNet-20 at no
less than 70 % of the images/s of `DeviceBatches`. Both sides take turns, an epoch each; the first
is warm-up. Before each epoch of the streamed side the system is asked to forget the file, so that
it comes from the disk and not from the system's cache.

    python -m benchmarks.streaming [--images 6400] [--repeats 3]

Prints images/s and the ratio; writes `benchmarks/results/streaming.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.recording import RESULTS, computed_on, conditions, save
from cnnlib import data
from cnnlib.models import create_model
from cnnlib.training import TrainConfig, pick_device, train

RESULT = RESULTS / "streaming.json"
LEAST = 0.7
OPTIONS = {"batch_size": 128, "crop": 4, "flip": True, "drop_last": True}


def forget(path: Path) -> None:
    """Ask the system to drop a file from its cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def speeds(batches, epochs: int):
    """Yield the images/s of one epoch after another."""
    for record in train(create_model("resnet20"), batches, config=TrainConfig(epochs=epochs)):
        yield record.images_per_second


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    device = pick_device()
    images = data.cifar10()[0].subset(slice(arguments.images))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, images.images)
        mapped = np.load(path, mmap_mode="r")
        streamed = data.ImageSet(mapped, images.labels, images.classes, images.name)
        batches = {
            "memory": data.DeviceBatches(images, device=device, **OPTIONS),
            "disk": data.StreamedBatches(streamed, device=device, **OPTIONS),
        }
        epochs = arguments.repeats + 1
        sides = {name: speeds(each, epochs) for name, each in batches.items()}
        found = {name: [] for name in sides}
        for _ in range(epochs):
            for name, side in sides.items():
                forget(path)
                found[name].append(next(side))
    speed = {name: round(median(each[1:]), 1) for name, each in found.items()}
    ratio = speed["disk"] / speed["memory"]
    print(f"from memory {speed['memory']:.0f} images/s, from the disk {speed['disk']:.0f}", end="")
    print(f": {ratio:.1%}")
    result = {
        "what": "images/s of training ResNet-20, pictures in memory or on the disk",
        "data": images.name,
        "images_per_second": speed,
        "ratio": round(ratio, 3),
        "least": LEAST,
    }
    save(RESULT, result | computed_on(device) | conditions())
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
