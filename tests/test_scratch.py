"""Convolution and pooling by hand, against numbers worked on paper, SciPy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from cnnlib import scratch

# torch tells once that an even kernel costs it a copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

TOLERANCE = {"rtol": 0, "atol": 1e-10}
reproducible = settings(derandomize=True, deadline=None, max_examples=60)
modes = st.sampled_from(["valid", "same", "full"])
seeds = st.integers(0, 2**32 - 1)
methods = pytest.mark.parametrize("method", ["loops", "im2col"])


def assert_close(ours, theirs):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def leaves(*arrays):
    """Return torch tensors of which torch will know the gradients."""
    return [torch.tensor(array, requires_grad=True) for array in arrays]


# --- Numbers worked by hand -----------------------------------------------------------------------

SIGNAL, KERNEL = [0, 1, 2, -1, 3], [1, 1, 0]


@pytest.mark.parametrize(
    ("mode", "correlation", "convolution"),
    [
        # Correlation takes w[0] x[i] + w[1] x[i+1]: two neighbours, 0+1, 1+2, 2-1.
        # Convolution flips the kernel to 0, 1, 1 and takes x[i+1] + x[i+2]: 1+2, 2-1, -1+3.
        ("valid", [1, 3, 1], [3, 1, 2]),
        ("same", [0, 1, 3, 1, 2], [1, 3, 1, 2, 3]),
        ("full", [0, 0, 1, 3, 1, 2, 3], [0, 1, 3, 1, 2, 3, 0]),
    ],
)
def test_the_example_of_the_book(mode, correlation, convolution):
    assert scratch.correlate1d(SIGNAL, KERNEL, mode).tolist() == correlation
    assert scratch.convolve1d(SIGNAL, KERNEL, mode).tolist() == convolution


def test_an_even_kernel_has_its_odd_zero_after_the_signal():
    # x[i] + 10 x[i+1], with a zero after the 4. NumPy has the zero before the 1.
    assert scratch.correlate1d([1, 2, 3, 4], [1, 10], "same").tolist() == [21, 32, 43, 4]
    assert np.correlate([1, 2, 3, 4], [1, 10], "same").tolist() == [10, 21, 32, 43]
    # Flipped: 10 x[i] + x[i+1].
    assert scratch.convolve1d([1, 2, 3, 4], [1, 10], "same").tolist() == [12, 23, 34, 40]


def test_a_kernel_may_be_longer_than_the_signal_unless_it_must_fit_inside():
    assert scratch.correlate1d([1, 2], [1, 10, 100], "same").tolist() == [210, 21]
    assert scratch.correlate1d([1, 2], [1, 10, 100], "full").tolist() == [100, 210, 21, 2]


def test_right_minus_left_is_blind_to_a_bar_and_sees_its_edges():
    right_minus_left = [[-1, 0, 1]] * 3
    # A bar under the kernel's middle column: what the right gains the left takes away.
    assert scratch.correlate2d([[10, 20, 10]] * 3, right_minus_left).tolist() == [[0]]
    # Slid along the bar's row, it sees the rise (3 rows x +10), nothing on the bar, the fall.
    bar = [[10, 10, 20, 10, 10]] * 3
    assert scratch.correlate2d(bar, right_minus_left).tolist() == [[30, 0, -30]]
    # Edges that run the other way it does not see at all.
    assert not scratch.correlate2d(np.transpose([[10, 10, 20, 20, 20]] * 5), right_minus_left).any()


def test_two_dimensions_by_hand():
    x = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    w = [[1, 0], [0, -1]]
    assert scratch.correlate2d(x, w).tolist() == [[-4, -4], [-4, -4]]  # 1-5, 2-6, 4-8, 5-9
    assert scratch.convolve2d(x, w).tolist() == [[4, 4], [4, 4]]
    same = [[-4, -4, 3], [-4, -4, 6], [7, 8, 9]]  # a row of zeros below, a column right
    assert scratch.correlate2d(x, w, "same").tolist() == same
    full = [[-1, -2, -3, 0], [-4, -4, -4, 3], [-7, -4, -4, 6], [0, 7, 8, 9]]
    assert scratch.correlate2d(x, w, "full").tolist() == full


@methods
def test_a_layer_by_hand(method):
    x = np.arange(1, 10).reshape(1, 1, 3, 3)
    w = np.array([[[[1, 2], [3, 4]]]])
    # 1+4+12+20, 2+6+15+24, 4+10+21+32, 5+12+24+36; and 100 for the bias.
    expected = [[[[137, 147], [167, 177]]]]
    assert scratch.conv2d(x, w, [100], method=method).tolist() == expected
    # Stride 2 with one zero around: 4*1; 3*2 + 4*3; 2*4 + 4*7; 1*5 + 2*6 + 3*8 + 4*9.
    strided = scratch.conv2d(x, w, stride=2, padding=1, method=method)
    assert strided.tolist() == [[[[4, 18], [36, 77]]]]
    # Dilation 2: the corners 1, 3, 7, 9.
    assert scratch.conv2d(x, w, dilation=2, method=method).tolist() == [[[[64]]]]


@methods
def test_channels_add_up_and_groups_do_not_see_one_another(method):
    x = np.stack([np.full((2, 2), 1), np.full((2, 2), 10)])[None]
    w = np.ones((2, 2, 1, 1), int)
    assert scratch.conv2d(x, w, method=method)[0, :, 0, 0].tolist() == [11, 11]
    grouped = scratch.conv2d(x, w[:, :1], groups=2, method=method)
    assert grouped[0, :, 0, 0].tolist() == [1, 10]


def test_im2col_by_hand():
    columns = scratch.im2col(np.arange(1, 10).reshape(1, 1, 3, 3), 2)
    assert columns[0].T.tolist() == [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]


def test_pooling_by_hand():
    x = np.array([[1, 3, 2, 1], [4, 6, 5, 0], [7, 2, 9, 8], [1, 0, 3, 4]])[None, None]
    assert scratch.max_pool2d(x, 2)[0, 0].tolist() == [[6, 5], [7, 9]]
    assert scratch.avg_pool2d(x, 2)[0, 0].tolist() == [[3.5, 2.0], [2.5, 6.0]]
    # One zero around, stride 3: the corner windows hold 1 pixel of 4 (2x2), the rest is padding.
    assert scratch.avg_pool2d(x, 2, 3, 1)[0, 0, 0, 0] == 0.25


def test_padding_never_wins_a_maximum():
    x = -np.ones((1, 1, 2, 2))
    assert scratch.max_pool2d(x, 2, 1, 1).tolist() == [[[[-1.0] * 3] * 3]]


def test_of_equal_pixels_the_first_wins():
    x = np.array([[5, 5], [5, 5]])[None, None]
    assert scratch.max_pool2d_backward([[[[7]]]], x, 2)[0, 0].tolist() == [[7, 0], [0, 0]]
    x = np.array([[1, 2], [2, 2]])[None, None]
    assert scratch.max_pool2d_backward([[[[7]]]], x, 2)[0, 0].tolist() == [[0, 7], [0, 0]]


# --- Modes, against SciPy and NumPy ---------------------------------------------------------------


def center(full: np.ndarray, size: tuple[int, ...], kernel: tuple[int, ...]) -> np.ndarray:
    """Cut the "same" part out of SciPy's full answer, the odd zero after the signal."""
    starts = (k - 1 - (k - 1) // 2 for k in kernel)
    return full[tuple(slice(a, a + n) for a, n in zip(starts, size, strict=True))]


@reproducible
@given(seed=seeds, n=st.integers(1, 9), k=st.integers(1, 9), mode=modes)
def test_one_dimension_agrees_with_scipy(seed, n, k, mode):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=max(n, k)), rng.normal(size=k)
    for ours, theirs in (
        (scratch.correlate1d, signal.correlate),
        (scratch.convolve1d, signal.convolve),
    ):
        if mode == "same":
            expected = center(theirs(x, w, "full"), x.shape, w.shape)
        else:
            expected = theirs(x, w, mode)
        assert_close(ours(x, w, mode), expected)
        if k % 2:
            assert_close(ours(x, w, mode), theirs(x, w, mode))


