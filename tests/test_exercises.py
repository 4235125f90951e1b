"""The checks for readers, tried on a zoo of students: some are right, most make one mistake."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from students_seeing import slide
from zoo import CHECKS, RIGHT, WRONG, diagnosis, gather

from cnnlib import exercises
from cnnlib.exercises import Verdict

gather()

# --- The zoo is walked over -----------------------------------------------------------------------


def short(value) -> str:
    """Return what a test's name says of a value: no address in memory, which differs by process."""
    return getattr(value, "__name__", str(value))[:28]


@pytest.mark.parametrize(("name", "student"), RIGHT, ids=short)
def test_a_right_answer_passes(name, student):
    verdict = CHECKS[name](student)
    assert verdict, verdict.message
    assert verdict.message.startswith("Right: ")


@pytest.mark.parametrize(("name", "words", "student"), WRONG, ids=short)
def test_a_typical_mistake_is_named(name, words, student):
    verdict = CHECKS[name](student)
    assert not verdict
    assert diagnosis(CHECKS[name], verdict)
    assert words in verdict.message


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_and_every_diagnosis_is_in_the_zoo(name):
    check = CHECKS[name]
    assert len(check.diagnoses) >= 4
    assert name in {entry for entry, _ in RIGHT}
    students = [student for entry, _, student in WRONG if entry == name]
    assert {diagnosis(check, check(student)) for student in students} == set(check.diagnoses)


@pytest.mark.parametrize("name", CHECKS)
def test_the_settings_tell_all_mistakes_apart(name):
    check = CHECKS[name]
    answers = {"right": check.answers(check.right)}
    answers |= {sentence: check.answers(f) for sentence, f in check.diagnoses.items()}
    for (one, a), (other, b) in combinations(answers.items(), 2):
        pairs = [pair for x, y in zip(a, b, strict=True) for pair in zip(x, y, strict=True)]
        equal = all(x.shape == y.shape and np.abs(x - y).max() < 1e-3 for x, y in pairs)
        assert not equal, f"{one} / {other}"


def test_the_checks_of_part_one_exist():
    chapters = {
        1: ["conv_parameters", "correlation_matrix"],
        2: ["correlate1d", "correlate2d", "conv2d", "correlate1d_backward"],
        3: ["output_size", "same_padding", "dilate_kernel"],
        4: ["correlate_channels", "pointwise"],
        5: ["max_pool2d", "avg_pool2d"],
        6: ["receptive_field", "field_interval"],
    }
    assert {f"check_{name}" for names in chapters.values() for name in names} <= set(CHECKS)


# --- Whatever a reader hands over -----------------------------------------------------------------

# What `Check` does itself it does for every check: it is tried on one that asks for a single array,
# and on one that asks for several.
ONE_AND_SEVERAL = ["check_correlate1d", "check_correlate1d_backward"]


def test_one_check_asks_for_one_array_and_one_for_several():
    assert [len(CHECKS[name].returns) for name in ONE_AND_SEVERAL] == [0, 2]


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
def test_a_stub_is_told_that_nothing_came(name):
    for stub in (lambda *arguments: None, lambda *arguments: ...):
        verdict = CHECKS[name](stub)
        assert not verdict
        assert verdict.message == (
            "Not yet: your function returns nothing. Did you forget `return`?"
        )


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
def test_an_error_is_reported_with_what_was_asked(name):
    def fails(*arguments):
        raise KeyError("lost")

    verdict = CHECKS[name](fails)
    assert not verdict
    first_argument = CHECKS[name].task.split("(")[1].split(",")[0].split(")")[0]
    assert f"your function raised KeyError: 'lost', for {first_argument} " in verdict.message


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
@pytest.mark.parametrize(
    "answer", ["a word", {"a": 1}, 1j, True, [[[1, 2], [3]]], object(), [None]]
)
def test_what_is_no_number_is_refused(name, answer):
    verdict = CHECKS[name](lambda *arguments: answer)
    assert not verdict
    assert "your function should return" in verdict.message


@pytest.mark.parametrize("arrays", [1, 3])
def test_too_few_or_too_many_arrays_are_refused(arrays):
    verdict = exercises.check_correlate1d_backward(lambda *arguments: [np.ones(3)] * arrays)
    assert "should return 2 arrays of numbers, (grad_x, grad_w)" in verdict.message


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
def test_rubbish_is_given_no_name(name):
    check = CHECKS[name]
    random = np.random.default_rng(seed=4)

    def noise(*arguments):
        arrays = check.answers(check.right)[0]
        rubbish = [random.normal(size=array.shape) for array in arrays]
        return rubbish if check.returns else rubbish[0]

    verdict = check(noise)
    assert not verdict
    assert diagnosis(check, verdict) is None
    assert " should " in verdict.message


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
def test_a_mistake_that_explains_some_settings_only_is_not_named(name):
    check = CHECKS[name]
    mistake = next(iter(check.diagnoses.values()))
    calls = iter(range(100))

    def right_at_first_then_rubbish(*arguments):
        if next(calls) < len(check.settings) - 1:
            return mistake(*arguments)
        return [np.full(7, 1e6)] * len(check.returns) if check.returns else np.full(7, 1e6)

    assert diagnosis(check, check(right_at_first_then_rubbish)) is None


