"""LeNet-5, as it is taught today.

References
----------
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86 (11), 1998.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .registry import register, require_images


class LeNet5(nn.Module):
    """LeNet-5 as taught: two convolutions, two poolings, three fully connected layers.

    Takes ``(N, in_channels, 32, 32)``, gives logits ``(N, num_classes)``. The maps on the way
    have the published sizes: 6 of 28x28, 6 of 14x14, 16 of 10x10, 16 of 5x5, then 120 and 84
    numbers. The layers between those sizes differ from the paper's:

    - ReLU here; there the scaled tanh, ``1.7159 tanh(2 x / 3)``.
    - Max pooling here; there the sum of four pixels, times a trained coefficient, plus a trained
      bias, through the tanh.
    - In C3, each of the 16 maps sees all 6 of S2 here (2,416 parameters); there a table joins it
      to 3, 4 or 6 of them (1,516 parameters).
    - C5 is a fully connected layer here and a 5x5 convolution there, which is the same on 32x32.
    - The last layer is linear, with logits for cross-entropy, here; there ten radial basis
      functions with fixed codes of 84 numbers, each drawing a 7x12 character.
    - torch's default initialisation here; there uniform in ``2.4 / fan_in`` either way.

    Parameters
    ----------
    num_classes : int
        Classes.
    in_channels : int
        Channels of the pictures.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1):
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, 32, 32)``."""
        require_images(x, self.in_channels, image_size=32)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(start_dim=1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


@register
def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """Build LeNet-5 as taught: 61,706 parameters."""
    return LeNet5(num_classes, in_channels)
