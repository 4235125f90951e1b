"""What a claim is about: one number, read from a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

#: Reads a number from a run: a dict with ``epochs`` and, once it is tested, ``test``.
Read = Callable[[dict], float]


@dataclass(frozen=True)
class Quantity:
    """A number that a run ends with, by which rates are chosen and arms compared.

    Parameters
    ----------
    name
        With its unit, as a sentence needs it: ``"points of validation accuracy"``.
    of
        Reads it from a run; infinite where the run did not get there.
    more_is_better
        Whether the larger one wins.
    needs_test
        Whether it is read from the test, as no choice may be.
    """

    name: str
    of: Read
    more_is_better: bool = False
    needs_test: bool = False

    def cost(self, run: dict | None) -> float:
        """Return the quantity as something to make small; infinite where the run came to no end."""
        if run is None or run.get("diverged"):
            return math.inf
        value = self.of(run)
        value = -value if self.more_is_better else value
        return math.inf if math.isnan(value) else value


def _at_the_end(key: str, scale: float = 1.0) -> Read:
    return lambda run: scale * run["epochs"][-1][key]


def epochs_to(error: float) -> Quantity:
    """Return how many epochs it takes until the training error is at most `error`, in (0, 1)."""

    def of(run: dict) -> float:
        there = (each["epoch"] for each in run["epochs"] if _training_error(each) <= error)
        return next(there, math.inf)

    return Quantity(f"epochs to {error:.0%} training error", of)


def _training_error(epoch: dict) -> float:
    """Return it as measured after the epoch, or else as it was met in its course."""
    return epoch.get("training_error", 1 - epoch["train_accuracy"])


VALIDATION_LOSS = Quantity("of validation loss", _at_the_end("validation_loss"))
VALIDATION_ACCURACY = Quantity(
    "points of validation accuracy", _at_the_end("validation_accuracy", 100), more_is_better=True
)
TEST_ACCURACY = Quantity(
    "points of test accuracy",
    lambda run: 100 * run["test"]["test"]["accuracy"],
    more_is_better=True,
    needs_test=True,
)
TRAINING_ERROR = Quantity(
    "points of training error", lambda run: 100 * _training_error(run["epochs"][-1])
)
