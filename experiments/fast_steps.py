"""What each step of the fast recipe is worth.

`fastnet` begins as one would begin without having read anything: batches of 128, the rate divided
at half and three quarters, kernels drawn at random. Then one change after another is added, and
stays. The last step is the recipe of `cifar10_fast`, for fewer epochs of fewer pictures: there are
many networks to train.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

from torch import nn

from .cifar10_fast import ALTERNATING, BATCH_SIZE, CONFIG, build, in_views, whiten
from .lab import Arm, Experiment

FIRST = replace(
    CONFIG,
    epochs=3,
    optimizer="sgd",
    lr=0.1,
    momentum=0.9,
    weight_decay=1e-3,
    schedule="step",
    label_smoothing=0.0,
    ema=None,
)
RANDOM = ALTERNATING | {"flip": True}
MUON = ("optimizer", "lr", "kernel_lr", "momentum", "weight_decay")
#: step -> what it changes, beside all that the steps before it changed
STEPS = {
    "as in a tutorial": {},
    "one cycle": {"schedule": CONFIG.schedule},
    "larger batches": {"batch_size": BATCH_SIZE, "lr": 0.5},
    "kernels that begin as identity": {"identity": True},
    "whitened first layer": {"prepare": whiten},
    "alternating flip": {"augmentation": ALTERNATING},
    "label smoothing": {"label_smoothing": CONFIG.label_smoothing},
    "moving average": {"ema": CONFIG.ema},
    "Muon": {name: getattr(CONFIG, name) for name in MUON},
}


def start(num_classes: int, identity: bool) -> nn.Module:
    """Return the network, with the kernels of its stages drawn as torch does or as it does."""
    model = build(num_classes)
    if not identity:
        for module in model.stages.modules():
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()
    return model


def ladder() -> dict[str, Arm]:
    """Return one arm a step, each with all the changes up to it."""
    changes, arms = {}, {}
    for step, more in STEPS.items():
        changes = changes | more
        arms[step] = Arm(
            build=partial(start, identity=changes.get("identity", False)),
            augmentation=changes.get("augmentation", RANDOM),
            changes={name: value for name, value in changes.items() if name in asdict(FIRST)},
            batch_size=changes.get("batch_size"),
            prepare=changes.get("prepare"),
        )
    *_, last = STEPS
    arms[last] = replace(arms[last], measure=in_views)
    return arms


EXPERIMENT = Experiment(name="fast_steps", arms=ladder(), config=FIRST, train=20_000)
