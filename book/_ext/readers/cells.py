"""The cells of a notebook for readers: Markdown from the document, code from the build's run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from readers.drawings import double
from readers.markdown import MARK

#: What the page folds or leaves out is folded here: the code, and perhaps its output.
FOLDED_CODE = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
FOLDED_OUTPUT = {"hide-output", "remove-output", "hide-cell", "remove-cell"}

WIDGET = "application/vnd.jupyter.widget-view+json"
#: What stands for a widget until there is a kernel that draws it.
NO_WIDGET = "An interactive widget: run this cell to draw it."
GLUED = "application/papermill.record/"


def read_cells(text: str, notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Yield the cells of a notebook for readers.

    Parameters
    ----------
    text : str
        The whole document in Markdown, with a mark where each cell begins.
    notebook : NotebookNode
        The notebook as its kernel left it.
    """
    _, *parts = re.split(MARK.format(index=r"(\d+)"), text)
    for index, source in zip(parts[::2], parts[1::2], strict=True):
        cell = notebook.cells[int(index)]
        name = cell.id
        if cell.cell_type == "code":
            yield code_cell(cell)
            name += "-caption"
        lines = [line.rstrip() for line in source.strip().splitlines()]
        if lines:
            yield new_markdown_cell("\n".join(lines), id=name)


def code_cell(cell: NotebookNode) -> NotebookNode:
    """Return a code cell, folded as on the page, with what can be shown without a kernel.

    What the page says of a folded cell, "Show a solution", is its title: Colab shows that in its
    place, and JupyterLab its first line.
    """
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show")
    source = f"# @title {prompt}\n{cell.source}" if prompt else cell.source
    tags = set(cell.metadata.get("tags", []))
    metadata = {"tags": sorted(tags)} if tags else {}
    if tags & FOLDED_CODE:
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if tags & FOLDED_OUTPUT:
        metadata.setdefault("jupyter", {})["outputs_hidden"] = True
    cell, _ = CoalesceStreamsPreprocessor().preprocess_cell(cell, {}, 0)
    outputs = [shown(output) for output in cell.outputs if not is_glue(output)]
    made = {"source": source, "metadata": NotebookNode(metadata), "outputs": outputs}
    return NotebookNode(cell | made)


def is_glue(output: NotebookNode) -> bool:
    """Tell whether an output only gives a number its name."""
    data = output.get("data", {})
    return bool(data) and all(kind.startswith(GLUED) for kind in data)


def shown(output: NotebookNode) -> NotebookNode:
    """Leave of an output the forms that need no kernel; return it."""
    data = output.get("data", {})
    if WIDGET in data:
        output.data = NotebookNode({"text/plain": NO_WIDGET})
    elif {"text/html", "image/png"} <= set(data):  # a figure, of cnnlib.page
        del data["text/html"]
        output.metadata = NotebookNode(double(data["image/png"]))
    return output
