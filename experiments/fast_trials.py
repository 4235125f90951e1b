"""The trials by which the numbers of the fast recipe were chosen: one is changed at a time.

Three epochs each, from which the validation pictures tell. No test picture is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cnnlib.training import collect_logits

from .cifar10_fast import ALTERNATING, BATCH_SIZE, CONFIG, build, whiten
from .common import score
from .comparison import Comparison, Variant

FIRST = replace(CONFIG, epochs=3)
#: trial -> what it changes
TRIALS = {
    "as first guessed": {},
    "half the rate": {"lr": FIRST.lr / 2},
    "twice the rate": {"lr": 2 * FIRST.lr},
    "half the batch and the rate": {"batch_size": BATCH_SIZE // 2, "lr": FIRST.lr / 2},
    "twice the batch and the rate": {"batch_size": 2 * BATCH_SIZE, "lr": 2 * FIRST.lr},
    "twice the weight decay": {"weight_decay": 2 * FIRST.weight_decay},
    "half the label smoothing": {"label_smoothing": FIRST.label_smoothing / 2},
    "crops moved by up to four": {"augmentation": ALTERNATING | {"crop": 4}},
}


def variant(
    augmentation: dict = ALTERNATING, batch_size: int | None = None, **changes: float
) -> Variant:
    """Return the first guess with some changes."""
    return Variant(build, augmentation, changes, batch_size, prepare=whiten)


@dataclass(frozen=True)
class Trials(Comparison):
    """A comparison to choose by, which has no test pictures."""

    def load(self, profile: str, original_pixels: Path | None = None) -> dict:
        """Return the pictures to learn from, and to choose by."""
        parts = super().load(profile)
        return {name: parts[name] for name in ("train", "validation")}


def on_validation(model, loader, parts: dict) -> dict:
    """Return how the model does, in fp32, on the pictures held out."""
    validation = loader(parts["validation"])
    return {"test": {"validation": score(*collect_logits(model, validation, precision="fp32"))}}


COMPARISON = Trials(
    name="fast_trials",
    variants={name: variant(**changes) for name, changes in TRIALS.items()},
    config=FIRST,
    batch_size=BATCH_SIZE,
    measure=on_validation,
)
run = COMPARISON.run
