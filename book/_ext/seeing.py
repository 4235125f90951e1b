"""What this book adds to Sphinx: chapter numbers, colours, checked widgets, lighter pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from docutils import nodes
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

from cnnlib.palette import css_variables

logger = logging.getLogger(__name__)

PAGE_HOST = Path(__file__).parent.parent / "_static" / "static-widgets.js"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Models that a page host may ignore: they carry spacing and colours, not behaviour.
COSMETIC = re.compile(r"(Layout|Style)Model$")


# --- Chapter numbers ------------------------------------------------------------------------


def number_sections(toc, number: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Write ``number`` on the first entry of a table of contents, ``number.1`` on the next..."""
    numbers = {}
    for offset, entry in enumerate(toc.children):
        own = (*number[:-1], number[-1] + offset)
        paragraph, *subsections = entry.children
        reference = paragraph[0]
        reference["secnumber"] = own
        numbers[reference["anchorname"]] = own
        for section in subsections:
            numbers |= number_sections(section, (*own, 1))
    return numbers


def number_chapters(collector, env) -> list[str]:
    """Number each chapter by its file name: ``02_convolution`` is chapter 2, now and later.

    Sphinx would count the chapters that exist. Replaces its ``assign_section_numbers``.
    """
    before, env.toc_secnumbers = env.toc_secnumbers, {}
    for docname, toc in env.tocs.items():
        match = re.match(r"(\d+)_", PurePosixPath(docname).name)
        if match:
            chapter = (int(match[1]),)
            env.toc_secnumbers[docname] = number_sections(toc, chapter)
            env.titles[docname]["secnumber"] = chapter
    return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]


# --- Citations ------------------------------------------------------------------------------


def round_brackets() -> BracketStyle:
    """Return the brackets of "(He et al., 2016)"."""
    return BracketStyle(left="(", right=")")


@dataclass
class RoundAuthorYear(AuthorYearReferenceStyle):
    """Citations by author and year, in round brackets."""

    bracket_parenthetical: BracketStyle = field(default_factory=round_brackets)
    bracket_textual: BracketStyle = field(default_factory=round_brackets)
    bracket_year: BracketStyle = field(default_factory=round_brackets)


# --- Widgets --------------------------------------------------------------------------------


def known_kinds(source: str) -> set[str]:
    """Read the kinds of widget that the page host knows from its ``const KINDS = [...]``."""
    match = re.search(r"const KINDS = (\[.*?\])", source, re.DOTALL)
    if not match:
        raise ValueError(f"{PAGE_HOST.name} has no line `const KINDS = [...]`.")
    return set(json.loads(re.sub(r",\s*\]", "]", match[1])))


def unknown_kinds(state: dict, kinds: set[str]) -> list[str]:
    """Return the kinds of model in a page's widget state that its host cannot draw."""
    found = {model["model_name"] for model in state.values()}
    return sorted(kind for kind in found - kinds if not COSMETIC.search(kind))


def widget_views(doctree: nodes.document) -> Iterator[str]:
    """Yield the model ids of the widgets that a page shows."""
    pattern = re.compile(re.escape(WIDGET_VIEW) + r'"[^>]*>(.*?)</script>', re.DOTALL)
    for node in doctree.findall(nodes.raw):
        for body in pattern.findall(node.astext()):
            yield json.loads(body)["model_id"]


def page_state(env, docname: str) -> dict:
    """Return the state of the widgets on a page, by model id."""
    scripts = getattr(env, "nb_metadata", {}).get(docname, {}).get("js_files", {})
    _, attributes = scripts.get("ipywidgets_state", (None, {"body": "{}"}))
    return json.loads(attributes["body"]).get("state", {})


def makes_widgets(notebook: Path) -> bool:
    """Tell whether a notebook's code uses the book's widgets."""
    if notebook.suffix != ".ipynb":
        return False
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return any("cnnlib.widgets" in source for source in code)


def check_widgets(app, env) -> None:
    """Warn, and so fail the build, where a page would show a dead widget."""
    kinds = known_kinds(PAGE_HOST.read_text(encoding="utf-8"))
    for docname in sorted(env.found_docs):
        state = page_state(env, docname)
        views = list(widget_views(env.get_doctree(docname)))
        for kind in unknown_kinds(state, kinds):
            logger.warning("%s does not know the widget %s", PAGE_HOST.name, kind, location=docname)
        for view in set(views) - set(state):
            logger.warning("a widget has no state on the page: %s", view, location=docname)
        if makes_widgets(Path(env.doc2path(docname))) and not views:
            logger.warning("the notebook imports cnnlib.widgets and shows none", location=docname)


