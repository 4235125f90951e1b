"""What every experiment is made of: arms, rates, budgets, seeds, and the record of its runs.

An experiment is one file beside this folder that ends in ``EXPERIMENT = Experiment(...)``.
"""

from __future__ import annotations

from .arms import MOVED, Arm, alike
from .command import Command
from .experiment import Experiment
from .quantities import (
    TEST_ACCURACY,
    TRAINING_ERROR,
    VALIDATION_ACCURACY,
    VALIDATION_LOSS,
    Quantity,
    epochs_to,
)
from .rates import Rates
from .work import conduct

__all__ = [
    "MOVED",
    "TEST_ACCURACY",
    "TRAINING_ERROR",
    "VALIDATION_ACCURACY",
    "VALIDATION_LOSS",
    "Arm",
    "Command",
    "Experiment",
    "Quantity",
    "Rates",
    "alike",
    "conduct",
    "epochs_to",
]
