"""What the notebooks for readers take in Colab's versions: seconds and peak memory of each.

Claim: every one of them runs there, as it comes to a reader, in at most 3 GiB; Colab gives 12.
Each lies alone in an empty folder, over an environment in which nobody has installed `cnnlib`. Its
install cell fetches that by git, from this working tree. nbval runs it (`--nbval-lax`): no cell may
fail, and every widget's display must say what Colab asks for. In the end the environment's versions
must be what they were.

    make readers && python -m benchmarks.colab --workers 2     # for the record, two at a time
    make colab                                                 # the same; nothing is recorded
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from readers.install import install_cell

from benchmarks.recording import RESULTS, conditions, save

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = ROOT / "tests" / "colab"  # for what only Colab has
ENVIRONMENT = ROOT / ".venv" / "colab"
NOTEBOOKS = ROOT / "_build" / "notebooks"
RESULT, TABLE = RESULTS / "colab.json", RESULTS / "colab.md"
LIMIT_GIB = 3.0
#: Where a kernel looks for its settings, and what Colab's have: google.colab, before any cell.
SETTINGS = Path("etc/ipython/ipython_kernel_config.py")
EXTENSIONS = """\
settings = get_config()
settings.InteractiveShellApp.extensions = ["google.colab"]
settings.InteractiveShell.colors = "NoColor"
"""
PLUGINS = ["-p", "allowed_widgets", "-p", "no:cacheprovider"]
NBVAL = ["-m", "pytest", "-q", "-x", "--nbval-lax", *PLUGINS]
VERSIONS = """\
import json, platform, sys
from importlib.metadata import distributions
found = reversed(list(distributions()))  # of two, the first is imported
packages = {each.name: each.version for each in found}
json.dump({"python": platform.python_version()} | packages, sys.stdout)
"""
TABLE_HEAD = """\
What each notebook for readers took in Colab's versions, and the most memory that it held, on
{machine}, {date}, at a time: {at_a_time}. Other work on the machine (a load of {load_average})
made it longer. `python -m benchmarks.colab --workers {at_a_time}` writes this, and `{record}`.

| notebook | seconds | GiB |
|---|---:|---:|
"""


@dataclass(frozen=True)
class Run:
    """What became of a notebook.

    Attributes
    ----------
    name : str
        Its file's, without the ending.
    seconds : float
        From the start of nbval to its end, the installation included.
    gib : float
        The most memory that one of its processes held, which is its kernel.
    trouble : str
        What went wrong, or nothing.
    """

    name: str
    seconds: float
    gib: float
    trouble: str = ""


# --- One notebook -----------------------------------------------------------------------------


def run(notebook: Path, address: str, environment: Path) -> Run:
    """Run a notebook alone in an empty folder, its package from an address, over an environment.

    Parameters
    ----------
    notebook : Path
        As a reader gets it.
    address : str
        Where git finds the package.
    environment : Path
        Its folder. It stays as it is.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "content"
        folder.mkdir()
        nbformat.write(fetching(notebook, address), folder / notebook.name)
        python = layer(Path(name) / "environment", environment)
        before = versions(python)
        seconds, gib, failure = measured([python, *NBVAL, notebook.name], folder)
        after = versions(python)
    changed = sorted(each for each in before if after.get(each) != before[each])
    trouble = [
        *([failure] if failure else []),
        *(f"{each} was {before[each]} and is {after.get(each)}." for each in changed),
        *([f"It held {gib:.2f} GiB: {LIMIT_GIB} may be."] if gib > LIMIT_GIB else []),
    ]
    return Run(notebook.stem, seconds, gib, "\n".join(trouble))


def fetching(notebook: Path, address: str) -> nbformat.NotebookNode:
    """Return a notebook whose install cell fetches the package from an address."""
    book = nbformat.read(notebook, as_version=4)
    [cell] = [cell for cell in book.cells if cell.id == "install"]
    cell.source = install_cell(address).source
    return book


