"""Every accident of `faults.py`: the message is the one in the book, and the run goes on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import faults
import pytest

PATH = Path(__file__).resolve().parent.parent / "tools" / "survival.py"
SPEC = importlib.util.spec_from_file_location("survival", PATH)
survival = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(survival)


@pytest.mark.slow
@pytest.mark.parametrize("what", faults.CASES)
def test_the_run_goes_on_after(what, tmp_path):
    said = faults.outcome(what, tmp_path)
    assert survival.row(what, said) in survival.PAGE.read_text(encoding="utf-8")
    assert faults.goes_on(tmp_path)


def test_the_table_is_complete_and_its_text_that_of_the_tool():
    page = survival.PAGE.read_text(encoding="utf-8")
    assert page.startswith(survival.TEXT)
    rows = page[len(survival.TEXT) :].splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in rows] == list(faults.CASES)


def test_a_run_that_does_not_go_on_would_be_seen(tmp_path):
    faults.begun(tmp_path)
    (tmp_path / faults.NAME).unlink()
    faults.torch.manual_seed(1)
    other = faults.nn.Sequential(*faults.model()[:3], faults.nn.Linear(32, 3))
    next(
        faults.train(
            other, faults.Batches(), config=faults.CONFIG, checkpoint=tmp_path / faults.NAME
        )
    )
    assert not faults.goes_on(tmp_path)


def test_a_run_that_begins_anew_would_be_seen(tmp_path):
    faults.begun(tmp_path).unlink()
    assert not faults.goes_on(tmp_path)
