"""Pages such as MyST-NB builds them, made from real ipywidgets state, for the browser tests.

And what those tests do on such a page: wait, press, read, look.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from ipywidgets.embed import dependency_state, embed_data
from playwright.sync_api import expect
from seeing.stills import Views, draw
from seeing.widgets import host_style

from cnnlib import widgets
from cnnlib.widgets.common import base

ROOT = Path(__file__).parents[1]
HOST = ROOT / "book" / "_static" / "static-widgets.js"

expect.set_options(timeout=30_000)  # as long as a page's own, see conftest.py

PAGE = """<!DOCTYPE html>
<html lang="{language}" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Widgets</title>
<link rel="icon" href="data:,">
<style>
  body {{ margin: 1rem auto; max-width: 46rem; padding: 0 1rem;
    font: 1rem/1.65 system-ui, sans-serif; }}
  html {{ background: #fff; color: #1f2328; }}
  html[data-theme="dark"] {{ background: #14181e; color: #e6e6e6; color-scheme: dark; }}
</style>
<script defer src="static-widgets.js"></script>
</head>
<body>
<main>
<h1>Widgets</h1>
{body}
</main>
</body>
</html>
"""


def script(kind: str, content) -> str:
    """Return a script element as MyST-NB writes it."""
    text = json.dumps(content).replace("</script>", r"<\/script>")
    return f'<script type="application/vnd.jupyter.widget-{kind}+json">{text}</script>'


def view(widget, fallback: str = "") -> str:
    """Return one shown widget: the view, and what stands there without scripts."""
    kept = f'<div data-widget-fallback="">{fallback}</div>' if fallback else ""
    return f"<div>{kept}{script('view', {'model_id': widget.model_id})}</div>"


def state(*widgets) -> str:
    """Return the saved state of some widgets and of everything that they refer to."""
    data = embed_data(views=widgets, state=dependency_state(widgets, drop_defaults=False))
    return script("state", data["manager_state"])


def layer(name: str, depth: int = 0) -> dict:
    """Return one row of a network's table."""
    numbers = {"output_shape": (1, 4), "parameters": 1, "macs": 1, "memory": 1}
    return {"name": name, "type": "Linear", "depth": depth} | numbers


def one_of_each() -> list:
    """Return a widget of each kind, in the order of their names; two networks to compare."""
    two = {"One": [layer("a"), layer("block"), layer("b", 1)], "Two": [layer("a")]}
    made_of = {"ArchitectureExplorer": [two]}
    return [getattr(widgets, name)(*made_of.get(name, [])) for name in widgets.__all__]


def words_of(name: str) -> dict:
    """Return a widget's English words: those that widgets share, and its own."""
    files = (base.FOLDER / folder / "words.json" for folder in ("common", name))
    tables = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return tables[0]["en"] | tables[1]["en"]


def stills(browser, *widgets) -> str:
    """Return what stands for widgets on a page of the book where no script runs."""
    saved = embed_data(views=widgets, state=dependency_state(widgets, drop_defaults=False))
    views = Views([each.model_id for each in widgets], saved["manager_state"]["state"], "en")
    drawn = draw(browser, views)
    assert [each["failed"] for each in drawn] == [""] * len(widgets)
    sheets = {each._css for each in widgets if getattr(each, "_css", "")} | {host_style()}
    styles = "".join(f"<style>{sheet}</style>" for sheet in sorted(sheets))
    return styles + "".join(f"<div data-widget-fallback>{each['html']}</div>" for each in drawn)


def joined(*widgets, by=()) -> str:
    """Return widgets, each in its view without a still form, and the links that join them."""
    return "".join(map(view, widgets)) + state(*widgets, *by)


def write(folder, body: str, *, theme: str = "light", language: str = "en") -> Path:
    """Write ``index.html`` and the page host into a folder; return the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HOST, folder)
    page = PAGE.format(body=body, theme=theme, language=language)
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder


# --- Waiting ----------------------------------------------------------------------------------

#: Every view is drawn, or says why it is not.
ALIVE = """() => {
  const views = document.querySelectorAll('script[type$="widget-view+json"]');
  const living = [...document.querySelectorAll(".live-widget")];
  return living.length === views.length && living.every((each) => each.childElementCount > 0);
}"""


def settle(page) -> None:
    """Wait until what was asked for is drawn: some widgets draw in the frame that comes next."""
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def wait_until_alive(page) -> None:
    """Wait until every widget of the page is drawn."""
    page.wait_for_function(ALIVE)
    settle(page)


# --- Doing ------------------------------------------------------------------------------------


def press(page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def play(page, milliseconds: int | None = None) -> None:
    """Press "Play", and then "Pause", or wait for the end.

    The page itself presses and looks: from one order to the next, a busy machine may take so long
    that all has been played.
    """
    offered = page.get_by_role("button", name="Play", exact=True).evaluate(
        """async (button, milliseconds) => {
          button.click();
          await new Promise((go) => setTimeout(go, milliseconds ?? 0));
          const { textContent } = button;
          if (milliseconds !== null) button.click();
          return textContent;
        }""",
        milliseconds,
    )
    assert offered.strip() == "Pause"
    page.get_by_role("button", name="Play", exact=True).wait_for()


def open_link(page, fragment: str) -> None:
    """Follow a link to another state of the open page."""
    page.evaluate(
        """(fragment) => new Promise((go) => {
          addEventListener("hashchange", go, { once: true }); // after the widgets' own
          location.hash = fragment;
        })""",
        fragment,
    )
    settle(page)


def ask(page, function: str, questions):
    """Call a function of a page with many values, and return what it returns.

    As one text each way: a browser's driver carries every value by itself, which for thousands of
    grids takes longer than to compute them.
    """
    script = f"(text) => JSON.stringify(({function})(JSON.parse(text)))"
    return json.loads(page.evaluate(script, json.dumps(questions)))


# --- Reading ----------------------------------------------------------------------------------


def cells(panel) -> list[list[str]]:
    """Return the texts of a grid's cells, and of the fields in them."""
    return panel.evaluate(
        """(panel) => [...panel.querySelectorAll("tbody tr")].map((row) =>
          [...row.querySelectorAll("td")].map((cell) =>
            cell.querySelector("input")?.value ?? cell.textContent))"""
    )


def flat(texts: list[list[str]]) -> list[str]:
    """Return the texts of a grid in one row."""
    return [text for row in texts for text in row]


def numbers(texts) -> np.ndarray:
    """Return the numbers of a grid."""
    return np.array([[float(text.replace("−", "-")) for text in row] for row in texts])


def shades(panel) -> list:
    """Return the background of each cell as numbers: red, green, blue and, if not 1, alpha."""
    colors = panel.locator("tbody td").evaluate_all(
        "(all) => all.map((e) => getComputedStyle(e).backgroundColor)"
    )
    return [[*map(float, re.findall(r"[\d.]+", color)), 1.0][:4] for color in colors]


#: What a widget shows apart from one of its controls, which a browser moves by itself, with its
#: label and its number; and apart from what is read out later.
REST = """(widget, control) => {
  const own = control.closest(".cnn-slider, .cnn-choice, fieldset") ?? control;
  const others = [...widget.querySelectorAll("input, select")].filter((e) => !own.contains(e));
  const live = widget.querySelector(".cnn-hidden[aria-live]").outerHTML;
  const shown = widget.outerHTML.replace(own.outerHTML, "").replace(live, "");
  return shown + others.map((e) => e.value + e.checked).join();
}"""


# --- Looking ----------------------------------------------------------------------------------

BELOW = "<p id='below'>Below</p>"
TOO_SMALL = """() => [...document.querySelectorAll(".live-widget *")]
  .filter((e) => parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.outerHTML)"""
TOO_WIDE = """([apart, width]) => [...document.querySelectorAll(".live-widget *")].filter((e) =>
  !e.closest(apart) && e.getBoundingClientRect().right > width).map((e) => e.outerHTML)"""
#: A script's ``numbers(color)``: the red, green and blue of a colour in any form, and its alpha.
NUMBERS = """
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const numbers = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
"""
#: The contrast of each cell, by WCAG, with its HTML; a colour may have any form.
CONTRASTS = (
    """() => {"""
    + NUMBERS
    + """
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const page = numbers(getComputedStyle(document.documentElement).backgroundColor);
  return [...document.querySelectorAll(".live-widget tbody td")].map((cell) => {
    const style = getComputedStyle(cell);
    const [r, g, b, alpha] = numbers(style.backgroundColor);
    const back = [r, g, b].map((v, i) => alpha * v + (1 - alpha) * page[i]);
    const [high, low] = [light(numbers(style.color)), light(back)].sort((a, b) => b - a);
    return [(high + 0.05) / (low + 0.05), cell.outerHTML];
  });
}"""
)


def below(page) -> float:
    """Return how far down what stands below the widget begins, from the top of the page."""
    settle(page)
    return page.evaluate("document.getElementById('below').getBoundingClientRect().top + scrollY")


def unreadable(page, width: int, apart: str = ".cnn-frame, .cnn-hidden") -> list[str]:
    """Return what has too small letters or lies beyond the page's width, with some parts apart."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    found = [f"the page is {wide} px wide"] * (wide != width)
    return found + page.evaluate(TOO_SMALL) + page.evaluate(TOO_WIDE, [apart, width])


def least_contrast(page) -> tuple[float, str]:
    """Return the least contrast of a cell's digits that the browser paints, and the cell."""
    return min(map(tuple, page.evaluate(CONTRASTS)))


def check_alike(still, living) -> None:
    """Compare a grid of the still form with the living one: its place, texts and shades."""
    assert still.bounding_box() == pytest.approx(living.bounding_box(), abs=1), living
    assert [text.strip() for text in flat(cells(still))] == flat(cells(living)), living
    np.testing.assert_allclose(shades(still), shades(living), atol=1.01, err_msg=str(living))


#: The rules of axe that ask for colours.
COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page, **options) -> list[str]:
    """Return what breaks an accessibility rule: the rule's name, and each element by its HTML.

    A dark page is asked for its colours alone: in all else it is the light one.
    """
    settle(page)
    if page.locator("html").get_attribute("data-theme") == "dark":
        options["runOnly"] = COLOURS
    # Of what is in order axe need not describe every element, which takes as long as to look.
    result = Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    assert result["passes"]
    return [
        f"{found['id']}: {node['html'][:120]}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


#: Count what drawing takes: frames asked for, pictures painted, elements made.
COUNT = """() => {
  globalThis.work = { frames: 0, pictures: 0, elements: 0 };
  globalThis.nextFrame = requestAnimationFrame.bind(globalThis);
  globalThis.requestAnimationFrame = (draw) => {
    work.frames += 1;
    return nextFrame(draw);
  };
  const { putImageData } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.putImageData = function (...values) {
    work.pictures += 1;
    putImageData.apply(this, values);
  };
  new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]);
    work.elements += added.filter((node) => node.nodeType === Node.ELEMENT_NODE).length;
  }).observe(document.body, { childList: true, subtree: true });
}"""
#: Ask for something new five times a frame: by a slider, or by a mouse.
FRAMES = 20
DRAG = """async (element, [frames, values]) => {
  const { left, top, width, height } = element.getBoundingClientRect();
  const act = (i) => {
    const [clientX, clientY] = [left + (width * (i + 2)) / 110, top + (height * (i + 1)) / 110];
    const mouse = { bubbles: true, pointerType: "mouse", clientX, clientY };
    if (!values) return element.dispatchEvent(new PointerEvent("pointermove", mouse));
    element.value = values[i % values.length];
    return element.dispatchEvent(new Event("input", { bubbles: true }));
  };
  for (let i = 0; i < 5 * frames; i += 1) {
    if (i % 5 === 0) await new Promise((go) => nextFrame(go));
    act(i);
  }
  await new Promise((go) => nextFrame(() => nextFrame(go)));
}"""


def work_of_a_drag(page, control, values=None) -> dict[str, int]:
    """Count the work for a slider that goes through values, or for a mouse that goes over an area.

    How long it takes depends on the machine and its other work, and is for the benchmarks to say.
    What is counted here does not: five changes a frame, for 20 frames, and what they lead to, in
    frames asked for, pictures painted, elements made, and layouts of the page by the browser.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def layouts() -> int:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(int(each["value"]) for each in metrics if each["name"] == "LayoutCount")

    page.evaluate(COUNT)
    before = layouts()
    control.evaluate(DRAG, [FRAMES, values])
    return page.evaluate("work") | {"layouts": layouts() - before}


def check_work(work: dict[str, int], pictures: int, layouts: int = 1) -> None:
    """Compare what was counted with a drawing, some pictures and some layouts for each frame."""
    assert work["frames"] == FRAMES
    assert work["pictures"] == pictures * FRAMES
    assert work["elements"] == 0  # they stay, and change
    assert work["layouts"] <= layouts * FRAMES + 4  # a text is read out, a frame is drawn late
