"""The VGG networks: blocks of 3x3 convolutions, each block on smaller maps and mostly wider.

References
----------
K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, arXiv:1409.1556. BatchNorm came later: S. Ioffe, C. Szegedy, arXiv:1502.03167, 2015.
"""

from __future__ import annotations

import torch
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_choice, require_images

#: The columns A, B, D and E of the paper's table 1: convolutions in each of the five blocks.
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
#: image_size -> the size of the maps that are flattened, and the units of each hidden layer.
CLASSIFIERS = {224: (7, 4096), 32: (1, 512)}


class VGG(nn.Module):
    """Five blocks of 3x3 convolutions, each ended by max pooling, and three linear layers.

    Takes ``(N, in_channels, H, W)`` of 32x32 or more, gives logits ``(N, num_classes)``. The keys
    of the ``state_dict`` are torchvision's. The name counts the layers with weights: VGG-16 has 13
    convolutions and 3 linear layers.

    The paper draws the weights of VGG-11 with a standard deviation of 0.1 and begins the deeper
    networks from its trained layers. Here they are drawn as He et al. (2015) do, which needs no
    such help, the last layer alone with a standard deviation of 0.01. (torchvision does so in the
    convolutions, by ``fan_out``, and draws all linear layers with 0.01.) At test time the paper
    turns the linear layers into convolutions, to slide them over larger pictures; here average
    pooling brings the last maps to one size.

    For pictures of 32x32 (``image_size=32``) the five poolings leave one pixel in place of 7x7,
    and the hidden layers have 512 units in place of 4,096. All convolutions stay as they are. For
    10 classes, VGG-16 is then down from 138 million parameters to 15,245,130.

    Parameters
    ----------
    depth : int
        11, 13, 16 or 19.
    num_classes, in_channels : int
        Classes, and channels of the pictures.
    image_size : int
        224 or 32: the pictures for which it is laid out.
    batch_norm : bool
        BatchNorm after every convolution, which the paper does not have.
    dropout : float
        The share of hidden units that is dropped in training, 0 for none.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ):
        super().__init__()
        counts = BLOCKS[require_choice("depth", depth, BLOCKS)]
        map_size, hidden = CLASSIFIERS[require_choice("image_size", image_size, CLASSIFIERS)]
        self.in_channels = in_channels
        self.features, channels = nn.Sequential(), in_channels
        for count, out_channels in zip(counts, CHANNELS, strict=True):
            self.features.extend(_block(count, channels, out_channels, batch_norm))
            channels = out_channels
        self.avgpool = nn.AdaptiveAvgPool2d(map_size)
        self.classifier = nn.Sequential(
            nn.Linear(channels * map_size**2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        draw_as_he(self, last=self.classifier[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels, smallest=32)
        x = self.avgpool(self.features(x))
        return self.classifier(x.flatten(start_dim=1))


def _block(count: int, in_channels: int, out_channels: int, batch_norm: bool) -> list[nn.Module]:
    """Return the layers of one block: `count` convolutions, then max pooling."""
    layers = []
    for _ in range(count):
        layers.append(nn.Conv2d(in_channels, out_channels, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU(inplace=True))
        in_channels = out_channels
    return [*layers, nn.MaxPool2d(2)]


@register
def vgg11(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Build VGG-11: 132,863,336 parameters, 9,750,922 for 10 classes of 32x32 pictures."""
    return VGG(11, num_classes, in_channels, **options)


@register
def vgg13(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Build VGG-13: 133,047,848 parameters, 9,935,434 for 10 classes of 32x32 pictures."""
    return VGG(13, num_classes, in_channels, **options)


@register
def vgg16(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Build VGG-16: 138,357,544 parameters, 15,245,130 for 10 classes of 32x32 pictures."""
    return VGG(16, num_classes, in_channels, **options)


@register
def vgg19(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Build VGG-19: 143,667,240 parameters, 20,554,826 for 10 classes of 32x32 pictures."""
    return VGG(19, num_classes, in_channels, **options)