@reproducible
@given(
    seed=seeds,
    size=st.tuples(st.integers(5, 8), st.integers(5, 8)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    mode=modes,
)
def test_two_dimensions_agree_with_scipy(seed, size, kernel, mode):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=size), rng.normal(size=kernel)
    for ours, theirs in (
        (scratch.correlate2d, signal.correlate2d),
        (scratch.convolve2d, signal.convolve2d),
    ):
        if mode == "same":
            expected = center(theirs(x, w, "full"), size, kernel)
        else:
            expected = theirs(x, w, mode)
        assert_close(ours(x, w, mode), expected)
        if kernel[0] % 2 and kernel[1] % 2:
            assert_close(ours(x, w, mode), theirs(x, w, mode))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_same_agrees_with_torch_for_odd_and_even_kernels(k):
    rng = np.random.default_rng(k)
    x, w = rng.normal(size=(9, 8)), rng.normal(size=(k, k))
    theirs = F.conv2d(torch.tensor(x)[None, None], torch.tensor(w)[None, None], padding="same")
    assert_close(scratch.correlate2d(x, w, "same"), theirs[0, 0])


@reproducible
@given(seed=seeds, n=st.integers(5, 8), k=st.integers(1, 5), mode=modes)
def test_gradients_in_one_dimension_agree_with_autograd(seed, n, k, mode):
    rng = np.random.default_rng(seed)
    x, w = leaves(rng.normal(size=n), rng.normal(size=k))
    padding = k - 1 if mode == "full" else mode
    y = F.conv1d(x[None, None], w[None, None], padding=padding)[0, 0]
    grad = torch.tensor(rng.normal(size=y.shape))
    y.backward(grad)

    arrays = x.detach().numpy(), w.detach().numpy()
    assert_close(scratch.correlate1d(*arrays, mode), y)
    grad_x, grad_w = scratch.correlate1d_backward(grad.numpy(), *arrays, mode)
    assert_close(grad_x, x.grad)
    assert_close(grad_w, w.grad)
    torch.from_numpy(grad_w)  # which takes no array with negative steps


