"""VGG's choice: two kernels of 3x3 where one of 5x5 sees as much.

All networks are alike but for four blocks of 64 channels. Each block sees 5 by 5 pixels of its
input: by one 5x5 convolution, by two of 3x3, or by two of 3x3 with nothing between them, which
tells the smaller kernels from the BatchNorm and the ReLU that come with the second. (The arm's name
tells of the ReLU alone.)

References
----------
K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, section 2.3.
"""

from __future__ import annotations

from torch import nn

from cnnlib.training import TrainConfig

from .lab import Experiment, alike

CHANNELS = 64
#: arm -> the layers of a block: a kernel size, or a function to put between
BLOCKS = {
    "one 5x5": (5,),
    "two 3x3": (3, "relu", 3),
    "two 3x3, no ReLU between": (3, 3),
}


def block(layers: tuple) -> nn.Sequential:
    """Return one block: its layers, BatchNorm and ReLU; the map keeps its size."""
    modules = []
    for layer in layers:
        if layer == "relu":
            modules += [nn.BatchNorm2d(CHANNELS), nn.ReLU()]
        else:
            same = layer // 2
            modules.append(nn.Conv2d(CHANNELS, CHANNELS, layer, padding=same, bias=False))
    return nn.Sequential(*modules, nn.BatchNorm2d(CHANNELS), nn.ReLU())


def build(arm: str, num_classes: int = 10) -> nn.Sequential:
    """Return a network: a stem, two blocks at 16x16 pixels, two at 8x8, and a linear layer."""
    stem = nn.Conv2d(3, CHANNELS, 3, padding=1, bias=False), nn.BatchNorm2d(CHANNELS), nn.ReLU()
    first, second, third, fourth = (block(BLOCKS[arm]) for _ in range(4))
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, num_classes)
    pool = nn.MaxPool2d(2)
    return nn.Sequential(*stem, pool, first, second, pool, third, fourth, *head)


EXPERIMENT = Experiment(
    name="vgg_kernels",
    arms=alike(build, BLOCKS),
    config=TrainConfig(epochs=8, lr=0.1, schedule="one_cycle", weight_decay=5e-4),
)
