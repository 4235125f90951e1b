"""The notebooks for readers say what their pages say, in Markdown that every program shows.

What the two say is read independently: a page from its HTML, a notebook as markdown-it reads plain
Markdown, which knows nothing of this book.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from itertools import chain
from pathlib import Path
from types import ModuleType, SimpleNamespace

import imageio.v3 as imageio
import nbformat
import numpy as np
import pytest
import yaml
from address import find_repository
from browsing import NoChromium
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from readers.builder import ReaderBuilder
from readers.cells import NO_WIDGET, code_cell, read_cells
from readers.drawings import NOT_DRAWN, WIDTH, draw, draw_all
from readers.first import duration
from readers.install import install_cell
from readers.markdown import MARK, Table

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "book").glob("*.ipynb"))
#: A role, a directive, a target: what of MyST a notebook would show as it is written.
MYST = re.compile(r"\{[\w:-]+\}`|(`{3,}|:{3,})\{|^[> ]*\([\w-]+\)=", re.MULTILINE)

MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def source(request) -> Path:
    """Each notebook of the book."""
    return request.param


@pytest.fixture
def notebook(built, source):
    """What readers get of it."""
    path = built / "notebooks" / source.name
    if not path.exists():
        pytest.fail("The notebooks for readers are not there: run `make readers`.", pytrace=False)
    return nbformat.read(path, as_version=4)


def text_of(notebook) -> str:
    """Return all text of a notebook but its first cell, which no page has."""
    first, *cells = notebook.cells
    assert first.id == "about"
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


# --- What a page says, and what a notebook says ---------------------------------------------------


def formula(number: str, tex: str) -> str:
    """Write a formula in one way: the page's wrapping, of Sphinx's own, is none of its words."""
    tex = re.sub(r"^\\[(\[]|\\[)\]]$|\\(begin|end)\{split\}", "", tex.strip())
    return number + "$" + "".join(tex.split()) + "$"


def said_by_page(html: str) -> list[str]:
    """Read the words of a page: its cells leave only their captions."""
    page = BeautifulSoup(html, "html.parser").select_one("article")
    for cell in page.select("div.cell"):
        cell.replace_with(*(caption.extract() for caption in cell.select("figcaption")))
    for other in page.select("a.headerlink, script"):
        other.decompose()
    for math in page.select(".math"):
        number = math.select_one(".eqno")
        number = number.extract().get_text() if number else ""
        math.replace_with(formula(number, math.select_one("annotation").get_text()))
    return page.get_text().split()


def said_by_notebook(text: str) -> list[str]:
    """Read the words of a notebook's text, as a program that shows Markdown does."""
    page = BeautifulSoup(MARKDOWN.render(text), "html.parser")
    for math in page.select(".math"):
        tex, _, number = math.get_text().partition(r"\tag")
        math.replace_with(formula(number.strip().replace("{", "(").replace("}", ")"), tex))
    return page.get_text().split()


def test_the_text_is_the_page_word_for_word(built, source, notebook):
    html = (built / "html/book" / source.name).with_suffix(".html").read_text(encoding="utf-8")
    assert said_by_notebook(text_of(notebook)) == said_by_page(html)


def test_the_page_gives_it_to_download(built, source, notebook):
    page = (built / "html/book" / source.name).with_suffix(".html").read_text(encoding="utf-8")
    assert f'href="../_sources/book/{source.name}"' in page
    download = built / "html/_sources/book" / source.name
    assert nbformat.read(download, as_version=4) == notebook


def test_no_role_directive_or_target_is_left(notebook):
    assert not MYST.findall(text_of(notebook))


def test_it_is_a_valid_notebook(notebook):
    nbformat.validate(notebook)


def test_every_link_leads_somewhere(built, notebook):
    page = BeautifulSoup(MARKDOWN.render(text_of(notebook)), "html.parser")
    names = {anchor["id"] for anchor in page.select("a[id]")}
    for link in page.select("a[href]"):
        address = link["href"]
        assert (
            address.startswith(("http://", "https://"))
            or (address.startswith("#") and address[1:] in names)
            or (built / "notebooks" / address.partition("#")[0]).is_file()
        ), address


def test_a_name_is_given_once(notebook):
    names = re.findall(r'<a id="([^"]*)">', text_of(notebook))
    assert len(names) == len(set(names))


