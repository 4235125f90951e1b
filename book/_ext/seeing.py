"""What this book adds to Sphinx: chapter numbers, colours, checked widgets, lighter pages."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path, PurePosixPath

from docutils import nodes
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from PIL import Image
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

from cnnlib import widgets
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


# A box of controls as the page host lays it out: what stands still there takes the same room.
BOX = '<div style="display:flex;flex-flow:{flow};gap:.5rem 1rem"{more}>{body}</div>'

# A slider of the page host's, which does not move.
SLIDER = (
    '<div style="display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:center">'
    '<label style="display:flex;flex-wrap:wrap;gap:.375rem;align-items:center;min-height:1.5rem">'
    '<span>{description}</span><input type="range" disabled min="{min}" max="{max}" '
    'value="{value}" style="width:12rem;max-width:100%;min-height:1.5rem"></label>'
    "<output>{value}</output></div>"
)


def still_form(reference: str, state: dict) -> str:
    """Return what stands for a saved widget where no script runs.

    A widget of the book draws itself, a control says its name and value, a box holds such.

    Parameters
    ----------
    reference : str
        The widget's model id, or what refers to it.
    state : dict
        The page's widget state, by model id.
    """
    model = state[reference.removeprefix("IPY_MODEL_")]
    traits = model["state"]
    if "children" in traits:
        body = "".join(still_form(child, state) for child in traits["children"])
        flow = "column" if model["model_name"] == "VBoxModel" else "row wrap"
        return BOX.format(flow=flow, more="", body=body)
    if model["model_name"] == "AnyModel":
        return f'<div style="flex:1 1 100%;min-width:0">{drawn_still(traits)}</div>'
    if "max" in traits:
        return SLIDER.format_map({name: escape(str(value)) for name, value in traits.items()})
    choices = traits.get("_options_labels") or [traits.get("value", "")]
    words = [traits.get("description", ""), choices[traits.get("index") or 0]]
    return f"<div>{escape(' '.join(str(word) for word in words if word != ''))}</div>"


def drawn_still(traits: dict) -> str:
    """Return the still form of one of the book's widgets from its saved traits."""
    kind = getattr(widgets, traits.get("_anywidget_id", "").rpartition(".")[2], None)
    if kind is None:
        return ""
    widget = kind()
    widget.set_state({name: traits[name] for name in traits if name[0] != "_" and name != "layout"})
    return widget.still_html()


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
        state = page_state(self.env, self.env.docname)
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {form["mime_type"]: form for form in bundle.children}
            if WIDGET_VIEW in forms:
                live = forms[WIDGET_VIEW]
                still = self.still(forms.get("text/html"), live, state)
                live.insert(0, nodes.raw("", '<div class="widget">', format="html"))
                live += nodes.raw(
                    "", f"<div data-widget-fallback>{still}</div></div>", format="html"
                )

    def still(self, own: nodes.Node | None, live: nodes.Node, state: dict) -> str:
        """Return a widget's own still form, or one made of the parts of a box."""
        if own is not None:
            still = own.astext()
        else:
            still = "".join(still_form(view, state) for view in widget_views(live) if view in state)
        for style in {model["state"].get("_css") for model in state.values()} - {None}:
            still = still.replace(f"<style>{style}</style>", "")  # it stands in the page's head
        return still


# --- Percentages ----------------------------------------------------------------------------


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


# --- What widgets share between pages ---------------------------------------------------------

#: A picture in a data URL, if it is not tiny.
PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]{2000,})")


