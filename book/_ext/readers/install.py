"""The install cell: on Colab it fetches the book's package, and everywhere it looks for it."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

INSTALL = """\
# @title The book's package
# On Google Colab: fetch it, and let its widgets run. Elsewhere: see whether it is there.
import importlib.util
import sys

if "google.colab" in sys.modules:{fetch}
    from google.colab import output

    output.enable_custom_widget_manager()

importlib.invalidate_caches()
if importlib.util.find_spec("cnnlib") is None:
    raise ModuleNotFoundError(
        '''The book's package, cnnlib, is not here.
{told}'''
    )"""
FETCH = """
    %pip install -q git+{repository}"""
#: What was tried and what to do, where the repository's address is known.
TOLD = """\
On Google Colab: pip could not fetch it from {repository}
    and says above why. Open that address in your browser; if it is there, run this cell again.
Elsewhere: nothing was tried. Open the notebooks by `make lab` in a copy of the book, or run
    %pip install git+{repository}"""
#: And where it is not.
TOLD_NOWHERE = """\
Nothing was tried: where this notebook was made, the address of the book was not known.
On your machine: open the notebooks by `make lab` in a copy of the book.
On Google Colab: upload such a copy and run %pip install with the path of its folder."""


def install_cell(repository: str | None) -> NotebookNode:
    """Return the install cell.

    Parameters
    ----------
    repository : str or None
        Where git finds the book: ``https://...``, ``file:///...``. None: nobody knows.
    """
    source = INSTALL.format(
        fetch=FETCH.format(repository=repository) if repository else "",
        told=TOLD.format(repository=repository) if repository else TOLD_NOWHERE,
    )
    metadata = {"tags": ["install"], "cellView": "form", "jupyter": {"source_hidden": True}}
    return new_code_cell(source, metadata=metadata, id="install")
