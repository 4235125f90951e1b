"""The house's own rules: notebooks, imports, vendored files, and what is said where."""

from __future__ import annotations

import ast
import copy
import dis
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
VENDOR = ROOT / "book" / "_static" / "vendor"


def load_tool(name: str):
    """Import ``tools/name.py``, which is a script and no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks = load_tool("notebooks")


@cache
def files() -> list[Path]:
    """Return the files of the repository, all that git does not ignore, also in a copy of it."""
    with TemporaryDirectory() as empty:
        subprocess.run(["git", "init", "-q", empty], check=True)
        command = ["git", f"--git-dir={empty}/.git", f"--work-tree={ROOT}", "ls-files", "-z"]
        command += ["--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


# --- Notebook policy --------------------------------------------------------------------------

MOST_LINES = 15
ABSOLUTE_PATH = re.compile(r"""["'](/[A-Za-z]|~/|[A-Za-z]:\\)""")
# What a cell calls whose output is taken away: a picture, a widget, a box of widgets.
SHOWS = re.compile(r"\b(picture|drawing\.network)\(|\b[A-Z]\w*(Explorer|Lab|Player|Box)\(")
SETS_STYLE = re.compile(r"matplotlib\.rcParams\.update\(")
# Tags of cells whose code a page folds away, or leaves out.
FOLDED = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
UNSEEDED = [
    (re.compile(r"\btorch\.(rand|bernoulli|normal)\w*\("), re.compile(r"manual_seed|generator=")),
    (re.compile(r"\bnp\.random\.(?!default_rng|Generator)"), re.compile(r"np\.random\.seed")),
    (re.compile(r"default_rng\(\s*\)"), re.compile(r"(?!)")),
]


def code_cells(notebook) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def python(source: str) -> ast.Module:
    """Parse a cell, its IPython magics left out."""
    return ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", source))


def only_imports(tree: ast.Module) -> bool:
    """Tell whether a cell does nothing but import, and set how figures look."""
    rest = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return len(rest) < len(tree.body) and all(map(SETS_STYLE.match, map(ast.unparse, rest)))


