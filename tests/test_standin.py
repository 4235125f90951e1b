"""Without CIFAR-10 the notebooks run, say so, and let no number of the stand-in stand in prose."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from standin import TITLE
from test_executed import differences

from cnnlib import data

ROOT = Path(__file__).resolve().parent.parent
#: The notebooks that read CIFAR-10.
READING = [
    path for path in sorted((ROOT / "book").glob("*.ipynb")) if "data.cifar10(" in path.read_text()
]
CONF = """
extensions = ["myst_nb", "running", "standin"]
html_theme, root_doc, nb_execution_mode, nb_execution_timeout = "basic", "index", "force", 1800
nb_execution_raise_on_error, exclude_patterns = True, ["_build"]
"""
#: What the build says of a number of the stand-in in prose.
COMPLAINT = "comes from stand-in pictures"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def build(folder: Path, pictures: str, *options: str) -> subprocess.CompletedProcess:
    """Build the notebooks of a folder, with other pictures in the place of CIFAR-10."""
    pages = "\n".join(path.stem for path in folder.glob("*.ipynb"))
    (folder / "index.md").write_text(f"# Contents\n\n```{{toctree}}\n{pages}\n```\n")
    (folder / "conf.py").write_text(CONF)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "book/_ext")])
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", *options, folder, folder / "_build/html"],
        env=os.environ | {"PYTHONPATH": paths, "CNNLIB_DATA": pictures, "CNNLIB_PROFILE": "short"},
        capture_output=True,
        text=True,
    )


def text_of(folder: Path, name: str) -> str:
    """Return what a page says."""
    page = BeautifulSoup((folder / f"_build/html/{name}.html").read_text(), "html.parser")
    return " ".join(page.select_one("div.body").get_text().split())


# --- The notebooks of the book --------------------------------------------------------------------


def test_some_notebooks_read_cifar10():
    assert {path.stem[:2] for path in READING} >= {"04", "05", "08", "16", "19"}


def workflow(name: str) -> dict:
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())


def test_nothing_is_published_without_the_data_set_and_ci_builds_without_it():
    jobs = workflow("publish")["jobs"]
    assert jobs["build"]["needs"] == "test"
    assert {"run": "make test"} in jobs["test"]["steps"]
    commands = [
        step.get("run") or step["uses"].partition("@")[0] for step in jobs["build"]["steps"]
    ]
    (looked,) = [k for k, command in enumerate(commands) if TITLE in command]
    assert commands.index("make data") < commands.index("make book readers pdf") < looked
    assert looked < commands.index("actions/upload-pages-artifact")
    assert "CNNLIB_DATA" not in str(workflow("publish"))
    assert workflow("ci")["env"]["CNNLIB_DATA"] == "stand-in"
    assert {"run": "make test"} in workflow("ci")["jobs"]["test"]["steps"]


def test_the_look_for_pages_without_the_data_set_finds_them(tmp_path):
    steps = workflow("publish")["jobs"]["build"]["steps"]
    (look,) = [step["run"] for step in steps if TITLE in step.get("run", "")]
    html = tmp_path / "_build/html/book"
    html.mkdir(parents=True)
    (html / "page.html").write_text("<p>All is well</p>")
    assert subprocess.run(["bash", "-ec", look], cwd=tmp_path).returncode == 0
    (html / "other.html").write_text(f'<p class="admonition-title">{TITLE}</p>')
    assert subprocess.run(["bash", "-ec", look], cwd=tmp_path).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("path", READING, ids=lambda path: path.stem)
def test_a_notebook_runs_with_the_stand_in_and_concludes_nothing_from_it(request, tmp_path, path):
    (tmp_path / path.name).write_bytes(path.read_bytes())
    built = build(tmp_path, "stand-in")
    assert built.returncode == 0, built.stderr
    assert COMPLAINT not in built.stderr  # the little book lacks what other pages define
    assert TITLE in text_of(tmp_path, path.stem)
    executed = nbformat.read(tmp_path / "_build/executed" / path.name, as_version=4)
    found = differences(request.session, path, executed)
    assert not found, "\n\n".join(found)


# --- The rules, on a small book -------------------------------------------------------------------

READS = """
from cnnlib import data
from cnnlib.page import glue

train, _ = data.cifar10()
print(f"{len(train)} of {train.name}")
"""
GLUES = """
glue("seven", 7, source=train)
glue("six", 6, source="a die")
glue("five", 5)
"""
PROSE = {
    "passage": "Five: {glue:text}`five`.\n\n"
    "```{with-data}\nSeven: {glue:text}`seven`, *six*: {glue:text}`six`.\n\nAnd more.\n```\n\n"
    "```{with-data}\nSix alone: {glue:text}`six`.\n```",
    "cited": "Seven: {glue:text}`seven`.",
    "uncited": "```{with-data}\nNo number.\n```",
}


def small_book(folder: Path, names: tuple, pictures: str) -> subprocess.CompletedProcess:
    """Build a book of these pages, warnings as errors."""
    for name in names:
        prose = new_markdown_cell(PROSE[name])
        cells = [new_markdown_cell("# A page"), *map(new_code_cell, (READS, GLUES)), prose]
        made = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
        nbformat.write(made, folder / f"{name}.ipynb")
    return build(folder, pictures, "-W", "--keep-going")


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """Build all three pages with the stand-in; return their folder and what the build said."""
    folder = tmp_path_factory.mktemp("without")
    return folder, small_book(folder, tuple(PROSE), "stand-in")


@pytest.fixture(scope="module")
def with_pictures(tmp_path_factory):
    """Build two pages with pictures from a folder, whatever they show."""
    folder, pictures = tmp_path_factory.mktemp("with"), tmp_path_factory.mktemp("pictures")
    for part, images in zip(("train", "test"), data.stand_in(20, 20), strict=True):
        for number, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
            path = pictures / part / images.classes[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return folder, small_book(folder, ("passage", "cited"), str(pictures))


@pytest.mark.slow
def test_a_passage_that_cites_the_stand_in_goes_and_the_page_says_so(without):
    folder, built = without
    said = text_of(folder, "passage")
    assert re.search(rf"A page.*{TITLE}.*of {data.drawn.NAME}", said)
    assert "Five: 5." in said
    assert "Six alone: 6." in said
    assert "Seven" not in said
    assert "And more" not in said
    assert "passage.ipynb" not in built.stderr


@pytest.mark.slow
def test_with_its_pictures_every_passage_comes(with_pictures):
    folder, built = with_pictures
    assert built.returncode == 0, built.stderr
    said = text_of(folder, "passage")
    assert "Seven: 7, six: 6. And more. Six alone: 6." in said
    assert TITLE not in said
    assert "Seven: 7." in text_of(folder, "cited")


@pytest.mark.slow
def test_a_number_of_the_stand_in_in_prose_fails_the_build(without):
    _, built = without
    assert built.returncode != 0
    assert re.search(rf"cited\.ipynb.*'seven' {COMPLAINT}.*with-data", built.stderr)


@pytest.mark.slow
def test_a_passage_that_rests_on_no_number_fails_the_build(without):
    _, built = without
    assert re.search(r"uncited\.ipynb.*with-data: cite a number", built.stderr)
