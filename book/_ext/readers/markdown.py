"""A resolved document in plain Markdown, with a mark where each cell of its notebook begins."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx_markdown_builder.contexts import (
    IndentContext,
    SubContextParams,
    TableContext,
    TitleContext,
    WrappedContext,
)
from sphinx_markdown_builder.translator import MarkdownTranslator, pushing_context

#: Where a cell of the notebook begins, with its index. No text holds such letters.
MARK = "\ue000{index}\ue001"
#: MyST-NB numbers lines by their cell: line 3 of cell 5 is 60,003.
LINES = 10_000


class Table(TableContext):
    """A table whose cells stay as they are: the base would read "0.10" as a number, 0.1."""

    def make(self) -> str:
        """Return the table in Markdown."""
        head, *rows = (
            [cell.replace("|", r"\|") for cell in self.make_row(row)]
            for row in [*self.headers, *self.body]
        )
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class CellTranslator(MarkdownTranslator):
    """Writes Markdown that Colab, JupyterLab, VS Code and GitHub show alike.

    The library writes the common elements; here stand the book's own, and what a notebook shows
    otherwise than a page of text.
    """

    def begin(self, cells: list) -> None:
        """Begin a notebook, of which the document shows all but the removed cells."""
        self.last = len(cells) - 1
        self.reached = -1
        references = self.document.findall(nodes.reference)
        self.cited = {node["refid"] for node in references if "refid" in node}

    # --- Cells ----------------------------------------------------------------------------------

    def dispatch_visit(self, node):
        """Visit a node; mark the cells that begin with it or stand before it."""
        line = getattr(node, "line", None) or 0
        if isinstance(node.parent, nodes.section) and not isinstance(node, nodes.section):
            self.reach(line // LINES - 1)
        return super().dispatch_visit(node)

    def reach(self, index: int) -> None:
        """Mark all cells up to one of them, the removed ones among them."""
        for reached in range(self.reached + 1, index + 1):
            self.add(MARK.format(index=reached), prefix_eol=2, suffix_eol=2)
            self.reached = reached

    def depart_document(self, _node):
        """Mark the removed cells at the end."""
        self.reach(self.last)

    def visit_container(self, node):
        """Leave a code cell to its notebook, its caption apart."""
        if node.get("nb_element") == "cell_code":
            for figure in node.findall(nodes.figure):
                self.write_caption(figure)
            raise nodes.SkipNode

    def write_caption(self, figure: nodes.figure) -> None:
        """Write a figure's number and caption; after a code cell, text gets a cell of its own."""
        self.name(figure)
        for caption in figure.findall(nodes.caption):
            self.add(f"**{self.config.numfig_format['figure']}** " % self.number("figure", figure))
            for child in caption.children:
                child.walkabout(self)
        self.ensure_eol(2)

    # --- Numbers and names ----------------------------------------------------------------------

    def number(self, kind: str, node: nodes.Element) -> str:
        """Return the number of a figure or an equation: "2.1"."""
        numbers = self.builder.env.toc_fignumbers[self.builder.current_doc_name][kind]
        return ".".join(str(part) for part in numbers[node["ids"][0]])

    def name(self, node: nodes.Element) -> None:
        """Give a node the names by which the notebook refers to it."""
        for name in self.cited.intersection(node["ids"]):
            self.add(f'<a id="{name}"></a>')

    def visit_target(self, _node):
        """Write no target: what has a name carries it."""
        raise nodes.SkipNode

    def visit_title(self, node):
        """Write the heading of a section with its number, and that of a box in bold."""
        if not isinstance(node.parent, nodes.section):
            self._push_context(WrappedContext("**", params=SubContextParams(2, 2)))
            return
        self.name(node.parent)
        self._push_context(TitleContext(self.status.section_level))
        numbers = self.builder.env.toc_secnumbers.get(self.builder.current_doc_name, {})
        whole = isinstance(node.parent.parent, nodes.document)
        number = numbers.get("" if whole else f"#{node.parent['ids'][0]}")
        if number:
            self.add(".".join(str(part) for part in number) + ". ")

    depart_title = MarkdownTranslator._pop_context

    # --- Boxes ----------------------------------------------------------------------------------

    @pushing_context
    def visit_admonition(self, _node):
        """Write a box as a block quote."""
        self._push_context(IndentContext("> ", empty=True, params=SubContextParams(2, 2)))

    visit_sidebar = visit_admonition  # a margin note

    # --- Text -----------------------------------------------------------------------------------

    def visit_Text(self, node):  # noqa: N802, docutils' name
        """Write text in one line, and what would be a formula or an element as it is."""
        text = node.astext()
        if self.status.preserve_line_breaks:
            self.add(text)
            return
        text = text.replace("\n", " ")
        if self.status.escape_text:
            text = re.sub(r"([\\*`$<]|(?<!\w)_|_(?!\w))", r"\\\1", text)
        self.add(text)

    def visit_literal(self, node):
        """Write code between backticks, two where it holds one."""
        text = node.astext().replace("\n", " ")
        self.add(f"`` {text} ``" if "`" in text else f"`{text}`")
        raise nodes.SkipNode

    def visit_math(self, node):
        """Write a formula as it stands."""
        self.add(f"${' '.join(node.astext().split())}$")
        raise nodes.SkipNode

    def visit_math_block(self, node):
        """Write a formula on lines of its own, with its number."""
        self.ensure_eol(2)
        self.name(node)
        lines = [line.strip() for line in node.astext().splitlines() if line.strip()]
        if node.get("label"):
            lines.append(rf"\tag{{{self.number('displaymath', node)}}}")
        self.add("\n".join(["$$", *lines, "$$"]), prefix_eol=2, suffix_eol=2)
        raise nodes.SkipNode

    def visit_reference(self, node):
        """Write a link, or where the page that it leads to has no address, its text."""
        address = self._fetch_ref_uri(node)
        nowhere = not address or (address.startswith("#") and "refid" not in node)
        link = ("", "") if nowhere else ("[", f"]({address})")
        self._push_context(WrappedContext(*link))

    depart_reference = MarkdownTranslator._pop_context

    def visit_enumerated_list(self, node):
        """Begin to count where the list does."""
        self._start_list(node.get("start", 1) - 1)

    @pushing_context
    def visit_table(self, _node):
        """Begin a table."""
        self._push_context(Table(params=SubContextParams(2, 2)))

    def visit_comment(self, _node):
        """Leave out what is for authors."""
        raise nodes.SkipNode
