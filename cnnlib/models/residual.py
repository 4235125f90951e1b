"""Residual blocks: a branch of convolutions, and a shortcut around it.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
arXiv:1512.03385, 2015; the same, "Identity Mappings in Deep Residual Networks",
arXiv:1603.05027, 2016 (pre-activation).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .registry import require_choice

#: Ways to bring the input to the branch's shape: parameter-free, or by a 1x1 convolution.
SHORTCUTS = ("A", "B")


class OptionA(nn.Module):
    """The paper's shortcut option A, which brings maps to another shape without parameters.

    Takes ``(N, C, H, W)``, gives ``(N, out_channels, ceil(H / stride), ceil(W / stride))``.

    Parameters
    ----------
    out_channels : int
        At least ``C``; the channels from ``C`` on are zero.
    stride : int
        Every ``stride``-th row and column is kept, the first included.
    """

    def __init__(self, out_channels: int, stride: int):
        super().__init__()
        self.out_channels, self.stride = out_channels, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` in its new shape; `x` itself if that is its shape."""
        if self.stride > 1:
            # Average pooling over one pixel is x[:, :, ::stride, ::stride], with one gradient
            # kernel in place of two: a step of ResNet-20 takes 7 % less time on a CPU.
            x = F.avg_pool2d(x, kernel_size=1, stride=self.stride)
        if self.out_channels > x.shape[1]:
            x = F.pad(x, (0, 0, 0, 0, 0, self.out_channels - x.shape[1]))
        return x

    def extra_repr(self) -> str:
        """Return what ``print(model)`` shows in the brackets."""
        return f"{self.out_channels}, stride={self.stride}"