def keep_file(folder: Path, name: str, ending: str, content: bytes) -> str:
    """Write a file whose name changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{digest}.{ending}"
    path.write_bytes(content)
    return path.name


def lighten(state: dict, keep: Callable[[str, str, bytes], str]) -> tuple[set[str], set[str]]:
    """Move what is large and the same on many pages out of a page's widget state, into files.

    Each instance of a widget repeats its whole module and style sheet, and often a photograph.

    Parameters
    ----------
    state : dict
        The page's widget state, by model id. Each module and each picture gives way to its file's
        address, and each style sheet to nothing: it belongs in the page's head.
    keep : callable
        ``keep(name, ending, content)`` writes a file and returns its address.

    Returns
    -------
    (set of str, set of str)
        The addresses of the modules and of the style sheets.
    """
    modules, styles = set(), set()
    for model in state.values():
        traits = model["state"]
        name = traits.get("_anywidget_id", "").rpartition(".")[2].lower() or "widget"
        if "\n" in traits.get("_esm", ""):
            traits["_esm"] = keep(name, "js", traits["_esm"].encode())
            modules.add(traits["_esm"])
        if traits.get("_css"):
            styles.add(keep(name, "css", traits.pop("_css").encode()))
        for trait, value in traits.items():
            if isinstance(value, str) and PICTURE.fullmatch(value):
                traits[trait] = picture_file(value, keep)
    return modules, styles


def picture_file(url: str, keep: Callable[[str, str, bytes], str]) -> str:
    """Keep a picture that a data URL holds as a file; return its address."""
    return keep("picture", "png", b64decode(url.partition(",")[2]))


def share_widgets(app, pagename, templatename, context, doctree) -> None:
    """Lighten a page by what its widgets share with others: modules, style sheets, pictures."""
    scripts = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("js_files", {})
    if "ipywidgets_state" not in scripts:
        return
    folder = Path(app.outdir) / "_static" / "widgets"

    def keep(*file) -> str:
        return context["pathto"](f"_static/widgets/{keep_file(folder, *file)}", 1)

    path, attributes = scripts["ipywidgets_state"]
    saved = json.loads(attributes["body"])
    modules, styles = lighten(saved["state"], keep)
    body = json.dumps(saved).replace("</script>", r"<\/script>")
    scripts["ipywidgets_state"] = (path, attributes | {"body": body})
    for style in sorted(styles):  # after the theme's and the book's own
        app.add_css_file(f"widgets/{PurePosixPath(style).name}", priority=900)
    preloads = (f'<link rel="modulepreload" href="{module}" />' for module in sorted(modules))
    context["metatags"] = context.get("metatags", "") + "\n".join(preloads)
    stills = context.get("body", "")
    context["body"] = PICTURE.sub(lambda match: picture_file(match[0], keep), stills)


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


#: A picture within a drawing, as matplotlib embeds one.
EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]{700,})")


#: A picture with more pixels a side is a photograph, or one that was filtered.
SMALL = 48


def as_webp(match: re.Match) -> str:
    """Return a picture's data URL as WebP, several times lighter.

    A small picture, whose pixels one can see, stays the same pixel for pixel.
    """
    buffer = BytesIO()
    with Image.open(BytesIO(b64decode(match[1]))) as picture:
        if max(picture.size) <= SMALL:
            picture.save(buffer, "WEBP", lossless=True, method=6, exact=True)
        else:
            picture.save(buffer, "WEBP", quality=90, method=6, use_sharp_yuv=True)
    return "data:image/webp;base64," + b64encode(buffer.getvalue()).decode()


def prepare_page(app, pagename, templatename, context, doctree) -> None:
    """Give the templates what they need, and mend what docutils writes."""
    context["without_icon_script"] = without_icon_script
    # A bibliography's roles: one is deprecated, the other wrong, since the list holds more.
    for role in (' role="doc-biblioentry"', ' role="list" class="citation-list"'):
        context["body"] = context.get("body", "").replace(role, "")
    context["body"] = EMBEDDED.sub(as_webp, context.get("body", ""))


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
    # It brings this one, which does nothing here, and does not say that it stands parallel reading.
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    app.add_css_file("made.css", priority=400)
    app.add_post_transform(KeepStill)
    app.add_post_transform(JoinPercent)
    app.connect("env-check-consistency", check_widgets)
    app.connect("html-page-context", prepare_page)  # after what widgets share has gone into files
    app.connect("html-page-context", share_widgets, priority=400)  # MyST-NB writes the state at 500
    app.connect("build-finished", write_style)
    app.connect("build-finished", say_owner)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