# --- Code -----------------------------------------------------------------------------------------


def code_of(notebook) -> list:
    """Return the code cells of a notebook but the one that fetches the package."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.id != "install"]


def test_all_code_is_there_in_its_order(source, notebook):
    written = code_of(nbformat.read(source, as_version=4))
    read = [re.sub(r"\A# @title .*\n", "", cell.source) for cell in code_of(notebook)]
    assert read == [cell.source for cell in written]
    assert [cell.id for cell in code_of(notebook)] == [cell.id for cell in written]


def test_text_and_code_stand_in_the_order_of_the_source(source, notebook):
    written = [cell.id for cell in nbformat.read(source, as_version=4).cells]
    about, title, install, *read = [
        cell.id for cell in notebook.cells if not cell.id.endswith("-caption")
    ]
    assert (about, title, install) == ("about", written[0], "install")
    assert read == [name for name in written[1:] if name in set(read)]
    assert [cell.id for cell in notebook.cells if cell.id.endswith("-caption")] == [
        f"{before.id}-caption"
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False)
        if cell.id.endswith("-caption")
    ]


def test_what_the_page_folds_is_folded(notebook):
    for cell in code_of(notebook):
        hidden = any(tag.startswith(("hide-", "remove-")) for tag in cell.metadata.get("tags", []))
        assert (cell.metadata.get("cellView") == "form") == hidden
        assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == hidden


def test_an_output_needs_no_kernel(notebook):
    outputs = chain.from_iterable(cell.outputs for cell in code_of(notebook))
    for data in (output.get("data", {}) for output in outputs):
        assert set(data) <= {"text/plain", "text/html", "image/png"}
        assert "<svg" not in data.get("text/html", "")  # which a notebook shows as its text
    assert "widgets" not in notebook.metadata


# --- A small book ---------------------------------------------------------------------------------

CONF = """
extensions = ["myst_nb", "sphinx_book_theme", "running", "readers"]
myst_enable_extensions = ["dollarmath"]
html_title, root_doc, numfig, math_numfig, numfig_secnum_depth = "A book", "01_one", True, True, 0
html_theme_options = {"repository_url": "https://github.com/ada/book"}
"""
WRITTEN = r"""
(sec-one)=
# One

It costs \$5, `a | b`, `` ` ``, 1 < 2, \*so\*, a_b and _c.

```{margin} A note
Of {glue:text}`n`.
```

## Two

$$ a = b \\

\quad c $$ (eq-one)

3. See {eq}`eq-one`,
4. {numref}`fig-one`, {ref}`sec-one`, [the page](other.md).

| a | b |
|---|---|
| 0.10 | $p(x\|y)$ |

% for authors
"""
READ = r"""<a id="sec-one"></a>

# One

It costs \$5, `a | b`, `` ` ``, 1 \< 2, \*so\*, a_b and \_c.

> **A note**
>
> Of 7.

## Two

<a id="equation-eq-one"></a>

$$
a = b \\
\quad c
\tag{1}
$$

