"""How the build runs notebooks: a free core takes the next, and what it prints is kept."""

from __future__ import annotations

from pathlib import Path

import nbformat
from myst_nb.core import execute
from sphinx import builders


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
        """Run the notebook and keep it."""
        super().start_client()
        folder = Path(self.nb_config.output_folder).parent / "executed"
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(self.notebook, folder / self.path.name)


def setup(app):
    """Join the above to Sphinx and MyST-NB."""
    builders.make_chunks = one_by_one
    execute.NotebookClientDirect = Kept
    return {"parallel_read_safe": True, "parallel_write_safe": True}
