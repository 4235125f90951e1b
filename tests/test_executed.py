"""What the notebooks printed while the book was built is what is committed, by nbval's rules.

nbval runs a notebook and compares. Here the build has run it, and nbval hears again what its kernel
said then: tags, comments and cells that are not compared mean what they mean to `pytest --nbval`.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbFile, NbCellError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))


class Replay:
    """A kernel, as nbval speaks with one, that says again what it said to each cell."""

    def __init__(self, executed):
        self.cells = iter(code_cells(executed))

    def is_alive(self):
        return True

    def execute_cell_input(self, source, allow_stdin):
        idle = nbformat.from_dict({"output_type": "status", "execution_state": "idle"})
        self.messages = iter([*deepcopy(next(self.cells).outputs), idle])
        return "the cell"

    def await_reply(self, cell, timeout):
        """Nothing is waited for: all has been said."""

    await_idle = await_reply

    def get_message(self, stream, timeout):
        said = next(self.messages)
        return {
            "msg_type": said.output_type,
            "content": said,
            "parent_header": {"msg_id": "the cell"},
        }


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def differences(session, path: Path, executed) -> list[str]:
    """Say by nbval where a notebook that was run differs from the committed one.

    Parameters
    ----------
    session : pytest.Session
        The session whose options nbval reads.
    path : Path
        The committed notebook.
    executed : NotebookNode
        The same notebook as its kernel left it.
    """
    notebook = IPyNbFile.from_parent(session, path=path)
    cells = list(notebook.collect())
    if [cell.cell.source for cell in cells] != [cell.source for cell in code_cells(executed)]:
        return ["The book was built from other cells: run `make book`."]
    notebook.kernel = Replay(executed)
    found = []
    for cell, now in zip(cells, code_cells(executed), strict=True):
        if cell.options["skip"]:
            found.append(f"Cell {cell.cell_num} is skipped, and nothing is compared.")
            continue
        try:
            cell.runtest()
        except NbCellError as error:
            said = [f"Cell {error.cell_num}: {error}", error.source, error.inner_traceback]
            found.append("\n".join(filter(None, said)))
        if cell.options["check"] and glued(cell.cell) != glued(now):
            names = f"{glued(cell.cell)} became {glued(now)}"
            found.append(f"Cell {cell.cell_num} glues by other names: {names}")
    return found


def glued(cell) -> list[str]:
    """Return the names that a cell gives to numbers."""
    marks = [output.get("metadata", {}).get("scrapbook") for output in cell.outputs]
    return [mark["name"] for mark in marks if mark]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_printed_is_what_is_committed(request, built, path):
    executed = nbformat.read(built / "executed" / path.name, as_version=4)
    found = differences(request.session, path, executed)
    assert not found, "\n\n".join(found)


# --- The comparison itself, on a small notebook ---------------------------------------------------


def printed(text: str):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def ran(source: str, *outputs, **metadata):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=1, metadata=metadata
    )


@pytest.fixture
def compare(request, tmp_path):
    """Change a run of a small notebook by ``compare(change)``; return the differences found."""
    number = {"application/papermill.record/text/plain": "'0.9'"}
    mark = {"scrapbook": {"name": "share", "mime_prefix": "application/papermill.record/"}}
    cells = [
        nbformat.v4.new_markdown_cell("# A title"),
        ran("print(1)\nprint(2)", printed("1\n2\n")),
        ran("clock()", tags=["nbval-ignore-output"]),
        ran("1 + 1", nbformat.v4.new_output("execute_result", data={"text/plain": "2"})),
        ran(
            "glue('share', '0.9')",
            nbformat.v4.new_output("display_data", data=number, metadata=mark),
        ),
    ]
    committed = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(committed, tmp_path / "small.ipynb")

    def compare(change) -> str:
        executed = deepcopy(committed)
        executed.cells[2].outputs = [printed("12:34")]
        change(executed.cells)
        return "\n".join(differences(request.session, tmp_path / "small.ipynb", executed))

    return compare


def test_the_same_run_differs_in_nothing(compare):
    assert compare(lambda cells: None) == ""


def test_what_came_in_pieces_is_the_same(compare):
    pieces = [printed("1"), printed("\n2\n")]
    assert compare(lambda cells: cells[1].update(outputs=pieces)) == ""


def test_another_output_is_found(compare):
    other = [nbformat.v4.new_output("execute_result", data={"text/plain": "3"})]
    found = compare(lambda cells: cells[3].update(outputs=other))
    assert found.startswith("Cell 2: Cell outputs differ\n1 + 1")
    assert "'2' == '3'" in found


@pytest.mark.parametrize("cell", [1, 3, 4])
def test_a_missing_output_is_found(compare, cell):
    found = compare(lambda cells: cells[cell].update(outputs=[]))
    assert "Missing output fields" in found


def test_another_name_of_a_number_is_found(compare):
    found = compare(lambda cells: cells[4].outputs[0].metadata.scrapbook.update(name="other"))
    assert "['share'] became ['other']" in found


def test_an_output_too_many_is_found(compare):
    assert "Unexpected output" in compare(lambda cells: cells[3].outputs.append(printed("3")))


@pytest.mark.parametrize("cell", [1, 2])  # compared or not
def test_an_error_is_found(compare, cell):
    error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["no such thing"])
    found = compare(lambda cells: cells[cell].outputs.append(error))
    assert "Cell execution caused an exception" in found
    assert "no such thing" in found


def test_a_book_of_other_cells_is_found(compare):
    assert "make book" in compare(lambda cells: cells[1].update(source="print(3)"))
    assert "make book" in compare(lambda cells: cells.pop())


def test_a_cell_that_nbval_would_skip_is_found(request, tmp_path):
    skipped = nbformat.v4.new_notebook(cells=[ran("print(1)", tags=["nbval-skip"])])
    nbformat.write(skipped, tmp_path / "skipped.ipynb")
    [found] = differences(request.session, tmp_path / "skipped.ipynb", skipped)
    assert "skipped" in found