def cell_complaints(cell) -> list[str]:
    """Say what is wrong with one code cell."""
    source, found = cell["source"], []
    lines = [line for line in source.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        found.append(f"{len(lines)} lines of code; at most {MOST_LINES}")
    if ABSOLUTE_PATH.search(source):
        found.append("an absolute path")
    if ".cuda(" in source:
        found.append(".cuda(): use the device that cnnlib chooses")
    tree = python(source)
    if only_imports(tree) and not FOLDED & set(cell["metadata"].get("tags", [])):
        found.append("it only imports: fold it by the tag hide-input")
    if any(isinstance(node, ast.ExceptHandler) and node.type is None for node in ast.walk(tree)):
        found.append("a bare except")
    if any(draws.search(source) and not seed.search(source) for draws, seed in UNSEEDED):
        found.append("random numbers without a seed")
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = call.func.id if isinstance(call.func, ast.Name) else None
        keywords = {keyword.arg for keyword in call.keywords}
        if called == "picture" and "alt" not in keywords:
            found.append("a picture without alternative text")
        if called == "print" and "end" in keywords:
            found.append("a line printed in pieces: print it whole, or show a table")
    if any(output["output_type"] == "error" for output in cell["outputs"]):
        found.append("an error in its output")
    if any(map(notebooks.is_picture, cell["outputs"])):
        found.append("a committed picture or widget")
    if re.search(r"it/s|s/it|\d%\||\\r[^\\]", json.dumps(cell["outputs"])):
        found.append("a progress bar in its output")
    return found


def code_within(code: CodeType) -> list[CodeType]:
    """Return the code of all functions, classes and comprehensions in a piece of code."""
    within = [part for part in code.co_consts if isinstance(part, CodeType)]
    return within + [inner for part in within for inner in code_within(part)]


def names_of(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell takes from the cells before it, and those that it gives."""
    code = compile(python(source), "cell", "exec")
    taken, given = set(), set()
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME":
            given.add(step.argval)
        elif step.opname == "LOAD_NAME" and step.argval not in given:
            taken.add(step.argval)
    inner = [step for part in code_within(code) for step in dis.get_instructions(part)]
    called_later = {s.argval for s in inner if s.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return taken | called_later - given, given


def hidden_names(cells: list[dict]) -> list[str]:
    """Say which code cells of a page use a name that a reader has never seen defined."""
    found, hidden = [], set()
    for index, cell in enumerate(cells, start=1):
        taken, given = names_of(cell["source"])
        if "remove-cell" in cell["metadata"].get("tags", []):
            hidden |= given
            continue
        found += [
            f"code cell {index}: it uses {name}, which a cell defines that the page leaves out: "
            "fold that cell by the tag hide-input, or define the name where one sees it"
            for name in sorted(taken & hidden)
        ]
        hidden -= given
    return found


def unsourced(notebook) -> list[str]:
    """Say which cells glue what varies without its source, where the pictures at hand decide.

    What is compared is the same with the stand-in, and needs none.
    """
    if not any("data.cifar10(" in cell["source"] for cell in code_cells(notebook)):
        return []
    return [
        f"it glues {ast.unparse(call.args[0])}, which varies, and does not say its source"
        for cell in code_cells(notebook)
        if notebooks.IGNORED in cell["metadata"].get("tags", [])
        for call in ast.walk(python(cell["source"]))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "glue"
        and "source" not in {keyword.arg for keyword in call.keywords}
    ]


def is_run(cell) -> bool:
    """Tell whether a cell was run, as far as one can tell once its pictures are taken away."""
    tagged = notebooks.IGNORED in cell["metadata"].get("tags", [])
    return cell["execution_count"] is not None or tagged or bool(SHOWS.search(cell["source"]))


def compared_share(notebook) -> float:
    """Return the share of the printing cells whose output is compared."""
    ignored = [
        notebooks.IGNORED in cell["metadata"].get("tags", []) for cell in code_cells(notebook)
    ]
    printing = sum(bool(cell["outputs"]) for cell in code_cells(notebook))
    return 1.0 if not any(ignored) else printing / (printing + sum(ignored))


def notebook_complaints(notebook) -> list[str]:
    """Say what is wrong with a notebook."""
    found = []
    first = notebook["cells"][0]
    titles = [
        line
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for line in re.sub(r"(?ms)^(`{3,}|:{3,}).*?^\1", "", cell["source"]).splitlines()
        if line.startswith("# ")
    ]
    if first["cell_type"] != "markdown" or not first["source"].startswith("# ") or len(titles) != 1:
        found.append("it must begin with its one title")
    if re.match(r"# (chapter )?\d", first["source"], re.IGNORECASE):
        found.append("its title carries a number; the file name does that")
    for index, cell in enumerate(code_cells(notebook), start=1):
        found += [f"code cell {index}: {complaint}" for complaint in cell_complaints(cell)]
        if not is_run(cell):
            found.append(f"code cell {index}: never run, so nothing is compared")
    found += hidden_names(code_cells(notebook))
    found += unsourced(notebook)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and re.search(r"!\[\s*\]\(", cell["source"]):
            found.append("an image in the text without alternative text")
    cleaned = copy.deepcopy(notebook)
    notebooks.clean(cleaned)
    if cleaned != notebook:
        found.append("traces of execution: run `make notebooks`")
    if compared_share(notebook) < 2 / 3:
        found.append(f"only {compared_share(notebook):.0%} of the cells that print are compared")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found += [
                f"cites {cited}, of which nothing tells whether it is the stand-in's: glue:text"
                for cited in re.findall(r"\{glue(?!:text\}`[^`:]+(?::[^`:]+)?`).*", cell["source"])
            ]
    return found


def good_notebook() -> dict:
    """Return a small notebook that keeps every rule."""
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# A title\n\nSome text.", id="a"),
        new.new_code_cell(
            "torch.manual_seed(0)\nprint(torch.rand(1) < 2)",
            outputs=[new.new_output("stream", name="stdout", text="tensor([True])\n")],
            id="b",
            execution_count=1,
        ),
    ]
    notebook = new.new_notebook(cells=cells)
    notebooks.clean(notebook)
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_policy(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook_complaints(notebook) == []


def test_there_are_notebooks():
    assert {"intro", "02_convolution", "19_cifar10_resnet"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize(
    "cited", ["{glue}`n`", "{glue:text}`a.ipynb::n:d`", "```{glue:figure} n\n```", "{glue:md}`n`"]
)
def test_a_number_is_cited_so_that_its_source_is_asked(cited):
    notebook = good_notebook()
    notebook.cells[0]["source"] += f"\n\nThere are {cited}.\n"
    assert "stand-in" in " ".join(notebook_complaints(notebook))


def test_a_good_notebook_has_no_complaints():
    assert notebook_complaints(good_notebook()) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("\n".join(["x = 1"] * 16), "lines of code"),
        ("open('/etc/passwd')", "absolute path"),
        ("path = '~/pictures'", "absolute path"),
        ("model.cuda()", ".cuda()"),
        ("try:\n    f()\nexcept:\n    pass", "bare except"),
        ("x = torch.randn(3)", "without a seed"),
        ("rng = np.random.default_rng()", "without a seed"),
        ("np.random.rand(3)", "without a seed"),
        ("picture(figure)", "alternative text"),
        ("print(1, end='')\nprint(2)", "printed in pieces"),
        ("import numpy as np\nfrom torch import nn", "fold it"),
        ("import matplotlib\n\nmatplotlib.rcParams.update(style)", "fold it"),
    ],
)
def test_bad_code_is_caught(source, complaint):
    notebook = good_notebook()
    notebook["cells"][1]["source"] = source
    assert any(complaint in found for found in notebook_complaints(notebook))


def test_a_number_that_varies_needs_its_source_where_cifar10_is_read():
    def complaints(source, tags=(notebooks.IGNORED,)) -> str:
        notebook = good_notebook()
        notebook["cells"][1].update(source=source, metadata={"tags": list(tags)})
        return "\n".join(notebook_complaints(notebook))

    reads, glues = "images, _ = data.cifar10()\n", "glue('share', percent(0.5)"
    assert "it glues 'share', which varies" in complaints(f"{reads}{glues})")
    assert "it glues" not in complaints(f"{reads}{glues}, source=images)")
    assert "it glues" not in complaints(f"{reads}{glues})", tags=())  # compared
    assert "it glues" not in complaints(f"{glues})")  # reads no pictures


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ({"output_type": "error", "ename": "E", "evalue": "", "traceback": []}, "an error"),
        ({"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": {}}, "picture"),
        (
            {"output_type": "stream", "name": "stderr", "text": " 10%|#  | 1/10 [00:01, 1.0it/s]"},
            "progress bar",
        ),
    ],
)
def test_bad_output_is_caught(output, complaint):
    notebook = good_notebook()
    notebook["cells"][1]["outputs"] = [nbformat.from_dict(output)]
    assert any(complaint in found for found in notebook_complaints(notebook))


def test_other_bad_notebooks_are_caught():
    def with_change(change):
        notebook = good_notebook()
        change(notebook)
        return " / ".join(notebook_complaints(notebook))

    first, cell = range(2)
    assert "one title" in with_change(lambda n: n["cells"][first].update(source="Text first"))
    assert "one title" in with_change(lambda n: n["cells"][first].update(source="# A\n\n# B"))
    assert "number" in with_change(lambda n: n["cells"][first].update(source="# 2. Convolution"))
    assert "alternative" in with_change(
        lambda n: n["cells"][first].update(source="# A\n![](a.png)")
    )
    assert "traces" in with_change(lambda n: n["cells"][cell].update(execution_count=7))
    assert "traces" in with_change(lambda n: n["metadata"].update(widgets={}))
    unrun = {"execution_count": None, "outputs": []}
    assert "never run" in with_change(lambda n: n["cells"][cell].update(unrun))
    drawing = unrun | {"source": "picture(figure, alt='A line.')"}
    assert with_change(lambda n: n["cells"][cell].update(drawing)) == ""
    tags = {"tags": [notebooks.IGNORED]}
    ignored = with_change(lambda n: n["cells"][cell].update(metadata=tags, outputs=[]))
    assert "0% of the cells" in ignored


@pytest.mark.parametrize(
    "source",
    ["print(x)", "x = x + 1", "def f():\n    return [x for _ in range(3)]", "class A:\n    y = x"],
)
def test_a_name_that_no_reader_has_seen_is_caught(source):
    def complaints(*cells):
        """Read cells as they stand on a page, one that begins with # as left out of it."""
        pairs = [({"tags": ["remove-cell"] * text.startswith("#")}, text) for text in cells]
        return hidden_names([{"source": text, "metadata": metadata} for metadata, text in pairs])

    [complaint] = complaints("# left out\nx = 1", source)
    assert complaint.startswith("code cell 2: it uses x,")
    assert complaints("x = 1", source) == []
    assert complaints("# left out\nx = 1", "x = 2", source) == []
    assert complaints("x = 1", "# left out\nx = 2", source)
    assert complaints("# left out\nx = 1", "# left out too\nprint(x)") == []
    assert complaints("# left out\nx = 1", "y = [x for x in 'ab']\nfor x in y:\n    print(x)") == []


def test_a_comment_in_a_code_fence_is_no_title():
    notebook = good_notebook()
    notebook["cells"][0]["source"] = "# A title\n\n```python\n# a comment\n```"
    assert notebook_complaints(notebook) == []


#: A page or repository of this book, whoever's it is: it is found when the book is built.
ADDRESS = re.compile(rb"github(usercontent)?\.(com|io)/\S*seeing-convolutions|/OWNE[R]/")


def test_no_file_holds_an_address_of_the_book():
    assert [path for path in files() if ADDRESS.search(path.read_bytes())] == []


def test_an_address_of_the_book_is_found():
    name = b"seeing" + b"-convolutions"
    assert ADDRESS.search(b"git clone https://github.com/ada/%s.git" % name)
    assert ADDRESS.search(b"[a page](https://ada.github.io/%s/a.html)" % name)
    assert not ADDRESS.search(b"https://github.com/pytorch/pytorch, and then cd %s" % name)


# --- The tools --------------------------------------------------------------------------------


def test_cleaning_keeps_text_and_drops_pictures():
    new = nbformat.v4
    text = new.new_output("stream", name="stdout", text="3\n")
    svg = new.new_output("display_data", data={"text/html": "<svg></svg>"})
    timing = new.new_code_cell("t", metadata={"tags": [notebooks.IGNORED]}, outputs=[text])
    noisy = {"scrolled": True, "tags": ["x"]}
    cells = [new.new_code_cell("a", outputs=[text], metadata=noisy, execution_count=9)]
    cells += [
        new.new_code_cell("b", outputs=[svg]),
        timing,
        new.new_code_cell("c", execution_count=12),
    ]
    for cell in cells:
        cell.execution_count = 7
    notebook = new.new_notebook(cells=cells, metadata={"widgets": {}})
    notebooks.clean(notebook)
    once = copy.deepcopy(notebook)
    notebooks.clean(notebook)
    assert notebook == once
    assert [len(cell.outputs) for cell in cells] == [1, 0, 0, 0]
    assert [cell.execution_count for cell in cells] == [1, None, None, 4]  # None: not compared
    assert notebook.cells[0].metadata == {"tags": ["x"]}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_what_is_printed_in_pieces_is_kept_as_one():
    def printed(text, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    value = nbformat.v4.new_output("execute_result", data={"text/plain": "3"})
    outputs = [printed("a"), printed("\n"), printed("b", "stderr"), value, printed("c")]
    assert notebooks.merged(outputs) == [
        printed("a\n"),
        printed("b", "stderr"),
        value,
        printed("c"),
    ]


def test_outputs_that_cannot_be_compared_are_named():
    new = nbformat.v4
    text = new.new_output("stream", name="stdout", text="3\n")
    svg = new.new_output("display_data", data={"text/html": "<svg></svg>"})
    noise = new.new_output("stream", name="stderr", text="careful\n")
    address = new.new_output("execute_result", data={"text/plain": "<A object at 0x7f00>"})
    for outputs, word in [([text, svg], "two cells"), ([noise], "stderr"), ([address], "address")]:
        assert word in notebooks.problem(new.new_code_cell(outputs=outputs))
    assert notebooks.problem(new.new_code_cell(outputs=[text])) is None
    assert notebooks.problem(new.new_code_cell(outputs=[svg])) is None


# --- Imports ----------------------------------------------------------------------------------

#: What each module of `cnnlib` imports of the others: neither more nor less.
IMPORTS = {
    "__init__": set(),
    "arithmetic": set(),
    "fields": set(),
    "files": set(),
    "memory": set(),
    "models": set(),
    "palette": set(),
    "profiles": set(),
    "provenance": set(),
    "seeds": set(),
    "statistics": set(),
    "data": {"files", "memory", "seeds"},
    "drawing": {"fields", "page", "palette", "summary"},
    "exercises": {"arithmetic", "scratch"},
    "page": {"palette"},
    "plots": {"palette"},
    "prediction": {"data", "models", "training"},
    "records": {"files", "provenance", "statistics"},
    "scratch": {"arithmetic"},
    "summary": {"arithmetic", "fields"},
    "training": {"files", "memory", "seeds"},
    "transfer": {"models", "prediction"},
    "widgets": {"arithmetic", "palette"},
}
NEVER_TORCH = {
    *("__init__", "arithmetic", "exercises", "files", "memory", "page", "palette"),
    *("plots", "profiles", "records", "scratch", "seeds", "statistics", "widgets"),
}


def imports(source: str, package: str = "cnnlib") -> set[str]:
    """Return what a module imports: ``cnnlib`` modules as ``cnnlib.name``, others by first name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) + 1 - node.level] if node.level else []
            base = ".".join([*above, *[node.module] * bool(node.module)])
            names = [f"{base}.{alias.name}" if base == "cnnlib" else base for alias in node.names]
        else:
            continue
        found |= {
            ".".join(name.split(".")[: 2 if name.startswith("cnnlib.") else 1]) for name in names
        }
    return found


def imports_of_modules(root: Path) -> dict[str, set[str]]:
    """Return all that each module of ``root/cnnlib`` imports, but itself; a folder is one."""
    found: dict[str, set[str]] = {}
    for path in sorted((root / "cnnlib").rglob("*.py")):
        parents = path.relative_to(root).parts[:-1]
        module = path.relative_to(root / "cnnlib").parts[0].removesuffix(".py")
        names = imports(path.read_text(), ".".join(parents)) - {f"cnnlib.{module}"}
        found.setdefault(module, set()).update(names)
    return found


def arrows(modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """Keep of what modules import those of `cnnlib`."""
    return {
        module: {name.removeprefix("cnnlib.") for name in names if name.startswith("cnnlib.")}
        for module, names in modules.items()
    }


def test_the_table_of_imports_is_what_is_imported():
    found = imports_of_modules(ROOT)
    assert arrows(found) == IMPORTS
    assert [module for module, names in found.items() if "cnnlib" in names] == []
    assert [module for module in NEVER_TORCH if "torch" in found[module]] == []


def test_arrows_point_one_way():
    TopologicalSorter(IMPORTS).prepare()
    with pytest.raises(CycleError):  # round three corners
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_arrows_are_found_in_both_forms_of_a_module(tmp_path):
    (tmp_path / "cnnlib" / "data").mkdir(parents=True)
    (tmp_path / "cnnlib" / "data" / "__init__.py").write_text("from .cifar import load")
    (tmp_path / "cnnlib" / "data" / "cifar.py").write_text("from cnnlib import files\nimport torch")
    (tmp_path / "cnnlib" / "page.py").write_text("def late():\n    from .palette import INK")
    assert arrows(imports_of_modules(tmp_path)) == {"data": {"files"}, "page": {"palette"}}


def test_imports_are_read_from_every_form():
    source = (
        "import torch.nn\nfrom cnnlib import plots\nfrom cnnlib.data import x\nfrom .a import b"
    )
    assert imports(source, "cnnlib") == {"torch", "cnnlib.plots", "cnnlib.data", "cnnlib.a"}
    assert imports("from . import elements", "cnnlib.widgets") == {"cnnlib.widgets"}
    assert imports("from ..palette import INK", "cnnlib.widgets") == {"cnnlib.palette"}
    assert imports("from .. import palette", "cnnlib.widgets") == {"cnnlib.palette"}
    assert imports("from ... import palette", "cnnlib.widgets.lab") == {"cnnlib.palette"}


def test_import_is_quick_and_leaves_torch_alone():
    code = (
        "import sys, time; start = time.perf_counter(); import cnnlib;"
        "print(time.perf_counter() - start, 'torch' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    seconds, torch = zip(*(run.stdout.split() for run in runs), strict=True)
    assert set(torch) == {"False"}
    assert min(map(float, seconds)) < 0.3


@pytest.mark.parametrize("module", sorted(NEVER_TORCH - {"__init__"}))
def test_light_modules_never_load_torch(module):
    code = f"import sys, cnnlib.{module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- Vendored files ---------------------------------------------------------------------------


def vendor_complaints(folder: Path) -> list[str]:
    """Say where a folder and its manifest disagree."""
    entries = json.loads((folder / "manifest.json").read_text())
    listed = {entry["file"]: entry for entry in entries}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    found = [f"not in the manifest: {name}" for name in sorted(there - {"manifest.json", *listed})]
    found += [f"missing: {name}" for name in sorted(set(listed) - there)]
    for name in sorted(there & set(listed)):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != listed[name]["sha256"]:
            found.append(f"changed: {name}")
    for entry in entries:
        keys = {"file", "package", "version", "licence", "source", "sha256"}
        if set(entry) != keys or not all(entry.values()):
            found.append(f"incomplete entry: {entry['file']}")
    return found


def test_vendored_files_are_the_manifests():
    assert vendor_complaints(VENDOR) == []


def test_vendor_complaints_are_made(tmp_path):
    whole = hashlib.sha256(b"whole").hexdigest()
    entry = {"package": "p", "version": "1", "licence": "MIT", "source": "s", "sha256": whole}
    entries = [
        entry | {"file": "a.js"},
        entry | {"file": "b.js"},
        entry | {"file": "c.js", "licence": ""},
    ]
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    for name, text in {"a.js": "whole", "b.js": "bent", "d.js": "stray"}.items():
        (tmp_path / name).write_text(text)
    assert vendor_complaints(tmp_path) == [
        "not in the manifest: d.js",
        "missing: c.js",
        "changed: b.js",
        "incomplete entry: c.js",
    ]


def test_vendor_script_and_manifest_agree():
    packages = {(package.name, package.version) for package in load_tool("vendor").PACKAGES}
    entries = json.loads((VENDOR / "manifest.json").read_text())
    assert {(entry["package"], entry["version"]) for entry in entries} == packages


# --- Words and colours ------------------------------------------------------------------------

# Folders of one machine mean nothing to a reader.
PRIVATE = re.compile(r"(?<![\w.~-])/(work|root|home)/|\.\./shared")


def test_the_project_speaks_of_itself_alone():
    own = {ROOT / ".ci" / "run", Path(__file__).resolve()}  # .ci/run looks beside the repository
    texts = [path for path in files() if path not in own and VENDOR not in path.parents]
    said = {}
    for path in texts:
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if match := PRIVATE.search(text):
            said[str(path.relative_to(ROOT))] = match[0]
    assert said == {}
    assert PRIVATE.search("see /work/notes")
    assert PRIVATE.search("../shared/data")
    assert not PRIVATE.search("https://github.com/work/x")


def test_colours_come_from_the_palette():
    from cnnlib import palette

    known = {colour.upper() for pair in palette.COLORS.values() for colour in pair}
    for name in ["logo.svg", "logo-dark.svg", "favicon.svg"]:
        text = (ROOT / "book" / "_static" / name).read_text()
        assert set(map(str.upper, re.findall(r"#[0-9A-Fa-f]{6}", text))) <= known


def test_every_source_is_cited_by_a_key_that_exists():
    keys = set(re.findall(r"^@\w+\{([\w-]+),", (ROOT / "book/references.bib").read_text(), re.M))
    cited = set()
    for path in NOTEBOOKS:
        for group in re.findall(r"\{cite:\w+\}`([^`]+)`", path.read_text()):
            cited |= {key.strip() for key in group.split(",")}
    assert cited <= keys


# --- Links ------------------------------------------------------------------------------------

LABEL = re.compile(r"^\(([\w-]+)\)=$|^:name: ([\w-]+)$|\$\$ *\(([\w-]+)\)", re.MULTILINE)
REFERENCE = re.compile(r"\{(?:ref|numref|eq)\}`(?:[^`]*<)?([\w-]+)>?`")
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]+)")
INLINE_CODE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")


def prose(path: Path) -> str:
    """Return the text of a page: a notebook's Markdown cells, or the whole file."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def labels(path: Path) -> set[str]:
    """Return what a page lets others refer to: sections, equations and figures."""
    found = {"".join(groups) for groups in LABEL.findall(prose(path))}
    if path.suffix == ".ipynb":
        figures = (
            cell.metadata.get("mystnb", {}).get("figure", {})
            for cell in code_cells(nbformat.read(path, as_version=4))
        )
        found |= {figure["name"] for figure in figures if "name" in figure}
    return found


def dead_ends(path: Path, known: set[str]) -> list[str]:
    """Return the links of a page to files that are not there, and to labels that nobody has."""
    text = prose(path)
    links = [link for link in LINK.findall(INLINE_CODE.sub("", text)) if link not in known]
    missing = [link for link in links if not (path.parent / link).exists()]
    return missing + sorted(set(REFERENCE.findall(text)) - known)


def test_every_link_and_every_reference_leads_somewhere():
    pages = [*NOTEBOOKS, *(ROOT / "book").glob("*.md"), ROOT / "README.md"]
    known = set().union(*map(labels, pages))
    assert {path.name: ends for path in pages if (ends := dead_ends(path, known))} == {}


def test_dead_ends_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "(sec-here)=\n# Title\n$$ x $$ (eq-x)\n"
        "[a](page.md#title), [b](https://a.b/c), [c](sec-here), `[d](only/code.md)`, "
        "[e](gone.ipynb), {ref}`sec-here`, {eq}`eq-x`, {numref}`fig-gone`, {ref}`words <sec-gone>`"
    )
    assert labels(page) == {"sec-here", "eq-x"}
    assert dead_ends(page, labels(page)) == ["gone.ipynb", "fig-gone", "sec-gone"]


# --- The environment --------------------------------------------------------------------------


def requirement_names(lines: list[str]) -> set[str]:
    """Return the packages that requirement lines name, in one spelling."""
    names = {re.split(r"[=<>~!;\[\s]", line)[0] for line in lines if line and line[0] not in "#-"}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


#: A version, perhaps where it is for, and what the files of it must be.
PINNED = re.compile(r"[\w.-]+==[\w.!+-]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")


def test_the_environment_is_exact_and_complete():
    lines = re.sub(r" \\\n +", " ", (ROOT / "requirements.txt").read_text()).splitlines()
    exact = [line for line in lines if not line.startswith("#")]
    assert [line for line in exact if not PINNED.fullmatch(line)] == []
    wanted = requirement_names((ROOT / "requirements.in").read_text().splitlines())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (wanted | requirement_names(project["dependencies"])) <= requirement_names(exact)


def test_the_package_asks_for_lower_bounds_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(re.fullmatch(r"[\w.-]+>=[\d.]+", line) for line in project["dependencies"])


def workflows() -> dict[str, dict]:
    """Return the workflows by the names of their files."""
    paths = (ROOT / ".github/workflows").glob("*.yml")
    return {path.name: yaml.safe_load(path.read_text()) for path in paths}


#: What jobs may do for which it is not enough, or too much, to read the repository.
PERMISSIONS = {
    "publish.yml: release": {"actions": "read", "contents": "write"},
    "publish.yml: notebooks": {"actions": "read", "contents": "write"},
    "publish.yml: deploy": {"pages": "write", "id-token": "write"},
}
#: The job that pushes to the repository, for which git must know the token.
PUSHES = "publish.yml: notebooks"


def jobs() -> dict[str, dict]:
    """Return the jobs of all workflows, each with the permissions that it has in the end."""
    return {
        f"{name}: {job}": {"permissions": workflow["permissions"]} | parts
        for name, workflow in workflows().items()
        for job, parts in workflow["jobs"].items()
    }


def test_workflows_use_actions_by_commit_and_may_do_no_more_than_they_need():
    for workflow in workflows().values():
        assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in jobs().items():
        assert job["permissions"] == PERMISSIONS.get(name, {"contents": "read"}), name
        for step in job["steps"]:
            assert re.search(r"^$|@[0-9a-f]{40}$", step.get("uses", "")), (name, step)


def test_no_workflow_leaves_the_token_where_it_does_not_push():
    """A checkout leaves it to git, and so to all that runs behind, if it is not told otherwise."""
    keeping = {
        name
        for name, job in jobs().items()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    }
    assert keeping == {PUSHES}
    assert set(PERMISSIONS) < set(jobs())


def test_a_workflow_walks_the_way_without_make():
    """The commands of the README, the last of which opens a window, from top to bottom."""
    text = (ROOT / "README.md").read_text().partition("<summary>Without make</summary>")[2]
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1]
    *commands, last = [line.partition("#")[0].strip() for line in block.splitlines()]
    steps = workflows()["ci.yml"]["jobs"]["without-make"]["steps"]
    first, second = [step["run"] for step in steps if "run" in step]
    assert first.splitlines() == commands
    assert last.replace("lab", "lab --no-browser") in second


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_has_a_folded_solution(path):
    """One exercise a cell, and behind it folded cells that say what they show."""
    cells = nbformat.read(path, as_version=4).cells
    for i, cell in enumerate(cells):
        count = cell.source.count(":class: exercise")
        if not count:
            continue
        assert count == 1, cell.source[:80]
        prompts = []
        for after in cells[i + 1 :]:
            if after.cell_type == "markdown":
                break
            if "hide-cell" in after.metadata.get("tags", []):
                prompts.append(after.metadata.get("mystnb", {}).get("code_prompt_show", ""))
        assert prompts, f"no solution behind: {cell.source[:80]}"
        assert prompts[0].startswith("Show "), cell.source[:80]
        assert all(prompts), cell.source[:80]
