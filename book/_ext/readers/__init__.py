"""Notebooks for readers: what the book says, in Markdown that every notebook program shows.

The book is written in MyST, whose roles and boxes Colab, JupyterLab, VS Code and GitHub cannot
read. This builder writes each notebook again from the documents that Sphinx has resolved: numbers,
citations and references are those of the page. Nothing is run: the outputs are the last build's.
"""

from __future__ import annotations

from readers.builder import ReaderBuilder


def setup(app):
    """Join the builder to Sphinx, and let MyST-NB know it: of an output it takes the text."""
    app.setup_extension("address")
    app.setup_extension("sphinx_markdown_builder")
    app.add_builder(ReaderBuilder)
    app.connect("config-inited", take_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def take_text(app, config) -> None:
    """Choose each output's plain text, which every output of the book has: none is written."""
    config.nb_mime_priority_overrides = [
        *config.nb_mime_priority_overrides,
        (ReaderBuilder.name, "text/plain", 0),
    ]
