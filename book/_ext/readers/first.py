"""The first cell: what the notebook is, where its page is, how long it takes."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

FIRST = """\
*This notebook is {which} of **{book}**{page}. The numbers in its text come from the run that made \
the page. Below each cell stands what it gave there, until you run it yourself. All cells together \
took {time}.*"""
PAGE = " ([its page]({address}) needs no installation)"
#: Where a notebook asks for the profile.
PROFILE = """

*To keep it short, the cells that train do so on a small budget. For the whole one, add a code \
cell above all others with the line* `%env CNNLIB_PROFILE=full`*.*"""


def first_cell(builder, docname: str, notebook: NotebookNode) -> NotebookNode:
    """Return the first cell of a notebook for readers."""
    number = builder.env.titles[docname].get("secnumber")
    address = builder.get_target_uri(docname)
    text = FIRST.format(
        which=f"chapter {number[0]}" if number else "the first page",
        book=builder.config.html_title,
        page=PAGE.format(address=address) if address.startswith("https:") else "",
        time=duration(builder.env.nb_metadata[docname]["exec_data"]["runtime"]),
    )
    if any("cnnlib.profiles" in cell.source for cell in notebook.cells):
        text += PROFILE
    return new_markdown_cell(text, id="about")


def duration(seconds: float) -> str:
    """Return a time in words: "12 seconds", "3 minutes"."""
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"
