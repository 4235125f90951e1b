"""The page host, in a real browser, over pages made from real ipywidgets state."""

from __future__ import annotations

import gzip
import json
import re
import threading
from functools import partial
from http.server import ThreadingHTTPServer

import anywidget
import ipywidgets
import pytest
import traitlets
import widget_page
from browsing import QuietHandler
from ipywidgets import jsdlink, jslink
from playwright.sync_api import expect
from seeing.widgets import HELD, keep_file, module_script

from cnnlib import widgets

pytestmark = [pytest.mark.browser, pytest.mark.quick]

# Shows its number; a click adds one. Says how often it was prepared, drawn and taken away.
COUNTER = """
const log = (globalThis.log ??= []);
export const double = (x) => 2 * x;
export default {
  initialize({ model }) {
    log.push("initialize");
    model.set("prepared", true);
  },
  render({ model, el }) {
    log.push("render");
    const button = document.createElement("button");
    const text = () => `count ${model.get("count")} ${model.get("prepared")}`;
    const show = () => { button.textContent = text(); };
    button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
    model.on("change:count", show);
    show();
    el.append(button);
    return () => { model.off("change:count", show); log.push("cleanup"); };
  },
};
"""


class Counter(anywidget.AnyWidget):
    _esm = COUNTER
    _css = ".counter { color: rgb(1, 2, 3); }"
    count = traitlets.Int(0).tag(sync=True)
    prepared = traitlets.Bool(False).tag(sync=True)


class FromFunction(anywidget.AnyWidget):
    _esm = """export default async () => ({
      render({ model, el }) { el.innerHTML = `<p class="made">${model.get("word")}</p>`; },
    });"""
    word = traitlets.Unicode("from a function").tag(sync=True)


class Broken(anywidget.AnyWidget):
    _esm = """export default { render() { throw new Error("the lens is cracked"); } };"""


class BrokenAtLoad(anywidget.AnyWidget):
    _esm = "export default {"


