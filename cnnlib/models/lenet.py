"""LeNet-5, as it is taught today and as it was published.

References
----------
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86 (11), 1998.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .registry import register, require_images

#: Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees.
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip

#: The digits on 7x12 pixels, drawn for this book: what F6 is to show for each class.
DIGITS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
..###.. ...##.. ..####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. .##..## ##...## ...###. ##..... .##.... .....## ##...## ##...##
.##.##. .####.. .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##..##. ######. ######. ....##. .#####. ##...##
##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .######
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
.##.##. ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


class LeNet5(nn.Module):
    """LeNet-5 as taught: two convolutions, two poolings, three fully connected layers.

    Takes ``(N, in_channels, 32, 32)``, gives logits ``(N, num_classes)``. The maps on the way
    have the published sizes: 6 of 28x28, 6 of 14x14, 16 of 10x10, 16 of 5x5, then 120 and 84
    numbers. The layers between those sizes differ from the paper's, which `PublishedLeNet5` has:

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


class PublishedLeNet5(nn.Module):
    """LeNet-5 as published in 1998, with the paper's names for its layers.

    Takes ``(N, in_channels, 32, 32)``, gives logits ``(N, num_classes)``. Its 60,000 trainable
    parameters are the paper's: C1 156, S2 12, C3 1,516, S4 32, C5 48,120 and F6 10,164. In its
    pictures the background is -0.1 and the ink 1.175, so that their mean is about 0 and their
    variance about 1.

    It differs from `LeNet5`, the network as taught:

    - Each layer up to F6 ends in the scaled tanh, ``1.7159 tanh(2 x / 3)``, not in ReLU, and so do
      the subsamplings.
    - S2 and S4 add up four pixels, times a trained coefficient, plus a trained bias. `LeNet5` takes
      the largest.
    - In C3, six maps see 3 neighbours among the 6 maps of S2, six see 4 neighbours, three see 4
      others, and one sees all.
    - The output is ten squared distances, between the 84 numbers of F6 and a fixed code of 84
      numbers for each class, +1 for ink and -1 for background.
    - The weights are uniform between -2.4 and 2.4 over the unit's inputs, as in the paper; so are
      the biases, of which it does not say.

    It differs from the paper in three things. The codes are drawings of our own, since the paper
    shows its own only as pictures. The distances come out negative, as logits: the largest is the
    answer, and cross-entropy on them is the paper's equation 9 but for its constant ``e**-j``. C3's
    missing kernels are zeros in a full convolution, which costs 240,000 MACs where 150,000 would
    do.

    Parameters
    ----------
    num_classes : int
        Classes, at most 10: the first so many digits.
    in_channels : int
        Channels of the pictures.

    Raises
    ------
    ValueError
        If there are more classes than drawn digits.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1):
        super().__init__()
        self.in_channels = in_channels
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv2d(6, C3_TABLE, 5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = RadialBasis(digit_codes(num_classes))
        self._draw_weights()

    def _draw_weights(self) -> None:
        seen = torch.tensor([len(sources) for sources in C3_TABLE])
        draw_uniform(self.c1, 25 * self.in_channels)
        draw_uniform(self.s2, 4)
        draw_uniform(self.c3, 25 * seen)
        draw_uniform(self.s4, 4)
        draw_uniform(self.c5, 16 * 25)
        draw_uniform(self.f6, 120)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(N, num_classes)`` of pictures ``(N, in_channels, 32, 32)``."""
        require_images(x, self.in_channels, image_size=32)
        x = self.s2(scaled_tanh(self.c1(x)))
        x = self.s4(scaled_tanh(self.c3(x)))
        x = scaled_tanh(self.c5(x)).flatten(start_dim=1)
        return -self.output(scaled_tanh(self.f6(x)))


def scaled_tanh(x: torch.Tensor) -> torch.Tensor:
    """Return ``1.7159 tanh(2 x / 3)``, which is 1 at 1 and -1 at -1, and steepest between them."""
    return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """The paper's pooling: four pixels' sum, times a coefficient, plus a bias, and scaled tanh.

    Takes ``(N, channels, H, W)``, gives ``(N, channels, H / 2, W / 2)``. Coefficient and bias are
    trained, one of each a map.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the smaller maps."""
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return scaled_tanh(total * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1))


class PartialConv2d(nn.Module):
    """A convolution each of whose maps sees only some of the maps that come in.

    Takes ``(N, in_channels, H, W)``, gives ``(N, len(table), H - kernel_size + 1,
    W - kernel_size + 1)``.

    Parameters
    ----------
    in_channels : int
        Maps that come in.
    table : sequence of sequences of int
        For each map that goes out, the ones that it sees.
    kernel_size : int
        Height and width of each kernel.
    """

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]], kernel_size: int):
        super().__init__()
        pairs = torch.tensor([(to, source) for to, seen in enumerate(table) for source in seen])
        self.register_buffer("pairs", pairs.T, persistent=False)
        self.full_shape = (len(table), in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.zeros(len(pairs), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the maps."""
        absent = self.weight.new_zeros(self.full_shape)
        kernels = absent.index_put((self.pairs[0], self.pairs[1]), self.weight)
        return F.conv2d(x, kernels, self.bias)


class RadialBasis(nn.Module):
    """Squared distances to fixed codes: takes ``(N, features)``, gives ``(N, len(codes))``."""

    def __init__(self, codes: torch.Tensor):
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the distances, 0 where `x` is the code."""
        return (x[:, None] - self.codes).square().sum(dim=2)


def digit_codes(num_classes: int = 10) -> torch.Tensor:
    """Return the codes of the first digits, ``(num_classes, 84)``: +1 for ink, -1 for none."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    if num_classes > len(rows[0]):
        raise ValueError(
            f"num_classes must be at most {len(rows[0])}, not {num_classes}: only the digits are "
            "drawn as codes; lenet5 takes any number of classes"
        )
    drawings = ["".join(row[digit] for row in rows) for digit in range(num_classes)]
    return torch.tensor([[1.0 if pixel == "#" else -1.0 for pixel in ink] for ink in drawings])


@torch.no_grad()
def draw_uniform(layer: nn.Module, fan_in: int | torch.Tensor) -> None:
    """Draw a layer's weights and biases between -2.4 and 2.4 over its inputs.

    Parameters
    ----------
    layer : torch.nn.Module
        With a `weight` and a `bias`.
    fan_in : int or torch.Tensor
        Inputs of each unit; for a `PartialConv2d`, of the units of each of its maps.
    """
    bounds = 2.4 / torch.as_tensor(fan_in, dtype=torch.float32)
    layer.bias.uniform_(-1, 1).mul_(bounds)
    if bounds.ndim:  # one kernel for each pair of maps, in the order of the maps that go out
        bounds = bounds[layer.pairs[0]].view(-1, 1, 1)
    layer.weight.uniform_(-1, 1).mul_(bounds)


@register
def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """Build LeNet-5 as taught: 61,706 parameters."""
    return LeNet5(num_classes, in_channels)


@register
def lenet5_1998(num_classes: int = 10, in_channels: int = 1) -> PublishedLeNet5:
    """Build LeNet-5 as published: 60,000 trainable parameters."""
    return PublishedLeNet5(num_classes, in_channels)
