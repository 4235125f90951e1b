"""The simulation of Colab finds what would go wrong there, and its record holds what it says.

The notebooks themselves run there by `make colab`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks import colab

ROOT = Path(__file__).resolve().parent.parent
OWN = Path(sys.prefix)  # the book's own environment, in the place of Colab's

SHOW = """\
from IPython.display import display
from ipywidgets import IntSlider

display(IntSlider())"""
ENABLE = """\
import sys

sys.modules["google.colab.output"].enable_custom_widget_manager()"""
SPOIL = """\
import sysconfig
from pathlib import Path

folder = Path(sysconfig.get_path("purelib")) / "nbval-0.0.1.dist-info"
folder.mkdir()
written = (folder / "METADATA").write_text("Name: nbval\\nVersion: 0.0.1\\n")"""


@pytest.fixture
def run_small(tmp_path, monkeypatch):
    """Run cells after an install cell that fetches nothing; return what became of them."""
    monkeypatch.setattr(colab, "install_cell", lambda address: new_code_cell(f"print({address!r})"))

    def run_small(*sources: str) -> colab.Run:
        install = new_code_cell("raise ValueError('not this one')", id="install")
        cells = [install, *map(new_code_cell, sources)]
        for number, cell in enumerate(cells, start=1):
            cell.execution_count = number
        nbformat.write(new_notebook(cells=cells), tmp_path / "small.ipynb")
        return colab.run(tmp_path / "small.ipynb", "file:///nowhere", OWN)

    return run_small


@pytest.mark.slow
def test_what_runs_in_colab_is_no_trouble(run_small):
    alone = "import os\n\nassert os.listdir() == ['small.ipynb']"
    found = run_small(alone, ENABLE, SHOW)
    assert found.trouble == ""
    assert found.name == "small"
    assert found.seconds > 0.5
    assert 0.03 < found.gib < colab.LIMIT_GIB


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "trouble"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (SHOW, "Colab would not draw this widget: its display has the metadata {}"),
        (SPOIL, f"nbval was {version('nbval')} and is 0.0.1."),
        ("held = bytearray(b'1') * 3 * 2**29", "It held 1."),
    ],
    ids=["an error", "a widget", "a version", "memory"],
)
def test_what_would_go_wrong_in_colab_is_found(run_small, monkeypatch, source, trouble):
    monkeypatch.setattr(colab, "LIMIT_GIB", 1.0)
    assert trouble in run_small(source).trouble


def test_a_notebook_without_an_install_cell_is_refused(tmp_path):
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "small.ipynb")
    with pytest.raises(ValueError, match="unpack"):
        colab.fetching(tmp_path / "small.ipynb", "file:///nowhere")


def test_the_package_is_fetched_as_it_lies_here(tmp_path):
    address = colab.repository(tmp_path / "repository")
    command = [
        "git",
        "archive",
        "--format=tar",
        f"--remote={address}",
        "HEAD",
        "cnnlib/__init__.py",
    ]
    archived = subprocess.check_output(command)
    assert (ROOT / "cnnlib/__init__.py").read_bytes() in archived


# --- The record -----------------------------------------------------------------------------------


def of_colab() -> dict[str, str]:
    """Return the versions that Colab has, as they are listed."""
    lines = (ROOT / "tests/colab/requirements.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.fixture
def recorded() -> dict:
    return json.loads(colab.RESULT.read_text(encoding="utf-8"))


def test_every_notebook_has_run_in_at_most_three_gib(recorded):
    assert list(recorded["notebooks"]) == sorted(path.stem for path in ROOT.glob("book/*.ipynb"))
    for found in recorded["notebooks"].values():
        assert found["seconds"] > 0
        assert 0 < found["gib"] <= recorded["limit_gib"] == 3


def test_the_record_names_where_and_with_what(recorded):
    assert recorded["machine"]
    assert recorded["data"].startswith(("CIFAR-10", "cifar10"))
    assert recorded["profile"] == "short"
    assert recorded["at_a_time"] >= 1
    named = {name: each for name, each in recorded["versions"].items() if name != "python"}
    assert named == of_colab()
    assert {"torch", "numpy", "matplotlib", "ipywidgets"} <= set(named)


def test_the_record_says_what_is_installed_and_not_what_is_wanted(tmp_path, monkeypatch):
    found = dict.fromkeys(of_colab(), "0.1") | {"python": "3.0", "another": "0.2"}
    monkeypatch.setattr(colab, "versions", lambda python: found)
    monkeypatch.setattr(colab, "RESULT", tmp_path / "colab.json")
    monkeypatch.setattr(colab, "TABLE", tmp_path / "colab.md")
    colab.record([colab.Run("small", 2.0, 0.5)], 3, OWN)
    written = json.loads((tmp_path / "colab.json").read_text(encoding="utf-8"))
    assert written["versions"] == dict.fromkeys(of_colab(), "0.1") | {"python": "3.0"}
    assert written["at_a_time"] == 3


def test_the_table_is_the_record(recorded):
    assert colab.TABLE.read_text(encoding="utf-8") == colab.table(recorded)
