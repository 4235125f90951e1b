"""Percentages: a number and its sign stay on one line."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class JoinPercent(SphinxPostTransform):
    """Print every share of a sentence as "74.1 %", with a space at which no line breaks.

    A notebook cannot: what it glues is printed escaped, and its outputs are compared as text.
    """

    default_priority = 900  # after the glued numbers have come

    def run(self, **kwargs) -> None:
        """Join each number and its sign, code and formulas apart."""
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, (nodes.literal, nodes.math, nodes.FixedTextElement)):
                joined = join_percent(text)
                if joined != text:
                    text.parent.replace(text, nodes.Text(joined))


def join_percent(text: str) -> str:
    """Return `text` with one no-break space between each number and its percent sign."""
    return re.sub(r"(?<=\d) ?%", "\u00a0%", text)
