"""What is kept of runs, and what a run is known by: its settings, its pictures and its code.

A run that has ended is a JSON file in the folder of runs, beside the checkpoints of those under
way. Its name holds a hash of all that decides its numbers. The commit is not among that: a long run
goes on over other commits, as long as they leave the code that it uses alone.
"""

from __future__ import annotations

import ast
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import cnnlib
from cnnlib.files import write_atomically
from cnnlib.training import processes, remove_checkpoint

HOMES = {"cnnlib": Path(cnnlib.__file__).parent, "experiments": Path(__file__).parent.parent}
WEIGHTS, NOTES = ".safetensors", ".epochs.json"  # of a run, beside its checkpoint or what it gave
#: They keep account, or read pictures, whose hash a run has anyway: they change no number.
ACCOUNTS = (
    *("cnnlib.files", "cnnlib.memory", "cnnlib.profiles", "cnnlib.provenance", "cnnlib.records"),
    "cnnlib.statistics",
    *(f"cnnlib.data.{name}" for name in ("archives", "cifar", "drawn", "mirrors", "official")),
    *("cnnlib.data.pictures", "cnnlib.training.checkpoints"),
    *(f"experiments.lab.{name}" for name in ("command", "experiment", "findings", "kept", "plan")),
    *(f"experiments.lab.{name}" for name in ("quantities", "rates", "recording", "work")),
)
#: They hold nothing but what they import, name by name, or by the name of a network.
INDEXES = ("cnnlib", "cnnlib.models", "experiments", "experiments.lab")
#: It says what a run's settings say; what it calls is among the code all the same.
DECLARATION = "EXPERIMENT"


class Kept:
    """Runs that have ended, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, name: str, facts: dict) -> Path:
        """Return where a run of these facts is kept, or would be."""
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=jsonable).encode())
        return self.folder / f"{slug(name)}.{digest.hexdigest()[:12]}.json"

    def found(self, path: Path, with_weights: bool = False) -> dict | None:
        """Return a run that has ended, or None: its weights may be wanted too."""
        files = [path, path.with_suffix(WEIGHTS)][: 1 + with_weights]

        def read():
            is_there = all(file.exists() for file in files)
            found = read_kept(path, lambda kept: "made" in kept["run"]) if is_there else None
            return found and found["run"]

        return processes.from_first(read)

    def keep(self, path: Path, facts: dict, run: dict) -> None:
        """Write a run that has ended, and remove what it needed while it was under way.

        Raises
        ------
        ValueError
            If something that was measured is no plain and finite number, list or text. Nothing is
            removed then: the run goes on from its end once the measure is mended.
        """
        if not processes.is_first():
            return
        try:
            text = json.dumps({"facts": facts, "run": run}, allow_nan=False, default=jsonable)
        except ValueError as error:
            raise ValueError(f"{path.stem} measured what no record can hold: {error}") from None
        write_atomically(path, lambda file: file.write(text.encode()))
        checkpoint = path.with_suffix(".pt")
        remove_checkpoint(checkpoint)
        _notes(checkpoint).unlink(missing_ok=True)


def jsonable(value):
    """Return what JSON can hold in the place of an array, a tensor or a path."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise ValueError(f"a {type(value).__name__}; give plain numbers, lists or text")


def read_kept(path: Path, is_whole: Callable[[dict], bool] | None = None) -> dict | None:
    """Return what a file of ours holds; None, with a warning, where it is damaged."""
    with suppress(ValueError, KeyError, TypeError, OSError):
        found = json.loads(path.read_text())
        if isinstance(found, dict) and (is_whole is None or is_whole(found)):
            return found
    warnings.warn(f"{path} is damaged, and counts as not there.", stacklevel=2)
    return None


class Notes:
    """What was measured after each epoch of a run under way, kept beside its checkpoint."""

    def __init__(self, checkpoint: Path | None):
        self.path = checkpoint and _notes(checkpoint)
        self.epochs = processes.from_first(self._found) if checkpoint else {}

    def _found(self) -> dict:
        """Return the notes, begun before the run is; where they are lost, it begins anew."""
        found = read_kept(self.path) if self.path.exists() else None
        if found is not None:
            return found
        self.path.parent.mkdir(parents=True, exist_ok=True)
        remove_checkpoint(self.path.with_name(self.path.name.removesuffix(NOTES) + ".pt"))
        self._write({})
        return {}

    def taken(self, epoch: int, measure: Callable[[], dict]) -> dict:
        """Return what was measured after an epoch: if it was the last one, measure it now."""
        if str(epoch) not in self.epochs:
            self.epochs[str(epoch)] = measure()
            if self.path and processes.is_first():
                self._write(self.epochs)
        return self.epochs[str(epoch)]

    def _write(self, epochs: dict) -> None:
        text = json.dumps(epochs)
        write_atomically(self.path, lambda file: file.write(text.encode()))


def _notes(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name.removesuffix(".pt") + NOTES)


def code_hash(modules: Iterable[str]) -> str:
    """Return a hash of the code of modules, and of all of ours that they import.

    Comments, docstrings, the layout and the words of errors are left out, for they change no
    number; so is what keeps account only (`ACCOUNTS`), and the experiment's own `DECLARATION`.
    """
    lines = [f"{name}\n{_code(name)}" for name in sorted(reached(modules))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def reached(modules: Iterable[str]) -> set[str]:
    """Return modules and all of ours that they import, directly or not, but for `ACCOUNTS`."""
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and not _keeps_account(name) and _source(name):
            found.add(name)
            waiting += _imports(name)
    return found


def _keeps_account(name: str) -> bool:
    return name in INDEXES or any(name == each or name.startswith(f"{each}.") for each in ACCOUNTS)


@cache
def _source(name: str) -> Path | None:
    """Return the file of a module of ours, or None."""
    first, *rest = name.split(".")
    if first not in HOMES:
        return None
    path = HOMES[first].joinpath(*rest)
    found = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()]
    return found[0] if found else None


@cache
def _imports(name: str) -> list[str]:
    """Return what a module imports, as names of modules; some of them are names within one."""
    path = _source(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            found += [home, *(f"{home}.{alias.name}" for alias in node.names)]
    return found


@cache
def _code(name: str) -> str:
    """Return a module's code without what changes no number."""
    return ast.unparse(_Bare().visit(ast.parse(_source(name).read_text())))


class _Bare(ast.NodeTransformer):
    """Takes out docstrings, the words of errors, and an experiment's declaration."""

    def visit(self, node):
        node = super().visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
        return node

    def visit_Raise(self, node):
        return _WithoutWords().visit(node)

    def visit_Assign(self, node):
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
        return None if DECLARATION in names else node


class _WithoutWords(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def slug(name: str) -> str:
    """Return a name as the name of a file: ``"max, blur"`` is ``"max-blur"``."""
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
