"""The checks of the chapters on training: losses, their gradients, a step of SGD, BatchNorm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .grading import Check, draw

# In the formulas below g is a gradient, z are logits (N, C), v is a velocity and m a momentum.
# Of a convolution and the BatchNorm behind it, w (C_out, C_in, K, L) and b (C_out) are the weights;
# the factor, the shift, the running mean and the running variance have one number a channel.

#: exp of each of these numbers is a float64, and their sum is none.
TOO_LARGE = np.array([[709.4, 709.1, 708.9], [1.0, 2.0, 3.0]])
EXPONENTIALS_OVERFLOW = (
    "your exponentials overflow: from 710 on, exp is more than a float64 holds. Take each row's "
    "largest number away before you take exponentials; the answer stays the same."
)

# --- ReLU -----------------------------------------------------------------------------------------

check_relu_backward = Check(
    task="f(grad, x) -> the gradient of x, where grad is that of max(x, 0)",
    right=lambda g, x: g * (x > 0),
    settings=[
        (np.array([2.0, -3.0, 5.0, -1.0]), np.array([1.0, 3.0, 0.0, -4.0])),
        *draw(((2, 3), (2, 3)), ((2, 3, 4, 5), (2, 3, 4, 5))),
    ],
    tested="with one axis and with four, zeros and negative gradients",
    diagnoses={
        "where x is 0, your gradient passes. There the slope is a matter of choice, and torch "
        "chooses 0.": lambda g, x: g * (x >= 0),
        "`grad` is ignored. By the chain rule the slope, 0 or 1, is multiplied by it.": (
            lambda g, x: (x > 0) * 1.0
        ),
        "you passed the gradient where x is negative. It passes where x is positive.": (
            lambda g, x: g * (x < 0)
        ),
        "you took ReLU of the gradient. A gradient may be negative; what decides is the sign of "
        "x.": lambda g, x: np.maximum(g, 0),
        "you stopped negative gradients too. They pass like any other; what decides is the sign of "
        "x alone.": lambda g, x: np.maximum(g, 0) * (x > 0),
        "you multiplied by max(x, 0). The slope of ReLU is 1 where x is positive, however large "
        "x is.": lambda g, x: g * np.maximum(x, 0),
        "the gradient comes back as it came. Where x is negative, ReLU stops it.": lambda g, x: g,
        "you multiplied by the sign of x. Where x is negative, the slope is 0, not -1.": (
            lambda g, x: g * np.sign(x)
        ),
    },
)

# --- Softmax and cross-entropy --------------------------------------------------------------------


def _softmax(z: np.ndarray, axis: int | None = 1) -> np.ndarray:
    """Return exponentials that add up to 1 along an axis."""
    powers = np.exp(z - z.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _naive_softmax(z: np.ndarray, axis: int | None = 1) -> np.ndarray:
    """Return the same by the formula, which overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(z) / np.exp(z).sum(axis, keepdims=True)


def _log_softmax(z: np.ndarray) -> np.ndarray:
    """Return the logarithms of the probabilities, by way of none that could be 0."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


check_softmax = Check(
    task="f(z) -> the probabilities of each row of logits",
    right=_softmax,
    settings=[
        (np.array([[1.0, -2.0, 3.0], [0.0, 2.0, -1.0]]),),
        *draw(((3, 2),), ((1, 4),), ((5, 7),), low=-4, high=4),
        (TOO_LARGE,),
    ],
    tested="with negative and with very large logits",
    hint="Keep the axis that you sum over: `sum(axis=1, keepdims=True)` has the shape (N, 1).",
    diagnoses={
        EXPONENTIALS_OVERFLOW: _naive_softmax,
        "your columns add up to 1. A row is a picture, and its classes share 1: sum along "
        "axis 1.": lambda z: _naive_softmax(z, axis=0),
        "all your numbers together add up to 1, not each row: sum along axis 1.": (
            lambda z: _softmax(z, axis=None)
        ),
        "all your numbers together add up to 1, and very large ones overflow. Treat each row for "
        "itself, and take its largest number away first.": lambda z: _naive_softmax(z, axis=None),
        "these are exponentials. Divide each row by its sum.": np.exp,
        "you took the largest number away, which is good. Divide each row by its sum now.": (
            lambda z: np.exp(z - z.max(axis=1, keepdims=True))
        ),
        "these are the logarithms of the probabilities. Take their exponentials.": _log_softmax,
        "you divided the logits by their sum. Take exponentials first: a logit may be negative, a "
        "probability may not.": lambda z: z / z.sum(axis=1, keepdims=True),
        "you took the sigmoid of each logit for itself. Softmax lets the classes of a row "
        "compete.": lambda z: 1 / (1 + np.exp(-z)),
    },
)


def _log_sum_exp(z: np.ndarray) -> np.ndarray:
    """Return the logarithm of each row's sum of exponentials by the formula, which overflows."""
    with np.errstate(over="ignore"):
        return np.log(np.exp(z).sum(axis=1))


