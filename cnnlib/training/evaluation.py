"""Measure a model on held-out pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import memory

from .processes import share, summed
from .settings import autocast, pick_device, pick_precision


@dataclass(frozen=True)
class Evaluation:
    """The result of :func:`evaluate`: ``correct`` of ``n`` pictures, and the mean ``loss``."""

    n: int
    correct: int
    loss: float

    @property
    def accuracy(self) -> float:
        """Share of the pictures that were named correctly, in [0, 1]."""
        return self.correct / self.n


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Iterable, *, device: str = "auto", precision: str = "auto"
) -> Evaluation:
    """Measure the model on held-out pictures, in ``eval()`` mode, and leave its mode as it was.

    Where several processes train together, all of them call this: each takes its share of every
    batch, and the sums are of all.

    Parameters
    ----------
    model
        Maps pictures ``(N, C, H, W)`` to logits ``(N, classes)``. It is moved to the device.
    batches
        Yields ``(images, labels)``.
    device, precision
        As in :class:`TrainConfig`.

    Returns
    -------
    Evaluation
        The loss is the plain cross-entropy, whatever the training used.

    Raises
    ------
    ValueError
        If ``batches`` holds no picture.
    MemoryError
        If a batch does not fit into the memory, with a batch size to try.
    """
    # Sums stay on the device: reading each one would make a GPU wait for Python.
    loss_sum = torch.zeros((), device=pick_device(device))
    counts = torch.zeros(2, dtype=torch.long, device=loss_sum.device)  # all, correct
    for logits, labels in _predictions(model, batches, device, precision, share):
        loss_sum += F.cross_entropy(logits, labels, reduction="sum")
        counts[0] += len(labels)
        counts[1] += (logits.argmax(1) == labels).sum()
    n, correct = summed(counts).tolist()
    if n == 0:
        raise ValueError("There is no picture to evaluate on: the batches are empty.")
    return Evaluation(n=n, correct=correct, loss=float(summed(loss_sum)) / n)


@torch.no_grad()
def collect_logits(
    model: nn.Module, batches: Iterable, *, device: str = "auto", precision: str = "auto"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict all pictures, in ``eval()`` mode, and leave the model's mode as it was.

    Parameters and what is raised are those of :func:`evaluate`.

    Returns
    -------
    logits : torch.Tensor, shape (N, classes)
        In fp32, on the CPU.
    labels : torch.Tensor, shape (N,)
        On the CPU.
    """
    pairs = list(_predictions(model, batches, device, precision, lambda batch: batch))
    if not pairs:
        raise ValueError("There is no picture to predict on: the batches are empty.")
    logits, labels = zip(*pairs, strict=True)
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()


def _predictions(model, batches, device, precision, part):
    """Yield fp32 logits and labels of each batch, or of a part of it, in ``eval()`` mode."""
    device = pick_device(device)
    precision = pick_precision(precision, device)
    was_training = model.training
    model.to(device).eval()
    try:
        for images, labels in batches:
            n, images, labels = len(labels), part(images), part(labels)
            if len(labels) == 0:  # a small batch, of which this process has no share
                continue
            with memory.enough_for(n), autocast(device, precision):
                logits = model(images.to(device)).float()
            yield logits, labels.to(device)
    finally:
        model.train(was_training)
