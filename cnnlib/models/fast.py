"""A small network for short trainings on CIFAR-10, with a whitened first layer.

References
----------
D. C. Page, "How to Train Your ResNet", myrtle.ai, 2018 and 2019: the whitened first layer.
K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498, 2024: the
shape of this network, its first weights, and the frozen first layer.
S. Zagoruyko, N. Komodakis, "DiracNets", arXiv:1706.00388, 2017: kernels that begin as identity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .registry import register, require_images

#: Output channels of the three stages.
WIDTHS = (64, 256, 256)


class Stage(nn.Module):
    """A convolution, max pooling, and a second convolution, each with BatchNorm and GELU.

    Takes ``(N, in_channels, H, W)``, gives ``(N, out_channels, H // 2, W // 2)``.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = _identity_first(in_channels, out_channels)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = _identity_first(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the stage's output."""
        x = F.gelu(self.bn1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.bn2(self.conv2(x)))


class FastNet(nn.Module):
    """Seven convolutions and one linear layer, shallow and wide.

    Takes ``(N, in_channels, H, W)``, at least 9x9, gives logits ``(N, num_classes)``. The first
    layer has 2x2 kernels, two for each value that they see, which `whiten` sets once.

    Parameters
    ----------
    num_classes : int
        Classes.
    in_channels : int
        Channels of the pictures.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3):
        super().__init__()
        self.in_channels = in_channels
        channels = 2 * in_channels * 2 * 2
        self.conv1 = nn.Conv2d(in_channels, channels, 2)
        nn.init.zeros_(self.conv1.bias)
        self.stages = nn.Sequential()
        for width in WIDTHS:
            self.stages.append(Stage(channels, width))
            channels = width
        self.fc = nn.Linear(channels, num_classes, bias=False)

    def whiten(self, images: torch.Tensor) -> FastNet:
        """Set the first kernels so that their outputs are uncorrelated, and freeze them.

        What neighbouring pixels share, their brightness, has by far the largest variance, so one
        learning rate does not suit all directions. The kernels are the eigenvectors of the
        covariance of all 2x2 patches, each divided by its standard deviation, and the same with the
        other sign, since a GELU lets only one of the two pass. Their biases go on learning.

        Parameters
        ----------
        images : torch.Tensor
            ``(N, in_channels, H, W)``, normalised as those that follow; some thousand suffice.

        Returns
        -------
        FastNet
            The same network.
        """
        kernels = whitening_kernels(images, self.conv1.kernel_size[0])
        with torch.no_grad():
            self.conv1.weight.copy_(torch.cat([kernels, -kernels]))
        self.conv1.weight.requires_grad_(False)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels, smallest=9)
        x = self.stages(F.gelu(self.conv1(x)))
        x = F.adaptive_max_pool2d(x, 1).flatten(1)
        return self.fc(x) / 9  # logits of a moderate size from the first step on


def whitening_kernels(
    images: torch.Tensor, kernel_size: int, epsilon: float = 5e-4
) -> torch.Tensor:
    """Return kernels whose outputs on the patches of `images` are uncorrelated, of variance one.

    Parameters
    ----------
    images : torch.Tensor
        ``(N, C, H, W)``.
    kernel_size : int
        Height and width of the patches.
    epsilon : float
        Added to each variance, so that a direction of hardly any is not blown up to noise.

    Returns
    -------
    torch.Tensor
        ``(C * kernel_size ** 2, C, kernel_size, kernel_size)``, the largest variance first.
    """
    channels = images.shape[1]
    patches = F.unfold(images.double(), kernel_size).transpose(0, 1).flatten(1)
    variances, directions = torch.linalg.eigh(torch.cov(patches))
    kernels = (directions / (variances + epsilon).sqrt()).T.flip(0)
    return kernels.reshape(-1, channels, kernel_size, kernel_size).float()


def _identity_first(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 3x3 convolution whose first kernels hand each channel on as it is."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight[:in_channels])
    return conv


@register
def fastnet(num_classes: int = 10, in_channels: int = 3) -> FastNet:
    """Build the fast network, seven convolutions: 1,972,792 parameters."""
    return FastNet(num_classes, in_channels)
