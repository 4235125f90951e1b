"""The numbers of the fast recipe, changed one at a time.

They were found by trial and error, in longer runs that the validation pictures judged, and of which
no record was kept. These trials, made after the recipe's own runs, show how steep it is around its
numbers: fewer epochs of fewer pictures, and no test picture.
"""

from __future__ import annotations

from dataclasses import replace

from .cifar10_fast import ALTERNATING, BATCH_SIZE, CONFIG, build, whiten
from .lab import Arm, Experiment

RECIPE = replace(CONFIG, epochs=3)
#: From the epoch on, the side of the squares that are cut out of the pictures; the first is 1.
GROWING = {0: 24, 3: 28, 4: 32}
#: trial -> what it changes
TRIALS = {
    "the recipe": {},
    "half the rates": {"lr": RECIPE.lr / 2, "kernel_lr": RECIPE.kernel_lr / 2},
    "twice the rates": {"lr": 2 * RECIPE.lr, "kernel_lr": 2 * RECIPE.kernel_lr},
    "half the batch": {"batch_size": BATCH_SIZE // 2},
    "twice the batch": {"batch_size": 2 * BATCH_SIZE},
    "twice the weight decay": {"weight_decay": 2 * RECIPE.weight_decay},
    "half the label smoothing": {"label_smoothing": RECIPE.label_smoothing / 2},
    "a longer moving average": {"ema": 0.98},
    "crops moved by up to four": {"augmentation": ALTERNATING | {"crop": 4}},
    # An epoch more, which is no more work.
    "pictures that grow": {"epochs": 4, "augmentation": ALTERNATING | {"size": GROWING}},
}


def arm(augmentation: dict = ALTERNATING, batch_size: int | None = None, **changes: float) -> Arm:
    """Return the recipe with some changes."""
    return Arm(build, augmentation, changes, batch_size, prepare=whiten)


EXPERIMENT = Experiment(
    name="fast_trials",
    arms={name: arm(**changes) for name, changes in TRIALS.items()},
    config=RECIPE,
    batch_size=BATCH_SIZE,
    train=20_000,
    test_on=("validation",),
)
