"""Students of the checks on training: they use torch, or loops, and often err."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights
from zoo import right, wrong, wrong_formulas

# --- ReLU -----------------------------------------------------------------------------------------


@right("check_relu_backward")
def _(grad, x):
    x = torch.tensor(x, requires_grad=True)
    x.relu().backward(torch.tensor(grad))
    return x.grad


@right("check_relu_backward")
def _(grad, x):
    return np.where(x <= 0, 0, grad)


wrong_formulas(
    "check_relu_backward",
    {
        "torch chooses 0": lambda grad, x: np.where(x < 0, 0, grad),
        "`grad` is ignored": lambda grad, x: np.where(x > 0, 1.0, 0.0),
        "passed the gradient where x is negative": lambda grad, x: np.where(x < 0, grad, 0),
        "took ReLU of the gradient": lambda grad, x: torch.tensor(grad).relu(),
        "stopped negative gradients too": lambda grad, x: np.where((x > 0) & (grad > 0), grad, 0),
        "multiplied by max(x, 0)": lambda grad, x: grad * (x + np.abs(x)) / 2,
        "comes back as it came": lambda grad, x: grad,
        "by the sign of x": lambda grad, x: np.where(x > 0, grad, np.where(x < 0, -grad, 0)),
    },
)

# --- Softmax and cross-entropy --------------------------------------------------------------------


@right("check_softmax")
def _(z):
    return torch.softmax(torch.tensor(z), dim=1)


@right("check_softmax")
def _(z):
    rows = []
    for row in z:
        powers = [math.exp(value - max(row)) for value in row]
        rows.append([power / sum(powers) for power in powers])
    return rows


def naive(z, dim):
    """Follow the formula, in torch, which overflows without a word."""
    powers = torch.as_tensor(z).exp()
    return powers / (powers.sum() if dim is None else powers.sum(dim, keepdim=True))


wrong_formulas(
    "check_softmax",
    {
        "your exponentials overflow": lambda z: naive(z, dim=1),
        "your columns add up to 1": lambda z: naive(z, dim=0),
        "not each row: sum along axis 1": lambda z: (
            torch.tensor(z).flatten().softmax(0).view(z.shape)
        ),
        "together add up to 1, and very large ones overflow": lambda z: naive(z, dim=None),
        "these are exponentials": lambda z: torch.tensor(z).exp(),
        "largest number away, which is good": lambda z: [
            [math.exp(v - max(r)) for v in r] for r in z
        ],
        "these are the logarithms": lambda z: torch.tensor(z).log_softmax(1),
        "divided the logits by their sum": lambda z: [row / sum(row) for row in z],
        "took the sigmoid": lambda z: torch.tensor(z).sigmoid(),
    },
)


def tensors(z, labels):
    return torch.tensor(z), torch.tensor(labels)


@right("check_cross_entropy")
def _(z, labels):
    return F.cross_entropy(*tensors(z, labels))


@right("check_cross_entropy")
def _(z, labels):
    losses = []
    for row, label in zip(z, labels, strict=True):
        largest = max(row)
        total = sum(math.exp(value - largest) for value in row)
        losses.append(largest + math.log(total) - row[label])
    return sum(losses) / len(losses)


def each_loss(z, labels):
    return F.cross_entropy(*tensors(z, labels), reduction="none")


def by_probabilities(z, labels, softmax):
    """Take the mean of minus the logarithm of the labels' probabilities."""
    return -softmax(torch.tensor(z))[range(len(z)), labels].log().mean()


wrong_formulas(
    "check_cross_entropy",
    {
        "your exponentials overflow": lambda z, y: by_probabilities(z, y, lambda t: naive(t, 1)),
        "probability that has become 0": lambda z, y: by_probabilities(
            z, y, lambda t: t.softmax(1)
        ),
        "the sign is wrong": lambda z, y: -each_loss(z, y).mean(),
        "you added up the losses": lambda z, y: F.cross_entropy(*tensors(z, y), reduction="sum"),
        "you averaged twice": lambda z, y: F.cross_entropy(*tensors(z, y)) / len(y),
        "averaged over the classes too": lambda z, y: (
            -(np.eye(z.shape[1])[y] * F.log_softmax(torch.tensor(z), 1).numpy()).mean()
        ),
        "one loss a picture": each_loss,
        "the logarithm is missing": lambda z, y: F.nll_loss(
            torch.softmax(torch.tensor(z), 1), torch.tensor(y)
        ),
        "took logits for logarithms": lambda z, y: F.nll_loss(*tensors(z, y)),
        "the labels are ignored": lambda z, y: -torch.tensor(z).log_softmax(1).sum(1).mean(),
        "to base 2": lambda z, y: np.mean([loss / math.log(2) for loss in each_loss(z, y)]),
    },
)


