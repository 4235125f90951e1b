"""Two small networks that tutorials build in Keras, rebuilt so that they compute the same.

What torch does differently by default is set as Keras sets it: kernels from the Glorot uniform
distribution, biases zero, BatchNorm with epsilon 1e-3 and a memory of 0.99 a step (torch writes
``momentum=0.01`` for that), and padding ``"same"`` that puts the odd row and column after the
picture. One difference is left: in training, Keras folds the batch's variance over ``n`` into
BatchNorm's running variance, and torch the one over ``n - 1``.

References
----------
X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
networks", AISTATS 2010. Keras, https://keras.io/api/layers/
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .registry import register, require_count, require_images

#: (channels, stride), one row a block of `SimpleResNet`.
BLOCKS = ((64, 1), (64, 1), (128, 2), (128, 1))


class SimpleCNN(nn.Module):
    """Two convolutions with max pooling, a hidden layer of 128, and the answer.

    Takes ``(N, in_channels, image_size, image_size)``, gives ``(N, num_classes)``. The original
    ends in a sigmoid. Here the default is the logit, as torch's
    ``binary_cross_entropy_with_logits`` (for one output) and ``cross_entropy`` (for more) expect
    it, since a loss that takes logits does not overflow.

    To copy a Keras kernel: a convolution's ``(height, width, in, out)`` becomes ``(out, in,
    height, width)`` by ``permute(3, 2, 0, 1)``, and a dense layer's ``(in, out)`` is transposed.
    The first dense layer needs one step more. Keras flattens ``(H, W, C)`` and torch ``(C, H,
    W)``, so its inputs are the same numbers in another order.

    Parameters
    ----------
    num_classes : int
        Outputs: 1 for a yes-or-no question, else the number of classes.
    in_channels : int
        Channels of the pictures.
    image_size : int
        Height and width of the pictures, at least 10.
    sigmoid : bool
        End in a sigmoid, as the original does: probabilities in place of logits.

    Raises
    ------
    ValueError
        If nothing of the picture is left to flatten.
    """

    def __init__(
        self,
        num_classes: int = 1,
        in_channels: int = 3,
        image_size: int = 64,
        sigmoid: bool = False,
    ):
        super().__init__()
        # A 3x3 convolution without padding takes two pixels, a pooling half of what is left.
        map_size = ((require_count("image_size", image_size) - 2) // 2 - 2) // 2
        if map_size < 1:
            raise ValueError(f"image_size must be at least 10, not {image_size}")
        self.in_channels = in_channels
        self.image_size = image_size
        self.sigmoid = sigmoid
        self.conv1 = nn.Conv2d(in_channels, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(64 * map_size * map_size, 128)
        self.fc2 = nn.Linear(128, num_classes)
        _draw_as_keras(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, or probabilities if built so, ``(N, num_classes)``."""
        require_images(x, self.in_channels, self.image_size)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(start_dim=1)))
        x = self.fc2(x)
        return torch.sigmoid(x) if self.sigmoid else x


class SameConv2d(nn.Conv2d):
    """A convolution with the padding ``"same"`` of Keras and TensorFlow, for any stride.

    Takes ``(N, in_channels, H, W)``, gives ``(N, out_channels, ceil(H / stride),
    ceil(W / stride))``. Where the zeros do not split evenly, the odd one goes after the picture:
    a 3x3 kernel with stride 2 on 32 rows gets none before and one after, where torch's
    ``padding=1`` puts one on either side and samples other pixels.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of `x`, padded."""
        pads = []
        for axis in (-1, -2):  # F.pad counts from the last axis
            size, kernel, stride = x.shape[axis], self.kernel_size[axis], self.stride[axis]
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:  # the kernel pads by itself, which is faster
            return F.conv2d(x, self.weight, self.bias, self.stride, (pads[2], pads[0]))
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride)


class SimpleBlock(nn.Module):
    """A residual block with a projection, 1x1 convolution and BatchNorm, where the shape changes.

    Takes ``(N, in_channels, H, W)``, gives ``(N, out_channels, ceil(H / stride),
    ceil(W / stride))``.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.conv1 = SameConv2d(in_channels, out_channels, 3, stride)
        self.bn1 = _keras_norm(out_channels)
        self.conv2 = SameConv2d(out_channels, out_channels, 3)
        self.bn2 = _keras_norm(out_channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(SameConv2d(in_channels, out_channels, 1, stride))
            self.shortcut.append(_keras_norm(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``relu(F(x) + shortcut(x))``."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class SimpleResNet(nn.Module):
    """A convolution of 64 kernels, four residual blocks, global average pooling, one layer.

    Takes ``(N, in_channels, H, W)`` of any size, gives logits ``(N, num_classes)``. The original
    ends in a softmax, which here is left to the loss. Its convolutions have biases, though the
    BatchNorm behind each takes them away again in training.

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
        channels = BLOCKS[0][0]
        self.conv1 = SameConv2d(in_channels, channels, 3)
        self.bn1 = _keras_norm(channels)
        self.blocks = nn.Sequential()
        for out_channels, stride in BLOCKS:
            self.blocks.append(SimpleBlock(channels, out_channels, stride))
            channels = out_channels
        self.fc = nn.Linear(channels, num_classes)
        _draw_as_keras(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, H, W)``."""
        require_images(x, self.in_channels)
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.blocks(x).mean(dim=(2, 3)))


def _keras_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _draw_as_keras(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


@register
def simple_cnn(
    num_classes: int = 1, in_channels: int = 3, image_size: int = 64, sigmoid: bool = False
) -> SimpleCNN:
    """Build the small Keras CNN, one output on 3x64x64: 1,625,281 parameters."""
    return SimpleCNN(num_classes, in_channels, image_size, sigmoid)


@register
def simple_resnet(num_classes: int = 10, in_channels: int = 3) -> SimpleResNet:
    """Build the small Keras ResNet: 677,642 trainable parameters."""
    return SimpleResNet(num_classes, in_channels)
