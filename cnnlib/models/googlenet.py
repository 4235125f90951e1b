"""GoogLeNet: nine Inception modules, each of four branches side by side.

References
----------
C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842. BatchNorm came
later: S. Ioffe, C. Szegedy, arXiv:1502.03167, 2015.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .initialization import draw_as_he
from .registry import register, require_choice, require_images


class Widths(NamedTuple):
    """Channels inside one Inception module, as in a row of the paper's table 1."""

    one: int  # 1x1
    reduce3: int  # 1x1 before the 3x3
    three: int
    reduce5: int  # 1x1 before the 5x5
    five: int
    pool: int  # 1x1 after the pooling

    @property
    def out_channels(self) -> int:
        """Channels of the four branches together."""
        return self.one + self.three + self.five + self.pool


#: The paper's table 1, from 3a on.
INCEPTIONS = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}


class Stem(NamedTuple):
    """What comes before the Inception modules, as far as it depends on the size of the picture."""

    kernel_size: int  # of the first convolution
    stride: int
    second_pool: bool
    smallest: int  # the smallest picture that the poolings leave a pixel of


STEMS = {224: Stem(7, 2, True, smallest=15), 32: Stem(3, 1, False, smallest=4)}


class BasicConv2d(nn.Module):
    """A convolution without bias that keeps the size of the maps, BatchNorm and ReLU.

    Takes ``(N, in_channels, H, W)``, gives ``(N, out_channels, ceil(H / stride),
    ceil(W / stride))``.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the maps."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four branches that see the same maps, joined channel by channel.

    Takes ``(N, in_channels, H, W)``, gives ``(N, widths.out_channels, H, W)``. A 1x1 convolution
    makes the maps fewer before a larger kernel has to pay for each of them.

    Parameters
    ----------
    in_channels : int
        Channels that come in.
    widths : Widths
        Channels of the branches.
    large_kernel : int
        Size of the third branch's kernel.
    """

    def __init__(self, in_channels: int, widths: Widths, large_kernel: int = 3):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, widths.one, 1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, widths.reduce3, 1),
            BasicConv2d(widths.reduce3, widths.three, 3),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, widths.reduce5, 1),
            BasicConv2d(widths.reduce5, widths.five, large_kernel),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            BasicConv2d(in_channels, widths.pool, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the four branches' maps, one after the other."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], dim=1)


class AuxiliaryHead(nn.Module):
    """A second answer, from the middle of the network, which is wanted in training only.

    Takes ``(N, in_channels, H, W)``, gives logits ``(N, num_classes)``. On the maps of 14x14 that
    the paper has here, its average pooling of 5x5 with stride 3 gives 4x4, as the pooling here
    gives from maps of any size.
    """

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__()
        self.conv = BasicConv2d(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        x = self.conv(F.adaptive_avg_pool2d(x, 4))
        x = F.relu(self.fc1(x.flatten(start_dim=1)))
        return self.fc2(self.dropout(x))


class Answers(NamedTuple):
    """What GoogLeNet gives in training with auxiliary heads: logits ``(N, num_classes)``, thrice.

    The paper adds the auxiliary heads' losses to the loss, times 0.3 each.
    """

    logits: torch.Tensor
    aux2: torch.Tensor
    aux1: torch.Tensor


class GoogLeNet(nn.Module):
    """Three convolutions, nine Inception modules, global average pooling, one linear layer.

    Takes ``(N, in_channels, H, W)`` of 15x15 or more (with ``image_size=32``, of 4x4 or more),
    gives logits ``(N, num_classes)``; in training with ``aux_logits=True``, `Answers`. The keys
    of the ``state_dict`` are torchvision's.

    The published network differs:

    - The third branch has 5x5 kernels, as with ``large_kernel=5``. torchvision's have 3x3, a slip
      that stays for the sake of its published weights, and is the default here for the same
      reason: 6,624,904 parameters, with 5x5 kernels 7,005,832.
    - BatchNorm came a year later. Its convolutions have biases in place of it, which makes
      6,998,552 parameters, and two layers of local response normalisation stand in its stem.
    - Its first row, by the numbers printed in the table, is a depthwise separable layer: eight
      7x7 kernels for each colour, then a 1x1 convolution to 64. Here, as in torchvision, it is an
      ordinary 7x7 convolution; the counts above are with it.
    - Two auxiliary heads are part of its training. Here they are built if asked for, and
      with them it has 13,004,888 parameters.
    - Its pooling before module 5a is 3x3, not 2x2 as in torchvision and here.
    - It drops 40 % of the last 1,024 numbers in training; torchvision and this one 20 %.
    - How its weights were drawn, the paper does not say; here as He et al. (2015) do.

    For pictures of 32x32 (``image_size=32``) the first convolution is 3x3 with stride 1 in place
    of 7x7 with stride 2, and the second pooling is left out. So the Inception modules 3, 4 and 5
    work on 16x16, 8x8 and 4x4 maps in place of 28x28, 14x14 and 7x7. All widths stay. For 10
    classes that is 5,602,474 parameters.

    Parameters
    ----------
    num_classes, in_channels : int
        Classes, and channels of the pictures.
    image_size : int
        224 or 32: the pictures for which it is laid out.
    aux_logits : bool
        Build the two auxiliary heads.
    large_kernel : int
        Size of the largest kernels in the modules: 3 as in torchvision, or 5 as in the paper.
    dropout : float
        The share of the last 1,024 numbers that is dropped in training, 0 for none. (The auxiliary
        heads drop 70 %, as in the paper.)

    Attributes
    ----------
    aux1, aux2 : AuxiliaryHead or None
        The heads, on the maps of the modules 4a and 4d.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        image_size: int = 224,
        aux_logits: bool = False,
        large_kernel: int = 3,
        dropout: float = 0.2,
    ):
        super().__init__()
        stem = STEMS[require_choice("image_size", image_size, STEMS)]
        require_choice("large_kernel", large_kernel, (3, 5))
        self.in_channels, self.smallest = in_channels, stem.smallest
        self._add_stem(stem)
        self._add_inceptions(large_kernel)
        self.aux1 = self.aux2 = None
        if aux_logits:
            early, late = (INCEPTIONS[name].out_channels for name in ("4a", "4d"))
            self.aux1 = AuxiliaryHead(early, num_classes)
            self.aux2 = AuxiliaryHead(late, num_classes)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(INCEPTIONS["5b"].out_channels, num_classes)
        draw_as_he(self)

    def _add_stem(self, stem: Stem) -> None:
        self.conv1 = BasicConv2d(self.in_channels, 64, stem.kernel_size, stem.stride)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, 1)
        self.conv3 = BasicConv2d(64, 192, 3)
        self.maxpool2 = nn.Identity()
        if stem.second_pool:
            self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def _add_inceptions(self, large_kernel: int) -> None:
        channels = self.conv3.conv.out_channels
        for name, widths in INCEPTIONS.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            if name == "5a":
                self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
            setattr(self, f"inception{name}", Inception(channels, widths, large_kernel))
            channels = widths.out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor | Answers:
        """Return the logits of pictures ``(N, in_channels, H, W)``, in training all `Answers`."""
        require_images(x, self.in_channels, smallest=self.smallest)
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        x = self.inception3b(self.inception3a(self.maxpool2(x)))
        early = self.inception4a(self.maxpool3(x))
        late = self.inception4d(self.inception4c(self.inception4b(early)))
        x = self.inception4e(late)
        x = self.inception5b(self.inception5a(self.maxpool4(x)))
        logits = self.fc(self.dropout(self.avgpool(x).flatten(start_dim=1)))
        if self.training and self.aux1 is not None:
            return Answers(logits, self.aux2(late), self.aux1(early))
        return logits


@register
def googlenet(num_classes: int = 1000, in_channels: int = 3, **options) -> GoogLeNet:
    """Build GoogLeNet: 6,624,904 parameters, 5,602,474 for 10 classes of 32x32 pictures."""
    return GoogLeNet(num_classes, in_channels, **options)
