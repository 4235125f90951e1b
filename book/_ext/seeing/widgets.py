"""Widgets on a page: which it shows, that each can live, and what they share, in files."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

PAGE_HOST = Path(__file__).parents[2] / "_static" / "static-widgets.js"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Models that a page host may ignore: they carry spacing and colours, not behaviour.
COSMETIC = re.compile(r"(Layout|Style)Model$")


def host_style() -> str:
    """Return the page host's own style sheet, which stills need before it arrives."""
    return re.search(r"const STYLE = `(.*?)`", PAGE_HOST.read_text(encoding="utf-8"), re.DOTALL)[1]


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


# --- What widgets share between pages ---------------------------------------------------------

#: A picture in a data URL, if it is not tiny.
PICTURE = re.compile(r"data:image/(png|webp);base64,([A-Za-z0-9+/=]{2000,})")


def keep_file(folder: Path, name: str, ending: str, content: bytes) -> str:
    """Write a file whose name changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{digest}.{ending}"
    path.write_bytes(content)
    return path.name


#: What a file holds, it hands to the page host by the element that loads it. A script does so on a
#: page that is read from disk, too, where browsers refuse modules and requests for data.
HELD = "document.currentScript.held = {};\n"
#: An ES module as a function, which the host calls once for the module.
FUNCTION = '(async () => {{\n"use strict";\n{}\nreturn {{ default: entry }};\n}})'
EXPORT = re.compile(r"^export (?=(?:async|class|const|function|let)\b)", re.MULTILINE)
EXPORT_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
MODULE_ALONE = re.compile(r"^(?:import|export)\b", re.MULTILINE)


def module_script(module: str) -> str | None:
    """Return a script that holds a widget's ES module as a function.

    Parameters
    ----------
    module : str
        The module's text, as `cnnlib.widgets.common.base.module` joins it.

    Returns
    -------
    str or None
        None where the module imports another, or exports otherwise than by declarations and one
        default: no function can do so.
    """
    text, entries = EXPORT_DEFAULT.subn("const entry = ", EXPORT.sub("", module))
    if entries != 1 or MODULE_ALONE.search(text):
        return None
    return HELD.format(FUNCTION.format(text.strip()))


def keeper(app, context: dict, name: str) -> Callable[[str, str, bytes], str]:
    """Return what keeps files in a folder of the book, and gives their addresses on a page."""
    folder = Path(app.outdir) / "_static" / name

    def keep(*file) -> str:
        return context["pathto"](f"_static/{name}/{keep_file(folder, *file)}", 1)

    return keep


def lighten(state: dict, keep: Callable[[str, str, bytes], str]) -> tuple[set[str], set[str]]:
    """Move what is large and the same on many pages out of a page's widget state, into files.

    Each instance of a widget repeats its whole module and style sheet, and often a photograph.

    Parameters
    ----------
    state : dict
        The page's widget state, by model id. Each module and each picture gives way to the address
        of a script that holds it, and each style sheet to nothing: it belongs in the page's head.
    keep : callable
        ``keep(name, ending, content)`` writes a file and returns its address.

    Returns
    -------
    (set of str, set of str)
        The addresses of the scripts and of the style sheets.
    """
    scripts, styles = set(), set()
    for model in state.values():
        traits = model["state"]
        kind = traits.get("_anywidget_id", "").rpartition(".")[2].lower() or "widget"
        if traits.get("_css"):
            styles.add(keep(kind, "css", traits.pop("_css").encode()))
        held = {
            trait: ("picture", HELD.format(json.dumps(value)))
            for trait, value in traits.items()
            if isinstance(value, str) and PICTURE.fullmatch(value)
        }
        if script := module_script(traits.get("_esm", "")):
            held["_esm"] = (kind, script)
        for trait, (name, script) in held.items():
            traits[trait] = keep(name, "js", script.encode())
            scripts.add(traits[trait])
    return scripts, styles


def picture_file(url: str, keep: Callable[[str, str, bytes], str]) -> str:
    """Keep a picture that a data URL holds as a file; return its address."""
    kind, content = PICTURE.fullmatch(url).groups()
    return keep("picture", kind, b64decode(content))


def within_script(state: dict) -> str:
    """Return a state as JSON that nothing in it can end, or turn into a comment, before its end."""
    return json.dumps(state).replace("<", r"\u003c")


def share_widgets(app, pagename, templatename, context, doctree) -> None:
    """Lighten a page by what its widgets share with others: modules, style sheets, pictures."""
    scripts = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("js_files", {})
    if "ipywidgets_state" not in scripts:
        return
    path, attributes = scripts["ipywidgets_state"]
    saved = json.loads(attributes["body"])
    files, styles = lighten(saved["state"], keeper(app, context, "widgets"))
    body = within_script(saved)
    scripts["ipywidgets_state"] = (path, attributes | {"body": body})
    for style in sorted(styles):  # after the theme's and the book's own
        app.add_css_file(f"widgets/{PurePosixPath(style).name}", priority=900)
    preloads = (f'<link rel="preload" as="script" href="{file}" />' for file in sorted(files))
    context["metatags"] = context.get("metatags", "") + "\n".join(preloads)
