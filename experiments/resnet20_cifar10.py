"""ResNet-20 on CIFAR-10, from random weights: the run that the capstone shows.

One network, so nothing is compared: the record says how far 60 epochs of it lead, and how far apart
seeds end. After each epoch stand the confusion on the validation pictures and the kernels of the
first layer, so that one can watch both become what they are.
"""

from __future__ import annotations

from functools import partial

from cnnlib.models import create_model
from cnnlib.training import TrainConfig

from .lab import MOVED, Arm, Experiment
from .lab.measures import confusion, first_kernels


def confusion_of_test(model, load, parts: dict) -> dict:
    """Return the confusion matrix on the test pictures."""
    return {"confusion": confusion(model, load, parts["test"])}


def confusion_and_kernels(model, load, parts: dict) -> dict:
    """Return the confusion on the validation pictures, and the first layer's kernels."""
    return {
        "confusion": confusion(model, load, parts["validation"]),
        "kernels": first_kernels(model),
    }


EXPERIMENT = Experiment(
    name="resnet20_cifar10",
    arms={"resnet20": Arm(partial(create_model, "resnet20"), MOVED)},
    config=TrainConfig(epochs=60, lr=0.2, schedule="one_cycle", warmup=0.2, weight_decay=5e-4),
    measure=confusion_of_test,
    each_epoch=confusion_and_kernels,
    keep="resnet20",
)
