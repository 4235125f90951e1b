"""Still pictures of widgets: what Chromium drew of them while the book was built.

A still stands where no script runs, on paper, and until the widgets of a page come to life. They
are drawn in one go, before the first page is written, and kept beside the doctrees, from where the
pages take them. Without Chromium a box stands there, as high as the table of heights says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from browsing import NoChromium, chromium, served
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from telling import tell

from seeing.pages import EMBEDDED, as_webp
from seeing.widgets import PAGE_HOST, WIDGET_VIEW, page_state, widget_views, within_script

logger = logging.getLogger(__name__)

STILL = Path(__file__).with_name("still.js")
HEIGHTS = Path(__file__).with_name("heights.json")

#: Nothing but views and their state, which the page host brings to life.
PAGE = """<!DOCTYPE html>
<html lang="{language}" data-theme="light"><meta charset="utf-8"><title>Widgets</title>
<body>{views}<script type="application/vnd.jupyter.widget-state+json">{state}</script></body>"""
VIEW = (
    f'<div><script type="{WIDGET_VIEW}">{{view}}</script><div data-widget-fallback></div></div>\n'
)
#: Photographs are decoded beside everything else: count those that are not yet.
COUNT_DECODING = """() => {
  globalThis.decoding = 0;
  const decode = createImageBitmap;
  globalThis.createImageBitmap = (...values) => {
    decoding += 1;
    return decode(...values).finally(() => setTimeout(() => { decoding -= 1; }));
  };
}"""
#: Every view is drawn, or says why it is not, and every photograph is decoded.
DRAWN = """() => decoding === 0 && [...document.querySelectorAll("[data-widget-fallback]")]
  .every((each) => each.hidden || each.parentElement.querySelector(".lw-alert"))"""
TWO_FRAMES = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"

#: How high what stands for each view is.
MEASURE = """() => [...document.querySelectorAll("[data-widget-fallback]")]
  .map((each) => Math.round(each.getBoundingClientRect().height))"""

#: What stands beside a still where scripts are off.
NOTE = (
    '<noscript><p class="widget-note">A picture of an interactive widget: where scripts run, '
    "one can change it.</p></noscript>"
)
BOX = (
    '<div class="widget-box"{style}><p>An interactive widget belongs here. The browser draws it by '
    "a script: where scripts are off, there is nothing to see.</p></div>"
)


@dataclass(frozen=True)
class Views:
    """The widgets that a page shows: the model ids in order, and the state of all models."""

    ids: list[str]
    state: dict
    language: str

    @property
    def key(self) -> str:
        """A name that changes with all that a still depends on, and not with the models' ids."""
        text = json.dumps([self.ids, self.state, self.language])
        for number, model in enumerate(self.state):
            text = text.replace(model, f"model {number}")
        parts = [text.encode(), *(path.read_bytes() for path in (PAGE_HOST, STILL, Path(__file__)))]
        return hashlib.sha256(b"\n".join(parts)).hexdigest()[:16]

    def page(self) -> str:
        """Return a page of these views alone."""
        views = "".join(VIEW.format(view=json.dumps({"model_id": each})) for each in self.ids)
        state = within_script({"state": self.state})
        return PAGE.format(language=self.language, views=views, state=state)


def views_of(env, docname: str, doctree: nodes.document) -> Views:
    """Return the widgets that a document shows."""
    return Views([*widget_views(doctree)], page_state(env, docname), env.config.language)


# --- Drawing ----------------------------------------------------------------------------------


def draw(browser, views: Views) -> list[dict[str, str]]:
    """Draw views in a page of their own.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    views : Views

    Returns
    -------
    list of dict
        Of each view its still as ``html``, and why it ``failed``, if it did.
    """
    page = browser.new_page(reduced_motion="reduce")
    page.set_content(views.page())
    page.evaluate(COUNT_DECODING)
    page.add_script_tag(content=PAGE_HOST.read_text(encoding="utf-8"))
    page.wait_for_function(DRAWN)
    page.evaluate(TWO_FRAMES)
    drawn = page.evaluate(STILL.read_text(encoding="utf-8"))
    page.close()
    return [each | {"html": EMBEDDED.sub(as_webp, each["html"])} for each in drawn]


def folder_of(env) -> Path:
    """Return the folder in which the stills are kept."""
    return Path(env.doctreedir) / "stills"


def draw_stills(app, env) -> None:
    """Draw the stills of all pages that lack theirs; warn, and so fail, where a widget cannot live.

    Says so, in one line, where there is no Chromium.
    """
    folder = folder_of(env)
    pages = {name: views_of(env, name, env.get_doctree(name)) for name in sorted(env.found_docs)}
    wanted = {
        name: views
        for name, views in pages.items()
        if views.ids and not (folder / f"{views.key}.json").exists()
    }
    if not wanted or app.builder.format != "html":
        return
    try:
        with chromium() as browser:
            for name, views in wanted.items():
                keep(folder, name, views, draw(browser, views))
    except NoChromium as reason:
        app.connect("build-finished", partial(say_boxes, reason=reason))
    else:
        # Behind the style sheet, without which all is of another height.
        app.connect("build-finished", partial(refresh_heights, names=[*wanted]), priority=950)