class Bytes(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
      const view = model.get("data");
      const [first, , last] = [0, 1, 2].map((i) => view.getUint8(i));
      el.innerHTML = `<p class="bytes">${view.byteLength}: ${first} ${last}</p>`;
    } };"""
    data = traitlets.Bytes(bytes([7, 8, 255])).tag(sync=True)


@pytest.fixture
def show(page, serve, tmp_path):
    """Open a page with some widgets, each in a view of its own; return the page."""

    def open_page(*widgets, body=None, **options):
        body = widget_page.joined(*widgets) if body is None else body
        page.goto(serve(widget_page.write(tmp_path, body, **options)))
        widget_page.wait_until_alive(page)
        return page

    yield open_page
    assert page.trouble.console == []
    assert page.trouble.foreign == []
    assert page.trouble.failed == []


class Halting(QuietHandler):
    """Send a page up to a mark, and the rest when a test says so."""

    MARK = b"<!-- halt -->"
    go_on = threading.Event()

    def copyfile(self, source, outputfile):
        first, _, rest = source.read().partition(self.MARK)
        outputfile.write(first)
        outputfile.flush()
        if rest:
            self.go_on.wait(timeout=60)
            outputfile.write(self.MARK + rest)


def test_a_widget_lives_before_the_page_is_read_to_its_end(page, tmp_path):
    """As in a built page: the state in the head, the host asynchronous, the still form below."""
    counters = Counter(count=3), Counter(count=8)
    first, second = (widget_page.view(each, "<p>still</p>") for each in counters)
    body = f"{first}<p>text</p>{Halting.MARK.decode()}{second}"
    page_file = widget_page.write(tmp_path, body) / "index.html"
    head = f"{widget_page.state(*counters)}<script async src"
    page_file.write_text(page_file.read_text().replace("<script defer src", head, 1))
    Halting.go_on.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Halting, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html", wait_until="commit")
    expect(page.locator(".live-widget")).to_have_text("count 3 true")
    expect(page.locator("[data-widget-fallback]")).to_be_hidden()
    assert page.evaluate("document.readyState") == "loading"
    Halting.go_on.set()
    expect(page.locator(".live-widget")).to_have_text(["count 3 true", "count 8 true"])
    assert page.evaluate("log").count("render") == 2
    server.shutdown()
    server.server_close()


def test_is_small_and_lists_its_kinds():
    source = widget_page.HOST.read_text(encoding="utf-8")
    kinds = json.loads(re.search(r"^const KINDS = (\[.*\]);$", source, re.MULTILINE)[1])
    assert {"AnyModel", "IntSliderModel", "LinkModel", "HTMLModel"} <= set(kinds)
    assert len(gzip.compress(source.encode(), 9)) < 5632
    assert "import " not in re.sub(r"//.*|/\*[\s\S]*?\*/", "", source).replace("import(", "")


@pytest.mark.parametrize("kind", ["IntSlider", "FloatSlider"])
def test_slider(show, kind):
    slider = getattr(ipywidgets, kind)(value=3, min=1, max=7, step=2, description="Stride")
    page = show(slider)
    field = page.get_by_label("Stride")
    assert field.evaluate("e => [e.type, e.min, e.max, e.step, e.value]") == [
        "range",
        "1",
        "7",
        "2",
        "3",
    ]
    field.focus()
    page.keyboard.press("ArrowRight")
    wanted = "5" if kind == "IntSlider" else "5.00"
    assert page.locator("output").text_content() == wanted


def test_dropdown(show):
    page = show(ipywidgets.Dropdown(options=["zeros", "mirror"], index=1, description="Edge"))
    field = page.get_by_label("Edge")
    assert field.evaluate("e => e.selectedOptions[0].text") == "mirror"
    field.select_option("zeros")
    assert field.evaluate("e => e.selectedIndex") == 0


def test_checkbox(show):
    page = show(ipywidgets.Checkbox(value=True, description="Flip"))
    field = page.get_by_label("Flip")
    assert field.is_checked()
    field.press("Space")
    assert not field.is_checked()


def test_toggle_buttons(show):
    page = show(ipywidgets.ToggleButtons(options=["max", "mean"], description="Pool"))
    assert page.get_by_role("group", name="Pool").count() == 1
    assert page.get_by_label("max").is_checked()
    page.get_by_label("mean").check()
    assert not page.get_by_label("max").is_checked()


def test_button_says_that_it_needs_python(show):
    page = show(ipywidgets.Button(description="Run"))
    button = page.get_by_role("button", name="Run")
    assert button.is_disabled()
    assert "Python" in button.get_attribute("title")


def test_label_and_html(show):
    page = show(
        ipywidgets.VBox([ipywidgets.Label("a < b"), ipywidgets.HTML("<em>bold</em> words")])
    )
    assert page.get_by_text("a < b").count() == 1
    assert page.locator("em").text_content() == "bold"


def test_disabled_controls_stay_disabled(show):
    page = show(ipywidgets.IntSlider(description="n", disabled=True))
    assert page.get_by_label("n").is_disabled()


def test_link_goes_both_ways_and_rests(show):
    a, b = ipywidgets.IntSlider(2, description="a"), ipywidgets.IntSlider(9, description="b")
    links = [jslink((a, "value"), (b, "value")), jslink((b, "value"), (a, "value"))]
    page = show(body=widget_page.joined(a, b, by=links))
    assert page.get_by_label("b").input_value() == "2"  # the source wins at first, as in Jupyter
    page.get_by_label("b").fill("40")
    assert page.get_by_label("a").input_value() == "40"
    page.get_by_label("a").fill("41")
    assert page.get_by_label("b").input_value() == "41"


def test_directional_link_goes_one_way(show):
    a, b = ipywidgets.IntSlider(2, description="a"), ipywidgets.IntSlider(9, description="b")
    link = jsdlink((a, "value"), (b, "value"))
    page = show(body=widget_page.joined(a, b, by=[link]))
    page.get_by_label("a").fill("30")
    assert page.get_by_label("b").input_value() == "30"
    page.get_by_label("b").fill("50")
    assert page.get_by_label("a").input_value() == "30"


def test_link_to_a_model_that_is_not_there_harms_nobody(show):
    a, b = ipywidgets.IntSlider(2, description="a"), ipywidgets.IntSlider(9, description="b")
    states = widget_page.state(a, b, jslink((a, "value"), (b, "value")))
    page = show(body=widget_page.view(a) + states.replace(f'"{b.model_id}": ', '"gone": '))
    page.get_by_label("a").fill("5")
    assert page.get_by_label("a").input_value() == "5"


def test_slider_drives_an_anywidget_and_back(show):
    slider, counter = ipywidgets.IntSlider(4, description="n"), Counter()
    link = jslink((slider, "value"), (counter, "count"))
    page = show(body=widget_page.joined(slider, counter, by=[link]))
    page.get_by_role("button", name="count 4 true").click()
    assert page.get_by_label("n").input_value() == "5"
    page.get_by_label("n").fill("17")
    assert page.get_by_role("button", name="count 17 true").count() == 1


def test_nested_boxes(show):
    leaves = [ipywidgets.IntSlider(i, description=f"s{i}") for i in range(4)]
    tree = ipywidgets.VBox(
        [ipywidgets.HBox(leaves[:2]), ipywidgets.Box([ipywidgets.VBox(leaves[2:])])]
    )
    page = show(tree)
    tops = [page.get_by_label(f"s{i}").bounding_box() for i in range(4)]
    assert tops[0]["y"] == pytest.approx(tops[1]["y"], abs=2)
    assert tops[0]["x"] < tops[1]["x"]
    assert tops[2]["y"] < tops[3]["y"]


def test_an_anywidget_in_a_row_is_wide(show):
    page = show(ipywidgets.HBox([FromFunction()]))
    assert page.locator(".made").bounding_box()["width"] > 300


def test_anywidget_object_with_initialize(show):
    counter = Counter()
    page = show(counter)
    assert page.get_by_role("button", name="count 0 true").count() == 1
    assert page.evaluate("log") == ["initialize", "render"]


def test_anywidget_function(show):
    page = show(FromFunction())
    assert page.locator(".made").text_content() == "from a function"


def test_two_views_share_one_model(show):
    counter = Counter()
    page = show(counter, counter)
    page.get_by_role("button").first.click()
    texts = page.get_by_role("button").all_text_contents()
    assert texts == ["count 1 true"] * 2
    assert page.evaluate("log") == ["initialize", "render", "render"]


def test_two_models_of_one_class_do_not_mix(show):
    first, second = Counter(count=1), Counter(count=5)
    page = show(first, second)
    page.get_by_role("button").first.click()
    assert page.get_by_role("button").all_text_contents() == ["count 2 true", "count 5 true"]
    sheets = page.locator("style").all_text_contents()
    assert sum(".counter" in sheet for sheet in sheets) == 1


def test_states_of_several_notebooks_on_one_page(show):
    first, second = Counter(count=1), Counter(count=5)
    body = widget_page.joined(first) + widget_page.joined(second)
    assert show(body=body).get_by_role("button").all_text_contents() == [
        "count 1 true",
        "count 5 true",
    ]


def test_a_module_that_throws_says_so_and_the_page_lives_on(show):
    page = show(Broken(), BrokenAtLoad(), Counter())
    alerts = page.get_by_role("alert").all_text_contents()
    assert len(alerts) == 2
    assert "the lens is cracked" in alerts[0]
    page.get_by_role("button").click()
    assert page.get_by_role("button").text_content() == "count 1 true"


def test_an_unknown_kind_is_named(show):
    page = show(ipywidgets.ColorPicker(description="ink"), Counter())
    assert "ColorPickerModel" in page.get_by_role("alert").text_content()
    assert page.get_by_role("button").count() == 1


def test_a_view_without_state_says_so(show):
    counter = Counter()
    body = widget_page.script("view", {"model_id": "nowhere"}) + widget_page.view(counter)
    page = show(body=body + widget_page.state(counter))
    assert "no state" in page.get_by_role("alert").text_content()


class Framed(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
      const alt = model.get("word");
      el.append(Object.assign(document.createElement("img"), { src: model.get("photo"), alt }));
    } };"""
    photo = traitlets.Unicode().tag(sync=True)
    word = traitlets.Unicode("a/b.png is a name").tag(sync=True)


PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
GONE = "./_static/gone-0123456789ab.js"


@pytest.mark.parametrize("host", ["server", "disk"])
def test_a_module_and_a_picture_may_be_files(page, serve, tmp_path, host):
    """Scripts both, made by the build's own hand: from disk no other kind of file can be read."""
    files = tmp_path / "_static"
    module = keep_file(files, "framed", "js", module_script(Framed._esm).encode())
    picture = keep_file(files, "picture", "js", HELD.format(json.dumps(PNG)).encode())
    frames = [Framed(photo=f"./_static/{picture}") for _ in range(2)]
    states = widget_page.state(*frames).replace(
        json.dumps(Framed._esm), json.dumps(f"./_static/{module}")
    )
    assert states.count(module) == states.count(picture) == 2
    body = "".join(map(widget_page.view, frames)) + states
    folder = widget_page.write(tmp_path, body)
    page.goto(serve(folder) if host == "server" else (folder / "index.html").as_uri())
    widget_page.wait_until_alive(page)
    image = page.get_by_alt_text("a/b.png is a name").last
    assert image.get_attribute("src") == PNG
    assert image.evaluate("e => e.decode().then(() => e.naturalWidth)") == 1
    assert page.locator("head script[src*='_static']").count() == 2  # one for each file
    assert not page.trouble, page.trouble


