"""The arithmetic, against torch, published tables and counts by hand."""

from __future__ import annotations

import doctest
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnlib import arithmetic
from cnnlib.arithmetic import (
    Layer,
    ReceptiveField,
    batch_norm_parameters,
    conv_macs,
    conv_parameters,
    linear_macs,
    linear_parameters,
    output_size,
    padding_amounts,
    receptive_field,
    transposed_output_size,
)

# torch tells once that an even kernel costs it a copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

reproducible = settings(derandomize=True, deadline=None, max_examples=150)
small = st.integers(1, 4)


def size_or_none(function, refusal, *arguments):
    """Return what the function returns, or None if it refuses the arguments."""
    try:
        return function(*arguments)
    except refusal:
        return None


def torch_size(n, k, s, p, d):
    """Return the size of torch's output."""
    return F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), None, s, p, d).shape[2]


def torch_transposed_size(n, k, s, p, d, extra):
    """Return the size of the output of torch's transposed convolution."""
    x, w = torch.zeros(1, 1, n), torch.zeros(1, 1, k)
    return F.conv_transpose1d(x, w, None, s, p, extra, 1, d).shape[2]


# --- Output sizes ---------------------------------------------------------------------------------


def test_output_size_agrees_with_torch_on_a_grid_of_settings():
    grid = list(product(range(1, 12), range(1, 6), (1, 2, 3), (0, 1, 2, 5), (1, 2, 3)))
    refused = 0
    for setting in grid:
        theirs = size_or_none(torch_size, RuntimeError, *setting)
        assert size_or_none(output_size, ValueError, *setting) == theirs, setting
        refused += theirs is None
    assert 0 < refused < len(grid) / 2  # the grid holds both kinds


@reproducible
@given(
    n=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    k=st.tuples(small, small),
    s=st.tuples(small, small),
    p=st.tuples(st.tuples(small, small), st.tuples(small, small)),
    d=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_output_size_agrees_with_torch_for_padding_that_differs_by_side(n, k, s, p, d):
    (top, bottom), (left, right) = p
    padded = F.pad(torch.zeros(1, 1, *n), (left, right, top, bottom))
    theirs = F.conv2d(padded, torch.zeros(1, 1, *k), None, s, 0, d).shape[2:]
    assert output_size(n, k, s, p, d) == tuple(theirs)


@pytest.mark.parametrize("k", range(1, 7))
@pytest.mark.parametrize("d", [1, 2, 3])
def test_words_for_padding(k, d):
    n = 20
    x, w = torch.zeros(1, 1, n), torch.zeros(1, 1, k)
    for word in ("valid", "same"):
        assert output_size(n, k, 1, word, d) == F.conv1d(x, w, None, 1, word, d).shape[2]
    spread = np.zeros(d * (k - 1) + 1)  # the dilated kernel, its gaps filled with zeros
    assert output_size(n, k, 1, "full", d) == len(np.convolve(np.zeros(n), spread, "full"))


@pytest.mark.parametrize("k", range(1, 7))
@pytest.mark.parametrize("d", [1, 2, 3])
def test_same_puts_the_odd_pixel_where_torch_puts_it(k, d):
    x = torch.arange(1.0, 11.0).reshape(1, 1, -1)
    w = torch.arange(1.0, k + 1).reshape(1, 1, -1)
    padded = F.pad(x, padding_amounts(k, "same", d))
    assert torch.equal(F.conv1d(padded, w, dilation=d), F.conv1d(x, w, padding="same", dilation=d))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3, 2), (2, 2)),
        ((3, "same"), (1, 1)),
        ((4, "same"), (1, 2)),
        ((2, "same"), (0, 1)),
        ((3, "same", 2), (2, 2)),
        ((5, "full"), (4, 4)),
        ((5, "valid"), (0, 0)),
        (((3, 4), "same"), ((1, 1), (1, 2))),
        ((3, (1, 2)), ((1, 1), (2, 2))),
        ((3, ((1, 2), 0)), ((1, 2), (0, 0))),
        ((3, ("same", "full")), ((1, 1), (2, 2))),
    ],
)
def test_padding_amounts_by_hand(arguments, expected):
    assert padding_amounts(*arguments) == expected


def test_one_number_gives_one_number_and_a_tuple_gives_a_tuple():
    assert output_size(32, 5) == 28
    assert output_size((32, 30), 5) == (28, 26)
    assert output_size(32, (5, 3), stride=[1, 2]) == (28, 15)
    assert output_size(torch.zeros(8, 9).shape, np.int64(3)) == (6, 7)
    assert type(output_size(np.int64(8), np.int64(3))) is int