def say_boxes(app, exception, reason: NoChromium) -> None:
    """Say in one line that no still was drawn, and why. A notice, not a warning."""
    first, *_ = str(reason).splitlines()
    tell(f"NOTICE: {first} Where scripts are off, a box stands for each widget.")


def keep(folder: Path, name: str, views: Views, drawn: list[dict[str, str]]) -> None:
    """Keep a page's stills, if all of its views could be drawn."""
    failed = [each["failed"] for each in drawn if each["failed"]]
    for reason in failed:
        logger.warning("a widget cannot be drawn: %s", reason, location=name)
    if not failed:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([each["html"] for each in drawn])
        (folder / f"{views.key}.json").write_text(text, encoding="utf-8")


# --- On the page ------------------------------------------------------------------------------


class Still(nodes.General, nodes.Element):
    """What stands for a widget. The search index takes no word of it, as it would of raw HTML."""


def visit_still(writer, node: Still) -> None:
    """Write a still as it is."""
    writer.body.append(node["html"])
    raise nodes.SkipNode


class KeepStill(SphinxPostTransform):
    """Keep a widget's still picture beside it, for readers without scripts.

    The page host hides what is marked ``data-widget-fallback`` once it has drawn the widget.
    """

    default_priority = 3  # MyST-NB chooses at 4
    formats = ("html",)

    def run(self, **kwargs) -> None:
        """Put each view and its still into one element."""
        stills = fallbacks(self.env, self.env.docname, self.document)
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            live = next((form for form in bundle if form["mime_type"] == WIDGET_VIEW), None)
            if live is not None:
                still = f"<div data-widget-fallback>{next(stills)}</div></div>"
                live.insert(0, nodes.raw("", '<div class="widget">', format="html"))
                live += Still(html=still)


def fallbacks(env, docname: str, doctree: nodes.document) -> Iterator[str]:
    """Yield what stands for each view of a document: its still, or a box of its height."""
    views = views_of(env, docname, doctree)
    path = folder_of(env) / f"{views.key}.json"
    if path.exists():
        yield from (still + NOTE for still in json.loads(path.read_text(encoding="utf-8")))
    else:
        table = json.loads(HEIGHTS.read_text(encoding="utf-8"))
        known = table["pages"].get(docname, [])
        for i, _ in enumerate(views.ids):
            yield box(table["widths"], known[i] if i < len(known) else [])


def box(widths: list[int], heights: list[int]) -> str:
    """Return the box that stands for a still which nobody could draw.

    Parameters
    ----------
    widths, heights : list of int
        From which width of the window on the still is how high, in pixels. Without heights the
        box is as high as its words.
    """
    rules = [f"--at-{width}:{high}px" for width, high in zip(widths, heights, strict=False)]
    return BOX.format(style=f' style="{";".join(rules)}"' if rules else "")


# --- The table of heights ---------------------------------------------------------------------


def refresh_heights(app, exception, names: list[str]) -> None:
    """Write how high the stills on some pages are, if that has changed by more than a pixel."""
    if exception:
        return
    table = json.loads(HEIGHTS.read_text(encoding="utf-8"))
    with chromium() as browser, served(app.outdir) as address:
        now = {name: heights(browser, f"{address}/{name}.html", table["widths"]) for name in names}
    old = {name: each for name, each in table["pages"].items() if name in app.env.found_docs}
    if any(differs(old.get(name, []), each) for name, each in now.items()):
        table["pages"] = dict(sorted((old | now).items()))
        HEIGHTS.write_text(text_of(table), encoding="utf-8")


def heights(browser, address: str, widths: list[int]) -> list[list[int]]:
    """Measure how high the stills of a built page are, each at all of the widths."""
    page = browser.new_page()
    page.route("**/*.js*", lambda route: route.abort())
    page.goto(address)
    columns = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        columns.append(page.evaluate(MEASURE))
    page.close()
    return [list(heights) for heights in zip(*columns, strict=True)]


def differs(old: list[list[int]], new: list[list[int]]) -> bool:
    """Tell whether heights differ by more than a pixel."""
    if [len(each) for each in old] != [len(each) for each in new]:
        return True
    pairs = (pair for both in zip(old, new, strict=True) for pair in zip(*both, strict=True))
    return any(abs(before - now) > 1 for before, now in pairs)


def text_of(table: dict) -> str:
    """Write the table with one line a still, as a reader of changes wants it."""
    pages = []
    for name, stills in table["pages"].items():
        lines = ",\n".join(f"      {json.dumps(each)}" for each in stills)
        pages.append(f"    {json.dumps(name)}: [\n{lines}\n    ]")
    body = ",\n".join(pages)
    return f'{{\n  "widths": {json.dumps(table["widths"])},\n  "pages": {{\n{body}\n  }}\n}}\n'
