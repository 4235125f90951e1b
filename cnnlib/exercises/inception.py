"""The checks of the chapters on VGG and GoogLeNet: what stacks, branches and bottlenecks cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cnnlib.arithmetic import conv_macs, conv_parameters

from .grading import Check

# In the formulas below i and o are numbers of channels, r those of a reduction, d is a depth, k a
# kernel_size and n the size of a map.

# --- Chapter 11: VGG ------------------------------------------------------------------------------


def _convolutions(
    in_channels: int, counts: Sequence[int], channels: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield input and output channels of each convolution of a stack of blocks."""
    for count, out_channels in zip(counts, channels, strict=True):
        for _ in range(count):
            yield in_channels, out_channels
            in_channels = out_channels


def _summed(cost: Callable[[int, int], int]) -> Callable:
    """Return a function that adds up what each convolution of a stack of blocks costs."""
    return lambda i, counts, channels: sum(
        cost(*pair) for pair in _convolutions(i, counts, channels)
    )


def _by_block(cost: Callable[[int, int, int], int], restart: bool = False) -> Callable:
    """Return a function that adds up a cost of (input, output channels, convolutions) by block."""

    def total(in_channels: int, counts: Sequence[int], channels: Sequence[int]) -> int:
        before = [in_channels, *channels]
        if restart:
            before = [in_channels] * len(channels)
        return sum(map(cost, before, channels, counts))

    return total


check_vgg_parameters = Check(
    task="f(in_channels, counts, channels) -> the parameters of all convolutions",
    right=_summed(lambda i, o: conv_parameters(i, o, 3)),
    settings=[
        (3, (1,), (4,)),
        (3, (2,), (5,)),
        (1, (1, 2), (4, 7)),
        (3, (2, 1, 3), (8, 6, 10)),
        (3, (1, 1, 2, 2, 2), (64, 128, 256, 512, 512)),
    ],
    tested="from one convolution to VGG-11's eight",
    diagnoses={
        "the biases are missing. Each output channel has one.": _summed(
            lambda i, o: conv_parameters(i, o, 3, bias=False)
        ),
        "you counted one bias a block. Each convolution has its own.": _by_block(
            lambda i, o, count: 9 * o * (i + (count - 1) * o) + o
        ),
        "every convolution of a block starts from what the block receives. Only the first does: "
        "the others receive what the one before them gave.": _by_block(
            lambda i, o, count: count * conv_parameters(i, o, 3)
        ),
        "the first convolution of a block has as many channels before as after in your sum. It "
        "is the one that changes their number.": _by_block(
            lambda i, o, count: count * conv_parameters(o, o, 3)
        ),
        "each block starts from the picture again. It receives the channels of the block "
        "before.": _by_block(
            lambda i, o, count: conv_parameters(i, o, 3) + (count - 1) * conv_parameters(o, o, 3),
            restart=True,
        ),
        "you counted one convolution a block. `counts` says how many there are.": _by_block(
            lambda i, o, count: conv_parameters(i, o, 3)
        ),
        "the kernel is a square. It has 3 * 3 numbers for each pair of channels.": _summed(
            lambda i, o: 3 * i * o + o
        ),
        "the input channels are missing. A kernel is as deep as its input.": _summed(
            lambda i, o: 9 * o + o
        ),
    },
)

check_stack_macs = Check(
    task="f(in_channels, out_channels, depth, size) -> the MACs of `depth` layers of 3x3",
    right=lambda i, o, d, n: conv_macs(i, o, 3, n) + (d - 1) * conv_macs(o, o, 3, n),
    settings=[(1, 2, 1, 4), (2, 3, 2, 7), (5, 4, 3, 9), (3, 8, 4, 11), (64, 128, 2, 112)],
    tested="with more channels after than before and with fewer, from one layer to four",
    diagnoses={
        "every layer starts from in_channels. Only the first does: the others receive "
        "out_channels.": lambda i, o, d, n: d * conv_macs(i, o, 3, n),
        "the first layer starts from out_channels. It receives in_channels.": (
            lambda i, o, d, n: d * conv_macs(o, o, 3, n)
        ),
        "the channels change in your last layer. In VGG they change in the first of a block.": (
            lambda i, o, d, n: (d - 1) * conv_macs(i, i, 3, n) + conv_macs(i, o, 3, n)
        ),
        "you counted the first layer alone. There are `depth` of them.": (
            lambda i, o, d, n: conv_macs(i, o, 3, n)
        ),
        "the maps have size * size positions, and each costs all the weights once.": (
            lambda i, o, d, n: conv_macs(i, o, 3, (n, 1)) + (d - 1) * conv_macs(o, o, 3, (n, 1))
        ),
        "that is the number of weights. Each is used once at each of size * size positions.": (
            lambda i, o, d, n: conv_macs(i, o, 3, 1) + (d - 1) * conv_macs(o, o, 3, 1)
        ),
        "the kernel is a square. Each position costs 3 * 3 MACs for each pair of channels.": (
            lambda i, o, d, n: conv_macs(i, o, (3, 1), n) + (d - 1) * conv_macs(o, o, (3, 1), n)
        ),
        "your maps shrink by two pixels a layer. With padding 1 they keep their size.": (
            lambda i, o, d, n: sum(
                conv_macs(o if layer else i, o, 3, n - 2 - 2 * layer) for layer in range(d)
            )
        ),
        "that is one kernel that sees as much as the stack. Count the layers of 3x3.": (
            lambda i, o, d, n: conv_macs(i, o, 2 * d + 1, n)
        ),
    },
)

