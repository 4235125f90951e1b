"""ResNet-20 on CIFAR-10 pictures: the textbook loop against `cnnlib.train`, timed in one run.

Claim: on two CPU cores `cnnlib.train` does at least 2.0 times the images/s of the textbook loop
(torchvision's transforms on PIL images, DataLoader, fp32, NCHW, `.item()` at every step), data and
augmentation included. The textbook loop is given the better of no and two worker processes.

    python benchmarks/training_throughput.py [--images 6400] [--repeats 3] [--compile]

Both sides take turns; the first epoch of each is warm-up and is not counted. Prints images/s, the
ratio, and the share of the machine's measured bf16 matrix rate; writes
`benchmarks/results/training_throughput.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from cnnlib import data, records
from cnnlib.models import create_model
from cnnlib.training import TrainConfig, pick_device, pick_precision, train

RESULT = Path(__file__).parent / "results" / "training_throughput.json"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
BATCH_SIZE = 128


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


def textbook(images, device, workers):
    """Yield the seconds of one epoch after another of the textbook loop."""
    loader = DataLoader(
        PILPictures(images), BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers
    )
    model = create_model("resnet20").to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    while True:
        started = time.perf_counter()
        total = 0.0
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield time.perf_counter() - started


def ours(images, device, epochs, compiled):
    """Yield the seconds of one epoch after another of `cnnlib.train`."""
    batches = data.DeviceBatches(
        images, BATCH_SIZE, device=device, crop=4, flip=True, mean=MEAN, std=STD, drop_last=True
    )
    config = TrainConfig(epochs=epochs, device=str(device), compile=compiled)
    for record in train(create_model("resnet20"), batches, config=config):
        yield record.seconds


def matrix_rate(device, dtype=torch.bfloat16, n=2048, repeats=8):
    """Return the best measured rate of an n x n matrix product, in FLOP/s."""
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        float((a @ b)[0, 0])  # reading a number waits for the device
        seconds.append(time.perf_counter() - started)
    return 2 * n**3 / min(seconds)


def flops_per_image(device):
    """Count the FLOPs of a training step a picture, forward and backward, by torch's counter."""
    model = create_model("resnet20").to(device)
    x = torch.randn(2, 3, 32, 32, device=device)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    return counter.get_total_flops() / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="time the compiled model too")
    arguments = parser.parse_args()

    device = pick_device()
    images = data.cifar10()[0].subset(range(arguments.images))
    counted = len(images) // BATCH_SIZE * BATCH_SIZE
    epochs = arguments.repeats + 1
    sides = {
        "textbook, 0 workers": textbook(images, device, 0),
        "textbook, 2 workers": textbook(images, device, 2),
        "cnnlib": ours(images, device, epochs, compiled=False),
    }
    if arguments.compile:
        sides["cnnlib, compiled"] = ours(images, device, epochs, compiled=True)
    seconds = {name: [] for name in sides}
    for _ in range(epochs):
        for name, side in sides.items():
            seconds[name].append(next(side))

    speed = {name: counted / median(times[1:]) for name, times in seconds.items()}
    best_textbook = max(speed["textbook, 0 workers"], speed["textbook, 2 workers"])
    rate, flops = matrix_rate(device), flops_per_image(device)
    result = {
        "device": records.describe_device(str(device)),
        "precision": pick_precision("auto", device),
        "versions": records.provenance()["versions"],
        "data": images.name,
        "images_per_epoch": counted,
        "repeats": arguments.repeats,
        "batch_size": BATCH_SIZE,
        "bf16_matrix_rate": rate,
        "flops_per_image": flops,
        "images_per_second": speed,
        "ratio": {name: value / best_textbook for name, value in speed.items()},
        "share_of_matrix_rate": {name: value * flops / rate for name, value in speed.items()},
    }
    print(f"{result['device']['name']}, {result['device']['threads']} threads, on {images.name}")
    print(f"bf16 matrix rate: {rate / 1e12:.2f} TFLOP/s; a step: {flops / 1e6:.0f} MFLOP a picture")
    for name, value in speed.items():
        ratio, share = result["ratio"][name], result["share_of_matrix_rate"][name]
        print(f"{name:20s} {value:7.0f} images/s  {ratio:5.2f} x  {share:6.1%} of the matrix rate")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
