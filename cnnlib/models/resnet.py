"""The ResNets for ImageNet of He et al. 2015, table 1, and their pre-activation form.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385, 2015; the same, "Identity Mappings in Deep Residual Networks",
arXiv:1603.05027, 2016 (pre-activation).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_choice, require_images
from .residual import BasicBlock, Bottleneck, begin_at_zero, preactivated, stage

#: The paper's table 1: depth -> the kind of block, and how many in each of the four stages.
BLOCKS = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
#: (channels, stride of the first block), one row a stage: maps of 56, 28, 14 and 7 pixels.
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


class Stem(NamedTuple):
    """What comes before the stages: one convolution, and perhaps max pooling."""

    kernel_size: int
    stride: int
    pool: bool


STEMS = {224: Stem(7, 2, pool=True), 32: Stem(3, 1, pool=False)}


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, global average pooling, one linear layer.

    Takes ``(N, in_channels, H, W)`` of any size, gives logits ``(N, num_classes)``. The keys of
    the ``state_dict`` are torchvision's. The published network differs from torchvision's, and
    from this one: its bottlenecks have their stride in the first 1x1 convolution, not in the 3x3,
    which changes no parameter; and in its first comparison (table 2) 18 and 34 layers have
    shortcuts of option A.

    The weights are drawn as He et al. (2015) do, by ``fan_in``; in torchvision the convolutions by
    ``fan_out``, and the last layer by torch's default.

    For pictures of 32x32 (``image_size=32``) the stem is one 3x3 convolution with stride 1 in
    place of a 7x7 with stride 2 and a max pooling: the stages then work on 32x32, 16x16, 8x8 and
    4x4 maps in place of 56x56, 28x28, 14x14 and 7x7. Nothing else changes; for 10 classes,
    ResNet-18 has 11,173,962 parameters. (The paper's own networks for such pictures, three narrow
    stages, are `CifarResNet`.)

    With pre-activation the stem has no BatchNorm and ReLU, since the first block begins with
    them, and a BatchNorm and ReLU follow the last stage, whose sum is not activated.

    Parameters
    ----------
    depth : int
        18, 34, 50, 101 or 152: the layers with weights, apart from shortcuts.
    num_classes, in_channels : int
        Classes, and channels of the pictures.
    image_size : int
        224 or 32: the pictures for which it is laid out.
    shortcut : str
        ``"B"``, a 1x1 convolution where the shape changes, or ``"A"``, which has no parameters.
    preactivation : bool
        Blocks in the order of the second paper: BatchNorm, ReLU, convolution.
    zero_init_residual : bool
        The last BatchNorm of each branch begins with the factor 0, so that each block begins as
        its shortcut; with pre-activation, the last convolution.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        shortcut: str = "B",
        preactivation: bool = False,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        block, counts = BLOCKS[require_choice("depth", depth, BLOCKS)]
        block = preactivated(block) if preactivation else block
        self.in_channels, self.preactivation = in_channels, preactivation
        width = STAGES[0][0]
        self._add_stem(width, STEMS[require_choice("image_size", image_size, STEMS)])
        for number, ((channels, stride), count) in enumerate(zip(STAGES, counts, strict=True), 1):
            blocks = stage(block, width, channels, count, stride, shortcut)
            setattr(self, f"layer{number}", blocks)
            width = block.expansion * channels
        if preactivation:
            self.layer1[0].shares_activation = True
            self.norm = nn.BatchNorm2d(width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)
        draw_as_he(self)
        if zero_init_residual:
            begin_at_zero(self)

    def _add_stem(self, width: int, stem: Stem) -> None:
        kernel, stride, pool = stem
        self.conv1 = nn.Conv2d(self.in_channels, width, kernel, stride, kernel // 2, bias=False)
        if not self.preactivation:
            self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pool else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels)
        x = self.conv1(x)
        if not self.preactivation:
            x = F.relu(self.bn1(x), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(x)))))
        if self.preactivation:
            x = F.relu(self.norm(x), inplace=True)
        return self.fc(self.avgpool(x).flatten(start_dim=1))


@register
def resnet18(num_classes: int = 1000, in_channels: int = 3, **options) -> ResNet:
    """Build ResNet-18, (2, 2, 2, 2) blocks of two convolutions: 11,689,512 parameters.

    For 10 classes of 32x32 pictures: 11,173,962 parameters. The options are those of `ResNet`.
    """
    return ResNet(18, num_classes, in_channels, **options)


@register
def resnet34(num_classes: int = 1000, in_channels: int = 3, **options) -> ResNet:
    """Build ResNet-34, (3, 4, 6, 3) blocks of two convolutions: 21,797,672 parameters.

    For 10 classes of 32x32 pictures: 21,282,122 parameters. The options are those of `ResNet`.
    """
    return ResNet(34, num_classes, in_channels, **options)


@register
def resnet50(num_classes: int = 1000, in_channels: int = 3, **options) -> ResNet:
    """Build ResNet-50, (3, 4, 6, 3) bottlenecks: 25,557,032 parameters.

    For 10 classes of 32x32 pictures: 23,520,842 parameters. The options are those of `ResNet`.
    """
    return ResNet(50, num_classes, in_channels, **options)


@register
def resnet101(num_classes: int = 1000, in_channels: int = 3, **options) -> ResNet:
    """Build ResNet-101, (3, 4, 23, 3) bottlenecks: 44,549,160 parameters.

    For 10 classes of 32x32 pictures: 42,512,970 parameters. The options are those of `ResNet`.
    """
    return ResNet(101, num_classes, in_channels, **options)


@register
def resnet152(num_classes: int = 1000, in_channels: int = 3, **options) -> ResNet:
    """Build ResNet-152, (3, 8, 36, 3) bottlenecks: 60,192,808 parameters.

    For 10 classes of 32x32 pictures: 58,156,618 parameters. The options are those of `ResNet`.
    """
    return ResNet(152, num_classes, in_channels, **options)
