"""How the build runs notebooks: a free core takes the next, and what it prints is kept.

Whoever waits is told how long each has taken, and how many are left.
"""

from __future__ import annotations

from functools import partial
from multiprocessing import Value
from pathlib import Path

import nbformat
from myst_nb.core import execute
from myst_nb.core.execute import direct
from sphinx import builders
from telling import tell
from traitlets.config import Config

#: Nobody else may listen to what a kernel says; one that is not in cipher warns of it.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto"}})

#: How many notebooks have not been run yet, for all processes of the build.
left = Value("i", 0)


def one_by_one(documents: list[str], cores: int) -> list[list[str]]:
    """Deal documents out singly, so that a core that is free takes the next.

    Replaces Sphinx's ``make_chunks``, which gives each core its share beforehand: one of them then
    waits for the other. Of what waits, Sphinx takes the last: the last chapters, which run longest.
    """
    return [[document] for document in documents]


class Kept(execute.NotebookClientDirect):
    """Runs a notebook as MyST-NB does, and keeps it as its kernel left it.

    The copy lies in ``_build/executed``; a test compares it with what is committed. MyST-NB's own,
    in ``_build/jupyter_execute``, lacks what was glued.
    """

    def start_client(self) -> None:
        """Run the notebook, keep it, and say so."""
        super().start_client()
        folder = Path(self.nb_config.output_folder).parent / "executed"
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(self.notebook, folder / self.path.name)
        with left.get_lock():
            left.value -= 1
            tell(line(self.path.stem, self.exec_metadata, left.value))


def line(name: str, run: dict, remaining: int) -> str:
    """Return what is said of a notebook that has been run."""
    end = "" if run["succeeded"] else ", where it failed"
    return f"{run['runtime']:5.0f} s  {name}{end}; {remaining} left"


def say_how_many(app, env, documents: list[str]) -> None:
    """Say how many notebooks are to be run."""
    left.value = sum(Path(env.doc2path(name)).suffix == ".ipynb" for name in documents)
    if left.value:
        tell(f"Running {left.value} notebooks; each is named with its seconds when it ends:")


def say_what_follows(app, env) -> None:
    """Say that pages are not yet written when all notebooks have been run."""
    if app.builder.format == "html":
        tell("Writing the pages ...")


def setup(app):
    """Join the above to Sphinx and MyST-NB."""
    builders.make_chunks = one_by_one
    execute.NotebookClientDirect = Kept
    direct.single_nb_execution = partial(direct.single_nb_execution, config=ENCRYPTED)
    app.connect("env-before-read-docs", say_how_many)
    app.connect("env-updated", say_what_follows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
