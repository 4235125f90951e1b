"""The channel explorer: its Python side, its arithmetic, its page."""

from __future__ import annotations

import base64
import json
import re

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
import widget_page
from playwright.sync_api import expect
from widget_page import (
    ask,
    below,
    cells,
    flat,
    least_contrast,
    open_link,
    play,
    press,
    settle,
    unreadable,
    violations,
)

from cnnlib import scratch
from cnnlib.widgets import ChannelExplorer
from cnnlib.widgets.channels import CHANNELS
from cnnlib.widgets.common import base, photos

SETTINGS = 2200
EDGE = [[-1, 0, 1]] * 3
TRAITS = ("input", "weight", "bias", "kernel", "row", "column", "filled", "playing")


# --- Python -----------------------------------------------------------------------------------


def test_the_first_state_is_the_cat_under_two_kernels():
    explorer = ChannelExplorer()
    assert np.shape(explorer.input) == (3, 6, 6)
    assert explorer.weight[0] == [EDGE] * 3
    assert [explorer.weight[1][c][1][1] for c in range(3)] == [1, -1, 0]
    assert np.abs(explorer.weight[1]).sum() == 2
    assert explorer.bias == [0, 0]
    assert explorer.output_shape == (2, 4, 4)
    assert explorer.filled


def test_the_eye_is_orange_around_and_dark_in_the_middle():
    red, green, blue = np.array(photos.color_eye())
    assert (min(red.min(), blue.min()), red.max()) == (0, 9)
    assert (red >= green).all()
    assert (green + 1 >= blue).all()
    assert [channel[3, 3] for channel in (red, green, blue)] == [0, 0, 0]  # the pupil


def test_takes_arrays_and_tensors():
    weight = torch.randn(4, 3, 1, 1).clamp(-2, 2)
    explorer = ChannelExplorer(np.ones((3, 3, 5)), weight, np.arange(4), kernel=3, row=2)
    assert explorer.output_shape == (4, 3, 5)
    assert explorer.weight[2][1][0][0] == pytest.approx(weight[2, 1].item())
    assert explorer.bias == [0, 1, 2, 3]
    assert (explorer.row, explorer.column) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": "cat"}, r"input must be numbers of shape \(3, H, W\), got 'cat'"),
        ({"input": [[1, 2], [3]]}, "input must be numbers of shape"),
        ({"input": np.zeros((6, 6))}, r"shape \(3, H, W\), got \(6, 6\)"),
        ({"input": np.zeros((6, 6, 3))}, r"got \(6, 6, 3\)"),
        ({"input": np.zeros((1, 6, 6))}, r"got \(1, 6, 6\)"),
        ({"input": np.zeros((3, 7, 6))}, r"3 to 6 rows and columns, got \(3, 7, 6\)"),
        ({"input": np.full((3, 4, 4), 255)}, "numbers from 0 to 9, got 255"),
        ({"input": np.full((3, 4, 4), 0.5)}, "whole numbers, got 0.5: round it first"),
        ({"input": np.full((3, 4, 4), np.nan)}, "from 0 to 9, got nan"),
        ({"weight": np.zeros((3, 3, 3))}, r"shape \(C_out, 3, k, k\), got \(3, 3, 3\)"),
        ({"weight": np.zeros((1, 1, 3, 3))}, r"k 1 or 3, got \(1, 1, 3, 3\)"),
        ({"weight": np.zeros((1, 3, 2, 2))}, r"got \(1, 3, 2, 2\)"),
        ({"weight": np.zeros((5, 3, 3, 3))}, r"C_out from 1 to 4 .* got \(5, 3, 3, 3\)"),
        ({"weight": np.full((1, 3, 3, 3), 10)}, "from -9 to 9, got 10"),
        ({"bias": [1]}, r"each of the 2 kernels, got 1: \[1\]"),
        ({"bias": [0, 1000]}, "bias must hold numbers from -99 to 99, got 1000"),
        ({"bias": 3}, r"bias must have the shape \(C_out,\), got \(\)"),
        ({"kernel": 2}, "kernel counts from 0 to 1, got 2"),
        ({"kernel": -1}, "kernel counts from 0, got -1"),
        ({"row": -1}, "row counts from 0, got -1"),
        ({"speed": 100}, "speed must be from 0.5 to 30, got 100"),
    ],
)
def test_refuses_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        ChannelExplorer(**arguments)


