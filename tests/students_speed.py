"""Students of the checks on training fast: they write loops, or use torch."""

from __future__ import annotations

import math

import torch
from zoo import right, wrong, wrong_formulas

# --- The whole and its parts ----------------------------------------------------------------------


def seconds(shares, factors):
    """Return the seconds of each part of what took a second before."""
    return [share / factor for share, factor in zip(shares, factors, strict=True)]


@right("check_speedup")
def _(shares, factors):
    return sum(shares) / sum(seconds(shares, factors))


@wrong("check_speedup", "you improve the largest part alone")
def _(shares, factors):
    largest = shares.index(max(shares))
    rest = sum(share for place, share in enumerate(shares) if place != largest)
    return 1 / (rest + shares[largest] / factors[largest])


wrong_formulas(
    "check_speedup",
    {
        "the factors multiply only": lambda s, f: math.prod(f),
        "the mean of the factors": lambda s, f: torch.dot(torch.tensor(s), torch.tensor(f) * 1.0),
        "the time that is left, as a share": lambda s, f: sum(seconds(s, f)),
        "the time that is saved": lambda s, f: sum(s) - sum(seconds(s, f)),
        "the same weight": lambda s, f: 1 / torch.tensor([1 / factor for factor in f]).mean(),
    },
)

# --- One cycle ------------------------------------------------------------------------------------


def joined(rise, fall):
    """Return the rates of both parts as one tensor."""
    return torch.cat([torch.as_tensor(rise).double(), torch.as_tensor(fall).double()])


def line(start, end, steps):
    """Return a straight line of so many points, both ends included."""
    return torch.linspace(start, end, steps, dtype=torch.float64)


@right("check_one_cycle")
def _(total_steps, warmup_steps, peak):
    rise = line(0, peak, warmup_steps + 1)[1:]
    return joined(rise, line(peak, 0, total_steps - warmup_steps + 1)[:-1])


@wrong("check_one_cycle", "your first rate is 0")
def _(total_steps, warmup_steps, peak):
    rise = line(0, peak, warmup_steps + 1)[:-1]
    return joined(rise, line(peak, 0, total_steps - warmup_steps + 1)[:-1])


@wrong("check_one_cycle", "your last rate is 0")
def _(total_steps, warmup_steps, peak):
    rise = line(0, peak, warmup_steps + 1)[1:]
    return joined(rise, line(peak, 0, total_steps - warmup_steps))


@wrong("check_one_cycle", "stays at its peak")
def _(total_steps, warmup_steps, peak):
    return [peak * min(1, (step + 1) / max(warmup_steps, 1)) for step in range(total_steps)]


@wrong("check_one_cycle", "the rise is missing")
def _(total_steps, warmup_steps, peak):
    fall = line(peak, 0, total_steps - warmup_steps + 1)[:-1]
    return joined([peak] * warmup_steps, fall)


@wrong("check_one_cycle", "a line from the first step on")
def _(total_steps, warmup_steps, peak):
    rise = line(0, peak, warmup_steps + 1)[1:]
    return joined(rise, line(peak, 0, total_steps + 1)[warmup_steps:-1])


@wrong("check_one_cycle", "half a wave of a cosine")
def _(total_steps, warmup_steps, peak):
    angle = line(0, math.pi, total_steps - warmup_steps + 1)[:-1]
    return joined(line(0, peak, warmup_steps + 1)[1:], peak * (angle / 2).cos() ** 2)


@wrong("check_one_cycle", "one rate too many")
def _(total_steps, warmup_steps, peak):
    rise = line(0, peak, warmup_steps + 1)[1:]
    return joined(rise, line(peak, 0, total_steps - warmup_steps + 1))


# --- The loss scale -------------------------------------------------------------------------------


@right("check_loss_scale")
def _(finite, scale, interval):
    scales, row = [], ""
    for good in finite:
        row = row + "+" if good else ""
        if not good:
            scale /= 2
        elif len(row) % interval == 0:
            scale *= 2
        scales.append(scale)
    return scales


def powers(scale, changes):
    """Return the scale after each change of its binary logarithm."""
    return scale * 2.0 ** torch.tensor(changes).cumsum(0)


@wrong("check_loss_scale", "Count from 0 behind it")
def _(finite, scale, interval):
    good, changes = 0, []
    for fine in finite:
        good += fine
        changes.append((good % interval == 0) if fine else -1)
    return powers(scale, [int(change) for change in changes])


@wrong("check_loss_scale", "doubles at every step from then on")
def _(finite, scale, interval):
    row, changes = 0, []
    for fine in finite:
        row = row + 1 if fine else 0
        changes.append(int(row >= interval) if fine else -1)
    return powers(scale, changes)


@wrong("check_loss_scale", "a step too late")
def _(finite, scale, interval):
    row, changes = 0, []
    for fine in finite:
        row = row + 1 if fine else 0
        changes.append(int(row > 0 and row % (interval + 1) == 0) if fine else -1)
    return powers(scale, changes)


@wrong("check_loss_scale", "before each step")
def _(finite, scale, interval):
    scales, row = [], 0
    for fine in finite:
        scales.append(scale)
        row = row + 1 if fine else 0
        scale = scale / 2 if not fine else scale * (1 + (row % interval == 0))
    return scales


@wrong("check_loss_scale", "leaves your scale as it was")
def _(finite, scale, interval):
    row, changes = 0, []
    for fine in finite:
        row = row + 1 if fine else 0
        changes.append(int(row > 0 and row % interval == 0))
    return powers(scale, changes)


@wrong("check_loss_scale", "it is the overflow that halves")
def _(finite, scale, interval):
    row, changes = 0, []
    for fine in finite:
        row = row + 1 if fine else 0
        changes.append(-int(row % interval == 0) if fine else 1)
    return powers(scale, changes)


wrong_formulas(
    "check_loss_scale",
    {
        "never grows": lambda finite, scale, interval: powers(scale, [fine - 1 for fine in finite]),
        "after each good step": lambda finite, scale, interval: powers(
            scale, [2 * fine - 1 for fine in finite]
        ),
    },
)
