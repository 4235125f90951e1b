"""Training on pictures that stay on the disk, against the same pictures in memory.

Claim: `cnnlib.data.StreamedBatches`, reading from a file that NumPy maps, trains ResNet-20 at no
less than 70 % of the images/s of `DeviceBatches`. Both sides take turns, an epoch each; the first
is warm-up. Before each epoch the file leaves the system's cache, which is checked page by page, so
that the pictures do come from the disk.

    python -m benchmarks.streaming [--images 50000] [--repeats 3]

Prints images/s and the ratio; writes `benchmarks/results/streaming.json`.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
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


def forget(mapped: np.memmap) -> None:
    """Let a mapped file leave the system's cache.

    Raises
    ------
    RuntimeError
        If more than a hundredth of it is still there.
    """
    mapped._mmap.madvise(mmap.MADV_DONTNEED)  # the system keeps what a process has mapped
    with open(mapped.filename, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if (share := cached(mapped)) > 0.01:
        raise RuntimeError(
            f"{share:.0%} of {mapped.filename} stay in memory; set TMPDIR to a folder on a disk"
        )


def cached(mapped: np.memmap) -> float:
    """Return the share of a mapped file's pages that are in the system's cache."""
    start = mapped.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE  # the map begins with its page
    pages = np.zeros(-(-len(mapped._mmap) // mmap.PAGESIZE), dtype=np.uint8)
    length, vector = ctypes.c_size_t(len(mapped._mmap)), ctypes.c_void_p(pages.ctypes.data)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mincore(ctypes.c_void_p(start), length, vector):
        raise OSError(ctypes.get_errno(), "the system does not say which pages are cached")
    return float((pages & 1).mean())


def speeds(batches, epochs: int):
    """Yield the images/s of one epoch after another."""
    for record in train(create_model("resnet20"), batches, config=TrainConfig(epochs=epochs)):
        yield record.images_per_second


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
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
                forget(mapped)
                found[name].append(next(side))
    speed = {name: round(median(each[1:]), 1) for name, each in found.items()}
    ratio = speed["disk"] / speed["memory"]
    print(f"from memory {speed['memory']:.0f} images/s, from the disk {speed['disk']:.0f}", end="")
    print(f": {ratio:.1%}")
    result = {
        "what": "images/s of training ResNet-20, pictures in memory or on the disk",
        "data": images.name,
        "images": len(images),
        "images_per_second": speed,
        "ratio": round(ratio, 3),
        "least": LEAST,
    }
    save(RESULT, result | computed_on(device) | conditions())
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