# --- A convolutional layer ------------------------------------------------------------------------


@st.composite
def layers(draw):
    """Draw arrays and settings of a convolution whose kernel fits."""
    groups = draw(st.integers(1, 3))
    channels_in, channels_out = (groups * draw(st.integers(1, 2)) for _ in "io")
    kernel, stride, dilation, padding, extra = (
        tuple(draw(st.integers(low, high)) for _ in "hw")
        for low, high in ((1, 3), (1, 3), (1, 2), (0, 2), (0, 4))
    )
    size = [d * (k - 1) + 1 + e for d, k, e in zip(dilation, kernel, extra, strict=True)]
    rng = np.random.default_rng(draw(seeds))
    x = rng.normal(size=(draw(st.integers(1, 2)), channels_in, *size))
    weight = rng.normal(size=(channels_out, channels_in // groups, *kernel))
    bias = rng.normal(size=channels_out) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, weight, bias, options


@methods
@reproducible
@given(layer=layers())
def test_conv2d_and_its_gradients_agree_with_torch(method, layer):
    x, weight, bias, options = layer
    tx, tw, tb = leaves(x, weight, np.zeros(len(weight)) if bias is None else bias)
    y = F.conv2d(tx, tw, tb, **options)
    assert_close(scratch.conv2d(x, weight, bias, **options, method=method), y)

    grad = torch.tensor(np.random.default_rng(1).normal(size=y.shape))
    y.backward(grad)
    ours = scratch.conv2d_backward(grad.numpy(), x, weight, **options, method=method)
    for gradient, leaf in zip(ours, (tx, tw, tb), strict=True):
        assert_close(gradient, leaf.grad)


@methods
@pytest.mark.parametrize("padding", ["valid", "same", "full", ((0, 2), (1, 0))])
def test_words_and_uneven_padding_agree_with_torch(method, padding):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 2, 6, 7)), rng.normal(size=(3, 2, 4, 3))
    tx, tw = leaves(x, w)
    sides = {"valid": (0, 0, 0, 0), "same": (1, 1, 1, 2), "full": (2, 2, 3, 3)}  # left first
    y = F.conv2d(F.pad(tx, sides.get(padding, (1, 0, 0, 2))), tw)
    assert_close(scratch.conv2d(x, w, padding=padding, method=method), y)
    grad = rng.normal(size=y.shape)
    y.backward(torch.tensor(grad))
    grad_x, grad_w, _ = scratch.conv2d_backward(grad, x, w, padding=padding, method=method)
    assert_close(grad_x, tx.grad)
    assert_close(grad_w, tw.grad)


