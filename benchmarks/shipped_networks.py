"""What the shipped ResNet-20 makes of all test pictures, where chapters ask it about a few.

Its first layer and the whole of it, as detectors of cats; and what a turn by 15 degrees costs it,
one way, and there and back, which leaves a picture upright and blurred twice.

    python -m benchmarks.shipped_networks

Writes `benchmarks/results/shipped_networks.json`. It takes a minute, and is to be done again when
the weights change: a test compares their hash.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.metrics import roc_auc_score  # the share of pairs in the right order
from torch import nn

from benchmarks.recording import RESULTS, computed_on, conditions, save
from cnnlib import data, records
from cnnlib.prediction import load_model
from cnnlib.statistics import student_interval
from experiments.pooling_shift import CROP, turned

RESULT = RESULTS / "shipped_networks.json"
RECORD = "resnet20_cifar10"
CAT = data.CIFAR10_CLASSES.index("cat")
DEGREES = 15


def served(images: data.ImageSet) -> Iterator[torch.Tensor]:
    """Yield normalised batches, in order."""
    config = records.load(RECORD).config
    normal = {"mean": config["mean"], "std": config["std"]}
    for batch, _ in data.DeviceBatches(images, 250, shuffle=False, **normal):
        yield batch


@torch.no_grad()
def cat_detectors(model: nn.Module, images: data.ImageSet) -> dict:
    """Return in what share of pairs, a cat and another, each detector puts the cat first.

    A channel of the first layer may answer by its mean or by its largest number, and it may prefer
    the others as well: the best of all these stands for the layer. Beside it, for each channel,
    the share of its answers that are positive.
    """
    means, peaks, opinions, positive = [], [], [], []
    for batch in served(images):
        channels = torch.relu(model.bn1(model.conv1(batch)))
        means.append(channels.mean(dim=(2, 3)))
        peaks.append(channels.amax(dim=(2, 3)))
        positive.append((channels > 0).double().mean(dim=(0, 2, 3)))
        opinions.append(model(batch).softmax(dim=1)[:, CAT])
    answers = torch.cat([torch.cat(means), torch.cat(peaks)], dim=1)
    is_cat = images.labels == CAT
    right = np.array([roc_auc_score(is_cat, answer) for answer in answers.T])
    return {
        "first_layer": float(np.maximum(right, 1 - right).max()),
        "network": float(roc_auc_score(is_cat, torch.cat(opinions))),
        "positive": torch.stack(positive).mean(dim=0).tolist(),
    }


@torch.no_grad()
def turns(model: nn.Module, images: data.ImageSet) -> dict:
    """Return the accuracy on the middle of each picture, straight and turned, and what turns cost.

    The costs are in points, each with half of its 95 % interval over the pictures.
    """
    right = {"straight": [], "there": [], "there and back": []}
    margin, first = (images.images.shape[-1] - CROP) // 2, 0
    for batch in served(images):
        there = turned(DEGREES)(batch, first)
        views = batch, there, turned(-DEGREES)(there, first)
        labels = torch.from_numpy(images.labels[first : first + len(batch)])
        for name, view in zip(right, views, strict=True):
            middle = view[..., margin : margin + CROP, margin : margin + CROP]
            right[name].append(model(middle).argmax(dim=1) == labels)
        first += len(batch)
    right = {name: 100 * torch.cat(found).double().numpy() for name, found in right.items()}
    lost = {name: right["straight"] - right[name] for name in ("there", "there and back")}
    return {
        "degrees": DEGREES,
        "accuracy": {name: found.mean() / 100 for name, found in right.items()},
        "points_lost": {name: list(student_interval(found)) for name, found in lost.items()},
    }


def main() -> None:
    record = records.load(RECORD)
    _, test = data.cifar10(fallback=False)
    if test.sha256 != record.data["splits"]["test"]["sha256"]:
        raise SystemExit(f"{test.name} is not what {RECORD} was tested on.")
    model = load_model(records.results_folder() / record.checkpoint["file"]).eval()
    result = {
        "what": "the shipped ResNet-20 on all test pictures",
        "data": test.name,
        "n": len(test),
        "sha256": test.sha256,
        "weights": record.checkpoint["sha256"],
        "cats": cat_detectors(model, test),
        "turns": turns(model, test),
    }
    cats = result["cats"]
    print(f"a cat before another, by the first layer: {cats['first_layer']:.1%}")
    print(f"by the whole network: {cats['network']:.1%}")
    for name, (mean, half) in result["turns"]["points_lost"].items():
        print(f"turned {name}: {mean:.2f} ± {half:.2f} points lost")
    save(RESULT, result | computed_on(torch.device("cpu")) | {"precision": "fp32"} | conditions())


if __name__ == "__main__":
    main()
