"""An experiment: a course for several arms, and what is to be learned from how they end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from cnnlib import data
from cnnlib.training import processes

from .arms import described
from .course import Course, Task
from .quantities import VALIDATION_ACCURACY, Quantity
from .rates import Rates


@dataclass(frozen=True)
class Experiment(Course):
    """A course on CIFAR-10 for some arms, each from random weights with several seeds.

    Parameters
    ----------
    budgets
        Numbers of epochs to train for, each from the start; without it, the configuration's.
    rates
        How each arm's rate is found. Without it all have the configuration's, or their own.
    fixed
        Why the rates are given and not searched for, where several arms are compared all the same.
    claim
        What the arms are compared by, and what chooses the rates unless they say otherwise.
    keep
        The arm whose weights ship with the record: those of its best seed at the last budget.
    keep_all
        Keep the weights of every run beside it, for other experiments to begin with.
    sketch
        In what it falls short of the standard, whatever its runs give: its record is a sketch.
    **course
        What else a `Course` has: its name, arms, configuration, pictures and measures.

    Raises
    ------
    ValueError
        If it names an arm that it has not, is to choose without pictures held out for that, or by
        what the test says.
    """

    budgets: tuple[int, ...] = ()
    rates: Rates | None = None
    fixed: str = ""
    claim: Quantity = VALIDATION_ACCURACY
    keep: str = ""
    keep_all: bool = False
    sketch: str = ""

    def __post_init__(self):
        for arm in filter(None, [self.keep, *(each.against for each in self.arms.values())]):
            if arm not in self.arms:
                raise ValueError(f"{self.name} has no arm {arm!r}; it has {', '.join(self.arms)}.")
        if (self.rates or self.keep) and not self.held_out:
            raise ValueError(f"{self.name} holds no pictures out, by which to choose.")
        for arm in self.arms:
            if (rates := self.rates_of(arm)) and not rates.by:
                replace(rates, by=self.claim)  # which it refuses where no rate is chosen by it

    def shortened(self) -> Experiment:
        """Return the same experiment, two epochs on 500 pictures: enough to see it work."""
        few = {"train": 500, "validation": 200, "test": 500}
        arms = {
            name: replace(arm, rates=arm.rates and arm.rates.shortened())
            for name, arm in self.arms.items()
        }
        rates, config = self.rates and self.rates.shortened(), replace(self.config, epochs=2)
        return replace(self, arms=arms, config=config, budgets=(), rates=rates, **few)

    def rates_of(self, arm: str) -> Rates | None:
        """Return how an arm's rate is found; None where it is given."""
        own = self.arms[arm]
        return None if own.fixed else own.rates or self.rates

    def settings(self, task: Task) -> dict:
        """Return what, beside the code and the pictures, decides the numbers of a task."""
        measures = {"each_epoch": self.each_epoch}
        if not task.is_trial:
            measures["measure"] = self.arms[task.arm].measure or self.measure
            measures |= {f"control {i}": each for i, each in enumerate(self.controls)}
        return {
            "config": asdict(self.config_of(task)),
            "batch_size": self.batch_size,
            "arm": self.arms[task.arm].settings(),
            "measures": {name: described(each) for name, each in measures.items() if each},
            "is_trial": task.is_trial,
            "processes": processes.count(),
        }

    def summary(self, parts: dict) -> dict:
        """Return what a record says of all settings."""
        mean, std = data.channel_statistics(parts["train"])
        return {
            **asdict(self.config),
            "batch_size": self.batch_size,
            "budgets": list(self.budgets),
            "claim": self.claim.name,
            "fixed": self.fixed,
            "arms": {name: arm.settings() | self._rating(name) for name, arm in self.arms.items()},
            "without": list(self.without),
            "mean": list(mean),
            "std": list(std),
            "processes": processes.count(),
        }

    def _rating(self, arm: str) -> dict:
        """Return what a record says of how an arm's rate was found."""
        if rates := self.rates_of(arm):
            by = (rates.by or self.claim).name
            return {"rates": {"by": by, "share": rates.share, "seeds": rates.seeds}}
        return {"fixed": self.arms[arm].fixed} if self.arms[arm].fixed else {}