class Block(nn.Module):
    """What all residual blocks have in common; its subclasses say what the branch is.

    Takes ``(N, in_channels, H, W)``, gives ``(N, expansion * channels, ceil(H / stride),
    ceil(W / stride))``.

    Parameters
    ----------
    in_channels, channels : int
        Channels that come in, and those of the branch's first convolution.
    stride : int
        Of the branch's 3x3 convolution, the first if it has two.
    shortcut : {"A", "B", None}
        Where the shape changes, the input is brought to the new one by `OptionA`, or by option
        B, a 1x1 convolution. Elsewhere it is added as it is. None for a plain network: the same
        branch, and nothing added.

    Raises
    ------
    ValueError
        If option A would have to take channels away.

    Attributes
    ----------
    downsample : torch.nn.Module or None
        What changes the shape, if it changes. (torchvision's name, for the ``state_dict``.)
    """

    expansion = 1
    norm_after_projection = True

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, shortcut: str | None = "B"
    ):
        super().__init__()
        if shortcut is not None:
            require_choice("shortcut", shortcut, SHORTCUTS)
        self.shortcut = shortcut
        self.add_branch(in_channels, channels, stride)
        self.downsample = None
        out_channels = self.expansion * channels
        if shortcut and (stride, in_channels) != (1, out_channels):
            self.downsample = self.reshaping(in_channels, out_channels, stride)

    def reshaping(self, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        """Return what brings the input to the branch's shape."""
        if self.shortcut == "A":
            if out_channels < in_channels:
                raise ValueError(
                    f"option A can only add channels: from {in_channels} to {out_channels} a "
                    "block needs shortcut='B'"
                )
            return OptionA(out_channels, stride)
        projection = nn.Sequential(conv(in_channels, out_channels, 1, stride))
        if self.norm_after_projection:
            projection.append(nn.BatchNorm2d(out_channels))
        return projection

    def zero_init_residual(self) -> None:
        """Set the weights of the branch's last layer to zero: what is left is the shortcut.

        That is its last BatchNorm's factor, or with pre-activation its last convolution.
        """
        *_, last = (layer for name, layer in self.named_children() if name != "downsample")
        nn.init.zeros_(last.weight)

    def add_branch(self, in_channels: int, channels: int, stride: int) -> None:
        """Add the branch's layers, in the order in which they run."""
        raise NotImplementedError

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``F(x)``."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``relu(F(x) + x)``, or ``relu(F(x))`` in a plain network."""
        out = self.branch(x)
        if self.shortcut:
            # In place: BatchNorm's gradient does not need its output.
            out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class BasicBlock(Block):
    """Two 3x3 convolutions, and the input added to what they give."""

    def add_branch(self, in_channels: int, channels: int, stride: int) -> None:
        """Add two convolutions, each with its BatchNorm."""
        self.conv1 = conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``F(x)``."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.bn2(self.conv2(x))


class Bottleneck(Block):
    """1x1, 3x3 and 1x1, the last with four times the channels, and the input added.

    As in torchvision the stride lies in the 3x3 convolution; in the paper in the first 1x1, which
    then skips three pixels of four.
    """

    expansion = 4

    def add_branch(self, in_channels: int, channels: int, stride: int) -> None:
        """Add three convolutions, each with its BatchNorm."""
        self.conv1 = conv(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, self.expansion * channels, 1)
        self.bn3 = nn.BatchNorm2d(self.expansion * channels)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``F(x)``."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return self.bn3(self.conv3(x))


class PreactivationBlock(Block):
    """A block with BatchNorm and ReLU before each convolution, and nothing after the sum.

    Where the shape changes, and in a network's very first block, the first BatchNorm and ReLU
    come before branch and shortcut part; the paper's appendix says so of the first block, its
    published code of the others. Everywhere else the input reaches the sum untouched.
    """

    norm_after_projection = False
    shares_activation = False  # True for a network's first block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``F(x) + x``, or ``F(x)`` in a plain network."""
        active = F.relu(self.bn1(x))
        out = self.branch(active)
        if self.shortcut is None:
            return out
        if self.downsample is not None:
            return out + self.downsample(active)
        return out + (active if self.shares_activation else x)


class PreactivationBasicBlock(PreactivationBlock):
    """Two 3x3 convolutions, each after its BatchNorm and ReLU, and the input added."""

    def add_branch(self, in_channels: int, channels: int, stride: int) -> None:
        """Add two convolutions, each with the BatchNorm before it."""
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv(in_channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return what follows the first BatchNorm and ReLU."""
        x = F.relu(self.bn2(self.conv1(x)), inplace=True)
        return self.conv2(x)


class PreactivationBottleneck(PreactivationBlock):
    """1x1, 3x3 and 1x1, each after its BatchNorm and ReLU, and the input added."""

    expansion = 4

    def add_branch(self, in_channels: int, channels: int, stride: int) -> None:
        """Add three convolutions, each with the BatchNorm before it."""
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv(in_channels, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3, stride)
        self.bn3 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, self.expansion * channels, 1)

    def branch(self, x: torch.Tensor) -> torch.Tensor:
        """Return what follows the first BatchNorm and ReLU."""
        x = F.relu(self.bn2(self.conv1(x)), inplace=True)
        x = F.relu(self.bn3(self.conv2(x)), inplace=True)
        return self.conv3(x)


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the maps' size but for its stride.

    It has no bias, since a BatchNorm that follows it would take the bias away again.
    """
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)


def stage(
    block: type[Block],
    in_channels: int,
    channels: int,
    count: int,
    stride: int,
    shortcut: str | None = "B",
) -> nn.Sequential:
    """Return `count` blocks, the first of which changes the shape."""
    first = block(in_channels, channels, stride, shortcut)
    width = block.expansion * channels
    return nn.Sequential(first, *(block(width, channels, 1, shortcut) for _ in range(1, count)))


def preactivated(block: type[Block]) -> type[Block]:
    """Return the pre-activation form of a kind of block."""
    return {BasicBlock: PreactivationBasicBlock, Bottleneck: PreactivationBottleneck}[block]
