"""The checks of the chapter on training fast: a sum of shares, a schedule, and a loss scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .grading import Check


def _whole(shares, factors) -> float:
    """Return how many times as fast a whole is, given its parts' shares of the time."""
    return 1 / np.divide(shares, factors).sum()


check_speedup = Check(
    task="f(shares, factors) -> how many times as fast the whole becomes",
    right=_whole,
    settings=[
        ([0.5, 0.5], [2, 1]),
        ([0.1, 0.9], [1000, 1]),
        ([0.2, 0.3, 0.5], [1, 4, 2]),
        ([0.05, 0.25, 0.6, 0.1], [10, 2, 3, 0.5]),
    ],
    tested="with a part that hardly matters, and with one that becomes slower",
    diagnoses={
        "the factors multiply only if each is of the whole. These are of parts.": lambda s, f: (
            np.prod(f)
        ),
        "that is the mean of the factors. It is the times that add up, share by factor.": (
            lambda s, f: np.multiply(s, f).sum()
        ),
        "that is the time that is left, as a share. How many times as fast is one over it.": (
            lambda s, f: 1 / _whole(s, f)
        ),
        "that is the time that is saved, as a share. Take the time that is left.": lambda s, f: (
            1 - 1 / _whole(s, f)
        ),
        "you give all parts the same weight. A part counts by its share of the time.": (
            lambda s, f: len(f) / np.divide(1, f).sum()
        ),
        "you improve the largest part alone. All parts change at once.": lambda s, f: (
            1 / (1 - max(s) + max(s) / f[np.argmax(s)])
        ),
    },
)


def _one_cycle(
    rise: Callable = lambda i, w: (i + 1) / w,
    fall: Callable = lambda i, n, w: (n - i) / (n - w),
    more: int = 0,
) -> Callable:
    """Return the rates of a run of n steps, w of them rising, or a mistaken form of them."""

    def rates(total_steps: int, warmup_steps: int, peak: float) -> list[float]:
        n, w = total_steps, warmup_steps
        return [peak * (rise(i, w) if i < w else fall(i, n, w)) for i in range(n + more)]

    return rates


check_one_cycle = Check(
    task="f(total_steps, warmup_steps, peak) -> the learning rate of every step",
    right=_one_cycle(),
    settings=[(5, 2, 1.0), (10, 4, 0.5), (7, 0, 0.1), (23, 5, 2.0)],
    tested="once without a warm-up",
    diagnoses={
        "your first rate is 0: the first step would go nowhere.": _one_cycle(
            rise=lambda i, w: i / w
        ),
        "your last rate is 0: the last step would go nowhere.": _one_cycle(
            fall=lambda i, n, w: (n - 1 - i) / (n - 1 - w)
        ),
        "the rate stays at its peak. It should fall from there.": _one_cycle(
            fall=lambda i, n, w: 1
        ),
        "the rise is missing. The rate falls only when the warm-up has ended.": _one_cycle(
            rise=lambda i, w: 1
        ),
        "the fall begins at the peak. Yours is that of a line from the first step on.": _one_cycle(
            fall=lambda i, n, w: (n - i) / n
        ),
        "the fall is half a wave of a cosine. Here it is a straight line.": _one_cycle(
            fall=lambda i, n, w: (1 - math.cos(math.pi * (n - i) / (n - w))) / 2
        ),
        "there is one rate too many: n steps have the numbers 0 to n - 1.": _one_cycle(more=1),
    },
)


def _scales(
    overflow: Callable = lambda good, interval: 0,
    ready: Callable = lambda good, interval: good == interval,
    after: Callable = lambda good: 0,
    down: float = 0.5,
    up: float = 2.0,
    before: bool = False,
) -> Callable:
    """Return the rule of a loss scale, or a mistaken form of it.

    `overflow` and `after` say what the count of good steps is behind an overflow and a growth.
    """

    def scales(finite: list, scale: float, interval: int) -> list[float]:
        found, good = [], 0
        for is_finite in finite:
            old = scale
            if not is_finite:
                scale, good = scale * down, overflow(good, interval)
            else:
                good += 1
                if ready(good, interval):
                    scale, good = scale * up, after(good)
            found.append(old if before else scale)
        return found

    return scales


check_loss_scale = Check(
    task="f(finite, scale, interval) -> the scale after every step",
    right=_scales(),
    settings=[
        ([True, False, True, True], 8.0, 2),
        ([True, True, False, True, True, True, True, True, True, True], 1024.0, 3),
        ([False, False, True, True, True, True, True], 65536.0, 2),
        ([True] * 4 + [False] + [True] * 6, 2.0, 5),
    ],
    tested="with overflows in a row, and one shortly before a doubling",
    diagnoses={
        "an overflow ends the row of good steps. Count from 0 behind it.": _scales(
            overflow=lambda good, interval: good
        ),
        "behind a doubling the count begins anew. Yours doubles at every step from then on.": (
            _scales(ready=lambda good, interval: good >= interval, after=lambda good: good)
        ),
        "you double a step too late: `interval` good steps in a row suffice.": _scales(
            ready=lambda good, interval: good > interval
        ),
        "that is the scale before each step.": _scales(before=True),
        "an overflow leaves your scale as it was. It should be halved.": _scales(down=1.0),
        "your scale never grows.": _scales(up=1.0),
        "it is the overflow that halves, and the good steps that double.": _scales(
            down=2.0, up=0.5
        ),
        "you double after each good step. It takes `interval` of them in a row.": _scales(
            ready=lambda good, interval: True
        ),
    },
)