def layer(folder: Path, environment: Path) -> Path:
    """Make an environment over another one, with a stand-in for google.colab; return its Python.

    What is installed in it stays in it, and hides what lies below.
    """
    below = environment / "bin" / "python"
    subprocess.run([below, "-m", "venv", "--without-pip", folder], check=True)
    [own], [packages] = (each.glob("lib/python*/site-packages") for each in (folder, environment))
    joined = f"import site; site.addsitedir({str(packages)!r})\n{STAND_IN}\n"
    (own / "below.pth").write_text(joined, encoding="utf-8")
    (folder / SETTINGS).parent.mkdir(parents=True)
    (folder / SETTINGS).write_text(EXTENSIONS, encoding="utf-8")
    return folder / "bin" / "python"


def versions(python: Path) -> dict[str, str]:
    """Return the version of a Python, and of every package that it finds."""
    return json.loads(subprocess.check_output([python, "-c", VERSIONS], text=True))


def measured(command: list, folder: Path) -> tuple[float, float, str]:
    """Run a command in a folder; return what it took, and if it failed, what it said.

    That is seconds, and the GiB of the largest of all processes that it began.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        failure = said.read() if process.returncode else ""
    units = 2**30 if sys.platform == "darwin" else 2**20
    return time.perf_counter() - start, usage.ru_maxrss / units, failure


# --- All of them ------------------------------------------------------------------------------


def repository(folder: Path) -> str:
    """Make a git repository whose only commit is this working tree; return its address."""
    git = ["git", f"--git-dir={folder}", f"--work-tree={ROOT}"]
    author = ["-c", "user.name=Colab", "-c", "user.email=colab@example.org"]
    for command in (["init"], ["add", "--all"], [*author, "commit", "--message", "As it is"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return f"file://{folder}"


def run_all(notebooks: list[Path], environment: Path, workers: int) -> list[Run]:
    """Run notebooks, so many at a time, the last chapters first: they take longest."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        address = repository(Path(name) / "repository")

        def told(notebook: Path) -> Run:
            found = run(notebook, address, environment)
            print(f"{found.name:27}{found.seconds:5.0f} s{found.gib:6.2f} GiB", flush=True)
            print(found.trouble, end="", flush=True)
            return found

        return sorted(pool.map(told, reversed(notebooks)), key=lambda found: found.name)


def record(runs: list[Run], workers: int, environment: Path) -> None:
    """Write what was measured, so many at a time over an environment, as JSON and as a table."""
    installed = versions(environment / "bin" / "python")
    listed = (STAND_IN / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("==")[0] for line in listed if "==" in line]
    result = {
        "what": "each notebook for readers alone, in Colab's versions, its package installed by it",
        "at_a_time": workers,
        "limit_gib": LIMIT_GIB,
        "notebooks": {
            each.name: {"seconds": round(each.seconds, 1), "gib": round(each.gib, 2)}
            for each in runs
        },
        "profile": os.environ.get("CNNLIB_PROFILE", "short"),
        "data": Path(os.environ.get("CNNLIB_DATA", "CIFAR-10, downloaded")).name,
        "versions": {name: installed[name] for name in ("python", *names)},
    }
    result |= conditions()
    save(RESULT, result)
    TABLE.write_text(table(result), encoding="utf-8")


def table(result: dict) -> str:
    """Return what was measured as a table in Markdown."""
    rows = (
        f"| {name} | {each['seconds']:.0f} | {each['gib']:.1f} |\n"
        for name, each in result["notebooks"].items()
    )
    return TABLE_HEAD.format(record=RESULT.name, **result) + "".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT)
    parser.add_argument("--workers", type=int, default=1, help="notebooks at a time")
    parser.add_argument("--check", action="store_true", help="record nothing")
    arguments = parser.parse_args()
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not notebooks:
        sys.exit("The notebooks for readers are not there: run `make readers`.")
    runs = run_all(notebooks, arguments.environment, arguments.workers)
    failed = [each.name for each in runs if each.trouble]
    if failed:
        sys.exit(f"{len(failed)} of {len(runs)} notebooks failed: {', '.join(failed)}.")
    if not arguments.check:
        record(runs, arguments.workers, arguments.environment)


if __name__ == "__main__":
    main()
