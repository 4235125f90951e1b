"""A zoo of students on whom the checks are tried: some are right, most make one mistake.

The students write loops, or use torch; none of them uses what the checks themselves use. They live
in the files ``students_*.py``; `test_exercises.py` walks over all of them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from cnnlib import exercises
from cnnlib.exercises import Check

CHECKS = {name: check for name, check in vars(exercises).items() if isinstance(check, Check)}
RIGHT: list[tuple[str, object]] = []
WRONG: list[tuple[str, str, object]] = []


def right(name):
    """Put a student who is right into the zoo."""
    return lambda function: RIGHT.append((name, function))


def wrong(name, words):
    """Put a student into the zoo whose mistake should be named with these words."""
    return lambda function: WRONG.append((name, words, function))


def wrong_formulas(name, formulas):
    """Put several students into the zoo."""
    for words, function in formulas.items():
        wrong(name, words)(function)


def diagnosis(check, verdict):
    """Return the diagnosis that a verdict gives; None where it gives none."""
    sentence = verdict.message.removeprefix("Not yet: ")
    return sentence if sentence in check.diagnoses else None


def gather():
    """Let every student in."""
    for path in sorted(Path(__file__).parent.glob("students_*.py")):
        import_module(path.stem)
