"""Four ways to make a map smaller, and how well a network knows a picture that moved or turned.

Every network learns from the middle 24 by 24 pixels of each picture, so that a shifted crop holds
real pixels and no border. Only "max, augmented" sees shifted crops in training.

References
----------
R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019: maximum, then blur.
J. T. Springenberg et al., "Striving for Simplicity", ICLR workshop 2015: strides in place of pools.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import data
from cnnlib.training import TrainConfig, collect_logits

from .lab import Arm, Command, Experiment
from .lab.measures import score

CROP = 24  # pixels a side, of 32
SHIFTS = range(5)  # pixels
ANGLES = (0, 5, 10, 15, 20, 30, 45)  # degrees
# Where the i-th picture goes when it is shifted by one: eight directions in turn.
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))

#: arm -> (how maps become smaller, what stands before the last layer, random crops)
ARMS = {
    "max": ("max", "flatten", False),
    "average": ("average", "flatten", False),
    "stride": ("stride", "flatten", False),
    "blur": ("blur", "flatten", False),
    "max, global head": ("max", "global", False),
    "max, augmented": ("max", "flatten", True),
}


def blur_pool() -> nn.Sequential:
    """Return what halves ``(N, C, H, W)``: maximum, blur by (1, 2, 1), every second pixel.

    Two averages of two pixels are the blur: (1, 1) slid over (1, 1) is (1, 2, 1).
    """
    maximum = nn.MaxPool2d(2, stride=1, padding=1)  # H + 1 rows: torch pads with minus infinity
    return nn.Sequential(maximum, nn.AvgPool2d(2, stride=1), nn.AvgPool2d(2))


def stage(in_channels: int, out_channels: int, pool: str) -> nn.Sequential:
    """Return convolution, BatchNorm, ReLU, and what halves the map."""
    stride = 2 if pool == "stride" else 1
    smaller = {
        "max": lambda: nn.MaxPool2d(2),
        "average": lambda: nn.AvgPool2d(2),
        "stride": nn.Identity,
        "blur": blur_pool,
    }
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        smaller[pool](),
    )


def build(name: str, num_classes: int = 10) -> nn.Sequential:
    """Return the network of an arm: three stages, 24 to 12 to 6 to 3 pixels, and one layer."""
    pool, head, _ = ARMS[name]
    widths = (3, 32, 64, 128)
    stages = [stage(*each, pool) for each in pairwise(widths)]
    summary = [nn.AdaptiveAvgPool2d(1)] if head == "global" else []
    features = 128 if head == "global" else 128 * 3 * 3
    return nn.Sequential(*stages, *summary, nn.Flatten(), nn.Linear(features, num_classes))


class Crops:
    """Batches of 24 by 24 pixels, cut out of batches of larger pictures.

    Parameters
    ----------
    batches : DeviceBatches
        Of pictures ``(N, C, H, W)``.
    at : callable
        ``at(first, n, room)`` gives the rows and the columns at which the crops of n pictures
        begin, the first of them number `first` of the epoch: int64 tensors from 0 to `room`.
    turn : callable, optional
        ``turn(images, first)`` alters whole pictures before they are cut.
    """

    def __init__(self, batches: data.DeviceBatches, at, turn=None):
        self.batches, self.at, self.turn = batches, at, turn

    def __len__(self) -> int:
        return len(self.batches)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentation of an epoch."""
        self.batches.set_epoch(epoch)
        if hasattr(self.at, "set_epoch"):
            self.at.set_epoch(epoch)

    def __iter__(self):
        first = 0
        for images, labels in self.batches:
            whole = images if self.turn is None else self.turn(images, first)
            rows, columns = self.at(first, len(images), whole.shape[-1] - CROP)
            windows = whole.unfold(2, CROP, 1).unfold(3, CROP, 1)
            picked = torch.arange(len(images), device=images.device)
            cut = windows[picked, :, rows.to(images.device), columns.to(images.device)]
            yield cut.contiguous(memory_format=torch.channels_last), labels
            first += len(images)


class Anywhere:
    """Crops at random, a pure function of (seed, epoch)."""

    def __init__(self, seed: int):
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Begin the draws of an epoch."""
        self.generator = torch.Generator().manual_seed(1_000_003 * self.seed + epoch)

    def __call__(self, first: int, n: int, room: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw where n crops begin."""
        return tuple(torch.randint(room + 1, (n,), generator=self.generator) for _ in range(2))


def shifted(by: int):
    """Return where crops begin `by` pixels from the middle, in eight directions in turn."""

    def at(first: int, n: int, room: int) -> tuple[torch.Tensor, torch.Tensor]:
        steps = torch.tensor([DIRECTIONS[(first + i) % 8] for i in range(n)])
        rows, columns = (room // 2 + by * steps).T
        return rows, columns

    return at


def turned(degrees: float):
    """Return what turns pictures about their middle, every second one the other way round."""

    def turn(images: torch.Tensor, first: int) -> torch.Tensor:
        signs = torch.tensor([1 - 2 * ((first + i) % 2) for i in range(len(images))])
        angle = signs.to(images) * math.radians(degrees)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        rows = torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)
        places = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
        return F.grid_sample(images, places, padding_mode="reflection", align_corners=False)

    return turn


def conditions() -> dict[str, dict]:
    """Return how the test pictures are altered, by the name that the record gives it."""
    shifts = {f"shift {by}": {"at": shifted(by)} for by in SHIFTS}
    angles = {f"angle {a}": {"at": shifted(0), "turn": turned(a) if a else None} for a in ANGLES}
    return shifts | angles


def under_every_condition(model: nn.Module, load, parts: dict) -> dict:
    """Return the test results under every condition, and how often the answer stays the same."""
    results, same, straight = {}, {}, None
    for name, how in conditions().items():
        logits, labels = collect_logits(model, load(parts["test"], **how), precision="fp32")
        said = logits.argmax(1)
        straight = said if straight is None else straight
        results[name] = score(logits, labels)
        same[name] = float((said == straight).float().mean())
    return {"test": results, "same_answer": same}


@dataclass(frozen=True)
class Cropped(Experiment):
    """An experiment whose networks see the middle of each picture, or crops from anywhere."""

    def load(self, command: Command) -> dict[str, data.ImageSet]:
        """Return the pictures; those to test on are altered, and are the data set's own."""
        if command.original_pixels:
            raise ValueError(f"{self.name} has no test on original pixels: leave the option out.")
        return super().load(command)

    def loader(self, parts: dict) -> Callable:
        """Return what makes batches of crops, cut where ``at`` says, or ``anywhere``."""
        whole = super().loader(parts)

        def load(images, batch_size=250, at=None, turn=None, anywhere=False, **options):
            at = Anywhere(options["seed"]) if anywhere else at or shifted(0)
            return Crops(whole(images, batch_size, **options), at, turn)

        return load

    def summary(self, parts: dict) -> dict:
        """Return what a record says of all settings, with the size of the crops."""
        return super().summary(parts) | {"crop": CROP}


def arm(name: str) -> Arm:
    """Return an arm: its network, and where its crops are cut in training."""
    *_, anywhere = ARMS[name]
    return Arm(partial(build, name), {"flip": True} | ({"anywhere": True} if anywhere else {}))


EXPERIMENT = Cropped(
    name="pooling_shift",
    arms={name: arm(name) for name in ARMS},
    config=TrainConfig(epochs=12, lr=0.1, schedule="one_cycle", weight_decay=5e-4),
    fixed="each network is held against its own answers to the pictures as they are",
    measure=under_every_condition,
)