@reproducible
@given(layer=layers())
def test_im2col_agrees_with_unfold(layer):
    x, weight, _, options = layer
    options = {"kernel_size": weight.shape[2:], **options}
    del options["groups"]
    assert_close(scratch.im2col(x, **options), F.unfold(torch.tensor(x), **options))


# --- Pooling --------------------------------------------------------------------------------------


@st.composite
def pools(draw):
    """Draw a batch with many ties, and settings of a pool that torch takes too."""
    kernel = tuple(draw(st.integers(1, 4)) for _ in "hw")
    stride = draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    rng = np.random.default_rng(draw(seeds))
    x = rng.integers(-2, 3, size=(2, 2, draw(st.integers(7, 9)), draw(st.integers(7, 9))))
    return x.astype(float), {"kernel_size": kernel, "stride": stride, "padding": padding}


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@reproducible
@given(pool=pools())
def test_pools_and_their_gradients_agree_with_torch_ties_and_all(name, pool):
    x, options = pool
    (tx,) = leaves(x)
    y = getattr(F, name)(tx, **options)
    assert_close(getattr(scratch, name)(x, **options), y)
    grad = np.random.default_rng(3).normal(size=y.shape)
    y.backward(torch.tensor(grad))
    assert_close(getattr(scratch, f"{name}_backward")(grad, x, **options), tx.grad)


def test_infinities_and_nan_pass_through_a_pool_as_in_torch():
    x = np.array([[-np.inf, -np.inf, 1.0, np.nan], [-np.inf, -np.inf, np.inf, 2.0]])[None, None]
    theirs = F.max_pool2d(torch.tensor(x), 2, 1, 1).numpy()
    np.testing.assert_array_equal(scratch.max_pool2d(x, 2, 1, 1), theirs)


# --- Types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_type(dtype):
    x, w = np.ones((1, 1, 4, 4), dtype), np.ones((1, 1, 2, 2), dtype)
    grad = np.ones((1, 1, 3, 3), dtype)
    for method in ("loops", "im2col"):
        outputs = [scratch.conv2d(x, w, w[:, 0, 0, 0], method=method)]
        outputs += scratch.conv2d_backward(grad, x, w, method=method)
        assert {array.dtype for array in outputs} == {np.dtype(dtype)}
    for function in (scratch.max_pool2d_backward, scratch.avg_pool2d_backward):
        assert function(grad, x, 2, 1).dtype == dtype
    for function in (scratch.max_pool2d, scratch.avg_pool2d):
        assert function(x, 2).dtype == dtype


def test_whole_numbers_stay_whole_and_pictures_do_not_overflow():
    picture = np.full((3, 3), 255, np.uint8)
    assert scratch.correlate2d(picture, np.ones((3, 3), np.uint8)).tolist() == [[9 * 255]]
    assert scratch.correlate2d(picture, [[-1]]).tolist() == [[-255] * 3] * 3
    batch = picture[None, None]
    assert scratch.conv2d(batch, np.ones((1, 1, 3, 3), np.uint8)).dtype == np.int64
    assert scratch.max_pool2d(batch, 3).dtype == np.int64
    assert scratch.avg_pool2d(batch, 3).dtype == np.float64


