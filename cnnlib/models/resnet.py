"""The ResNets of He et al. 2015, for ImageNet and for CIFAR-10, and their pre-activation form.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385, 2015; the same, "Identity Mappings in Deep Residual Networks",
arXiv:1603.05027, 2016 (pre-activation). The initialisation: the same, "Delving Deep into
Rectifiers", arXiv:1502.01852, 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_choice, require_count, require_images
from .residual import BasicBlock, Block, Bottleneck, preactivated, stage


class Stem(NamedTuple):
    """What comes before the stages: one convolution, and perhaps max pooling."""

    kernel_size: int
    stride: int
    pool: bool


class Layout(NamedTuple):
    """What tells one ResNet from another.

    The first stage has blocks of `width` channels. Each later one has twice as many channels as
    the one before it, and maps half as high and wide.
    """

    stem: Stem
    block: type[Block]
    width: int
    counts: tuple[int, ...]  # blocks in each stage


#: image_size -> the stem of the networks for ImageNet.
STEMS = {224: Stem(7, 2, pool=True), 32: Stem(3, 1, pool=False)}
#: The paper's table 1: depth -> the kind of block, and how many in each of the four stages.
BLOCKS = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}

#: Why blocks cannot begin as these shortcuts.
ASLEEP = {
    None: "without shortcuts a network of branches that give zeros would have nothing left",
    "A": "where it adds channels of zeros the branch would give zeros too, and as ReLU passes no "
    "gradient at zero, those channels would stay zero for ever",
}


def imagenet(depth: int, image_size: int = 224) -> Layout:
    """Return the paper's network for ImageNet, its table 1, of so many layers.

    For pictures of 32x32 the stem is one 3x3 convolution with stride 1 in place of a 7x7 with
    stride 2 and a max pooling: the stages then work on 32x32, 16x16, 8x8 and 4x4 maps in place of
    56x56, 28x28, 14x14 and 7x7. Nothing else changes; for 10 classes, ResNet-18 has 11,173,962
    parameters. (The paper's own networks for such pictures are those of `cifar`.)

    Parameters
    ----------
    depth : int
        18, 34, 50, 101 or 152: the layers with weights, apart from shortcuts.
    image_size : int
        224 or 32: the pictures for which it is laid out.
    """
    block, counts = BLOCKS[require_choice("depth", depth, BLOCKS)]
    stem = STEMS[require_choice("image_size", image_size, STEMS)]
    return Layout(stem, block, 64, counts)


def cifar(depth: int) -> Layout:
    """Return the paper's network for CIFAR-10, its section 4.2, of so many layers.

    Three narrow stages of 16, 32 and 64 channels, on maps of 32x32, 16x16 and 8x8.

    Parameters
    ----------
    depth : int
        Layers with weights, ``6 n + 2`` with ``n`` blocks in each stage.
    """
    count, rest = divmod(require_count("depth", depth) - 2, 6)
    if rest or count < 1:
        raise ValueError(f"depth must be 6 n + 2, such as 20, 32 or 44, not {depth}")
    return Layout(Stem(3, 1, pool=False), BasicBlock, 16, (count,) * 3)


class ResNet(nn.Module):
    """A stem, stages of residual blocks, global average pooling, one linear layer.

    Takes ``(N, in_channels, H, W)`` of any size, gives logits ``(N, num_classes)``. The keys of
    the ``state_dict`` are torchvision's. The published network for ImageNet differs from
    torchvision's, and from this one: its bottlenecks have their stride in the first 1x1
    convolution, not in the 3x3, which changes no parameter; and in its first comparison (table 2)
    18 and 34 layers have shortcuts of option A, as its networks for CIFAR-10 always have.

    Every weight is drawn from a normal distribution of variance ``2 / fan_in``, as in "Delving
    Deep into Rectifiers", equation 10; the last layer's biases start at zero. The paper does not
    say how the last layer was drawn: here as the others. (torchvision draws the convolutions by
    ``fan_out``, and the last layer by torch's default.) It does not say either which channels
    option A fills with zeros: here the last ones.

    Since shortcuts of option A have no parameters, a plain network has exactly as many as the
    ResNet of its depth, under the same keys. In those for CIFAR-10 option B adds 2,752: two 1x1
    convolutions and their BatchNorms.

    With pre-activation the stem has no BatchNorm and ReLU, since the first block begins with
    them, and a BatchNorm and ReLU follow the last stage, whose sum is not activated.

    Parameters
    ----------
    layout : Layout
        The network of `imagenet` or `cifar`.
    num_classes, in_channels : int
        Classes, and channels of the pictures.
    shortcut : {"A", "B", None}
        Where the shape changes: ``"A"`` has no parameters, ``"B"`` is a 1x1 convolution. None for
        a plain network.
    preactivation : bool
        Blocks in the order of the second paper: BatchNorm, ReLU, convolution.
    zero_init_residual : bool
        Each block begins as its shortcut, see `Block.zero_init_residual`.

    Raises
    ------
    ValueError
        If the blocks are to begin as their shortcuts, and these are not of option B. A plain
        network would have nothing left. With option A a block's new channels would be zero on
        both ways; since ReLU passes no gradient at zero, they would stay so for ever.
    """

    def __init__(
        self,
        layout: Layout,
        num_classes: int = 10,
        in_channels: int = 3,
        shortcut: str | None = "B",
        preactivation: bool = False,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        if zero_init_residual and shortcut in ASLEEP:
            raise ValueError(
                f"zero_init_residual=True needs shortcut='B', not {shortcut!r}: {ASLEEP[shortcut]}"
            )
        self.in_channels, self.preactivation = in_channels, preactivation
        stem, block, width, counts = layout
        block = preactivated(block) if preactivation else block
        self._add_stem(stem, width)
        channels = width
        for number, count in enumerate(counts, start=1):
            blocks = stage(block, channels, width, count, 1 if number == 1 else 2, shortcut)
            self.add_module(f"layer{number}", blocks)
            channels, width = block.expansion * width, 2 * width
        if preactivation:
            self.layer1[0].shares_activation = True
            self.norm = nn.BatchNorm2d(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        draw_as_he(self)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, Block):
                    module.zero_init_residual()

    def _add_stem(self, stem: Stem, width: int) -> None:
        kernel, stride, pool = stem
        self.conv1 = nn.Conv2d(self.in_channels, width, kernel, stride, kernel // 2, bias=False)
        if not self.preactivation:
            self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pool else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels)
        x = self.conv1(x)
        if not self.preactivation:
            x = F.relu(self.bn1(x), inplace=True)
        if self.maxpool is not None:
            x = self.maxpool(x)
        for blocks in self.stages():
            x = blocks(x)
        if self.preactivation:
            x = F.relu(self.norm(x), inplace=True)
        return self.fc(self.avgpool(x).flatten(start_dim=1))

    def stages(self) -> list[nn.Sequential]:
        """Return the stages of blocks, first to last."""
        return [blocks for name, blocks in self.named_children() if name.startswith("layer")]


@register
def resnet18(
    num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options
) -> ResNet:
    """Build ResNet-18: 11,689,512 parameters, 11,173,962 for 10 classes of 32x32 pictures."""
    return ResNet(imagenet(18, image_size), num_classes, in_channels, **options)


@register
def resnet34(
    num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options
) -> ResNet:
    """Build ResNet-34: 21,797,672 parameters, 21,282,122 for 10 classes of 32x32 pictures."""
    return ResNet(imagenet(34, image_size), num_classes, in_channels, **options)


@register
def resnet50(
    num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options
) -> ResNet:
    """Build ResNet-50: 25,557,032 parameters, 23,520,842 for 10 classes of 32x32 pictures."""
    return ResNet(imagenet(50, image_size), num_classes, in_channels, **options)


@register
def resnet101(
    num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options
) -> ResNet:
    """Build ResNet-101: 44,549,160 parameters, 42,512,970 for 10 classes of 32x32 pictures."""
    return ResNet(imagenet(101, image_size), num_classes, in_channels, **options)


@register
def resnet152(
    num_classes: int = 1000, in_channels: int = 3, image_size: int = 224, **options
) -> ResNet:
    """Build ResNet-152: 60,192,808 parameters, 58,156,618 for 10 classes of 32x32 pictures."""
    return ResNet(imagenet(152, image_size), num_classes, in_channels, **options)


@register
def resnet20(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A", **options) -> ResNet:
    """Build ResNet-20: 3 blocks in each stage, 269,722 parameters."""
    return ResNet(cifar(20), num_classes, in_channels, shortcut, **options)


@register
def resnet32(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A", **options) -> ResNet:
    """Build ResNet-32: 5 blocks in each stage, 464,154 parameters."""
    return ResNet(cifar(32), num_classes, in_channels, shortcut, **options)


@register
def resnet56(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A", **options) -> ResNet:
    """Build ResNet-56: 9 blocks in each stage, 853,018 parameters."""
    return ResNet(cifar(56), num_classes, in_channels, shortcut, **options)


@register
def resnet110(
    num_classes: int = 10, in_channels: int = 3, shortcut: str = "A", **options
) -> ResNet:
    """Build ResNet-110: 18 blocks in each stage, 1,727,962 parameters.

    The paper trains it with a learning rate of 0.01 until the training error is below 80 %, for
    some 400 steps, and with 0.1 from there.
    """
    return ResNet(cifar(110), num_classes, in_channels, shortcut, **options)


@register
def plain20(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Build plain-20: ResNet-20 without its shortcuts, 269,722 parameters."""
    return ResNet(cifar(20), num_classes, in_channels, shortcut=None)


@register
def plain56(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Build plain-56: ResNet-56 without its shortcuts, 853,018 parameters."""
    return ResNet(cifar(56), num_classes, in_channels, shortcut=None)