@pytest.mark.parametrize("name", ONE_AND_SEVERAL)
def test_nan_is_wrong(name):
    check = CHECKS[name]

    def nan(*arguments):
        arrays = [np.full(np.shape(a), np.nan) for a in check._arrays(check.right(*arguments))]
        return arrays if check.returns else arrays[0]

    assert not check(nan)


def test_a_changed_argument_is_noticed():
    def normalises(x, w):
        x -= x.mean()
        return np.correlate(x, w, "valid")

    def pops(layers):
        size = 1
        while layers:
            kernel_size, stride = layers.pop()
            size = (size - 1) * stride + kernel_size
        return size

    assert "changes its argument x" in exercises.check_correlate1d(normalises).message
    assert "changes its argument layers" in exercises.check_receptive_field(pops).message
    assert exercises.check_receptive_field(lambda layers: pops(layers.copy()))


def test_an_array_may_be_used_again():
    store = {}

    def thrifty(x, w):
        y = store.setdefault(len(x) - len(w) + 1, np.zeros(len(x) - len(w) + 1))
        y[:] = slide(x, w, range(len(y)))
        return y

    assert exercises.check_correlate1d(thrifty)


def test_a_window_over_the_edge_gets_a_hint():
    def too_far(x, w):
        return [sum(x[i + k] * w[k] for k in range(len(w))) for i in range(len(x))]

    verdict = exercises.check_correlate1d(too_far)
    assert "raised IndexError" in verdict.message
    assert verdict.message.endswith("There are n - k + 1 positions.")


def test_the_wrong_number_of_arguments_is_reported():
    assert "takes 1 positional argument" in exercises.check_correlate1d(lambda x: x).message


def test_an_answer_instead_of_a_function_is_refused():
    assert "without brackets" in exercises.check_correlate1d(np.ones(3)).message


def test_wrong_shapes_and_numbers_are_shown():
    shape = exercises.check_correlate1d(lambda x, w: np.zeros((2, 2)))
    assert "the answer should have the shape (3,); yours has (2, 2)" in shape.message

    size = exercises.check_output_size(lambda n, k, s, p, d: 5 if n == 7 else 1)
    assert size.message == (
        "Not yet: for input_size = 8, kernel_size = 3, stride = 2, padding = 1, dilation = 1, "
        "the answer should be 4; yours is 1."
    )

    def off_in_one_place(x, weight, bias, stride):
        y = F.conv2d(*map(torch.from_numpy, (x, weight, bias)), stride).numpy()
        y[0, 1, 0, 1] = 1000
        return y

    layer = exercises.check_conv2d(off_in_one_place).message
    assert "x of shape (1, 2, 3, 4)" in layer
    assert " at (0, 1, 0, 1); yours is 1000." in layer


def test_a_wrong_array_behind_a_right_one_is_shown():
    def second_is_off(grad, x, w):
        grad_x, grad_w = CHECKS["check_correlate1d_backward"].right(grad, x, w)
        return grad_x, grad_w + 1e3 * (len(x) == 7)

    verdict = exercises.check_correlate1d_backward(second_is_off)
    assert re.search(r"for grad = \[.*\], x = .*, w = .*, grad_w should be \[", verdict.message)


def test_a_verdict_is_true_or_false_and_reads_as_its_message():
    assert bool(Verdict(True, "Right.")) is True
    assert bool(Verdict(False, "Not yet.")) is False
    long = Verdict(False, "Not yet: " + "word " * 40)
    assert repr(long).split() == long.message.split()
    assert max(map(len, repr(long).splitlines())) <= 88
    assert "valid correlation" in repr(exercises.check_correlate1d)


def test_a_verdict_wraps_on_a_page_as_narrow_as_it_is():
    verdict = Verdict(False, "Not yet: a < b & " + "word " * 40)
    shown = ElementTree.fromstring(verdict._repr_html_())
    assert (shown.tag, shown.text) == ("p", verdict.message)


def test_torch_is_not_loaded():
    code = "import sys, cnnlib.exercises; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