3. See [(1)](#equation-eq-one),
4. [Fig. 1](#fig-one), [One](#sec-one), [the page](https://ada.github.io/book/other.html).

| a | b |
| --- | --- |
| 0.10 | $p(x\|y)$ |"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small book's notebook for readers: prose, a removed cell, a figure, a removed cell."""
    folder = tmp_path_factory.mktemp("small")
    glued = "from cnnlib.page import glue\nglue('n', 7)"
    figure = {"mystnb": {"figure": {"name": "fig-one", "caption": "It is *six*."}}}
    cells = [
        new_markdown_cell(WRITTEN),
        new_code_cell(glued, metadata={"tags": ["remove-cell"]}),
        new_code_cell("6", metadata=figure),
        new_code_cell("8", metadata={"tags": ["remove-cell"]}),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "01_one.ipynb"
    )
    (folder / "other.md").write_text("---\norphan: true\n---\n# Other\n")
    (folder / "conf.py").write_text(CONF)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "notebooks", folder]
    extensions = os.pathsep.join([str(ROOT), str(ROOT / "book/_ext")])
    subprocess.run(
        [*command, folder / "_build/notebooks"],
        check=True,
        env=os.environ | {"PYTHONPATH": extensions},
    )
    return nbformat.read(folder / "_build/notebooks/01_one.ipynb", as_version=4)


@pytest.mark.slow
def test_each_element_is_plain_markdown(small):
    assert small.cells[1].source == READ


@pytest.mark.slow
def test_removed_cells_keep_their_place_and_a_caption_follows_its_cell(small):
    assert small.cells[2].id == "install"
    assert [cell.source.splitlines()[-1] for cell in small.cells[3:]] == [
        "glue('n', 7)",
        "6",
        '<a id="fig-one"></a>**Fig. 1** It is *six*.',
        "8",
    ]


@pytest.mark.slow
def test_the_first_cell_says_where_the_page_is(small):
    assert "[its page](https://ada.github.io/book/01_one.html)" in small.cells[0].source
    assert "**A book**" in small.cells[0].source
    assert re.search(r"took \d+ seconds", small.cells[0].source)


# --- The parts, on small cases --------------------------------------------------------------------


def output(**data):
    kinds = {kind.replace("_", "/", 1): value for kind, value in data.items()}
    return new_output("display_data", data=kinds)


def test_a_cell_keeps_what_it_printed_and_drew():
    printed = [new_output("stream", name="stdout", text=text) for text in ("a", "b\n")]
    picture = imageio.imwrite("<bytes>", np.zeros((10, 300), np.uint8), extension=".png")
    png = b64encode(picture).decode()
    drawn = output(text_html="<svg/>", image_png=png, text_plain="<picture: a cat>")
    cell = code_cell(new_code_cell("draw()", outputs=[*printed, drawn]))
    assert [each.get("text") for each in cell.outputs] == ["ab\n", None]
    assert cell.outputs[1].data == {"image/png": png, "text/plain": "<picture: a cat>"}
    assert cell.outputs[1].metadata == {"image/png": {"width": 150}}


def test_a_widget_gives_way_to_a_line_and_a_glued_number_to_nothing():
    widget = output(text_plain="Explorer()", text_html="<p>an interactive widget</p>")
    widget.data["application/vnd.jupyter.widget-view+json"] = {"model_id": "1"}
    glued = output()
    glued.data["application/papermill.record/text/plain"] = "'0.9'"
    cell = code_cell(new_code_cell("Explorer()", outputs=[glued, widget]))
    assert [each.data for each in cell.outputs] == [{"text/plain": NO_WIDGET}]


def drawing():
    """An output that is a drawing: 60 pixels high, green, and as wide as it may be."""
    svg = '<svg width="100%" height="60"><rect width="100%" height="60" fill="#00ff00"/></svg>'
    return output(text_html=f"<div style='display: grid'>{svg}</div>", text_plain="<a drawing>")


def test_a_drawing_becomes_a_picture(browser):
    drawn = drawing()
    draw(browser, [drawn])
    picture = imageio.imread(b64decode(drawn.data.pop("image/png")))
    assert picture.shape[:2] == (120, 2 * WIDTH)
    assert (picture[..., :3] == (0, 255, 0)).all()
    assert drawn.data == {"text/plain": "<a drawing>"}
    assert drawn.metadata == {"image/png": {"width": WIDTH}}


def test_without_chromium_a_line_stands_for_a_drawing(monkeypatch):
    def chromium():
        raise NoChromium("There is none.")

    monkeypatch.setattr("readers.drawings.chromium", chromium)
    drawn, table = drawing(), output(text_html="<table></table>")
    draw_all([drawn, table, new_output("stream", text="printed")])
    assert drawn.data == {"text/plain": NOT_DRAWN}
    assert table.data == {"text/html": "<table></table>"}


@pytest.mark.parametrize(
    ("tag", "code", "result"),
    [
        ("hide-input", True, False),
        ("remove-input", True, False),
        ("hide-output", False, True),
        ("hide-cell", True, True),
        ("remove-cell", True, True),
        ("nbval-ignore-output", False, False),
    ],
)
def test_folding_follows_the_tag(tag, code, result):
    metadata = code_cell(new_code_cell("", metadata={"tags": [tag]})).metadata
    assert metadata.get("jupyter", {}) == (
        ({"source_hidden": True} if code else {}) | ({"outputs_hidden": True} if result else {})
    )


def test_a_folded_cell_has_the_title_that_the_page_gives_it():
    metadata = {"tags": ["hide-cell"], "mystnb": {"code_prompt_show": "Show a solution"}}
    cell = code_cell(new_code_cell("x = 1", metadata=metadata))
    assert cell.source == "# @title Show a solution\nx = 1"
    assert "mystnb" not in cell.metadata
    assert code_cell(new_code_cell("x = 1", metadata={"tags": ["hide-cell"]})).source == "x = 1"


def test_cells_are_cut_at_their_marks():
    cells = [new_code_cell("a"), new_code_cell("b")]
    text = f"{MARK.format(index=0)}\n\nA caption.\n\n{MARK.format(index=1)}\n"
    read = list(read_cells(text, new_notebook(cells=cells)))
    assert [cell.source for cell in read] == ["a", "A caption.", "b"]
    assert read[1].id == f"{cells[0].id}-caption"


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.4, "12 seconds"), (99, "99 seconds"), (146, "2 minutes")]
)
def test_a_time_in_words(seconds, words):
    assert duration(seconds) == words