# --- Chapter 12: GoogLeNet ------------------------------------------------------------------------

check_inception_channels = Check(
    task="f(in_channels, widths) -> the channels that an Inception module gives",
    right=lambda i, w: w[0] + w[2] + w[4] + w[5],
    settings=[
        (5, (1, 2, 4, 8, 16, 32)),
        (192, (64, 96, 128, 16, 32, 32)),
        (480, (192, 96, 208, 16, 48, 64)),
        (832, (384, 192, 384, 48, 128, 128)),
    ],
    tested="three of them from the paper's table",
    diagnoses={
        "the reductions are counted too. What they give goes into the 3x3 and the 5x5, and not "
        "into the output.": lambda i, w: sum(w),
        "you counted the reductions in place of the 3x3 and the 5x5 that follow them.": (
            lambda i, w: w[0] + w[1] + w[3] + w[5]
        ),
        "the branch with the pooling is missing. It has channels of its own.": (
            lambda i, w: w[0] + w[2] + w[4]
        ),
        "the pooling passes all its input channels on in your sum. A 1x1 behind it makes them "
        "`widths[5]`.": lambda i, w: w[0] + w[2] + w[4] + i,
        "the input is not part of the output. Only the four branches are joined.": (
            lambda i, w: i + w[0] + w[2] + w[4] + w[5]
        ),
        "the branches lie one behind the other, so that their channels add up. You took the "
        "widest.": lambda i, w: max(w[0], w[2], w[4], w[5]),
    },
)

check_bottleneck_macs = Check(
    task="f(in_channels, reduced, out_channels, kernel_size, size) -> the MACs of both layers",
    right=lambda i, r, o, k, n: conv_macs(i, r, 1, n) + conv_macs(r, o, k, n),
    settings=[
        (4, 1, 2, 3, 5),
        (6, 4, 5, 5, 7),
        (16, 3, 8, 3, 9),
        (7, 9, 4, 7, 11),
        (192, 16, 32, 5, 28),
    ],
    tested="with kernels of 3x3, 5x5 and 7x7, and once with a 'bottleneck' that is none",
    diagnoses={
        "that is the convolution without a bottleneck. It receives `reduced` channels, and the "
        "1x1 costs something too.": lambda i, r, o, k, n: conv_macs(i, o, k, n),
        "the 1x1 is missing. It is cheap, and not free.": (
            lambda i, r, o, k, n: conv_macs(r, o, k, n)
        ),
        "the second convolution is missing.": lambda i, r, o, k, n: conv_macs(i, r, 1, n),
        "the second convolution receives `reduced` channels. The 1x1 has made them fewer.": (
            lambda i, r, o, k, n: conv_macs(i, r, 1, n) + conv_macs(i, o, k, n)
        ),
        "the first convolution is 1x1. It has one weight for each pair of channels.": (
            lambda i, r, o, k, n: conv_macs(i, r, k, n) + conv_macs(r, o, k, n)
        ),
        "the kernel is a square. Each position costs kernel_size * kernel_size MACs for each pair "
        "of channels.": lambda i, r, o, k, n: conv_macs(i, r, 1, n) + conv_macs(r, o, (k, 1), n),
        "the maps have size * size positions, and each costs all the weights once.": (
            lambda i, r, o, k, n: conv_macs(i, r, 1, (n, 1)) + conv_macs(r, o, k, (n, 1))
        ),
        "that is the number of weights. Each is used once at each of size * size positions.": (
            lambda i, r, o, k, n: conv_macs(i, r, 1, 1) + conv_macs(r, o, k, 1)
        ),
        "the maps are padded so that they keep their size. You let the second one shrink.": (
            lambda i, r, o, k, n: conv_macs(i, r, 1, n) + conv_macs(r, o, k, n - k + 1)
        ),
    },
)