# --- A step of the optimiser ----------------------------------------------------------------------


@right("check_sgd_step")
def _(w, grad, velocity, lr, momentum):
    weight = torch.nn.Parameter(torch.tensor(w))
    weight.grad = torch.tensor(grad)
    optimizer = torch.optim.SGD([weight], lr=lr, momentum=momentum)
    optimizer.state[weight]["momentum_buffer"] = torch.tensor(velocity)
    optimizer.step()
    return weight, optimizer.state[weight]["momentum_buffer"]


@right("check_sgd_step")
def _(w, grad, velocity, lr, momentum):
    velocity = momentum * velocity + grad
    return w - lr * velocity, velocity


def entry_by_entry(step):
    """Return a student who takes one weight after the other, and writes what `step` says."""

    def student(w, grad, velocity, lr, momentum):
        new_w, new_velocity = np.zeros_like(w), np.zeros_like(w)
        for i in np.ndindex(w.shape):
            new_w[i], new_velocity[i] = step(w[i], grad[i], velocity[i], lr, momentum)
        return new_w, new_velocity

    return student


def climbs(w, g, v, lr, m):
    v = m * v + g
    return w + lr * v, v


def looks_ahead(w, g, v, lr, m):
    v = m * v + g
    return w - lr * (g + m * v), v


for words, step in {
    "you climb": climbs,
    "the momentum is forgotten": lambda w, g, v, lr, m: (w - lr * g, g),
    "by the gradient alone": lambda w, g, v, lr, m: (w - lr * g, m * v + g),
    "by the old velocity": lambda w, g, v, lr, m: (w - lr * v, m * v + g),
    "is not slowed down": lambda w, g, v, lr, m: (w - lr * (v + g), v + g),
    "not to the gradient": lambda w, g, v, lr, m: (w - lr * (v + m * g), v + m * g),
    "as Adam does": lambda w, g, v, lr, m: (
        w - lr * (m * v + (1 - m) * g),
        m * v + (1 - m) * g,
    ),
    "learning rate is forgotten": lambda w, g, v, lr, m: (w - (m * v + g), m * v + g),
    "until the rate changes": lambda w, g, v, lr, m: (w - m * v - lr * g, m * v + lr * g),
    "as in Keras": lambda w, g, v, lr, m: (w + m * v - lr * g, m * v - lr * g),
    "Nesterov's": looks_ahead,
}.items():
    wrong("check_sgd_step", words)(entry_by_entry(step))


@wrong("check_sgd_step", "changed places")
def _(w, grad, velocity, lr, momentum):
    velocity = velocity * momentum + grad
    return velocity, w - velocity * lr


# --- BatchNorm ------------------------------------------------------------------------------------


@right("check_batch_norm")
def _(x, gamma, beta, eps):
    x, gamma, beta = map(torch.tensor, (x, gamma, beta))
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def norm_with(x, gamma, beta, eps, *, divisor=None, spread=None, mean=None):
    """Normalise channel by channel, with one bug."""
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        values = x[:, c]
        centre = values.sum() / values.size if mean is None else mean
        squares = ((values - values.mean()) ** 2).sum()
        variance = squares / (divisor(values.size) if divisor else values.size)
        scale = spread(variance, eps) if spread else math.sqrt(variance + eps)
        y[:, c] = gamma[c] * (values - centre) / scale + beta[c]
    return y


right("check_batch_norm")(norm_with)


def by_torch(norm):
    """Return a student who asks torch for another normalisation, then scales and shifts."""

    def student(x, gamma, beta, eps):
        y = norm(torch.tensor(x), eps).numpy()
        return np.stack([y[:, c] * gamma[c] + beta[c] for c in range(len(gamma))], axis=1)

    return student


def one_mean(x, eps):
    return (x - x.mean()) / (x.var(unbiased=False) + eps).sqrt()


def positions(x, eps):
    flat = x.flatten(1)
    return F.batch_norm(flat, None, None, training=True, eps=eps).view(x.shape)