def test_a_module_from_a_file_is_made_once(show, tmp_path):
    script = module_script(f"(globalThis.made ??= []).push(1);{COUNTER}")
    name = keep_file(tmp_path, "counter", "js", script.encode())
    counters = Counter(count=1), Counter(count=5)
    states = widget_page.state(*counters).replace(json.dumps(COUNTER), json.dumps(f"./{name}"))
    page = show(body="".join(map(widget_page.view, counters)) + states)
    assert page.get_by_role("button").all_text_contents() == ["count 1 true", "count 5 true"]
    assert page.evaluate("made.length") == 1


def test_a_module_whose_file_is_not_there_says_so(page, serve, tmp_path):
    widget, counter = FromFunction(), Counter()
    states = widget_page.state(widget, counter)
    states = states.replace(json.dumps(FromFunction._esm), json.dumps(GONE))
    body = widget_page.view(widget, "<p>still</p>") + widget_page.view(counter) + states
    page.goto(serve(widget_page.write(tmp_path, body)))
    page.get_by_role("button", name="count").wait_for()
    assert f"{GONE} cannot be read" in page.get_by_role("alert").text_content()
    assert page.get_by_text("still").is_visible()


def test_binary_traits_are_decoded(show):
    assert show(Bytes()).locator(".bytes").text_content() == "3: 7 255"


def test_cleanup_when_a_box_changes_its_children(show):
    counter, box = Counter(), ipywidgets.VBox([])
    box.children = [counter]
    # No control of the host changes children; an anywidget beside the box can.

    class Emptier(anywidget.AnyWidget):
        _esm = """export default { render({ model, el }) {
          const button = document.createElement("button");
          button.textContent = "empty";
          button.onclick = async () => {
            const box = await model.widget_manager.get_model(model.get("box"));
            box.set("children", []);
          };
          el.append(button);
        } };"""
        box = traitlets.Unicode().tag(sync=True)

    page = show(box, Emptier(box=box.model_id))
    page.get_by_role("button", name="empty").click()
    page.wait_for_function("log.includes('cleanup')")
    assert page.get_by_role("button", name="count").count() == 0


def test_the_fallback_steps_back_only_for_a_living_widget(show):
    works, fails = Counter(), Broken()
    body = widget_page.view(works, "<p>still one</p>") + widget_page.view(fails, "<p>still two</p>")
    page = show(body=body + widget_page.state(works, fails))
    page.get_by_role("alert").wait_for()
    assert not page.get_by_text("still one").is_visible()
    assert page.get_by_text("still two").is_visible()


def test_the_fallback_stays_without_scripts(new_page, serve, tmp_path):
    counter = Counter()
    body = widget_page.view(counter, "<p>still</p>") + widget_page.state(counter)
    page = new_page(java_script_enabled=False)
    page.goto(serve(widget_page.write(tmp_path, body)))
    assert page.get_by_text("still").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(show, theme):
    controls = [
        ipywidgets.IntSlider(description="whole"),
        ipywidgets.FloatSlider(description="real"),
        ipywidgets.Dropdown(options=["x", "y"], description="pick"),
        ipywidgets.Checkbox(description="tick"),
        ipywidgets.ToggleButtons(options=["p", "q"], description="which"),
        ipywidgets.Button(description="Run"),
        ipywidgets.Label("a label"),
        ipywidgets.HTML("some <b>words</b>", description="note"),
        Counter(),
    ]
    page = show(ipywidgets.VBox(controls), theme=theme)
    assert widget_page.violations(page) == []


def test_every_widget_of_the_book_comes_alive(show):
    page = show(*(getattr(widgets, name)() for name in widgets.__all__))
    assert page.locator(".live-widget .cnn-widget").count() == len(widgets.__all__)
    assert page.locator(".lw-alert").count() == 0
