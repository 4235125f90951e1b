"""What a record supports: the differences between its arms, and where it falls short."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cnnlib.records import Record
from cnnlib.statistics import paired_difference, student_interval

from .quantities import Quantity

LEAST_SEEDS = 3


def sentences(record: Record, claim: Quantity, against: dict[str, str]) -> Iterator[str]:
    """Say what the record supports: of each arm and its other, and of the only arm by itself.

    Parameters
    ----------
    record
        With the runs.
    claim
        What the arms are compared by.
    against
        The arm with which each arm is compared; its own name where it stands alone.
    """
    warning = f"A sketch ({record.sketch}). " if record.sketch else ""
    for budget in sorted({_budget(run) for run in record.runs}):
        for arm, other in against.items():
            ours, theirs = (_by_seed(record, each, budget, claim) for each in (arm, other))
            if seeds := sorted(ours.keys() & theirs.keys()):
                pairs = [(ours[seed], theirs[seed]) for seed in seeds]
                found = _alone(arm, pairs) if arm == other else _compared(arm, other, pairs)
                where = f"In {_counted(budget, 'epoch')}, {_rates(record)}"
                where += f", {_counted(len(seeds), 'seed')}"
                yield f"{warning}{where}: {found.format(unit=claim.name)}."


def _alone(arm: str, pairs: list) -> str:
    """Say how one arm does: `pairs` holds its value of each seed twice."""
    values = [value for value, _ in pairs]
    if not all(map(math.isfinite, values)):
        return f"{arm} did not get there with every seed"
    if len(values) == 1:
        return f"{arm} = {values[0]:.2f} {{unit}}; one seed says nothing of how far others lie"
    mean, half = student_interval(values)
    return f"{arm} = {mean:.2f} ± {half:.2f} {{unit}} (95 %, over seeds)"


def _compared(arm: str, other: str, pairs: list) -> str:
    """Say how far two arms lie apart, seed by seed, and whether one can tell."""
    differences = [ours - theirs for ours, theirs in pairs]
    if not all(map(math.isfinite, differences)):
        return f"{arm} and {other} did not both get there with every seed"
    if len(differences) == 1:
        return f"{arm} − {other} = {differences[0]:+.2f} {{unit}}; one seed has no interval"
    mean, half = paired_difference(*zip(*pairs, strict=True))
    covers = "(95 %, over seeds, not over the choice of rate)"
    verdict = "; we could not tell them apart" if abs(mean) <= half else ""
    return f"{arm} − {other} = {mean:+.2f} ± {half:.2f} {{unit}} {covers}{verdict}"


def shortcomings(record: Record) -> list[str]:
    """Return in which ways a record does not meet the standard: with any, it is a sketch.

    A claim needs three seeds; where arms are compared, each at a rate of its own that is not the
    last of those that were tried, and all on one kind of device.
    """
    return [*_too_few_seeds(record), *_badly_rated(record), *_mixed_devices(record)]


def _too_few_seeds(record: Record) -> Iterator[str]:
    groups = [(run.get("arm"), _budget(run)) for run in record.runs]
    least = min(groups.count(each) for each in groups)
    if least < LEAST_SEEDS:
        yield _counted(least, "seed")


def _badly_rated(record: Record) -> Iterator[str]:
    arms = list(dict.fromkeys(run.get("arm") for run in record.runs))
    settings = record.config.get("arms", {})
    if len(arms) > 1 and not record.config.get("fixed"):
        told = [each for each in arms if settings.get(each, {}).keys() & {"rates", "fixed"}]
        if len(told) < len(arms):
            yield "no rate of its own for each arm"
    for arm in arms:
        for run in (run for run in record.runs if run.get("arm") == arm):
            tried = [
                each["lr"]
                for each in record.trials
                if (each["arm"], each["budget"]) == (arm, _budget(run))
            ]
            if tried and run["lr"] in (min(tried), max(tried)):
                yield f"the rate of {arm} lies at the edge of those tried"
                break


def _mixed_devices(record: Record) -> Iterator[str]:
    made = [run["made"] for run in record.runs if "made" in run]
    kinds = sorted({f"{each['device']['type']} in {each['precision']}" for each in made})
    if len(kinds) > 1:
        yield f"runs on {' and '.join(kinds)}"


def _budget(run: dict) -> int:
    return run.get("budget", len(run["epochs"]))


def _by_seed(record: Record, arm: str, budget: int, claim: Quantity) -> dict[int, float]:
    runs = [run for run in record.runs if (run["arm"], _budget(run)) == (arm, budget)]
    return {run["seed"]: claim.of(run) for run in runs}


def _rates(record: Record) -> str:
    ways = [arm.keys() & {"rates"} for arm in record.config["arms"].values()]
    return "rates per arm" if all(ways) else "rates as given"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
