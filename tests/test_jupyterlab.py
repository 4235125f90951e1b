"""The widgets in a real JupyterLab 4 and a real Notebook 7, with a real kernel."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from cnnlib import widgets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "seeing"
START = 60  # seconds that a server may take to start
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
RUN = 180_000  # milliseconds that a notebook may take to run
FRONTENDS = {"lab": "lab/tree", "notebook": "notebooks"}

TOGETHER = """\
explorer = widgets.ConvolutionExplorer()
stride = IntSlider(1, 1, 4, description="Step")
padding = IntSlider(0, 0, 6, description="Frame")
jslink((stride, "value"), (explorer, "stride"))
jslink((padding, "value"), (explorer, "padding"))
VBox([stride, padding, explorer])
"""
PROMPT = "[...document.querySelectorAll('.jp-InputPrompt')].at(-1)"
TOLD = 'print("Python sees", explorer.stride, explorer.padding, explorer.dilation)'


def notebook() -> nbformat.NotebookNode:
    """Return a notebook that shows every widget of the book, then one joined to two sliders."""
    cells = [
        "from ipywidgets import IntSlider, VBox, jslink\n\nfrom cnnlib import widgets",
        *(f"widgets.{name}()" for name in widgets.__all__),
        TOGETHER,
        TOLD,
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": kernel},
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(url: str, server: subprocess.Popen, log) -> None:
    """Wait for a server's first answer, or fail with what it wrote."""
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("The server did not start:\n" + log.read_text()[-3000:], pytrace=False)


