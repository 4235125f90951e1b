"""The builder: one notebook for readers from each notebook of the book."""

from __future__ import annotations

from itertools import chain
from pathlib import Path, PurePosixPath

import address
import nbformat
from sphinx_markdown_builder import MarkdownBuilder

from readers.cells import read_cells
from readers.drawings import draw_all
from readers.first import first_cell
from readers.install import install_cell
from readers.markdown import CellTranslator


class ReaderBuilder(MarkdownBuilder):
    """Writes ``NN_name.ipynb`` for each notebook that the last build has run."""

    name = "notebooks"
    format = "notebook"
    epilog = "The notebooks for readers are in %(outdir)s."
    default_translator_class = CellTranslator
    allow_parallel = False  # the notebooks are drawn and written together, in the end

    def init(self):
        """Begin with no notebook."""
        super().init()
        self.folder = Path(self.outdir).parent
        self.notebooks = {}

    def get_outdated_docs(self):
        """Return all notebooks: to write them takes seconds."""
        return [name for name in self.env.found_docs if self.is_notebook(name)]

    def is_notebook(self, docname: str) -> bool:
        """Tell whether a document is a notebook, and no page of text alone."""
        return self.env.doc2path(docname).endswith(".ipynb")

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Return the address of a page, or where none is known, the notebook beside this one.

        A page of text alone then has none: what refers to it stays text.
        """
        site = address.site(self.config)
        if site:
            return f"{site}/{docname}.html"
        return notebook_name(docname) if self.is_notebook(docname) else ""

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        """Return the same from everywhere: the notebooks lie in one folder, wherever that is."""
        return "" if from_ == to else self.get_target_uri(to, typ)

    def write_doc(self, docname: str, doctree) -> None:
        """Make one notebook."""
        if not self.is_notebook(docname):  # Sphinx asks for the table of contents, too
            return
        path = self.folder / "executed" / notebook_name(docname)
        notebook = nbformat.read(path, as_version=4)
        self.current_doc_name = docname
        translator = self.create_translator(doctree, self)
        translator.begin(notebook.cells)
        doctree.walkabout(translator)
        first = first_cell(self, docname, notebook)
        install = install_cell(self.config.book_repository)
        title, *cells = read_cells(translator.astext(), notebook)
        notebook.cells = [first, title, install, *cells]
        notebook.metadata.pop("widgets", None)
        self.notebooks[docname] = notebook

    def finish(self) -> None:
        """Draw what is to be drawn; write the notebooks, and where pages lie, to be downloaded."""
        cells = chain.from_iterable(notebook.cells for notebook in self.notebooks.values())
        draw_all([output for cell in cells for output in cell.get("outputs", [])])
        for docname, notebook in self.notebooks.items():
            nbformat.write(notebook, Path(self.outdir) / notebook_name(docname))
            download = self.folder / "html/_sources" / f"{docname}.ipynb"
            if download.exists():
                nbformat.write(notebook, download)


def notebook_name(docname: str) -> str:
    """Return the file name of a document's notebook, in the one folder that holds them all."""
    return f"{PurePosixPath(docname).name}.ipynb"
