"""How the peak learning rate of an arm is found: by trials, until the best lies among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .quantities import Quantity


@dataclass(frozen=True)
class Rates:
    """How the peak learning rate of an arm is found: by trials on the validation pictures.

    The grid begins with half the arm's own rate, the rate, and its double. While the best of them
    is the smallest or the largest, the next one beyond it is tried too.

    Parameters
    ----------
    by
        What chooses; without it, what the experiment's claim is about. It must not need the test.
    share
        Of the budget, in (0, 1], that a trial takes; at least one epoch.
    seeds
        How many seeds try each rate; the mean of their costs counts.
    most
        How many rates are tried at most, 3 or more.

    Raises
    ------
    ValueError
        If one of them is out of range, or the quantity needs the test.
    """

    by: Quantity | None = None
    share: float = 0.25
    seeds: int = 2
    most: int = 9

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise ValueError(
                f"share={self.share} of the budget; more than 0, up to 1, is possible."
            )
        if self.seeds < 1 or self.most < 3:
            found = f"seeds={self.seeds}, most={self.most}"
            raise ValueError(f"{found}; a search takes at least one seed and three rates.")
        if self.by and self.by.needs_test:
            raise ValueError(f"Rates are not chosen by {self.by.name}: trials see no test picture.")

    def shortened(self) -> Rates:
        """Return the same for a short run: three rates on one seed."""
        return replace(self, seeds=1, most=3)

    def epochs(self, budget: int) -> int:
        """Return how many epochs a trial takes."""
        return max(1, round(self.share * budget))

    def next_grid(self, own: float, costs: dict[float, float]) -> list[float]:
        """Return the rates that have to be tried, given the mean costs of those that have been.

        `own` is the arm's own rate. Once the answer holds no new rate, the best is among them.
        """
        if not costs:
            return [own / 2, own, 2 * own]
        grid, best = sorted(costs), cheapest(costs)
        if best == grid[0] and len(grid) < self.most:
            return [best / 2, *grid]
        if best == grid[-1] and len(grid) < self.most:
            return [*grid, 2 * best]
        return grid


def cheapest(costs: dict[float, float]) -> float:
    """Return the rate of the lowest cost, of several the smallest: where all fail, that one too."""
    return min(costs, key=lambda rate: (costs[rate], rate))