@reproducible
@given(n=st.integers(1, 60), k=st.sampled_from([1, 3, 5, 7]), s=small, d=small)
def test_half_the_reach_as_padding_gives_tensorflows_same_size(n, k, s, d):
    assert output_size(n, k, s, d * (k - 1) // 2, d) == -(-n // s)  # ceil(n / s)


def test_transposed_output_size_agrees_with_torch_on_a_grid_of_settings():
    grid = list(product((1, 2, 5), range(1, 5), (1, 2, 3), (0, 1, 2), (1, 2), (0, 1, 2)))
    refused = 0
    for setting in grid:
        theirs = size_or_none(torch_transposed_size, RuntimeError, *setting)
        ours = size_or_none(transposed_output_size, ValueError, *setting)
        assert ours == theirs, setting
        refused += theirs is None
    assert 0 < refused < len(grid) / 2


@reproducible
@given(n=st.integers(10, 40), k=small, s=small, p=st.integers(0, 2), d=st.integers(1, 3))
def test_a_transposed_convolution_leads_back(n, k, s, p, d):
    size = output_size(n, k, s, p, d)
    left_over = (n + 2 * p - d * (k - 1) - 1) % s
    assert transposed_output_size(size, k, s, p, d, left_over) == n


def test_transposed_output_size_by_axis():
    x, w = torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 3, 2)
    theirs = F.conv_transpose2d(x, w, None, (2, 3), (1, 0), (1, 2), 1, (1, 2)).shape[2:]
    assert transposed_output_size((4, 5), (3, 2), (2, 3), (1, 0), (1, 2), (1, 2)) == tuple(theirs)


# --- Receptive fields -----------------------------------------------------------------------------


@pytest.mark.slow
@reproducible
@given(
    st.lists(
        st.builds(Layer, small, st.integers(1, 2), st.integers(0, 2), st.integers(1, 2)), max_size=4
    )
)
def test_receptive_field_is_what_torchs_gradient_sees(layers):
    x = torch.zeros(1, 1, 200, dtype=torch.float64, requires_grad=True)
    y = x
    for layer in layers:
        ones = torch.ones(1, 1, layer.kernel_size, dtype=torch.float64)  # nothing can cancel
        y = F.conv1d(y, ones, None, layer.stride, layer.padding, layer.dilation)
    field = receptive_field(layers)
    whole = 0
    for i in range(y.shape[2]):
        first = field.start + i * field.jump
        last = first + field.size - 1
        if first < 0 or last >= x.shape[2]:
            continue  # it looks into the padding
        (gradient,) = torch.autograd.grad(y[0, 0, i], x, retain_graph=True)
        seen = gradient.flatten().nonzero()
        assert (seen.min(), seen.max()) == (first, last)
        whole += 1
    assert whole >= 2


VGG16 = [
    layer
    for convolutions in (2, 2, 3, 3, 3)
    for layer in [Layer(3, padding=1)] * convolutions + [Layer(2, stride=2)]
]
ALEXNET = [Layer(11, 4), Layer(3, 2), Layer(5), Layer(3, 2), *[Layer(3)] * 3, Layer(3, 2)]


@pytest.mark.parametrize(("stack", "size"), [(VGG16, 212), (ALEXNET, 195)])
def test_receptive_field_of_published_networks(stack, size):
    assert receptive_field(stack).size == size  # Araujo et al. 2019, table of model fields
    assert receptive_field(stack).jump == 32


@pytest.mark.parametrize(
    ("stack", "field"),
    [
        ([], ReceptiveField(1, 1, 0)),
        ([Layer(5)], ReceptiveField(5, 1, 0)),
        ([Layer(3), Layer(3)], ReceptiveField(5, 1, 0)),
        ([Layer(3, stride=2, padding=1), Layer(3, padding=1)], ReceptiveField(7, 2, -3)),
        ([Layer(3, padding="same", dilation=2)], ReceptiveField(5, 1, -2)),
        (
            [Layer((3, 1), (2, 1), ((1, 0), 0)), Layer(3)],
            ReceptiveField((7, 3), (2, 1), (-1, 0)),
        ),
    ],
)
def test_receptive_field_by_hand(stack, field):
    assert receptive_field(iter(stack)) == field


# --- Parameters and multiply-accumulates ----------------------------------------------------------


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@reproducible
@given(a=small, b=small, groups=small, k=st.tuples(small, small), bias=st.booleans())
def test_conv_parameters_agree_with_torch(a, b, groups, k, bias):
    module = nn.Conv2d(a * groups, b * groups, k, groups=groups, bias=bias)
    assert conv_parameters(a * groups, b * groups, k, groups, bias) == count(module)


def test_parameters_in_one_dimension_and_of_other_layers_agree_with_torch():
    assert conv_parameters(4, 6, (5,)) == count(nn.Conv1d(4, 6, 5))
    assert conv_parameters(4, 6, 5) == count(nn.Conv2d(4, 6, 5))
    assert conv_parameters(4, 6, (2, 3, 5)) == count(nn.Conv3d(4, 6, (2, 3, 5)))
    assert linear_parameters(120, 84) == count(nn.Linear(120, 84))
    assert linear_parameters(120, 84, bias=False) == count(nn.Linear(120, 84, bias=False))
    assert batch_norm_parameters(64) == count(nn.BatchNorm2d(64))


