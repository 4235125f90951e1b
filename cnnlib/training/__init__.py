"""Train and evaluate: a generator that yields one record an epoch.

There are no callbacks. Early stopping is ``break``, plotting is the caller's loop::

    for record in train(model, batches, validation, config, checkpoint="runs/mine.pt"):
        print(record)

Everything that an epoch does follows from the configuration, the seed and the epoch's number, so a
run that was killed goes on from its last checkpoint to the same weights, on a CPU to the bit. On a
GPU some sums are formed in an order that varies; see "Run it twice" in the README.
"""

from __future__ import annotations

from .checkpoints import (
    CHECKPOINT_VERSION,
    fingerprint,
    load_checkpoint,
    load_weights,
    read_facts,
    remove_checkpoint,
    require_fitting,
    save_weights,
)
from .evaluation import Evaluation, collect_logits, evaluate
from .loop import EpochRecord, NonFiniteLossError, fit, train
from .muon import Muon
from .settings import (
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    TrainConfig,
    lr_at,
    pick_device,
    pick_precision,
)

__all__ = [
    "CHECKPOINT_VERSION",
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "EpochRecord",
    "Evaluation",
    "Muon",
    "NonFiniteLossError",
    "TrainConfig",
    "collect_logits",
    "evaluate",
    "fingerprint",
    "fit",
    "load_checkpoint",
    "load_weights",
    "lr_at",
    "pick_device",
    "pick_precision",
    "read_facts",
    "remove_checkpoint",
    "require_fitting",
    "save_weights",
    "train",
]
