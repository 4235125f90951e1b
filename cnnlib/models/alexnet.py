"""AlexNet, in the form that torchvision and most courses build today.

References
----------
A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NeurIPS 2012. The widths built here: A. Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", arXiv:1404.5997, 2014.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_choice, require_images

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Conv(NamedTuple):
    """One convolution, and whether max pooling follows it."""

    channels: int
    kernel_size: int
    stride: int
    padding: int
    pool: bool = False


class Layout(NamedTuple):
    """AlexNet laid out for one size of picture."""

    first: Conv  # the other four convolutions are the same for every size
    pool_padding: int
    map_size: int  # of the maps that are flattened
    hidden: int  # units of each hidden layer
    smallest: int  # the smallest picture that the poolings leave a pixel of


LAYOUTS = {
    224: Layout(Conv(64, 11, 4, 2, pool=True), 0, 6, 4096, smallest=63),
    32: Layout(Conv(64, 5, 2, 2, pool=True), 1, 2, 1024, smallest=1),
}
LATER = (
    Conv(192, 5, 1, 2, pool=True),
    Conv(384, 3, 1, 1),
    Conv(256, 3, 1, 1),
    Conv(256, 3, 1, 1, pool=True),
)


class AlexNet(nn.Module):
    """Five convolutions, three overlapping poolings, three linear layers with dropout.

    Takes ``(N, in_channels, H, W)``, gives logits ``(N, num_classes)``. Average pooling brings the
    last maps to one size, so that any picture of 63x63 or more fits (with ``image_size=32``, any
    at all). The keys of the ``state_dict`` are torchvision's, and so are the numbers: 61,100,840
    parameters at ImageNet's size.

    The published network of 2012 differs:

    - Its convolutions have 96, 256, 384, 384 and 256 channels; those here, 64, 192, 384, 256 and
      256, are of 2014, for one GPU.
    - It lies on two GPUs. Each holds half of the channels, and the second, fourth and fifth
      convolutions see only the half on their own (``groups=2``). From the sizes in its section
      3.5: 34,944 + 307,456 + 885,120 + 663,936 + 442,624 parameters in the convolutions and
      37,752,832 + 16,781,312 + 4,097,000 in the linear layers, 60,965,224 together, which the
      paper rounds to 60 million. Without the groups it would have 62,378,344.
    - Local response normalisation follows its first two convolutions: each number is divided by
      ``(2 + 1e-4 s) ** 0.75``, where ``s`` is the sum of squares over five neighbouring channels.
    - Its first maps have 55x55 pixels, from pictures of 224x224: the authors' code rounds the
      number of positions up, so that the last kernels hang over the edge by three pixels. Here,
      as in torchvision, two zeros on every side give as many.
    - Dropout follows its two hidden layers; here, as in torchvision, it precedes them.
    - Its weights are drawn with a standard deviation of 0.01, and the biases begin at 1 in the
      second, fourth and fifth convolution and the hidden layers, else at 0. Here the hidden layers
      are drawn as He et al. (2015) do, with their activation's gain, the last layer as in the
      paper, and every bias begins at 0; torchvision takes torch's defaults.

    For pictures of 32x32 (``image_size=32``) the first kernel is 5x5 with stride 2 in place of
    11x11 with stride 4. The poolings, still 3x3 with stride 2, pad by one pixel, so that the maps
    halve, 16, 8, 4, 2. The last maps have 2x2 pixels in place of 6x6, and the hidden layers 1,024
    units in place of 4,096. Nothing else changes; for 10 classes that is 4,560,714 parameters.

    Parameters
    ----------
    num_classes, in_channels : int
        Classes, and channels of the pictures.
    image_size : int
        224 or 32: the pictures for which it is laid out.
    activation : str
        ``"relu"``, or, to compare, ``"tanh"`` or ``"sigmoid"``.
    dropout : float
        The share of the linear layers' inputs that is dropped in training, 0 for none. The last
        layer's are all kept.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        activation: str = "relu",
        dropout: float = 0.5,
    ):
        super().__init__()
        layout = LAYOUTS[require_choice("image_size", image_size, LAYOUTS)]
        active = ACTIVATIONS[require_choice("activation", activation, ACTIVATIONS)]
        self.in_channels, self.smallest = in_channels, layout.smallest
        layers, channels = [], in_channels
        for conv in (layout.first, *LATER):
            layers += [nn.Conv2d(channels, *conv[:4]), active()]
            if conv.pool:
                layers.append(nn.MaxPool2d(3, stride=2, padding=layout.pool_padding))
            channels = conv.channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(layout.map_size)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels * layout.map_size**2, layout.hidden),
            active(),
            nn.Dropout(dropout),
            nn.Linear(layout.hidden, layout.hidden),
            active(),
            nn.Linear(layout.hidden, num_classes),
        )
        draw_as_he(self, activation, last=self.classifier[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels, smallest=self.smallest)
        x = self.avgpool(self.features(x))
        return self.classifier(x.flatten(start_dim=1))


@register
def alexnet(num_classes: int = 1000, in_channels: int = 3, **options) -> AlexNet:
    """Build AlexNet: 61,100,840 parameters, 4,560,714 for 10 classes of 32x32 pictures."""
    return AlexNet(num_classes, in_channels, **options)
