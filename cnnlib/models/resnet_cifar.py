"""The ResNets and plain networks for CIFAR-10 of He et al. 2015, section 4.2.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385, 2015; the same, "Identity Mappings in Deep Residual Networks",
arXiv:1603.05027, 2016 (pre-activation). The initialisation: the same, "Delving Deep into
Rectifiers", arXiv:1502.01852, 2015.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_images
from .residual import BasicBlock, begin_at_zero, option_a, preactivated, stage

__all__ = ["STAGES", "BasicBlock", "CifarResNet", "option_a"]

#: (channels, stride of the first block), one row a stage: 32x32, 16x16, 8x8 maps on CIFAR-10.
STAGES = ((16, 1), (32, 2), (64, 2))


class CifarResNet(nn.Module):
    """A ResNet for small pictures, or its plain counterpart.

    One 3x3 convolution, three stages of `BasicBlock` with 16, 32 and 64 channels, global average
    pooling, one fully connected layer. Takes ``(N, in_channels, H, W)`` of any size (the paper's
    is 32x32), gives logits ``(N, num_classes)``. Since shortcuts of option A have no parameters,
    a plain network has exactly as many as the ResNet of its depth, under the same keys. Option B
    adds 2,752: two 1x1 convolutions and their BatchNorms.

    Every weight is drawn from a normal distribution of variance ``2 / fan_in``, as in "Delving
    Deep into Rectifiers", equation 10; the last layer's biases start at zero. The paper does not
    say how the last layer was drawn: here as the others. It does not say either which channels
    option A fills with zeros: here the last ones.

    With pre-activation the stem has no BatchNorm and ReLU, since the first block begins with
    them, and a BatchNorm and ReLU follow the last stage, whose sum is not activated.

    Parameters
    ----------
    depth : int
        Layers with weights, ``6 n + 2`` with ``n`` blocks in each stage.
    num_classes : int
        Classes.
    in_channels : int
        Channels of the pictures.
    shortcut : {"A", "B", None}
        Where the shape changes: ``"A"``, as in the paper, has no parameters; ``"B"`` is a 1x1
        convolution. None for a plain network.
    preactivation : bool
        Blocks in the order of the second paper: BatchNorm, ReLU, convolution.
    zero_init_residual : bool
        The last BatchNorm of each branch begins with the factor 0, so that each block begins as
        its shortcut; with pre-activation, the last convolution.

    Raises
    ------
    ValueError
        If the depth is not ``6 n + 2``, or a plain network's branches are to begin at zero, which
        would leave it nothing.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: str | None = "A",
        preactivation: bool = False,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        count, rest = divmod(depth - 2, 6)
        if rest or count < 1:
            raise ValueError(f"the depth must be 6 n + 2, such as 20, 32 or 44, not {depth}")
        if zero_init_residual and shortcut is None:
            raise ValueError("zero_init_residual=True needs shortcuts: choose shortcut='A' or 'B'")
        self.in_channels, self.preactivation = in_channels, preactivation
        block = preactivated(BasicBlock) if preactivation else BasicBlock
        width = STAGES[0][0]
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        if not preactivation:
            self.bn1 = nn.BatchNorm2d(width)
        for number, (channels, stride) in enumerate(STAGES, start=1):
            setattr(self, f"layer{number}", stage(block, width, channels, count, stride, shortcut))
            width = channels
        if preactivation:
            self.layer1[0].shares_activation = True
            self.norm = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, num_classes)
        draw_as_he(self)
        if zero_init_residual:
            begin_at_zero(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels)
        x = self.conv1(x)
        if not self.preactivation:
            x = F.relu(self.bn1(x), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.preactivation:
            x = F.relu(self.norm(x), inplace=True)
        return self.fc(x.mean(dim=(2, 3)))


@register
def resnet20(num_classes: int = 10, in_channels: int = 3, **options) -> CifarResNet:
    """Build ResNet-20: 3 blocks in each stage, 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels, **options)


@register
def resnet32(num_classes: int = 10, in_channels: int = 3, **options) -> CifarResNet:
    """Build ResNet-32: 5 blocks in each stage, 464,154 parameters."""
    return CifarResNet(32, num_classes, in_channels, **options)


@register
def resnet44(num_classes: int = 10, in_channels: int = 3, **options) -> CifarResNet:
    """Build ResNet-44: 7 blocks in each stage, 658,586 parameters."""
    return CifarResNet(44, num_classes, in_channels, **options)


@register
def resnet56(num_classes: int = 10, in_channels: int = 3, **options) -> CifarResNet:
    """Build ResNet-56: 9 blocks in each stage, 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels, **options)


@register
def resnet110(num_classes: int = 10, in_channels: int = 3, **options) -> CifarResNet:
    """Build ResNet-110: 18 blocks in each stage, 1,727,962 parameters.

    The paper trains it with a learning rate of 0.01 until the training error is below 80 %, for
    some 400 steps, and with 0.1 from there.
    """
    return CifarResNet(110, num_classes, in_channels, **options)


@register
def plain20(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-20: ResNet-20 without its shortcuts, 269,722 parameters."""
    return CifarResNet(20, num_classes, in_channels, shortcut=None)


@register
def plain32(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-32: ResNet-32 without its shortcuts, 464,154 parameters."""
    return CifarResNet(32, num_classes, in_channels, shortcut=None)


@register
def plain44(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-44: ResNet-44 without its shortcuts, 658,586 parameters."""
    return CifarResNet(44, num_classes, in_channels, shortcut=None)


@register
def plain56(num_classes: int = 10, in_channels: int = 3) -> CifarResNet:
    """Build plain-56: ResNet-56 without its shortcuts, 853,018 parameters."""
    return CifarResNet(56, num_classes, in_channels, shortcut=None)