def test_a_table_keeps_its_numbers_and_its_bars():
    table = Table()
    table.headers, table.body = [[["a"], ["b"]]], [[["0.10"], ["p(x|y)"]]]
    rows = BeautifulSoup(MARKDOWN.render(table.make()), "html.parser").select("tr")
    assert [row.get_text().split() for row in rows] == [["a", "b"], ["0.10", "p(x|y)"]]


@pytest.mark.parametrize(
    ("base", "chapter", "text"),
    [
        ("", "02_convolution.ipynb", ""),
        ("https://b.org", "https://b.org/book/02_convolution.html", "https://b.org/book/data.html"),
    ],
)
def test_what_a_link_leads_to(base, chapter, text):
    builder = ReaderBuilder.__new__(ReaderBuilder)
    builder.config = SimpleNamespace(html_baseurl=base, html_theme_options={})
    paths = {"book/02_convolution": "02_convolution.ipynb", "book/data": "data.md"}
    builder.env = SimpleNamespace(doc2path=paths.get)
    assert builder.get_relative_uri("book/intro", "book/02_convolution") == chapter
    assert builder.get_relative_uri("book/intro", "book/data") == text
    assert builder.get_relative_uri("book/data", "book/data") == ""


# --- The install cell -----------------------------------------------------------------------------


def run_install_cell(monkeypatch, repository, *, colab: bool, found: bool) -> list:
    """Run the install cell where the package is found, or not; return what it did."""
    did = []
    shell = SimpleNamespace(run_line_magic=lambda *line: did.append(line))
    output = SimpleNamespace(enable_custom_widget_manager=lambda: did.append("widgets"))
    if colab:
        monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: {"cnnlib": found}[name] or None)
    code = TransformerManager().transform_cell(install_cell(repository).source)
    exec(compile(code, "the install cell", "exec"), {"get_ipython": lambda: shell})
    return did


def test_the_install_cell_fetches_on_colab_alone(monkeypatch):
    address = "file:///a/copy"
    assert run_install_cell(monkeypatch, address, colab=False, found=True) == []
    assert run_install_cell(monkeypatch, address, colab=True, found=True) == [
        ("pip", "install -q git+file:///a/copy"),
        "widgets",
    ]
    assert run_install_cell(monkeypatch, None, colab=True, found=True) == ["widgets"]


@pytest.mark.parametrize("colab", [False, True])
@pytest.mark.parametrize(
    ("repository", "told"),
    [
        ("https://github.com/ada/book", "pip could not fetch it from https://github.com/ada/book"),
        (None, "the address of the book was not known"),
    ],
)
def test_the_install_cell_says_what_to_do_where_the_package_is_missing(
    monkeypatch, repository, told, colab
):
    with pytest.raises(ModuleNotFoundError, match="cnnlib, is not here") as error:
        run_install_cell(monkeypatch, repository, colab=colab, found=False)
    assert told in str(error.value)
    assert "make lab" in str(error.value)


def test_the_install_cell_knows_the_address_and_is_folded(built, notebook):
    install = notebook.cells[2]
    assert install.metadata.cellView == "form"
    assert install.metadata.jupyter.source_hidden
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    repository = find_repository(ROOT, config["repository"]["url"])
    assert ("%pip install -q" in install.source) == bool(repository)
    assert repository is None or f"git+{repository}\n" in install.source