class KeepStill(SphinxPostTransform):
    """Keep a widget's still picture beside it, for readers without scripts.

    MyST-NB keeps one form of each output, here the live one. The page host hides what is marked
    ``data-widget-fallback`` once it has drawn the widget.
    """

    default_priority = 3  # MyST-NB chooses at 4
    formats = ("html",)

    def run(self, **kwargs) -> None:
        """Move the still form of each output into its live form."""
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {form["mime_type"]: form for form in bundle.children}
            if WIDGET_VIEW in forms and "text/html" in forms:
                still = forms["text/html"].astext()
                live = forms[WIDGET_VIEW]
                live.insert(0, nodes.raw("", '<div class="widget">', format="html"))
                live += nodes.raw(
                    "", f"<div data-widget-fallback>{still}</div></div>", format="html"
                )


# --- Pages ----------------------------------------------------------------------------------

# The theme's icon fonts: family, weight, file.
ICON_FONTS = [
    ("Font Awesome 6 Free", 900, "fa-solid-900"),
    ("Font Awesome 6 Free", 400, "fa-regular-400"),
    ("Font Awesome 6 Brands", 400, "fa-brands-400"),
]


def without_icon_script(head: str) -> str:
    """Drop the theme's icon script, 0.5 MB compressed, from a page's head."""
    lighter, count = re.subn(r"<script[^>]*fontawesome\.js[^>]*></script>", "", head)
    if count != 1:
        raise ValueError("The theme does not load fontawesome.js as it did; see layout.html.")
    return lighter


def used_icons(style: str, sources: list[str]) -> set[int]:
    """Return the code points of the icons that a style sheet and the given pages use."""
    codes = {
        name: int(code, 16)
        for selectors, code in re.findall(r'([^{}]*)\{content:"\\([0-9a-f]+) ?"\}', style)
        for name in re.findall(r"\.(fa-[\w-]+)", selectors)
    }
    named = {name for source in sources for name in re.findall(r"\bfa-[\w-]+", source)}
    private = {ord(letter) for letter in style if "\ue000" <= letter <= "\uf8ff"}
    return private | {codes[name] for name in named & set(codes)}


def icon_faces(static: Path, icons: set[int]) -> str:
    """Cut the theme's icon fonts to ``icons``; return the style sheet that loads what is left."""
    rules = []
    for family, weight, name in ICON_FONTS:
        font = TTFont(static / "vendor/fontawesome/webfonts" / f"{name}.ttf")
        wanted = icons & set(font.getBestCmap())
        if wanted:
            subsetter = Subsetter(Options(hinting=False))
            subsetter.populate(unicodes=wanted)
            subsetter.subset(font)
            font.flavor = "woff"
            font.save(static / f"{name}.woff")
            rules.append(
                f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
                f'font-display: block; src: url({name}.woff) format("woff"); }}\n'
            )
    return "".join(rules)


def write_style(app, exception) -> None:
    """Write what is made rather than kept: the palette as CSS variables, and the icons in use."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = [*out.rglob("*.html"), *out.glob("_static/scripts/*-theme.js")]
    styles = [
        out / "_static/styles" / f"{name}.css"
        for name in ("pydata-sphinx-theme", "sphinx-book-theme")
    ]
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    icons = used_icons(style, [path.read_text(encoding="utf-8") for path in pages])
    sheet = css_variables() + icon_faces(out / "_static", icons)
    (out / "_static" / "made.css").write_text(sheet, encoding="utf-8")


def prepare_page(app, pagename, templatename, context, doctree) -> None:
    """Give the templates what they need, and mend what docutils writes."""
    context["without_icon_script"] = without_icon_script
    # A bibliography's roles: one is deprecated, the other wrong, since the list holds more.
    for role in (' role="doc-biblioentry"', ' role="list" class="citation-list"'):
        context["body"] = context.get("body", "").replace(role, "")


def say_owner(app, exception) -> None:
    """Say so while the repository's address is not settled. A notice, not a warning."""
    if "/OWNER/" in app.config.html_theme_options.get("repository_url", ""):
        logger.info("NOTICE: the repository has no owner yet; see repository.url in _config.yml.")


def setup(app):
    """Join the above to Sphinx."""
    TocTreeCollector.assign_section_numbers = number_chapters
    register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundAuthorYear)
    # Jupyter Book sets this for an extension that the book leaves out.
    app.add_config_value("comments_config", {}, "html")
    app.add_css_file("made.css", priority=400)
    app.add_post_transform(KeepStill)
    app.connect("env-check-consistency", check_widgets)
    app.connect("html-page-context", prepare_page)
    app.connect("build-finished", write_style)
    app.connect("build-finished", say_owner)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
