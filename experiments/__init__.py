"""The long runs, one short file each; what they are made of lies in `lab`.

``python -m experiments NAME`` runs one, ``python -m experiments plan`` lists what is missing.
"""

from __future__ import annotations

#: Every experiment with the number of its seeds, the most wanted first.
WANTED = {
    "resnet20_cifar10": 3,
    "residual_blocks": 3,
    "alexnet_tricks": 3,
    "compared": 3,
    "resnet20_eight_classes": 3,
    "fine_tuning": 3,
    "pooling_shift": 3,
    "vgg_kernels": 3,
    "cifar10_fast": 5,
    "fast_steps": 3,
    "fast_trials": 3,
}
