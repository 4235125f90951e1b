"""Run notebooks in place and keep of their outputs only what a test can compare.

``python tools/notebooks.py book/*.ipynb``. Text that is the same in every run stays; pictures,
widgets, timings and the traces of execution go. Running it twice changes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

#: Nobody else may listen to what a kernel says; one that is not in cipher warns of it.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto"}})
IGNORED = "nbval-ignore-output"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What editors and runs leave in a cell's metadata.
TRACES = {"ExecuteTime", "collapsed", "execution", "jupyter", "outputId", "scrolled", "trusted"}


def is_picture(output: dict) -> bool:
    """Tell whether an output is an image or a widget, which no test compares."""
    data = output.get("data", {})
    html = "".join(data.get("text/html", ""))
    return (
        any(mime.startswith("image/") or "widget-view" in mime for mime in data)
        or "<svg" in html
        or "<img" in html
    )


def is_glue(output: dict) -> bool:
    """Tell whether an output is a number that the prose cites, and no output that one sees."""
    return any("papermill.record" in mime for mime in output.get("data", {}))


def problem(cell: dict) -> str | None:
    """Say what a freshly run cell shows that it should not, if anything."""
    outputs = [output for output in cell["outputs"] if not is_glue(output)]
    if IGNORED in cell["metadata"].get("tags", []):
        return None
    if any(output.get("name") == "stderr" for output in outputs):
        return "it writes to stderr: silence the cause, or tag it nbval-ignore-output"
    if 0 < sum(map(is_picture, outputs)) < len(outputs):
        return "it shows a picture and prints: make two cells of it"
    if not any(map(is_picture, outputs)) and re.search(r" at 0x[0-9a-f]+>", json.dumps(outputs)):
        return "it prints an address in memory, which differs from run to run"
    return None


def merged(outputs: list) -> list:
    """Join what a cell printed: a kernel sends it in pieces, cut as it happens."""
    joined = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output.get("name") and output.get("name") == before.get("name"):
            before["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def clean(notebook: dict) -> None:
    """Strip a notebook that has just run down to what is committed."""
    notebook["metadata"].pop("widgets", None)
    notebook["metadata"].update(kernelspec=KERNEL, language_info={"name": "python"})
    for cell in notebook["cells"]:
        cell["metadata"] = {
            key: value for key, value in cell["metadata"].items() if key not in TRACES
        }
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for count, cell in enumerate(code, start=1):
        ignored = IGNORED in cell["metadata"].get("tags", [])
        pictured = any(map(is_picture, cell["outputs"]))
        if ignored or pictured or cell["execution_count"] is None:
            cell.update(outputs=[], execution_count=None)  # of what is not run nothing is compared
            continue
        cell.update(outputs=merged(cell["outputs"]), execution_count=count)
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = count


def refresh(path: Path) -> None:
    """Run one notebook in its own folder and write it back, cleaned."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        config=ENCRYPTED,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and (complaint := problem(cell)):
            raise SystemExit(f"{path}, cell {index}: {complaint}\n\n{cell.source}")
    clean(notebook)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def main() -> None:
    """Refresh the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    for path in parser.parse_args().notebooks:
        start = time.perf_counter()
        refresh(path)
        print(f"{path}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
