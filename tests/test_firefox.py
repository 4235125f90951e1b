"""Every widget in Firefox: alive, and each of its controls moved once, by the keyboard."""

from __future__ import annotations

import pytest
import widget_page
from firefox import NoFirefox, find_firefox, firefox
from test_book import WITH_WIDGET

from cnnlib import widgets

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTER, SPACE = "\ue007", " "
LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"

#: What can be moved: all that takes the focus, if only after something else was done; of a table
#: that is walked by the arrow keys, its one place that the Tab key reaches.
CONTROLS = """() => {
  globalThis.nameOf = (each) =>
    each.ariaLabel ?? each.labels?.[0]?.textContent ?? each.textContent;
  globalThis.widget = document.querySelector(".cnn-widget");
  globalThis.controls = [...widget.querySelectorAll(
    "button, select, input, td[tabindex='0'], tr[tabindex='0'], [role=application]")]
    .filter((each) => each.checkVisibility() && !each.readOnly);
  return controls.map((each) => ({
    kind: each.type ?? each.tagName,
    name: nameOf(each),
    html: each.outerHTML.slice(0, 150),
    isSet: each.type === "radio" && each.checked || each.options?.length === 1,
  }));
}"""
#: Go to a control; what it holds.
FOCUS = f"""async (i) => {{
  globalThis.rest = {widget_page.REST};
  const control = controls[i];
  control.focus();
  await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  globalThis.before = rest(widget, control);
  const last = control.max ?? String((control.options?.length ?? 0) - 1);
  const value = control.tagName === "SELECT" ? String(control.selectedIndex) : control.value;
  return {{ value, isLast: value === last, isOff: document.activeElement !== control }};
}}"""
#: Whether anything but the control itself has changed since, or does within two seconds.
MOVED = """async (i) => {
  const end = performance.now() + 2000;
  while (rest(widget, controls[i]) === before && performance.now() < end) {
    await new Promise((go) => requestAnimationFrame(go));
  }
  return rest(widget, controls[i]) !== before;
}"""
#: Press those of some buttons that the widget has, by their names, one after the other.
PRESS = """async (names) => {
  for (const name of names) {
    controls.find((each) => nameOf(each) === name)?.click();
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  }
}"""
#: Controls that find nothing to do on a fresh page, and what gives them something.
AFTER = {
    "One step back": ["One step on", "One step on"],
    "To the first position": ["One step on"],
    "Fill the whole output": ["To the first position"],
    "No shift": ["Shift right"],
    "Fold all": ["Open all"],
    "valid": ["same"],  # a padding of 0, as it is at first
    "signed": ["photo"],  # what "auto" chooses at first
    "Reset": ["One step on", "Add a layer", "Convolution"],
}
#: What canvases hold anything but one colour.
PAINTED = """() => [...document.querySelectorAll(".cnn-widget canvas")]
  .filter((canvas) => canvas.checkVisibility()).map((canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size > 1;
  })"""
#: What widgets say, numbers and all.
SAID = "() => [...document.querySelectorAll('.cnn-widget')].map((each) => each.textContent)"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def driven():
    """One headless Firefox for all tests of this file."""
    try:
        with firefox() as one:
            one.resize(1280, 900)
            yield one
    except NoFirefox as reason:
        pytest.fail(f"These tests need Firefox. {reason}", pytrace=False)


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """A page of one widget of each kind."""
    shown = widget_page.joined(*widget_page.one_of_each())
    return serve(widget_page.write(tmp_path_factory.mktemp("all"), shown))


@pytest.fixture(scope="module", params=range(len(widgets.__all__)), ids=widgets.__all__)
def alone(request, serve, tmp_path_factory):
    """A page of one widget, of each kind in turn."""
    shown = widget_page.joined(widget_page.one_of_each()[request.param])
    return serve(widget_page.write(tmp_path_factory.mktemp("alone"), shown))


def open_drawn(driven, address):
    """Open a page, fresh, and wait until all is drawn."""
    driven.goto(address)
    driven.wait_for(widget_page.ALIVE)
    driven.wait_for(f"() => ({PAINTED})().every(Boolean)")


@pytest.fixture
def opened(driven, address):
    """That page in Firefox, fresh and drawn."""
    driven.troubles.clear()
    open_drawn(driven, address)
    yield driven
    assert driven.troubles == []


def keys_for(control: dict) -> list[str]:
    """Return the keys that change a control, whatever it holds."""
    match control["kind"]:
        case "range":
            return [LEFT if control["isLast"] else RIGHT]
        case "select-one":
            return [UP if control["isLast"] else DOWN]
        case "text":
            return ["4" if control["value"] == "3" else "3", ENTER]
        case "checkbox" | "radio":
            return [SPACE]
        case "button":
            return [ENTER]
        case "TR":
            return [DOWN]
        case _:  # a cell of a grid, or a picture that is walked
            return [RIGHT]


def moves(driven, address: str, i: int, control: dict) -> bool:
    """Begin anew, move one control by its keys, and tell whether anything else moved with it."""
    open_drawn(driven, address)
    driven.evaluate(CONTROLS)
    driven.evaluate(PRESS, AFTER.get(control["name"], []))
    control |= driven.evaluate(FOCUS, i)
    if control["isOff"]:
        return False
    driven.press(*keys_for(control))
    return driven.evaluate(MOVED, i)


def test_each_control_moves_something_else(driven, alone):
    driven.troubles.clear()
    open_drawn(driven, alone)
    controls = driven.evaluate(CONTROLS)
    idle = [
        control["html"]
        for i, control in enumerate(controls)
        if not (control["isSet"] or moves(driven, alone, i, control))
    ]
    assert not idle, "\n".join(idle)
    assert len(controls) > 5
    assert driven.troubles == []


def test_widgets_say_the_same_as_in_chromium(opened, page, address):
    page.goto(address)
    widget_page.wait_until_alive(page)
    assert opened.evaluate(SAID) == page.evaluate(SAID)


def test_a_phone_is_wide_enough(opened):
    opened.resize(360, 740)
    assert opened.evaluate(TOO_WIDE) == 0
    opened.resize(1280, 900)


def test_every_widget_of_the_book_is_alive(driven, book):
    driven.troubles.clear()
    for name in WITH_WIDGET:
        driven.goto(f"{book}/{name}.html")
        driven.wait_for(widget_page.ALIVE)
        assert driven.evaluate("() => document.querySelectorAll('.lw-alert').length") == 0
    assert driven.troubles == []


def test_without_firefox_it_says_what_would_help(monkeypatch):
    monkeypatch.setenv("FIREFOX", "none")
    with pytest.raises(NoFirefox, match=r"No Firefox was found.\n.*make firefox"):
        find_firefox()
