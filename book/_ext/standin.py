"""Where a page's numbers come from: none of the drawn stand-in's stands in its prose.

A notebook glues a number with its source. Where CIFAR-10 was not at hand, a passage that cites such
a number goes, if it stands in a ``with-data`` directive, or fails the build; and the page says at
its head what its pictures were.
"""

from __future__ import annotations

import re

from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from cnnlib.data.drawn import NAME

logger = logging.getLogger(__name__)

CITED = re.compile(r"\{glue:text\}`([^`:]+)")
TITLE = "Built without CIFAR-10"
WORDS = (
    "The data set was not at hand when this page was built. Shapes drawn by program stood in for "
    "its pictures, so that all code ran. Nothing is concluded from them: what the text says of "
    "CIFAR-10 comes from recorded runs."
)


def is_drawn(document: nodes.document, name: str) -> bool:
    """Tell whether a number that a notebook has glued comes from the stand-in."""
    page = document.get("nb_renderer")  # a page of text alone has none, and glues nothing
    glued = page.renderer.nb_client.glue_data if page else {}
    facts = glued.get(name, {}).get("metadata", {}).get("scrapbook", {})
    return facts.get("source") == NAME


class WithData(SphinxDirective):
    """A passage that comes with the data: it goes where a number that it cites is the stand-in's.

    Nothing that it says may rest on pictures whose numbers it does not cite.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the passage, or nothing."""
        cited = CITED.findall("\n".join(self.content))
        if not cited:
            raise self.error("with-data: cite a number that says which pictures it rests on")
        if any(is_drawn(self.state.document, name) for name in cited):
            return []
        return self.parse_content_to_nodes(allow_section_headings=False)


class NumberInProse(PasteTextRole):
    """Cites a number as MyST-NB does, and warns of one that comes from the stand-in."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number."""
        name = self.text.partition(":")[0]
        if is_drawn(self.document, name):
            logger.warning(
                "%r comes from %s: cite a record's number, or put the passage into with-data",
                *(name, NAME),
                location=(self.document.settings.env.docname, None),
                type="standin",
            )
        return super().run()


def say_so(app, doctree: nodes.document) -> None:
    """Begin a page on which the stand-in was at work, and says so, with a word on it."""
    if NAME in " ".join(doctree.astext().split()):
        said = nodes.title(TITLE, TITLE), nodes.paragraph(WORDS, WORDS)
        box = nodes.admonition("", *said, classes=["standin"])
        page = next(doctree.findall(nodes.section), None)
        page.insert(1, box) if page else doctree.insert(0, box)  # behind its title, if it has one


def setup(app):
    """Join the above to Sphinx, after MyST-NB."""
    app.setup_extension("myst_nb")
    app.add_directive("with-data", WithData)
    app.add_role_to_domain("glue", "text", NumberInProse(), override=True)
    app.connect("doctree-read", say_so)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