wrong_formulas(
    "check_batch_norm",
    {
        "each position has its own mean": by_torch(positions),
        "instance normalisation": by_torch(lambda x, eps: F.instance_norm(x, eps=eps)),
        "layer normalisation": by_torch(lambda x, eps: F.layer_norm(x, x.shape[1:], eps=eps)),
        "all channels share one mean": by_torch(one_mean),
        "by n - 1": lambda *given: norm_with(*given, divisor=lambda n: n - 1),
        "epsilon is forgotten": lambda x, g, b, eps: norm_with(x, g, b, 0),
        "added to the standard deviation": lambda *given: norm_with(
            *given, spread=lambda variance, eps: math.sqrt(variance) + eps
        ),
        "divided by the variance": lambda *given: norm_with(
            *given, spread=lambda variance, eps: variance + eps
        ),
        "the mean is forgotten": lambda *given: norm_with(*given, mean=0),
        "gamma is forgotten": lambda x, g, b, eps: norm_with(x, [1, 1, 1], b, eps),
        "beta is forgotten": lambda x, g, b, eps: norm_with(x, g, [0, 0, 0], eps),
        "gamma and beta are forgotten": lambda x, g, b, eps: F.batch_norm(
            torch.tensor(x), None, None, training=True, eps=eps
        ),
        "gamma and beta have changed": lambda x, g, b, eps: norm_with(x, b, g, eps),
    },
)


@right("check_fold_batch_norm")
def _(weight, bias, gamma, beta, mean, variance, eps):
    weight, bias, *norm = map(torch.tensor, (weight, bias, mean, variance, gamma, beta))
    mean, variance, gamma, beta = norm
    return fuse_conv_bn_weights(weight, bias, mean, variance, eps, gamma, beta)


def kernel_by_kernel(new_kernel, new_bias):
    """Return a student who takes one kernel after the other; s is its channel's scale."""

    def student(weight, bias, gamma, beta, mean, variance, eps):
        kernels, biases = weight.copy(), bias.copy()
        for k in range(len(weight)):
            s = gamma[k] / math.sqrt(variance[k] + eps)
            kernels[k] = new_kernel(weight[k], s)
            biases[k] = new_bias(bias[k], s, beta[k], mean[k])
        return kernels, biases

    return student


def scaled(kernel, s):
    return s * kernel


right("check_fold_batch_norm")(kernel_by_kernel(scaled, lambda b, s, beta, m: s * b + beta - s * m))


def by_eval(layer):
    """Return a student who folds as torch does, and hands over other numbers than were given."""

    def student(weight, bias, gamma, beta, mean, variance, eps):
        given = layer(gamma=gamma, beta=beta, mean=mean, variance=variance, eps=eps)
        scale = given["gamma"] / (given["variance"] + given["eps"]) ** 0.5
        new_bias = F.batch_norm(
            torch.tensor(bias)[None],
            *(torch.tensor(given[name]) for name in ("mean", "variance", "gamma", "beta")),
            eps=given["eps"],
        )
        return weight * scale[:, None, None, None], new_bias[0]

    return student


for words, student in {
    "epsilon is forgotten": by_eval(lambda **given: given | {"eps": 0}),
    "added to the standard deviation": by_eval(
        lambda **given: (
            given | {"variance": (given["variance"] ** 0.5 + given["eps"]) ** 2, "eps": 0}
        )
    ),
    "divided by the variance": by_eval(
        lambda **given: given | {"variance": (given["variance"] + given["eps"]) ** 2, "eps": 0}
    ),
    "gamma is forgotten": by_eval(lambda **given: given | {"gamma": np.ones_like(given["gamma"])}),
    "beta is forgotten": by_eval(lambda **given: given | {"beta": np.zeros_like(given["beta"])}),
    "the mean is forgotten": by_eval(
        lambda **given: given | {"mean": np.zeros_like(given["mean"])}
    ),
    "the mean is added": by_eval(lambda **given: given | {"mean": -given["mean"]}),
    "beta is scaled too": kernel_by_kernel(scaled, lambda b, s, beta, m: s * (b - m + beta)),
    "own bias is forgotten": kernel_by_kernel(scaled, lambda b, s, beta, m: beta - s * m),
    "own bias is not scaled": kernel_by_kernel(scaled, lambda b, s, beta, m: b + beta - s * m),
    "the mean is not scaled": kernel_by_kernel(scaled, lambda b, s, beta, m: s * b + beta - m),
    "the bias is only scaled": kernel_by_kernel(scaled, lambda b, s, beta, m: s * b),
    "your bias is right": kernel_by_kernel(
        lambda kernel, s: kernel, lambda b, s, beta, m: s * (b - m) + beta
    ),
    "your weights are right": kernel_by_kernel(scaled, lambda b, s, beta, m: b),
}.items():
    wrong("check_fold_batch_norm", words)(student)
