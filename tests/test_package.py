"""The package as a whole: quick to import, lazy, complete when installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import cnnlib
from cnnlib import profiles

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = (".venv", ".git", "_build", "book", "runs", "build", "*.egg-info")


def test_every_lazy_name_is_there():
    for name in cnnlib.__all__:
        assert getattr(cnnlib, name) is not None
    unknown = "resnet21"
    with pytest.raises(AttributeError, match=unknown):
        getattr(cnnlib, unknown)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "short"), ("", "short"), ("short", "short"), ("full", "full")]
)
def test_the_profile_comes_from_the_environment(monkeypatch, value, expected):
    monkeypatch.delenv("CNNLIB_PROFILE", raising=False)
    if value is not None:
        monkeypatch.setenv("CNNLIB_PROFILE", value)
    assert profiles.profile() == expected
    assert profiles.choose(short=1, full=2) == {"short": 1, "full": 2}[expected]


def test_runs_lie_outside_of_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLIB_RUNS", "~/mine")
    assert profiles.runs_folder() == Path.home() / "mine"
    monkeypatch.setenv("CNNLIB_RUNS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # which Linux names
    found = profiles.runs_folder()
    assert found.parts[-2:] == ("cnnlib", "runs")
    assert ROOT not in found.parents


def test_the_environment_is_read_in_two_places():
    readers = {
        path.relative_to(ROOT / "cnnlib").parts[0]
        for path in (ROOT / "cnnlib").rglob("*.py")
        if re.search(r"environ.*CNNLIB_", path.read_text())
    }
    assert readers == {"profiles.py", "data"}


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("CNNLIB_PROFILE", "long")
    with pytest.raises(ValueError, match=r"'long'.*short, full"):
        profiles.profile()


@pytest.mark.slow
def test_the_wheel_holds_widgets_and_records(tmp_path):
    # From a copy: setuptools leaves a folder `build` beside the sources.
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(*SKIPPED))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"cnnlib/{path.relative_to(folder.parent).as_posix()}"
        for folder in (ROOT / "cnnlib/widgets", ROOT / "results")
        for path in folder.rglob("*")
        if path.suffix in (".py", ".js", ".css", ".json", ".safetensors")
    }
    timed = (ROOT / "benchmarks" / "results").glob("*.json")
    expected |= {f"cnnlib/benchmarks/{path.name}" for path in timed}
    assert expected <= names
    assert not any(
        name.startswith(("tests/", "results/", "experiments/", "benchmarks/")) for name in names
    )


def test_every_folder_of_the_package_is_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = set(project["tool"]["setuptools"]["packages"])
    shipped -= {"cnnlib.results", "cnnlib.benchmarks"}
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "cnnlib").rglob("__init__.py")}
    assert shipped == {".".join(folder.parts) for folder in folders}