def test_nothing_given_is_changed():
    x, w = np.ones((1, 2, 4, 4)), np.ones((2, 2, 3, 3))
    grad = np.ones((1, 2, 4, 4))
    for method in ("loops", "im2col"):
        scratch.conv2d(x, w, padding=1, method=method)
        scratch.conv2d_backward(grad, x, w, padding=1, method=method)
    scratch.max_pool2d_backward(grad, x, 1)
    assert x.sum() == 32
    assert w.sum() == 36
    assert grad.sum() == 32


# --- Refusals -------------------------------------------------------------------------------------

IMAGE, WEIGHT = np.ones((1, 4, 5, 5)), np.ones((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: scratch.correlate1d([[1]], [1]),
            r"x must have 1 axes, \(n,\), got shape \(1, 1\)",
        ),
        (lambda: scratch.convolve1d([1], 2), r"w must have 1 axes"),
        (lambda: scratch.correlate1d([], [1]), "x is empty"),
        (lambda: scratch.correlate1d(["a"], [1]), "x must hold real numbers"),
        (lambda: scratch.correlate1d([1j], [1]), "x must hold real numbers, got complex128"),
        (lambda: scratch.correlate1d([1, 2], [1, 1, 1]), "larger than the padded input"),
        (lambda: scratch.correlate1d([1, 2], [1], "sum"), 'use "valid", "same" or "full"'),
        (lambda: scratch.correlate1d([1, 2], [1], 1), 'mode must be "valid", "same" or "full"'),
        (
            lambda: scratch.correlate1d_backward([1], [1, 2], [1]),
            r"\(1,\), but the output has \(2,",
        ),
        (lambda: scratch.correlate2d([1, 2], [[1]]), r"x must have 2 axes, \(H, W\), got"),
        (lambda: scratch.convolve2d([[1]], [[1, 1]]), "larger than the padded input"),
        (lambda: scratch.conv2d(IMAGE[0], WEIGHT), r"x must have 4 axes, \(N, C, H, W\)"),
        (lambda: scratch.conv2d(IMAGE[:, :3], WEIGHT), "x has 3 channels in 1 group"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, groups=2), "make weight.shape.1. 2"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, groups=3), "groups=3 does not divide in_channels=4"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT[:3, :2], groups=2), "divide out_channels=3"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, np.ones(5)), "bias has 5 numbers for 6 output"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, 1.0), "bias must have 1 axes"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, stride=0), "stride must be at least 1, got 0"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, padding=-1), "padding must be at least 0, got -1"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, dilation=(1, 0)), "dilation must be at least 1"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, dilation=3), "larger than the padded input"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, stride=2, padding="same"), "needs stride 1"),
        (lambda: scratch.conv2d(IMAGE, WEIGHT, method="fft"), "unknown method 'fft': use one of"),
        (lambda: scratch.conv2d_backward(IMAGE, IMAGE, WEIGHT), "the output has .1, 6, 3, 3."),
        (lambda: scratch.im2col(IMAGE, 6), "larger than the padded input"),
        (lambda: scratch.max_pool2d(IMAGE, 6), "larger than the padded input"),
        (lambda: scratch.max_pool2d(IMAGE, 2, padding=2), "padding 2 is more than half .* most 1"),
        (lambda: scratch.max_pool2d(IMAGE, 0), "kernel_size must be at least 1, got 0"),
        (lambda: scratch.max_pool2d_backward(IMAGE, IMAGE, 2), "grad_output has shape"),
        (lambda: scratch.avg_pool2d(IMAGE, 2, stride=0), "stride must be at least 1, got 0"),
        (lambda: scratch.avg_pool2d_backward(IMAGE, IMAGE, 2), "grad_output has shape"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
