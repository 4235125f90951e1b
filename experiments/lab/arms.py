"""The arms of an experiment: what differs between its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import nn

from cnnlib.training import TrainConfig

from .rates import Rates

#: The augmentation of most experiments: crops moved by up to four pixels, and mirrored.
MOVED = {"crop": 4, "padding_mode": "reflect", "flip": True}


@dataclass(frozen=True)
class Arm:
    """One network of an experiment, and what is its own in how it learns.

    Parameters
    ----------
    build
        Returns the network with random weights, given the number of classes.
    augmentation
        Options of :class:`cnnlib.data.DeviceBatches`.
    changes
        Fields of :class:`cnnlib.training.TrainConfig` that differ from the experiment's.
    batch_size
        Pictures a step, where they differ from the experiment's.
    prepare
        ``prepare(model, images)`` readies the network for pictures such as these, before it learns.
    measure
        Measures in place of the experiment's `measure`.
    against
        The arm from which this one differs in one thing, and with which it is compared; the first
        one where it is not said.
    rates
        How its rate is found, where that differs from the experiment's.
    fixed
        Why its rate is given and not searched for: the recipe that it is part of.
    """

    build: Callable[[int], nn.Module]
    augmentation: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)
    batch_size: int | None = None
    prepare: Callable[[nn.Module, torch.Tensor], None] | None = None
    measure: Callable | None = None
    against: str = ""
    rates: Rates | None = None
    fixed: str = ""

    def settings(self) -> dict:
        """Return what a record says of it."""
        own = {"batch_size": self.batch_size} if self.batch_size else {}
        own |= {"prepared_by": described(self.prepare)} if self.prepare else {}
        network = {"network": described(self.build)}
        return {**network, "augmentation": self.augmentation, **self.changes, **own}


def alike(build: Callable, names) -> dict[str, Arm]:
    """Return arms that differ in their network alone, ``build(name, num_classes)``."""
    return {name: Arm(partial(build, name), MOVED) for name in names}


def at_rate(config: TrainConfig, lr: float) -> TrainConfig:
    """Return the configuration with another peak; Muon's two rates move together."""
    kernel_lr = config.kernel_lr * lr / config.lr if config.optimizer == "muon" else None
    return replace(config, lr=lr, **({"kernel_lr": kernel_lr} if kernel_lr else {}))


def described(work: Callable) -> str:
    """Return a function's name, and what it is called with: ``"build('tanh')"``.

    Raises
    ------
    ValueError
        If that does not tell it from others: it has no name, or holds what its name does not say.
    """
    if isinstance(work, partial):
        given = [_said(each) for each in work.args]
        given += [f"{key}={_said(each)}" for key, each in work.keywords.items()]
        return f"{described(work.func)}({', '.join(given)})"
    name = getattr(work, "__name__", "<object>")
    hidden = getattr(work, "__closure__", None) or getattr(work, "__self__", None) is not None
    if name.startswith("<") or hidden:
        raise ValueError(
            f"{work!r} does not say what it does, and a run is known by that: write a function at "
            "the top of the experiment's file, and hand numbers and text to it by partial."
        )
    return name


def _said(value) -> str:
    """Return a value as it stands in a record: plain, or a function's name."""
    if callable(value):
        return described(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_said, value))}]"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise ValueError(f"{value!r} has no name that lasts: give partial numbers, text, functions.")
