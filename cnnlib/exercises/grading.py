"""How a reader's function is judged: `Check`, and the `Verdict` that it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from html import escape
from textwrap import fill

import numpy as np

#: Up to so many numbers an array is shown in full.
SMALL = 12


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check says: whether the function is right, and a message for its author."""

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return fill(self.message, width=88)

    def _repr_html_(self) -> str:
        style = "font-family: monospace; margin: 0; overflow-wrap: anywhere"
        return f'<p class="cnn-verdict" style="{style}">{escape(self.message)}</p>'  # a phone wraps


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """A grader: ``check(mine)`` calls a reader's function and returns a `Verdict`.

    Parameters
    ----------
    task : str
        The call and what it should return, for example ``"f(x, w) -> their product"``.
    right : callable
        A function that is right.
    settings : sequence of tuple
        The hidden arguments of each call, the easiest to read first.
    tested : str
        What is special about the settings, for a reader whose function is right.
    diagnoses : mapping of str to callable
        The sentence that names a mistake, and a function that makes it.
    returns : tuple of str
        The names of the arrays, where the function should return more than one.
    hint : str
        What to look at when the function raises an error of indices or shapes.
    """

    task: str
    right: Callable
    settings: Sequence[tuple]
    tested: str
    diagnoses: Mapping[str, Callable]
    returns: tuple[str, ...] = ()
    hint: str = ""

    def __repr__(self) -> str:
        return f"A check of {self.task}"

    def __call__(self, function: Callable) -> Verdict:
        """Call the function on every hidden setting, and judge its answers."""
        if not callable(function):
            return _not_yet("hand over the function itself, without brackets: `check(mine)`.")
        answers = []
        for setting in self.settings:
            arguments = deepcopy(setting)
            try:
                answer = function(*arguments)
            except Exception as error:
                return _not_yet(self._raised(error, setting))
            trouble = self._changed(arguments, setting) or self._unreadable(answer)
            if trouble:
                return _not_yet(trouble)
            answers.append(self._arrays(answer))
        return self._judge(answers)

    def answers(self, function: Callable) -> list[list[np.ndarray]]:
        """Return the arrays that a function, right or wrong, gives for each setting."""
        return [self._arrays(function(*deepcopy(setting))) for setting in self.settings]

    def _judge(self, answers: list[list[np.ndarray]]) -> Verdict:
        """Compare the answers with the truth, then with each mistake's."""
        truths = self.answers(self.right)
        if _all_same(answers, truths):
            return Verdict(True, f"Right: {len(self.settings)} hidden settings, {self.tested}.")
        for sentence, mistake in self.diagnoses.items():
            if _all_same(answers, self.answers(mistake)):
                return _not_yet(sentence)
        return _not_yet(self._first_difference(answers, truths))

    def _first_difference(self, answers: list[list], truths: list[list]) -> str:
        """Show where answers that no diagnosis explains first depart from the truth."""
        names = self.returns or ("the answer",)
        return next(
            f"for {self._describe(setting)}, {name} should {_compare(yours, true)}."
            for setting, answer, truth in zip(self.settings, answers, truths, strict=True)
            for name, yours, true in zip(names, answer, truth, strict=True)
            if not _same(yours, true)
        )

    def _raised(self, error: Exception, setting: tuple) -> str:
        """Report an error together with what the function was called with."""
        complaint = f"{type(error).__name__}: {error}".rstrip(" .:")
        hint = f" {self.hint}" if self.hint and isinstance(error, IndexError | ValueError) else ""
        return f"your function raised {complaint}, for {self._describe(setting)}.{hint}"

    def _changed(self, arguments: tuple, setting: tuple) -> str | None:
        """Say which argument the function changed."""
        for name, after, before in zip(self._names(), arguments, setting, strict=True):
            if not np.array_equal(after, before):
                return f"your function changes its argument {name}. Work on a copy of it."
        return None

    def _unreadable(self, answer) -> str | None:
        """Say why an answer cannot be compared at all."""
        if answer is None or answer is Ellipsis:
            return "your function returns nothing. Did you forget `return`?"
        if self._arrays(answer) is not None:
            return None
        wanted = "numbers: an array, a list, or a single one"
        if self.returns:
            wanted = f"{len(self.returns)} arrays of numbers, ({', '.join(self.returns)})"
        return f"your function should return {wanted}. It returned {_kind(answer)}."

    def _arrays(self, answer) -> list[np.ndarray] | None:
        """Return an answer's arrays; None where they are too few, too many or not numbers."""
        try:
            arrays = [_array(part) for part in (answer if self.returns else (answer,))]
        except (TypeError, ValueError, RuntimeError):
            return None
        numbers = all(array.dtype.kind in "uif" for array in arrays)
        return arrays if numbers and len(arrays) == max(1, len(self.returns)) else None

    def _names(self) -> list[str]:
        """Return the names of the arguments, from the task."""
        return self.task[self.task.index("(") + 1 : self.task.index(")")].split(", ")

    def _describe(self, setting: tuple) -> str:
        """Write the arguments of a call: small ones in full, large ones by their shape."""
        return ", ".join(
            f"{name} of shape {value.shape}"
            if isinstance(value, np.ndarray) and value.size > SMALL
            else f"{name} = {_write(value)}"
            for name, value in zip(self._names(), setting, strict=True)
        )


def _not_yet(message: str) -> Verdict:
    return Verdict(False, f"Not yet: {message}")


def _array(value) -> np.ndarray:
    """Return an array from what may stand for one: numbers, lists, tensors and lists of them."""
    if hasattr(value, "detach"):
        value = value.detach()
    if isinstance(value, list | tuple):
        value = [_array(entry) for entry in value]
    return np.asarray(value).copy()  # a function may use one array for all its answers


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two arrays have one shape and the same numbers, up to float32's rounding."""
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=1e-6)


def _all_same(some: list[list[np.ndarray]], others: list[list[np.ndarray]]) -> bool:
    """Tell whether two functions gave the same arrays on every setting."""
    return all(
        _same(a, b)
        for one, other in zip(some, others, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _compare(yours: np.ndarray, true: np.ndarray) -> str:
    """Say what an array should be, and is not."""
    if yours.shape != true.shape:
        return f"have the shape {true.shape}; yours has {yours.shape}"
    if true.size <= SMALL:
        return f"be {_write(true)}; yours is {_write(yours)}"
    place = tuple(int(i) for i in np.argwhere(~np.isclose(yours, true))[0])
    return f"be {true[place]:g} at {place}; yours is {yours[place]:g}"


def _write(value) -> str:
    """Write numbers on one line."""
    if not isinstance(value, np.ndarray):
        return str(value)
    text = np.array2string(value, separator=", ", formatter={"all": lambda number: f"{number:g}"})
    return " ".join(text.split())


def _kind(value) -> str:
    """Name a value's type, with its article."""
    name = type(value).__name__
    of = f" of {value.dtype}" if isinstance(value, np.ndarray) else ""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}{of}"


def draw(*settings: tuple, low: int = -9, high: int = 9) -> list[tuple]:
    """Put random whole numbers, as floats, where a setting names the shape of an array."""
    random = np.random.default_rng(seed=2)
    return [
        tuple(
            random.integers(low, high + 1, value).astype(float) if type(value) is tuple else value
            for value in setting
        )
        for setting in settings
    ]