def test_refuses_what_is_no_whole_number():
    with pytest.raises(traitlets.TraitError, match="kernel"):
        ChannelExplorer(kernel=0.5)


def test_a_refused_value_leaves_the_old_one():
    explorer = ChannelExplorer()
    with pytest.raises(ValueError, match="weight"):
        explorer.weight = np.zeros((2, 3, 5, 5)).tolist()
    assert explorer.output_shape == (2, 4, 4)


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "channels/model.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"TRAITS = \[(.*?)\]", source, re.DOTALL)[1])
    assert tuple(names) == TRAITS
    assert set(names) <= set(ChannelExplorer().keys)


def test_links_with_ipywidgets():
    explorer, slider = ChannelExplorer(), ipywidgets.IntSlider(0, 0, 1)
    ipywidgets.link((slider, "value"), (explorer, "kernel"))
    slider.value = 1
    assert explorer.kernel == 1
    ipywidgets.jslink((slider, "value"), (explorer, "row"))


def number(text: str) -> float:
    top, _, bottom = text.replace("−", "-").partition("/")
    return float(top) / float(bottom or 1)


# --- The arithmetic of the ES module ----------------------------------------------------------


def random_setting(rng) -> dict:
    size = int(rng.choice([1, 3]))
    outputs = int(rng.integers(1, 5))
    return {
        "input": rng.integers(0, 10, (3, *rng.integers(3, 7, 2))).tolist(),
        "weight": rng.normal(scale=2, size=(outputs, 3, size, size)).round(3).tolist(),
        "bias": rng.normal(scale=5, size=outputs).round(2).tolist(),
    }


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` is the explorer's."""
    return load_module("channels")


@pytest.mark.browser
def test_arithmetic_equals_scratch_on_random_settings(module):
    rng = np.random.default_rng(4)
    settings = [random_setting(rng) for _ in range(SETTINGS)]
    answers = ask(
        module,
        """(settings) => settings.map(({ input, weight, bias }) => {
          const last = weight.length - 1;
          const maps = module.convolveChannels(input, weight, bias);
          const met = module.meet(input, weight[last], bias[last], maps[0].length - 1, 0);
          return { ...met, maps, count: module.parameterCount(weight) };
        })""",
        settings,
    )
    for setting, answer in zip(settings, answers, strict=True):
        x, w, b = (np.array(setting[name]) for name in ("input", "weight", "bias"))
        y = scratch.conv2d(x[None], w, b)[0]
        np.testing.assert_allclose(answer["maps"], y, rtol=0, atol=1e-9)
        k = w.shape[-1]
        assert answer["count"] == w.size + b.size
        window = x[:, -k:, :k]
        np.testing.assert_array_equal(answer["windows"], window)
        np.testing.assert_allclose(answer["products"], window * w[-1], atol=1e-9)
        np.testing.assert_allclose(answer["sums"], (window * w[-1]).sum((1, 2)), atol=1e-9)
        assert answer["number"] == pytest.approx(y[-1, -1, 0])


@pytest.mark.browser
def test_the_presets_are_what_their_names_say(module):
    kernels = {
        size: module.evaluate(
            """(size) => Object.fromEntries(Object.entries(module.CHANNEL_KERNELS)
              .map(([name, make]) => [name, make(size)]))""",
            size,
        )
        for size in (1, 3)
    }
    x = np.array(photos.color_eye(), float)
    wanted = {"grey": x.mean(axis=0), "redGreen": x[0] - x[1], "blue": x[2]}
    for name, y in wanted.items():
        three, one = (scratch.conv2d(x[None], np.array([kernels[k][name]]))[0, 0] for k in (3, 1))
        np.testing.assert_allclose(one, y, atol=1e-12)
        np.testing.assert_allclose(three, y[1:-1, 1:-1], atol=1e-12)
    assert kernels[3]["edge"] == [EDGE] * 3
    random = np.array(kernels[3]["random"])
    assert len(np.unique(random)) > 10
    assert np.abs(random).max() <= 0.9
    names = "([size, name]) => module.channelKernelName(module.CHANNEL_KERNELS[name](size))"
    for size in kernels:
        for name in kernels[size]:
            expected = "custom" if (size, name) == (1, "edge") else name
            assert module.evaluate(names, [size, name]) == expected


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def explore(show):
    """Open a page with an explorer; return the page."""
    return lambda explorer=None, **options: show(explorer or ChannelExplorer(), **options)


def grids(page, role: str) -> list[list[list[str]]]:
    """Return the texts of the living widget's grids in one colour, in their order."""
    panels = page.locator(f".live-widget .cnn-panel.cnn-{role}:not(.cnn-ch-box)")
    return [cells(panel) for panel in panels.all()]


def output(page) -> list[list[str]]:
    return grids(page, "output")[0]


def values(texts) -> np.ndarray:
    return np.array([[number(text) for text in row] for row in texts])


def line(page) -> str:
    return page.locator(".live-widget .cnn-ch-sum-line").text_content()


def preset(page):
    return page.get_by_role("combobox")


@pytest.mark.browser
def test_three_slices_three_products_one_number_one_map(explore):
    page = explore(ChannelExplorer(row=2, column=1))
    x, w = np.array(photos.color_eye()), np.array([EDGE] * 3)
    np.testing.assert_array_equal([values(g) for g in grids(page, "input")], x)
    np.testing.assert_array_equal([values(g) for g in grids(page, "kernel")[:3]], w)
    products = x[:, 2:5, 1:4] * w
    np.testing.assert_array_equal([values(g) for g in grids(page, "products")], products)
    red, green, blue = products.sum(axis=(1, 2))
    shown = page.locator(".live-widget .cnn-ch-value").all_text_contents()
    assert [number(text) for text in shown] == [red, green, blue, red + green + blue]
    y = torch.nn.functional.conv2d(torch.tensor(x[None]).double(), torch.tensor(w[None]).double())
    np.testing.assert_array_equal(values(output(page)), y[0, 0])
    signed = [f"({v})" if v < 0 else str(v) for v in (red, green, blue)]
    text = "Row 3, column 2:red {} + green {} + blue {} + bias 0= ".format(*signed)
    assert line(page) == (text + str(red + green + blue)).replace("-", "−")


@pytest.mark.browser
def test_kernels_are_added_chosen_and_removed(explore):
    page = explore()
    x = np.array(photos.color_eye())
    cards = page.locator(".live-widget .cnn-ch-card:visible")
    assert cards.count() == 2
    press(page, "Add a kernel")
    assert page.evaluate("document.activeElement.type") == "radio"  # and the new one is chosen
    assert preset(page).evaluate("e => e.value") == "grey"
    np.testing.assert_allclose(values(output(page)), x.mean(axis=0)[1:-1, 1:-1], atol=0.051)
    shapes = page.locator(".live-widget .cnn-ch-numbers").all_text_contents()
    assert shapes == ["(3, 6, 6)", "(3, 3, 3, 3)", "(3, 4, 4)", "3 × (3 × 3 × 3 + 1)"]
    assert page.locator(".live-widget .cnn-ch-count").text_content() == "84"
    page.keyboard.press("ArrowUp")
    np.testing.assert_array_equal(values(output(page)), (x[0] - x[1])[1:-1, 1:-1])
    press(page, "Add a kernel")
    assert page.get_by_role("button", name="Add a kernel").count() == 0
    assert cards.count() == 4
    press(page, "Remove kernel 4")
    press(page, "Remove kernel 3")
    press(page, "Remove kernel 2")
    assert cards.count() == 1
    assert page.get_by_role("button", name="Remove kernel 1").is_disabled()
    assert page.locator(".live-widget .cnn-ch-count").text_content() == "28"
    press(page, "Reset")
    assert cards.count() == 2
    assert grids(page, "kernel")[0] == [["−1", "0", "1"]] * 3


@pytest.mark.browser
def test_a_card_is_chosen_by_a_click_and_pictures_its_map(explore):
    page = explore(ChannelExplorer(filled=False, row=0, column=1))
    page.locator(".live-widget .cnn-ch-card").nth(1).click()
    assert grids(page, "kernel")[1][1] == ["0", "−1", "0"]
    painted = page.locator(".live-widget .cnn-ch-card").nth(0).locator(".cnn-ch-mini-map span")
    colors = painted.evaluate_all("(all) => all.map((e) => e.style.background !== '')")
    assert colors == [True] * 2 + [False] * 14


@pytest.mark.browser
def test_one_by_one_mixes_channels_only(explore):
    page = explore(ChannelExplorer(kernel=1))
    page.get_by_label("1 × 1", exact=True).check()
    x = np.array(photos.color_eye())
    np.testing.assert_array_equal(values(output(page)), x[0] - x[1])
    assert grids(page, "kernel")[:3] == [[["1"]], [["−1"]], [["0"]]]
    assert "no neighbour" in page.locator(".live-widget .cnn-ch-hint").text_content()
    edge = page.locator(".live-widget option[value=edge]")
    assert edge.is_disabled()
    assert page.locator(".live-widget .cnn-ch-count").text_content() == "8"
    page.get_by_label("3 × 3", exact=True).check()  # the edge, of which nothing was left, is back
    page.locator(".live-widget .cnn-ch-card").nth(0).click()
    assert grids(page, "kernel")[0] == [["−1", "0", "1"]] * 3


@pytest.mark.browser
def test_presets_and_own_weights_and_bias(explore):
    page = explore()
    preset(page).select_option("Blue only")
    x = np.array(photos.color_eye())
    np.testing.assert_array_equal(values(output(page)), x[2, 1:-1, 1:-1])
    page.get_by_label("kernel 1, Red, row 2, column 2").fill("1/2")
    page.get_by_label("bias of kernel 1").fill("-3")
    page.keyboard.press("Enter")
    y = (x[2] + x[0] / 2 - 3)[1:-1, 1:-1]
    np.testing.assert_allclose(values(output(page)), y, atol=1e-9)
    assert preset(page).evaluate("e => e.value") == "custom"
    assert "bias (−3)" in line(page)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "text", "reason"),
    [
        ("kernel 1, Green, row 1, column 1", "cat", "“cat” is not a number"),
        ("kernel 1, Green, row 1, column 1", "10", "give a number from −9 to 9"),
        ("bias of kernel 1", "100", "give a number from −99 to 99"),
    ],
)
def test_what_is_no_number_is_refused_in_words(explore, label, text, reason):
    page = explore()
    before = output(page)
    field = page.get_by_label(label)
    old = field.input_value()
    field.fill(text)
    field.press("Enter")
    assert reason in page.locator(".live-widget .cnn-ch-refusal").text_content()
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == text  # what was typed stays, to be mended
    assert output(page) == before
    field.press("Escape")
    assert field.input_value() == old
    assert page.locator(".live-widget .cnn-ch-refusal").text_content() == ""


@pytest.mark.browser
def test_steps_fill_every_map_and_play_can_be_paused(explore):
    page = explore(ChannelExplorer(np.ones((3, 4, 4)), np.ones((2, 3, 3, 3)), speed=12))
    assert output(page) == [["27", "27"], ["27", "27"]]
    press(page, "To the first position")
    assert output(page) == [["27", ""], ["", ""]]
    press(page, "One step on")
    assert output(page) == [["27", "27"], ["", ""]]
    press(page, "One step back")
    assert output(page) == [["27", ""], ["", ""]]
    press(page, "Fill the whole output")
    play(page)  # from complete maps: again from the first place
    assert output(page) == [["27", "27"], ["27", "27"]]
    play(page, 0)
    assert "" in flat(output(page))


@pytest.mark.browser
def test_less_motion_plays_slowly_and_does_not_glide(explore):
    page = explore(ChannelExplorer(speed=30), reduced_motion="reduce")
    lens = page.locator(".live-widget .cnn-ch-red .cnn-input .cnn-lens")
    assert lens.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    play(page, 1250)
    assert 2 <= sum(text != "" for text in flat(output(page))) <= 4


@pytest.mark.browser
def test_arrow_keys_move_the_window_from_slices_and_map(explore):
    page = explore(ChannelExplorer(row=0, column=0))
    reachable = page.locator(".live-widget .cnn-grid td[tabindex='0']")
    assert reachable.count() == 4
    for i in range(4):
        reachable.nth(i).focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.tabIndex") == 0
    page.keyboard.press("ArrowDown")
    assert "Row 2, column 4:" in line(page)
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowUp")
    assert "Row 1, column 1:" in line(page)
    page.keyboard.press("End")
    spoken = re.compile("^Output channel 1, row 1, column 4: the number is")
    expect(page.locator(".live-widget [aria-live]")).to_have_text(spoken)


@pytest.mark.browser
def test_pointer_and_touch_bring_the_window_over_a_pixel(explore):
    page = explore()
    slices = page.locator(".live-widget .cnn-panel.cnn-input")
    slices.nth(1).locator("tbody tr").nth(3).locator("td").nth(4).click()
    assert "Row 3, column 4:" in line(page)
    page.locator(".live-widget .cnn-ch-result > .cnn-output tbody tr").nth(1).locator("td").nth(
        2
    ).click()
    assert "Row 2, column 3:" in line(page)
    phone = explore(width=360, height=740, has_touch=True, is_mobile=True)
    slices = phone.locator(".live-widget .cnn-panel.cnn-input")
    slices.nth(2).locator("tbody tr").nth(5).locator("td").nth(0).tap()
    expect(phone.locator(".live-widget .cnn-ch-sum-line")).to_contain_text("Row 4, column 1:")


@pytest.mark.browser
def test_pointing_at_a_number_links_it_by_sign_and_by_words(explore):
    page = explore(ChannelExplorer(row=0, column=0))
    page.locator(".live-widget .cnn-ch-green .cnn-products tbody tr").nth(1).locator("td").nth(
        0
    ).hover()
    settle(page)
    assert page.locator(".live-widget .cnn-linked").count() == 3
    pixel = photos.color_eye()[1][1][0]
    pair = page.locator(".live-widget .cnn-ch-pair").text_content()
    assert pair == f"Green: {pixel} × (−1) = −{pixel}"


@pytest.mark.browser
def test_outside_controls_drive_it_through_jslink(show):
    slider, explorer = ipywidgets.IntSlider(0, 0, 9, description="K"), ChannelExplorer()
    link = ipywidgets.jslink((slider, "value"), (explorer, "kernel"))
    page = show(body=widget_page.joined(slider, explorer, explorer, by=[link]))
    page.get_by_label("K", exact=True).fill("1")
    checked = page.locator(".cnn-ch-card :checked")
    assert checked.count() == 2  # a view each
    assert page.locator(".cnn-ch-name").nth(1).text_content() == "2: Red minus green"
    page.get_by_label("K", exact=True).fill("9")  # beyond the last kernel: the last one
    assert grids(page, "kernel")[0][1] == ["0", "1", "0"]


def link_text(state: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")


@pytest.mark.browser
def test_a_link_brings_the_state_back(explore, new_page):
    page = explore()
    press(page, "Add a kernel")
    page.get_by_label("kernel 3, Blue, row 1, column 3").fill("-2")
    press(page, "One step on")
    press(page, "Copy a link")
    page.wait_for_function("location.hash")
    assert re.search(r"#channels=[\w-]+$", page.url)
    other = new_page()
    other.goto(page.url)
    widget_page.wait_until_alive(other)
    other.wait_for_function("document.querySelector('.cnn-share-status').textContent")
    for role in ("input", "kernel", "products", "output"):
        assert grids(other, role) == grids(page, role)
    assert line(other) == line(page)
    assert not other.trouble


def bent(**changes) -> str:
    explorer = ChannelExplorer()
    own = {name: getattr(explorer, name) for name in TRAITS}
    return link_text(own | changes)


@pytest.mark.browser
def test_a_link_that_cannot_be_is_refused_and_changes_nothing(explore):
    page = explore()
    before = output(page)
    texts = {
        "a large picture": bent(input=np.ones((3, 7, 7)).tolist()),
        "two channels": bent(input=np.ones((2, 5, 5)).tolist()),
        "a pixel of 10": bent(input=np.full((3, 5, 5), 10).tolist()),
        "half a pixel": bent(input=np.full((3, 5, 5), 0.5).tolist()),
        "slices of two sizes": bent(input=[[[1] * n] * n for n in (4, 5, 6)]),
        "size 2": bent(weight=np.ones((2, 3, 2, 2)).tolist()),
        "kernels of two sizes": bent(weight=[[[[1] * n] * n] * 3 for n in (1, 3)]),
        "a large weight": bent(weight=np.full((2, 3, 3, 3), 10).tolist()),
        "five kernels": bent(weight=np.ones((5, 3, 1, 1)).tolist(), bias=[0] * 5),
        "a bias too few": bent(bias=[0]),
        "a bias of text": bent(bias=["0", "<b>"]),
        "no such kernel": bent(kernel=2),
        "no place": bent(row=-1),
        "no truth": bent(filled="yes"),
    }
    for kind, text in texts.items():
        open_link(page, f"channels={text}")
        status = page.locator(".cnn-share-status")
        assert status.text_content() == "The link could not be read.", kind
        assert output(page) == before, kind
        page.evaluate("document.querySelector('.cnn-share-status').textContent = ''")
    open_link(page, f"channels={bent(kernel=1)}")
    assert output(page) != before


STATES = {
    "two kernels": {},
    "a small picture": {"input": np.arange(48).reshape(3, 4, 4) % 10, "row": 1},
    "four of 1 x 1": {"weight": np.linspace(-1, 2, 12).reshape(4, 3, 1, 1), "filled": False},
    "one with thirds": {"weight": np.full((1, 3, 3, 3), -1 / 3), "bias": [0.5]},
}


@pytest.mark.browser
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_still_picture_is_the_living_one_and_nothing_jumps(both_forms, state, width):
    still_page, page = both_forms(ChannelExplorer(**STATES[state]), width)
    for role in ("input", "kernel", "products", "output"):
        selector = f".cnn-panel.cnn-{role}:not(.cnn-ch-box)"
        first = still_page.locator(f".cnn-still {selector}")
        living = page.locator(f".live-widget {selector}")
        assert first.count() == living.count() > 0
        for one, other in zip(first.all(), living.all(), strict=True):
            assert one.bounding_box() == pytest.approx(other.bounding_box(), abs=1)
        assert looks(first) == looks(living)
    minis = ".cnn-ch-mini:visible"
    assert looks(still_page.locator(f".cnn-still {minis}"), "span") == looks(
        page.locator(f".live-widget {minis}"), "span"
    )
    assert (
        still_page.locator(".cnn-ch-count").text_content()
        == page.locator(".live-widget .cnn-ch-count").text_content()
    )


def looks(panels, cell: str = "td") -> list:
    """Return text and colours of each cell, as the browser paints them."""
    return panels.evaluate_all(
        f"""(panels) => panels.map((panel) => [...panel.querySelectorAll("{cell}")]
          .filter((e) => !e.closest("thead")).map((e) => {{
            const style = getComputedStyle(e);
            const text = (e.querySelector("input")?.value ?? e.textContent).trim();
            return [text, style.backgroundColor, text && style.color];
          }}))"""
    )


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 480, 768, 1440])
def test_fits_every_width_and_its_digits_are_readable(explore, width):
    weight = np.full((4, 3, 3, 3), -1 / 3)
    weight[0] = -8.5
    page = explore(ChannelExplorer(weight=weight, bias=[-33.33] * 4), width=width)
    assert unreadable(page, width) == []
    wide = """() => [...document.querySelectorAll(".live-widget tbody td, .cnn-ch-value")]
      .filter((e) => e.scrollWidth > Math.ceil(e.getBoundingClientRect().width))
      .map((e) => e.textContent)"""
    assert page.evaluate(wide) == []
    assert page.evaluate(OVERLAPS) == []


#: Pairs of parts that lie over each other, or beyond the widget.
OVERLAPS = """() => {
  const root = document.querySelector(".live-widget .cnn-channels").getBoundingClientRect();
  const parts = [...document.querySelectorAll(".live-widget :is(.cnn-ch-flow .cnn-frame, " +
    ".cnn-ch-flow .cnn-label, .cnn-ch-value, .cnn-ch-join, .cnn-ch-card, button, select, dd)")]
    .filter((e) => e.checkVisibility() && e.textContent);
  const boxes = parts.map((e) => {
    const range = document.createRange(); // a label's words may be longer than its box
    range.selectNodeContents(e);
    const box = e.matches(".cnn-label") ? range.getBoundingClientRect() : e.getBoundingClientRect();
    return { name: e.className + ": " + e.textContent.slice(0, 20), box };
  });
  const found = boxes.filter(({ box }) => box.left < root.left - 3 || box.right > root.right + 3)
    .map(({ name }) => name);
  for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) {
    const [w, h] = [
      Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left),
      Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top),
    ];
    if (w > 1 && h > 1) found.push(`${a.name} / ${b.name}`);
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_below_moves_whatever_one_does(explore, width):
    page = explore(body=widget_page.BELOW, width=width)
    before = below(page)

    def check(what):
        assert below(page) == pytest.approx(before, abs=1), what

    for name in ("Add a kernel", "Add a kernel", "Remove kernel 4", "One step on"):
        press(page, name)
        check(name)
    page.get_by_label("1 × 1", exact=True).check()
    check("1 × 1")
    preset(page).select_option("Random")
    check("random")
    field = page.get_by_label("kernel 3, Red, row 1, column 1")
    field.fill("no number at all")
    field.press("Enter")
    check("refusal")
    page.get_by_label("3 × 3", exact=True).check()
    preset(page).select_option("Random")
    page.locator(".live-widget .cnn-products tbody td").first.hover()
    check("random, 3 × 3")
    press(page, "To the first position")
    check("first")


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(explore, theme, width):
    page = explore(theme=theme, width=width)
    assert violations(page) == []
    press(page, "Add a kernel")
    page.get_by_label("1 × 1", exact=True).check()
    press(page, "To the first position")
    assert violations(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_digits_stand_out_on_every_tint_and_shade(explore, theme):
    """WCAG AA for each cell of each grid, computed from what the browser paints."""
    x = np.stack([np.arange(36).reshape(6, 6) % 10] * len(CHANNELS))
    page = explore(ChannelExplorer(x, np.stack([np.array([EDGE] * 3) * 2.5] * 2)), theme=theme)
    assert least_contrast(page)[0] >= 4.5, least_contrast(page)