def test_the_parameters_of_lenet5_add_up():
    convolutions = conv_parameters(1, 6, 5) + conv_parameters(6, 16, 5)  # 156 + 2,416
    fully_connected = 48_120 + 10_164 + 850
    assert linear_parameters(400, 120) == 48_120
    assert linear_parameters(120, 84) == 10_164
    assert linear_parameters(84, 10) == 850
    assert convolutions + fully_connected == 61_706


@reproducible
@given(a=small, b=small, groups=small, k=st.tuples(small, small), s=small, p=small)
def test_macs_are_half_of_torchs_count_of_operations(a, b, groups, k, s, p):
    module = nn.Conv2d(a * groups, b * groups, k, s, p, groups=groups).to("meta")
    with FlopCounterMode(display=False) as counter:
        y = module(torch.zeros(1, a * groups, 9, 8, device="meta"))
    macs = conv_macs(a * groups, b * groups, k, tuple(y.shape[2:]), groups)
    assert 2 * macs == counter.get_total_flops()


def test_macs_by_hand():
    # A 3x3 kernel on 3 channels is 27 products a number; 8 channels of 10x10 are 800 numbers.
    assert conv_macs(3, 8, 3, 10) == 27 * 800
    assert conv_macs(3, 8, (3,), 10) == 9 * 80
    assert conv_macs(8, 8, 3, (10, 5), groups=8) == 9 * 400
    assert linear_macs(400, 120) == 48_000


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: output_size(4, 5), r"kernel_size 5 .* spans 5 pixels, .* 4 and 0 \+ 0"),
        (lambda: output_size(4, 3, 1, (1,), 3), r"kernel_size 3 with dilation 3 spans 7"),
        (lambda: output_size((9, 2), 3), "larger than the padded input"),
        (lambda: output_size(8, 3, stride=0), "stride must be at least 1, got 0"),
        (lambda: output_size(8, 3, padding=-1), "padding must be at least 0, got -1"),
        (lambda: output_size(8, 3, padding=((0, -2),)), "padding must be at least 0, got -2"),
        (lambda: output_size(8, 3, dilation=0), "dilation must be at least 1, got 0"),
        (lambda: output_size(8, 0), "kernel_size must be at least 1, got 0"),
        (lambda: output_size(0, 1), "input_size must be at least 1, got 0"),
        (lambda: output_size(8, 2.5), "kernel_size must be a whole number, got 2.5"),
        (lambda: output_size(8, 3.0), "kernel_size must be a whole number, got 3.0"),
        (lambda: output_size(8, True), "kernel_size must be a whole number, got True"),
        (lambda: output_size(8, np.True_), "kernel_size must be a whole number"),
        (lambda: output_size(8, "3"), "kernel_size must be a whole number, got '3'"),
        (lambda: output_size(8, 3, padding=None), "padding must be a whole number, got None"),
        (lambda: output_size(8, 3, padding="Same"), '\'Same\': use "valid", "same" or "full"'),
        (lambda: output_size(8, 3, 2, "same"), "needs stride 1, got stride 2.* reach is 1"),
        (lambda: output_size((8, 8), 3, 2, ("valid", "same")), "needs stride 1, got stride 2"),
        (lambda: output_size((8, 8), (3, 3, 3)), "some tuples have 2 entries, some 3"),
        (lambda: output_size(8, 3, padding=((1, 2, 3),)), r"must be a number or \(before, after\)"),
        (lambda: padding_amounts(3, "reflect"), "unknown padding 'reflect'"),
        (lambda: transposed_output_size(1, 1, padding=1), "leaves no output.* would be -1"),
        (lambda: transposed_output_size(4, 3, 2, output_padding=2), "got 2 with stride 2"),
        (lambda: transposed_output_size(4, 3, output_padding=-1), "output_padding must be at"),
        (lambda: Layer(3, stride=0), "stride must be at least 1, got 0"),
        (lambda: Layer(3, 2, "same"), "needs stride 1"),
        (lambda: receptive_field([Layer((3, 3)), Layer((3,))]), "disagree on the number of axes"),
        (lambda: conv_parameters(3, 8, 3, groups=2), "groups=2 does not divide in_channels=3"),
        (lambda: conv_parameters(4, 9, 3, groups=2), "groups=2 does not divide out_channels=9"),
        (lambda: conv_parameters(4, 8, 3, groups=0), "groups must be at least 1, got 0"),
        (lambda: conv_macs(0, 8, 3, 10), "in_channels must be at least 1, got 0"),
        (lambda: conv_macs(3, 8, 3, 0), "output_size must be at least 1, got 0"),
        (lambda: linear_parameters(10, 2.5), "out_features must be a whole number, got 2.5"),
        (lambda: linear_macs(-1, 2), "in_features must be at least 1, got -1"),
        (lambda: batch_norm_parameters(0), "num_features must be at least 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_arithmetic_needs_neither_numpy_nor_torch():
    code = "import sys, cnnlib.arithmetic; print({'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_examples_in_the_docstrings_hold():
    outcome = doctest.testmod(arithmetic)
    assert outcome.attempted >= 7
    assert outcome.failed == 0
