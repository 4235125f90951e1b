"""Students of the checks on AlexNet: they sort, loop, or use torch, and often err."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from zoo import right, wrong, wrong_formulas

# --- Errors among k answers -----------------------------------------------------------------------


@right("check_top_k_error")
def _(logits, labels, k):
    answers = torch.from_numpy(logits).topk(k, dim=1).indices
    found = (answers == torch.from_numpy(labels)[:, None]).any(dim=1)
    return 1 - found.double().mean()


def wrong_pictures(logits, labels, choose):
    """Count the pictures whose label is not among `choose(classes from best to worst)`."""
    count = 0
    for row, label in zip(logits, labels, strict=True):
        ranked = sorted(range(len(row)), key=lambda c, row=row: row[c], reverse=True)
        count += label not in choose(ranked)
    return count


SLICES = {
    "only the first answer counts": lambda ranked, k: ranked[:1],
    "only the k-th answer counts": lambda ranked, k: [ranked[k - 1]],
    "k smallest logits": lambda ranked, k: ranked[-k:],
    "k + 1 times": lambda ranked, k: ranked[: k + 1],
    "k - 1 times": lambda ranked, k: ranked[: k - 1],
}
for words, choose in SLICES.items():
    wrong("check_top_k_error", words)(
        lambda z, y, k, choose=choose: (
            wrong_pictures(z, y, lambda ranked: choose(ranked, k)) / len(y)
        )
    )


def misses(z, y, k):
    """Count the pictures whose label is not among the first k answers."""
    return wrong_pictures(z, y, lambda ranked: ranked[:k])


wrong_formulas(
    "check_top_k_error",
    {
        "share that is right": lambda z, y, k: (len(y) - misses(z, y, k)) / len(y),
        "how many pictures are wrong": misses,
        "divided by the number of classes": lambda z, y, k: misses(z, y, k) / len(z[0]),
        "k times the number of pictures": lambda z, y, k: misses(z, y, k) / (k * len(y)),
        "in per cent": lambda z, y, k: misses(z, y, k) / len(y) * 100,
    },
)

# --- Convolutions in groups -----------------------------------------------------------------------


@right("check_grouped_parameters")
def _(in_channels, out_channels, kernel_size, groups):
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, groups=groups, device="meta")
    return layer.weight.numel() + layer.bias.numel()


wrong_formulas(
    "check_grouped_parameters",
    {
        "groups are ignored": lambda i, o, k, g: (i * k * k + 1) * o,
        "biases are missing": lambda i, o, k, g: i * o * k * k // g,
        "that is one group": lambda i, o, k, g: (i // g * k * k + 1) * (o // g),
        "divided both": lambda i, o, k, g: (i // g) * (o // g) * k**2 + o,
        "biases are divided": lambda i, o, k, g: (i * o * k**2 + o) // g,
        "biases for all output": lambda i, o, k, g: g * ((i // g) * (o // g) * k**2 + o),
        "multiplied by the groups": lambda i, o, k, g: (i * g * k * k + 1) * o,
        "kernel is a square": lambda i, o, k, g: (i // g * k + 1) * o,
    },
)

# --- Local response normalisation -----------------------------------------------------------------


@right("check_local_response_norm")
def _(x, n, alpha, beta, k):
    maps = torch.from_numpy(x)[None]
    return F.local_response_norm(maps, n, alpha=n * alpha, beta=beta, k=k)[0]


@wrong("check_local_response_norm", "as torch does")
def _(x, n, alpha, beta, k):
    return F.local_response_norm(torch.from_numpy(x)[None], n, alpha, beta, k)[0]


def divisors(x, alpha, beta, k, near, term=lambda value: value * value):
    """Compute number by number what to divide by; `near(c, C)` are the channels that count."""
    C, H, W = x.shape
    y = np.empty_like(x)
    for c in range(C):
        for i in range(H):
            for j in range(W):
                total = sum(term(x[d, i, j]) for d in near(c, C) if 0 <= d < C)
                y[c, i, j] = (k + alpha * total) ** beta
    return y


def normalise(x, *settings, **options):
    """Normalise maps, perhaps with one bug."""
    return x / divisors(x, *settings, **options)


WINDOWS = {
    "n channels to either side": lambda c, C, n: range(c - n, c + n + 1),
    "begins at the channel itself": lambda c, C, n: range(c, c + n),
    "ends at the channel itself": lambda c, C, n: range(c - n + 1, c + 1),
    "slice ends before its end": lambda c, C, n: range(c - n // 2, c + n // 2),
    "channel itself is missing": lambda c, C, n: [
        d for d in range(c - n // 2, c + n // 2 + 1) if d != c
    ],
    "first and the last channel": lambda c, C, n: [
        d % C for d in range(c - n // 2, c + n // 2 + 1)
    ],
}
for words, window in WINDOWS.items():
    wrong("check_local_response_norm", words)(
        lambda x, n, alpha, beta, k, window=window: normalise(
            x, alpha, beta, k, lambda c, C: window(c, C, n)
        )
    )


def centred(n):
    """Return the right channels: n // 2 to either side."""
    return lambda c, C: range(c - n // 2, c + n // 2 + 1)


wrong_formulas(
    "check_local_response_norm",
    {
        "squares are missing": lambda x, n, alpha, beta, k: normalise(
            x, alpha, beta, k, centred(n), term=lambda value: value
        ),
        "beta is missing": lambda x, n, alpha, beta, k: normalise(x, alpha, 1, k, centred(n)),
        "you multiply": lambda x, n, alpha, beta, k: normalise(x, alpha, -beta, k, centred(n)),
        "what to divide by": lambda x, n, alpha, beta, k: divisors(x, alpha, beta, k, centred(n)),
    },
)


@wrong("check_local_response_norm", "over places")
def _(x, n, alpha, beta, k):
    maps = torch.from_numpy(x)[None]
    squares = F.avg_pool2d(maps.square(), n, stride=1, padding=n // 2) * n * n
    return (maps / (k + alpha * squares) ** beta)[0]


# --- Dropout --------------------------------------------------------------------------------------


@right("check_dropout")
def _(x, noise, p):
    y = x.copy()
    for place in np.ndindex(x.shape):
        y[place] = x[place] / (1 - p) if noise[place] >= p else 0
    return y


def masked(x, noise, p, scale):
    """Drop what the noise says, and multiply the others."""
    return torch.from_numpy(x).masked_fill(torch.from_numpy(noise < p), 0) * scale


wrong_formulas(
    "check_dropout",
    {
        "must grow": lambda x, noise, p: masked(x, noise, p, 1),
        "multiplied what stays by 1 - p": lambda x, noise, p: masked(x, noise, p, 1 - p),
        "keep a share p": lambda x, noise, p: x * (noise < p) / (1 - p),
        "nothing is dropped": lambda x, noise, p: x / (1 - p),
        "taken out": lambda x, noise, p: [
            a / (1 - p) for a, u in zip(x.flat, noise.flat, strict=True) if u >= p
        ],
        "happens to stay": lambda x, noise, p: masked(
            x, noise, p, x.size / (noise >= p).sum().item()
        ),
        "at test time": lambda x, noise, p: x * (1 - p),
        "by 1 + p": lambda x, noise, p: masked(x, noise, p, 1 + p),
    },
)
