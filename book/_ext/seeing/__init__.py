"""What this book adds to Sphinx: chapter numbers, stills of its widgets, lighter pages."""

from __future__ import annotations

from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinxcontrib.bibtex.plugin import register_plugin

from seeing.citations import RoundAuthorYear
from seeing.formulas import (
    link_style,
    set_formulas,
    visit_display,
    visit_inline,
    write_formula_style,
)
from seeing.numbering import number_chapters
from seeing.pages import mend_theme, prepare_page
from seeing.percent import JoinPercent
from seeing.sheet import write_sheet
from seeing.stills import KeepStill, Still, draw_stills, visit_still
from seeing.widgets import check_widgets, share_widgets


def setup(app):
    """Join all of it to Sphinx."""
    TocTreeCollector.assign_section_numbers = number_chapters
    register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundAuthorYear)
    # Jupyter Book sets this for an extension that the book leaves out.
    app.add_config_value("comments_config", {}, "html")
    # It brings this one, which does nothing here, and does not say that it stands parallel reading.
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.add_node(Still, html=(visit_still, None))
    app.add_post_transform(KeepStill)
    app.add_post_transform(JoinPercent)
    app.connect("env-check-consistency", check_widgets)
    app.connect("env-check-consistency", draw_stills)
    app.connect("doctree-resolved", set_formulas)
    app.connect("html-page-context", link_style)
    app.connect("html-page-context", prepare_page)  # after what widgets share has gone into files
    app.connect("html-page-context", share_widgets, priority=400)  # MyST-NB writes the state at 500
    app.connect("build-finished", mend_theme)
    app.connect("build-finished", write_sheet, priority=900)  # the theme writes a part of it
    app.connect("build-finished", write_formula_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
