"""What is measured of a network: while it learns, and at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import records
from cnnlib.training import collect_logits, evaluate

#: ``load(images, batch_size, **options)`` gives normalised batches of a set of pictures.
Load = Callable
#: What an experiment may measure of a trained network: facts for the run's entry in the record.
Measure = Callable[[nn.Module, Load, dict], dict]

TESTS = "test", "original pixels"  # of the parts of the data, those to test on


def score_on(model: nn.Module, load: Load, parts: dict, on: tuple = TESTS) -> dict[str, dict]:
    """Return how the model does, in fp32, on each of the parts to test on."""
    return {
        name: score(*collect_logits(model, load(parts[name]), precision="fp32"))
        for name in on
        if name in parts
    }


def score(logits: torch.Tensor, labels: torch.Tensor) -> dict:
    """Return what a record says of a test: how many, how many right, and the mean loss."""
    correct = int((logits.argmax(1) == labels).sum())
    return records.measured(len(labels), correct, float(F.cross_entropy(logits, labels)))


def confusion(model: nn.Module, load: Load, images) -> list[list[int]]:
    """Return the confusion matrix: rows are true classes, columns predicted ones."""
    logits, labels = collect_logits(model, load(images), precision="fp32")
    return count_pairs(labels, logits.argmax(1), logits.shape[1]).tolist()


def count_pairs(labels: torch.Tensor, predicted: torch.Tensor, classes: int) -> torch.Tensor:
    """Return how often each pair of true and predicted class occurs, ``(classes, classes)``."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, -1)


def training_error(model: nn.Module, load: Load, parts: dict) -> dict:
    """Return the share of training pictures that are named wrongly, as they are, in eval mode."""
    return {"training_error": 1 - evaluate(model, load(parts["train"])).accuracy}


def first_kernels(model: nn.Module, digits: int = 2) -> list:
    """Return the first convolution's kernels ``(C, H, W)``, rounded, each as one flat list."""
    first = next(each for each in model.modules() if isinstance(each, nn.Conv2d))
    kernels = first.weight.flatten(1).tolist()
    return [[round(w, digits) + 0.0 for w in kernel] for kernel in kernels]  # no -0.0


@torch.no_grad()
def probe(model: nn.Module) -> list[float]:
    """Return the logits, in fp32, of one smooth picture that any machine can compute again."""
    x = torch.linspace(-2, 2, 3 * 32 * 32).view(1, 3, 32, 32)
    return model.cpu().eval()(torch.sin(9 * x)).flatten().tolist()


def matrix_rate(
    device: torch.device, dtype: torch.dtype = torch.bfloat16, n: int = 2048, seconds: float = 3.0
) -> float:
    """Return the best measured rate of an n x n matrix product, in FLOP/s.

    It is about the most that a machine can do: seconds measured on one say little without it.
    Products are made for so many seconds, since a machine that others share has slow moments.
    """
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    fastest, spent = math.inf, 0.0
    while spent < seconds:
        started = time.perf_counter()
        float((a @ b)[0, 0])  # reading a number waits for the device
        took = time.perf_counter() - started
        fastest, spent = min(fastest, took), spent + took
    return 2 * n**3 / fastest