def _log_of_softmax(z: np.ndarray) -> np.ndarray:
    """Return logarithms of probabilities, minus infinity where one has become 0."""
    with np.errstate(divide="ignore"):
        return np.log(_softmax(z))


def _of_label(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each row's number at its label."""
    return values[np.arange(len(labels)), labels]


def _losses(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -_of_label(_log_softmax(z), labels)


check_cross_entropy = Check(
    task="f(z, labels) -> the mean cross-entropy of rows of logits",
    right=lambda z, labels: _losses(z, labels).mean(),
    settings=[
        (np.array([[2.0, -1.0, 0.0], [1.0, 3.0, -2.0]]), np.array([0, 2])),
        (np.array([[-1.0, 2.0]]), np.array([1])),
        (*draw(((4, 3),), low=-4, high=4)[0], np.array([1, 0, 2, 2])),
        (TOO_LARGE, np.array([2, 0])),
        (np.array([[0.0, 800.0], [3.0, 1.0]]), np.array([0, 1])),
    ],
    tested="with very large logits, and with a wrong answer of great confidence",
    hint="`z[np.arange(len(z)), labels]` picks one number from each row.",
    diagnoses={
        EXPONENTIALS_OVERFLOW: lambda z, labels: (_log_sum_exp(z) - _of_label(z, labels)).mean(),
        "you took the logarithm of a probability that has become 0. Do not go by way of "
        "probabilities: the loss is log-sum-exp of the row, minus the logit of the label.": (
            lambda z, labels: -_of_label(_log_of_softmax(z), labels).mean()
        ),
        "the sign is wrong. The logarithm of a probability is negative, a loss is not.": (
            lambda z, labels: -_losses(z, labels).mean()
        ),
        "you added up the losses. Divide by the number of pictures: the mean does not depend on "
        "the batch's size.": lambda z, labels: _losses(z, labels).sum(),
        "you averaged twice: the mean is divided by the number of pictures once more.": (
            lambda z, labels: _losses(z, labels).mean() / len(z)
        ),
        "you averaged over the classes too. Divide by the number of pictures alone.": (
            lambda z, labels: _losses(z, labels).sum() / z.size
        ),
        "that is one loss a picture. Return their mean, a single number.": _losses,
        "the logarithm is missing: that is the mean probability of the labels, with a minus.": (
            lambda z, labels: -np.exp(-_losses(z, labels)).mean()
        ),
        "you took logits for logarithms of probabilities. Add the log-sum-exp of the row.": (
            lambda z, labels: -_of_label(z, labels).mean()
        ),
        "the labels are ignored. Only the probability of a picture's own class counts.": (
            lambda z, labels: -_log_softmax(z).sum() / len(z)
        ),
        "you took the logarithm to base 2. Here it is the natural one, `np.log`.": (
            lambda z, labels: _losses(z, labels).mean() / np.log(2)
        ),
    },
)

# --- A step of the optimiser ----------------------------------------------------------------------


def _step(v_next: Callable, w_next: Callable) -> Callable:
    """Return one step, by how the velocity changes and then the weights."""

    def step(w, g, v, lr, m):
        after = v_next(g, v, lr, m)
        return w_next(w, g, v, after, lr, m), after

    return step


def _velocity(g, v, lr, m):
    return m * v + g


def _along(w, g, v, after, lr, m):
    return w - lr * after


check_sgd_step = Check(
    task="f(w, grad, velocity, lr, momentum) -> (w, velocity) after one step",
    right=_step(_velocity, _along),
    returns=("w", "velocity"),
    settings=[
        (np.array([1.0, -2.0]), np.array([4.0, 2.0]), np.array([0.0, -8.0]), 0.5, 0.75),
        *(
            (*arrays, lr, momentum)
            for arrays, lr, momentum in zip(
                draw(((3,), (3,), (3,)), ((2, 3), (2, 3), (2, 3))),
                (0.1, 0.25),
                (0.9, 0.5),
                strict=True,
            )
        ),
    ],
    tested="with velocities that are not zero, for vectors and a matrix",
    diagnoses={
        "the sign is wrong: you climb. The weights go against the velocity, w - lr * velocity.": (
            _step(_velocity, lambda w, g, v, after, lr, m: w + lr * after)
        ),
        "the momentum is forgotten. The new velocity is momentum * velocity + grad.": (
            _step(lambda g, v, lr, m: g, _along)
        ),
        "the weights move by the gradient alone. They move by the new velocity.": (
            _step(_velocity, lambda w, g, v, after, lr, m: w - lr * g)
        ),
        "the weights move by the old velocity. Renew the velocity first.": (
            _step(_velocity, lambda w, g, v, after, lr, m: w - lr * v)
        ),
        "the old velocity is not slowed down. Multiply it by the momentum.": (
            _step(lambda g, v, lr, m: v + g, _along)
        ),
        "the momentum belongs to the old velocity, not to the gradient.": (
            _step(lambda g, v, lr, m: v + m * g, _along)
        ),
        "you took a weighted mean of velocity and gradient, as Adam does. In SGD the gradient "
        "counts in full.": _step(lambda g, v, lr, m: m * v + (1 - m) * g, _along),
        "the learning rate is forgotten. The weights move by lr * velocity.": (
            _step(_velocity, lambda w, g, v, after, lr, m: w - after)
        ),
        "your velocity holds the learning rate. That works too, until the rate changes; torch's "
        "velocity is made of gradients alone.": _step(
            lambda g, v, lr, m: m * v + lr * g, lambda w, g, v, after, lr, m: w - after
        ),
        "your velocity holds the learning rate and the sign, as in Keras. torch's is made of "
        "gradients alone: momentum * velocity + grad.": _step(
            lambda g, v, lr, m: m * v - lr * g, lambda w, g, v, after, lr, m: w + after
        ),
        "that is Nesterov's step, which looks ahead once more. Here w moves by lr * velocity.": (
            _step(_velocity, lambda w, g, v, after, lr, m: w - lr * (g + m * after))
        ),
        "weights and velocity have changed places. Return w first.": (
            lambda *setting: _step(_velocity, _along)(*setting)[::-1]
        ),
    },
)

# --- BatchNorm ------------------------------------------------------------------------------------


def _batch_norm(x, gamma, beta, eps, axes=(0, 2, 3), ddof=0) -> np.ndarray:
    """Normalise x (N, C, H, W) over some of its axes, then scale and shift each channel."""
    spread = np.sqrt(x.var(axes, keepdims=True, ddof=ddof) + eps)
    return _channels(gamma) * (x - x.mean(axes, keepdims=True)) / spread + _channels(beta)


def _channels(values: np.ndarray) -> np.ndarray:
    """Return one number a channel in the shape that meets (N, C, H, W)."""
    return values.reshape(1, -1, 1, 1)


def _spread(x: np.ndarray) -> np.ndarray:
    return x.std((0, 2, 3), keepdims=True)


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean((0, 2, 3), keepdims=True)


check_batch_norm = Check(
    task="f(x, gamma, beta, eps) -> the output of BatchNorm in training",
    right=_batch_norm,
    settings=draw(
        ((2, 1, 1, 3), (1,), (1,), 1.0),
        ((3, 2, 2, 3), (2,), (2,), 0.5),
        ((4, 3, 5, 2), (3,), (3,), 2.0),
    ),
    tested="with several pictures and channels, and an epsilon that one cannot overlook",
    hint="gamma[c] and beta[c] belong to channel c: `gamma.reshape(1, -1, 1, 1)`.",
    diagnoses={
        "each position has its own mean. A channel has one, over all pictures, rows and columns: "
        "axes 0, 2 and 3.": lambda *setting: _batch_norm(*setting, axes=(0,)),
        "each picture has its own mean. That is instance normalisation; BatchNorm takes the mean "
        "over the batch too: axes 0, 2 and 3.": (
            lambda *setting: _batch_norm(*setting, axes=(2, 3))
        ),
        "each picture has its own mean over all channels: that is layer normalisation. BatchNorm "
        "takes axes 0, 2 and 3.": lambda *setting: _batch_norm(*setting, axes=(1, 2, 3)),
        "all channels share one mean. Each has its own: axes 0, 2 and 3.": (
            lambda *setting: _batch_norm(*setting, axes=None)
        ),
        "you divided the squares by n - 1. To normalise the batch, BatchNorm divides by n; n - 1 "
        "is for the running variance.": lambda *setting: _batch_norm(*setting, ddof=1),
        "epsilon is forgotten. It is added to the variance, under the root.": (
            lambda x, gamma, beta, eps: _batch_norm(x, gamma, beta, 0)
        ),
        "epsilon is added to the standard deviation. It is added to the variance, under the "
        "root.": lambda x, gamma, beta, eps: (
            _channels(gamma) * _centred(x) / (_spread(x) + eps) + _channels(beta)
        ),
        "you divided by the variance. Divide by its square root.": lambda x, gamma, beta, eps: (
            _channels(gamma) * _centred(x) / (_spread(x) ** 2 + eps) + _channels(beta)
        ),
        "the mean is forgotten. Take it away before you divide.": lambda x, gamma, beta, eps: (
            _channels(gamma) * x / np.sqrt(_spread(x) ** 2 + eps) + _channels(beta)
        ),
        "gamma is forgotten. Multiply channel c by gamma[c].": (
            lambda x, gamma, beta, eps: _batch_norm(x, np.ones_like(gamma), beta, eps)
        ),
        "beta is forgotten. Add beta[c] to channel c.": (
            lambda x, gamma, beta, eps: _batch_norm(x, gamma, np.zeros_like(beta), eps)
        ),
        "gamma and beta are forgotten. Multiply channel c by gamma[c], then add beta[c].": (
            lambda x, gamma, beta, eps: _batch_norm(x, np.ones_like(gamma), 0 * beta, eps)
        ),
        "gamma and beta have changed places. gamma scales, beta shifts.": (
            lambda x, gamma, beta, eps: _batch_norm(x, beta, gamma, eps)
        ),
    },
)


def _scale(gamma: np.ndarray, variance: np.ndarray, eps: float) -> np.ndarray:
    """Return the number that BatchNorm in use multiplies each channel by."""
    return gamma / np.sqrt(variance + eps)


def _shift(s: np.ndarray, b: np.ndarray, beta: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return what becomes of the bias b, where s is each channel's scale."""
    return beta + s * (b - mean)


def _folded(scale: Callable = _scale, shift: Callable = _shift) -> Callable:
    """Return the folding, by how it scales and by how it shifts."""

    def fold(w, b, gamma, beta, mean, variance, eps):
        s = scale(gamma, variance, eps)
        return s.reshape(-1, 1, 1, 1) * w, shift(s, b, beta, mean)

    return fold


def _convolution(*shape: int, eps: float) -> tuple:
    """Return a convolution of random whole numbers, and a BatchNorm with positive variances."""
    channels = shape[:1]
    [(w, b, gamma, beta, mean, variance)] = draw((shape, *5 * [channels]))
    return w, b, gamma, beta, mean, 0.5 + variance**2, eps


check_fold_batch_norm = Check(
    task="f(weight, bias, gamma, beta, mean, variance, eps) -> (weight, bias) of one convolution",
    right=_folded(),
    returns=("weight", "bias"),
    settings=[
        _convolution(1, 2, 1, 2, eps=0.25),
        _convolution(2, 3, 2, 3, eps=0.5),
        _convolution(4, 2, 3, 2, eps=2.0),
    ],
    tested="with kernels that are not square, and an epsilon that one cannot overlook",
    hint="scale[k] belongs to kernel k, the first axis of weight: `scale.reshape(-1, 1, 1, 1)`.",
    diagnoses={
        "epsilon is forgotten. It is added to the variance, under the root.": _folded(
            lambda gamma, variance, eps: gamma / np.sqrt(variance)
        ),
        "epsilon is added to the standard deviation. It is added to the variance, under the "
        "root.": _folded(lambda gamma, variance, eps: gamma / (np.sqrt(variance) + eps)),
        "you divided by the variance. Divide by its square root.": _folded(
            lambda gamma, variance, eps: gamma / (variance + eps)
        ),
        "gamma is forgotten. It multiplies the weights, and whatever is added before it.": _folded(
            lambda gamma, variance, eps: 1 / np.sqrt(variance + eps)
        ),
        "beta is forgotten. It is added at the end, as it is.": _folded(
            shift=lambda s, b, beta, mean: s * (b - mean)
        ),
        "beta is scaled too. It is added after the scaling.": _folded(
            shift=lambda s, b, beta, mean: s * (b - mean + beta)
        ),
        "the mean is forgotten. BatchNorm takes it away before it scales.": _folded(
            shift=lambda s, b, beta, mean: beta + s * b
        ),
        "the mean is added. BatchNorm takes it away.": _folded(
            shift=lambda s, b, beta, mean: beta + s * (b + mean)
        ),
        "the convolution's own bias is forgotten. It is scaled like all that comes in.": _folded(
            shift=lambda s, b, beta, mean: beta - s * mean
        ),
        "the convolution's own bias is not scaled. To BatchNorm it is part of what comes in.": (
            _folded(shift=lambda s, b, beta, mean: beta + b - s * mean)
        ),
        "the mean is not scaled. It is taken away first, and what is left is scaled.": _folded(
            shift=lambda s, b, beta, mean: beta + s * b - mean
        ),
        "the bias is only scaled, like the weights. Take the mean away before, and add beta "
        "after.": _folded(shift=lambda s, b, beta, mean: s * b),
        "your bias is right. The weights are scaled too, kernel by kernel.": (
            lambda w, *rest: (w, _folded()(w, *rest)[1])
        ),
        "your weights are right. The bias changes too: what does BatchNorm make of it?": (
            lambda w, b, *rest: (_folded()(w, b, *rest)[0], b)
        ),
    },
)
