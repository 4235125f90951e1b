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

#: What can be moved: all that takes the focus and is not off; of a table that is walked by the
#: arrow keys, its one place that the Tab key reaches.
CONTROLS = """(i) => {
  globalThis.clicks = 0;
  globalThis.widget = document.querySelectorAll(".cnn-widget")[i];
  addEventListener("click", () => { clicks += 1; });
  globalThis.controls = [...widget.querySelectorAll(
    "button, select, input, td[tabindex='0'], tr[tabindex='0'], [role=application]")]
    .filter((each) => each.checkVisibility() && !each.readOnly);
  return controls.length;
}"""
#: Go to a control; what it is, or nothing where it is off or gone by now, or has no other value.
FOCUS = """(i) => {
  const control = controls[i];
  control.focus();
  if (control.disabled || document.activeElement !== control) return null;
  if (control.type === "radio" && control.checked) return null;
  if (control.options?.length === 1) return null;
  globalThis.before = widget.outerHTML + fields();
  const last = control.max ?? String((control.options?.length ?? 0) - 1);
  const value = control.tagName === "SELECT" ? String(control.selectedIndex) : control.value;
  const kind = control.type ?? control.tagName;
  return { kind, value, isLast: value === last, name: control.outerHTML.slice(0, 150) };
  function fields() {
    return [...widget.querySelectorAll("input, select")].map((e) => e.value + e.checked).join();
  }
}"""
#: Whether a control did something since: a button was pressed, all else changed what one sees.
MOVED = """async (i) => {
  await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  if (controls[i].type === "button") return clicks > 0;
  const fields = [...widget.querySelectorAll("input, select")].map((e) => e.value + e.checked);
  return widget.outerHTML + fields.join() !== before;
}"""
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


@pytest.fixture
def opened(driven, address):
    """That page in Firefox, fresh and drawn."""
    driven.troubles.clear()
    driven.goto(address)
    driven.wait_for(widget_page.ALIVE)
    driven.wait_for(f"() => ({PAINTED})().every(Boolean)")
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


@pytest.mark.parametrize("kind", range(len(widgets.__all__)), ids=widgets.__all__)
def test_each_control_moves(opened, kind):
    moved, idle = [], []
    for i in range(opened.evaluate(CONTROLS, kind)):
        control = opened.evaluate(FOCUS, i)
        if control is None:
            continue
        opened.press(*keys_for(control))
        moved.append(control["kind"])
        if not opened.evaluate(MOVED, i):
            idle.append(control["name"])
    assert idle == []
    assert len(moved) > 5


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
