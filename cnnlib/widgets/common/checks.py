"""What a trait may hold: the value that was proposed, or an error that says what would be right."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

LARGEST = 999  # what a cell of a grid can show
SPEED = {"speed": (0.5, 30)}  # steps a second while a widget plays, lowest and highest


def within(proposal, limits: Mapping[str, Sequence[int]]):
    """Return a trait's proposed number, or raise `ValueError` where it is out of its limits."""
    name, value = proposal["trait"].name, proposal["value"]
    low, high = limits[name]
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")
    return value


def counted(proposal):
    """Return a trait's proposed number, or raise `ValueError` where it is below 0."""
    name, value = proposal["trait"].name, proposal["value"]
    if value < 0:
        raise ValueError(f"{name} counts from 0, got {value}")
    return value


def one_of(proposal, choices: Collection[str], rule: str):
    """Return a trait's proposed word, or raise `ValueError` with the rule where it is no choice."""
    if proposal["value"] not in choices:
        raise ValueError(f"{rule}, got {proposal['value']!r}")
    return proposal["value"]


def number_grid(name: str, values, sizes: Sequence[int]) -> list[list[float]]:
    """Return a grid as rows of plain numbers, or say what is wrong with it.

    Parameters
    ----------
    name : str
        What the messages call it.
    values : array_like, shape (H, W)
        Numbers from -999 to 999.
    sizes : (int, int)
        The fewest and the most rows and columns.

    Raises
    ------
    ValueError
        If it is no rectangle of such numbers, or of another size.
    """
    low, high = sizes
    rows = values.tolist() if hasattr(values, "tolist") else values
    if not _is_rows(rows):
        raise ValueError(f"{name} must be rows of numbers, as [[1, 2], [3, 4]], got {values!r}")
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise ValueError(f"{name} must be a rectangle, but its rows have {widths} numbers")
    if not (low <= len(rows) <= high and low <= widths[0] <= high):
        raise ValueError(
            f"{name} must have {low} to {high} rows and columns, got {len(rows)} x {widths[0]}"
        )
    return [[_number(name, value) for value in row] for row in rows]


def _is_rows(rows) -> bool:
    def is_list(value):
        return isinstance(value, Sequence) and not isinstance(value, str)

    return is_list(rows) and len(rows) > 0 and all(is_list(row) for row in rows)


def _number(name: str, value) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"{name} must hold numbers from -{LARGEST} to {LARGEST}, got {value!r}")
    return int(value) if float(value).is_integer() else float(value)