@contextmanager
def serving(frontend: str, folder: Path, home: Path, **settings):
    """Serve a folder of notebooks by one of the frontends; yield where it opens one.

    Parameters
    ----------
    frontend : str
        One of ``FRONTENDS``.
    folder : Path
        Holds the notebooks.
    home : Path
        An empty folder for all that a frontend keeps.
    settings
        Of JupyterLab's notebooks. By default every cell is drawn, in view or not.
    """
    tracker = home / "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"} | settings))
    homes = {"JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR"}
    environment = os.environ | {name: str(home / name) for name in homes}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTER_TOKEN": TOKEN}
    port, log = free_port(), home / "log"
    command = [sys.executable, "-m", "jupyter", frontend, "--no-browser", "--allow-root"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(f"{base}/api?token={TOKEN}", server, log)
        yield lambda name: f"{base}/{FRONTENDS[frontend]}/{name}?token={TOKEN}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(params=FRONTENDS)
def address(request, tmp_path):
    """Serve the notebook by one of the frontends; return the address that opens it."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(notebook(), folder / "widgets.ipynb")
    with serving(request.param, folder, tmp_path) as opening:
        yield opening("widgets.ipynb")


def run_all(page) -> None:
    """Run every cell by the menu, as a reader does, and wait for the last one's output."""
    page.locator(".jp-Notebook .jp-CodeCell").last.wait_for(timeout=RUN)
    page.get_by_text(re.compile("Python 3")).first.wait_for()
    page.trouble.console.clear()  # Notebook 7.6 has an error of its own as it loads its settings
    prompt = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").first
    for _ in range(5):  # asked before its kernel is there, a notebook may forget it
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_timeout(3000)
        if prompt.inner_text().strip("[]: \n"):  # a star, or a number
            break
    page.get_by_text("Python sees 1 0 1").wait_for(timeout=RUN)


def ask_python(page) -> str:
    """Run the last cell again; return what it prints."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    page.wait_for_function(f"!{PROMPT}.textContent.includes('*')")
    return cell.locator(".jp-OutputArea-output").inner_text().strip()


def keys_stay_in_the_widgets(page, living) -> None:
    """Press keys that a notebook has other uses for: X cuts a cell, an arrow goes to the next."""
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    count = cells.count()
    for i in range(living.count()):
        cells.last.locator(".cm-content").click()
        page.keyboard.press("Escape")  # command mode: its shortcuts are single letters
        living.nth(i).locator("button:visible:enabled").last.focus()
        page.keyboard.press("x")
        page.wait_for_timeout(200)
        assert cells.count() == count
    place = living.last.locator(".cnn-output td[tabindex='0']").first
    place.focus()
    before = place.element_handle()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(200)
    assert not before.evaluate("(cell) => cell === document.activeElement")
    assert place.evaluate("(cell) => cell === document.activeElement")


def test_every_widget_lives_and_python_hears_it(new_page, address):
    page = new_page(width=1280, height=1000)
    page.set_default_timeout(20_000)
    page.goto(address)
    run_all(page)
    living = page.locator(".jp-OutputArea-output .cnn-widget:not(.cnn-still)")
    living.nth(len(widgets.__all__)).wait_for(timeout=RUN)
    assert living.count() == len(widgets.__all__) + 1
    for i in range(living.count()):
        assert living.nth(i).bounding_box()["height"] > 200
        assert not living.nth(i).get_by_role("button", name="Copy a link").is_visible()
    # From a classic slider to the widget, and to Python: by the mouse, for in command mode a
    # notebook takes the arrow keys from such a slider.
    explorer = living.last
    rows = explorer.locator(".cnn-output table").first.locator("tbody tr")
    assert rows.count() == 10
    track = page.locator(".widget-slider", has_text="Step").locator(".noUi-base")
    track.click(position={"x": track.bounding_box()["width"] / 3, "y": 2})
    page.wait_for_function(
        "() => [...document.querySelectorAll('.cnn-formula')].at(-1).textContent.includes('/ 2⌋')"
    )
    assert rows.count() == 5
    # From the widget to the classic slider, and to Python.
    explorer.get_by_role("slider", name="Padding").fill("2")
    explorer.get_by_role("slider", name="Dilation").fill("3")
    assert ask_python(page) == "Python sees 2 2 3"
    frame = page.locator(".widget-slider", has_text="Frame").locator(".widget-readout")
    assert frame.inner_text() == "2"
    keys_stay_in_the_widgets(page, living)
    assert page.trouble.console == []
    assert page.trouble.foreign == []


# --- The notebooks for readers --------------------------------------------------------------------

PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
TAB = "#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current"
#: What JupyterLab adds to a text, and formulas: they are counted.
NO_WORDS = ".jp-InternalAnchorLink, mjx-container, .math"
SEEN = """(panel) => ({
  text: [...panel.querySelectorAll(".jp-MarkdownCell .jp-RenderedMarkdown")]
    .map((cell) => cell.innerHTML).join("\\n"),
  formulas: panel.querySelectorAll("mjx-container").length,
  wrong_formulas: panel.querySelectorAll("mjx-merror, mjx-container [style*=red]").length,
  folded: panel.querySelectorAll(".jp-CodeCell .jp-InputPlaceholder").length,
  pictures: [...panel.querySelectorAll("img")].map((picture) => picture.naturalWidth > 0),
})"""


@pytest.fixture
def readers(built, tmp_path) -> Path:
    """A folder with the notebooks for readers and nothing else."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for path in (built / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    return folder


def words(html: str) -> list[str]:
    """Return the words of a text that are in no formula."""
    text = BeautifulSoup(html, "html.parser")
    for other in text.select(NO_WORDS):
        other.replace_with(" ")
    return text.get_text().split()


def wanted(notebook) -> dict:
    """Return what is to be seen of a notebook: its text as markdown-it reads it, and counts."""
    cells = notebook.cells
    text = "\n".join(MARKDOWN.render(cell.source) for cell in cells if cell.cell_type == "markdown")
    outputs = chain.from_iterable(cell.get("outputs", []) for cell in cells)
    return {
        "words": words(text),
        "formulas": len(BeautifulSoup(text, "html.parser").select(".math")),
        "wrong_formulas": 0,
        "folded": sum(
            cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in cells
        ),
        "pictures": [True] * sum("image/png" in output.get("data", {}) for output in outputs),
    }


def open_notebook(page, name: str, cells: int):
    """Open a notebook from JupyterLab's list of files; return its panel, all of it drawn."""
    page.locator(".jp-DirListing-item", has_text=name).dblclick()
    panel = page.locator(PANEL)
    panel.locator(".jp-Cell").nth(cells - 1).wait_for()
    page.locator(f"{TAB}.jp-mod-dirty").wait_for()  # with its kernel's version
    return panel


def close_notebook(page, panel) -> None:
    """Close a notebook, and leave the file as it is."""
    page.locator(f"{TAB} .lm-TabBar-tabCloseIcon").click()
    page.get_by_role("button", name="Discard").click()
    panel.wait_for(state="detached")


def test_every_notebook_for_readers_opens(new_page, readers, tmp_path):
    page = new_page(width=1280, height=1000)
    page.set_default_timeout(RUN)
    with serving("lab", readers, tmp_path, kernelShutdown=True) as opening:
        paths = sorted(readers.glob("*.ipynb"))
        page.goto(opening(paths[0].name))
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            panel = open_notebook(page, path.name, len(notebook.cells))
            seen = panel.evaluate(SEEN)
            seen["words"] = words(seen.pop("text"))
            assert seen == wanted(notebook), path.name
            assert page.locator(".jp-Dialog").count() == 0, path.name
            close_notebook(page, panel)
    assert page.trouble.foreign == []
