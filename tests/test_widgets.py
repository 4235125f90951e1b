"""The convolution explorer: its Python side, its arithmetic, its page."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from decimal import ROUND_HALF_UP as HALF_UP
from decimal import Decimal
from fractions import Fraction

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
    check_alike,
    flat,
    least_contrast,
    numbers,
    open_link,
    play,
    press,
    settle,
    unreadable,
    violations,
)

from cnnlib import scratch, widgets
from cnnlib.arithmetic import output_size
from cnnlib.widgets import ConvolutionExplorer
from cnnlib.widgets.common import base, photos
from cnnlib.widgets.convolution import LIMITS

SETTINGS = 2500


# --- Python -----------------------------------------------------------------------------------


def test_does_not_import_torch():
    code = "import sys, cnnlib.widgets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_first_state_is_the_cat_under_a_vertical_edge():
    explorer = ConvolutionExplorer()
    assert np.array(explorer.input).shape == (12, 12)
    assert explorer.kernel == [[-1, 0, 1]] * 3
    assert explorer.output_shape == (10, 10)
    assert (explorer.row, explorer.column) == (4, 4)


def test_cat_eye_has_one_middle_and_ten_levels():
    large = np.array(photos.cat_eye(16))
    np.testing.assert_array_equal(photos.cat_eye(12), large[2:14, 2:14])
    assert (large.min(), large.max()) == (0, 9)


def test_takes_arrays_and_padding_words():
    explorer = ConvolutionExplorer(np.eye(5), np.ones((2, 3)) / 6, padding="same")
    assert explorer.mode == "same"
    assert explorer.output_shape == (5, 5)
    assert explorer.kernel[1][2] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": [[1, 2], [3]]}, r"rectangle.*\[1, 2\]"),
        ({"input": "cat"}, "rows of numbers.*'cat'"),
        ({"input": []}, "rows of numbers"),
        ({"input": [[]]}, "1 to 16 rows and columns, got 1 x 0"),
        ({"input": np.zeros((17, 3))}, "1 to 16 rows and columns, got 17 x 3"),
        ({"input": [[1, "2"]]}, "numbers from -999 to 999, got '2'"),
        ({"input": [[True]]}, "got True"),
        ({"input": np.zeros((2, 2, 2))}, "numbers from"),
        ({"kernel": [[float("nan")]]}, "got nan"),
        ({"kernel": [[1e9]]}, "numbers from -999 to 999, got 1000000000.0"),
        ({"kernel": np.zeros((6, 6))}, "1 to 5 rows"),
        ({"stride": 0}, "stride must be from 1 to 4, got 0"),
        ({"padding": -1}, "padding must be from 0 to 6, got -1"),
        ({"padding": "reflect"}, '"same" or "full", got \'reflect\''),
        ({"dilation": 9}, "dilation must be from 1 to 3, got 9"),
        ({"row": -1}, "row counts from 0, got -1"),
        ({"speed": 0}, "speed must be from 0.5 to 30"),
        ({"input": np.zeros((4, 4)), "dilation": 3}, "larger than the padded input"),
        ({"padding": "same", "stride": 2}, "needs stride 1"),
    ],
)
def test_refuses_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionExplorer(**arguments)


def test_refuses_what_is_no_whole_number():
    with pytest.raises(traitlets.TraitError, match="stride"):
        ConvolutionExplorer(stride=1.5)


def test_a_refused_value_leaves_the_old_one():
    explorer = ConvolutionExplorer(stride=2)
    with pytest.raises(ValueError, match="stride"):
        explorer.stride = 7
    assert explorer.stride == 2


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "convolution/model.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"TRAITS = \[(.*?)\]", source, re.DOTALL)[1])
    synced = ConvolutionExplorer().keys
    assert len(names) == 11
    assert set(names) <= set(synced)


def test_links_with_ipywidgets():
    explorer, slider = ConvolutionExplorer(), ipywidgets.IntSlider(1, 1, 4)
    ipywidgets.link((slider, "value"), (explorer, "stride"))
    slider.value = 3
    assert explorer.stride == 3
    explorer.stride = 2
    assert slider.value == 2
    ipywidgets.jslink((slider, "value"), (explorer, "stride"))


FOLDERS = sorted(path.parent.name for path in base.FOLDER.glob("*/words.json"))
WIDGETS = [name for name in FOLDERS if name != "common"]


@pytest.mark.parametrize("name", WIDGETS)
def test_the_module_stands_alone(name):
    text = base.module(name)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert text.count("export default") == 1
    assert "</script>" not in text
    for file in base.FOLDER.glob("*/*.js"):
        assert text.count(file.read_text(encoding="utf-8").splitlines()[0]) <= 1, file


def shape(words: dict) -> dict:
    """Return a table of words with the places for values in the texts' stead."""
    return {
        key: shape(value) if isinstance(value, dict) else sorted(re.findall(r"{\w+}", value))
        for key, value in words.items()
    }


@pytest.mark.parametrize("name", FOLDERS)
def test_every_word_of_a_table_is_used_and_every_language_is_whole(name):
    table = json.loads((base.FOLDER / name / "words.json").read_text(encoding="utf-8"))
    users = FOLDERS if name == "common" else [name, "common"]
    files = [path for user in users for path in (base.FOLDER / user).glob("*.js")]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    for language in table.values():
        assert shape(language) == shape(table["en"])
    assert [key for key in table["en"] if not re.search(rf"\b{key}\b", code)] == []


def test_the_hues_are_those_of_the_plots():
    import matplotlib

    from cnnlib.palette import DIVERGING

    plots = matplotlib.colormaps[DIVERGING]
    source = (base.FOLDER / "common/shades.js").read_text(encoding="utf-8")
    for name, at in (("NEGATIVE", 0.2), ("POSITIVE", 0.8)):
        hue = [int(level) for level in re.search(rf"{name} = \[(.*)\]", source)[1].split(",")]
        assert np.abs(np.array(plots(at)[:3]) * 255 - hue).max() < 3


# --- The arithmetic of the ES module ----------------------------------------------------------


def random_setting(rng) -> dict:
    """Draw one setting: sizes, values, stride, padding, dilation and flip, possible or not."""
    shapes = {name: rng.integers(1, LIMITS[name][1] + 1, 2) for name in ("input", "kernel")}
    padding = rng.choice([*range(7), "valid", "same", "full"])
    return {
        "input": rng.normal(size=shapes["input"]).round(3).tolist(),
        "kernel": rng.normal(size=shapes["kernel"]).round(3).tolist(),
        "stride": int(rng.integers(1, 5)),
        "padding": int(padding) if padding.isdigit() else str(padding),
        "dilation": int(rng.integers(1, 4)),
        "flip": bool(rng.integers(2)),
    }


def by_scratch(setting: dict) -> list | None:
    """Compute a setting's output in Python; None where there is none."""
    x, w = (np.array(setting[name])[None, None] for name in ("input", "kernel"))
    w = w[..., ::-1, ::-1] if setting["flip"] else w
    geometry = {name: setting[name] for name in ("stride", "padding", "dilation")}
    try:
        output_size(x.shape[2:], w.shape[2:], **geometry)
    except ValueError:
        return None
    return scratch.conv2d(x, w, **geometry)[0, 0]


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` is the explorer's."""
    return load_module("convolution")


@pytest.mark.browser
def test_arithmetic_equals_scratch_on_random_settings(module):
    rng = np.random.default_rng(2)
    settings = [random_setting(rng) for _ in range(SETTINGS)]
    answers = ask(
        module,
        """(settings) => settings.map((setting) => {
          const scene = module.convolve(setting.input, setting.kernel, setting);
          const middle = scene.problem ? null : scene.at(scene.rows.output - 1, 0);
          return { problem: scene.problem, output: scene.output, middle };
        })""",
        settings,
    )
    wanted = [by_scratch(setting) for setting in settings]
    impossible = sum(output is None for output in wanted)
    assert SETTINGS / 20 < impossible < SETTINGS / 2  # both kinds are met
    for setting, answer, output in zip(settings, answers, wanted, strict=True):
        assert (output is None) == bool(answer["problem"]), setting
        if output is not None:
            np.testing.assert_allclose(answer["output"], output, rtol=0, atol=1e-9)
            applied = np.array(setting["kernel"])
            applied = applied[::-1, ::-1] if setting["flip"] else applied
            assert np.sum(np.array(answer["middle"]) * applied) == pytest.approx(output[-1, 0])


@pytest.mark.browser
def test_output_size_equals_arithmetic_on_every_small_setting(module):
    paddings = [0, 1, 2, 5, "valid", "same", "full"]
    grid = [
        (n, k, s, p, d)
        for n in range(1, 13)
        for k in range(1, 6)
        for s in range(1, 4)
        for p in paddings
        for d in range(1, 4)
        if p != "same" or s == 1
    ]
    answers = ask(module, "(grid) => grid.map((each) => module.outputSize(...each))", grid)

    def size(*setting):
        try:
            return output_size(*setting)
        except ValueError:
            return 0

    assert len(grid) > 3000
    assert answers == [size(*setting) for setting in grid]


def short(value: Fraction) -> str:
    """Write a number in four characters or so: with one decimal, as a fraction, or rounded."""
    size = abs(value)
    sign = "−" if value < 0 else ""
    if (10 * value).denominator == 1:
        return sign + f"{float(size):g}"
    if value.denominator in SHORT_FRACTIONS and size.numerator < 10 * size.denominator:
        return sign + str(size)
    text = f"{Decimal(float(size)).quantize(Decimal(10) ** (-3 if size < 1 else -2), HALF_UP)}"
    return sign + text.rstrip("0").rstrip(".").removeprefix("0")


SHORT_FRACTIONS = {2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 25, 32, 64}


@pytest.mark.browser
def test_numbers_are_short_and_right(module):
    fractions = [Fraction(a, b) for a in range(-9, 10) for b in (1, 2, 3, 7, 9, 16, 25, 49, 128)]
    write = "(v) => v.map((x) => module.short(x))"
    texts = module.evaluate(write, [float(each) for each in fractions])
    assert texts == [short(each) for each in fractions]
    by_hand = {3: "3", -0.5: "−0.5", 1 / 9: "1/9", -2 / 3: "−2/3", 3 / 128: ".023", 0: "0"}
    assert module.evaluate(write, [*by_hand]) == [*by_hand.values()]


@pytest.mark.browser
def test_decimals_round_halves_up_and_end_without_zeros(module):
    rng = np.random.default_rng(3)
    values = [*rng.normal(size=200).round(4), *rng.normal(scale=50, size=100).round(2), 0.5, 2, 0]
    values = [float(value) for value in values]
    texts = module.evaluate("(v) => v.map((x) => module.decimal(x))", values)
    rounded = [Decimal(value).quantize(Decimal("0.01"), HALF_UP) for value in values]
    assert [Decimal(text.replace("−", "-")) for text in texts] == rounded
    assert [text for text in texts if re.search(r"\.\d*0$|\.$|-", text)] == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), (" -0.5 ", -0.5), ("−1", -1), ("1/9", 1 / 9), ("-3/4", -0.75), ("0,25", 0.25),
     (".5", 0.5), ("3.", 3), ("", None), ("abc", None), ("1/0", None), ("--1", None),
     ("1e3", None), ("1/2/3", None), ("Infinity", None)],
)  # fmt: skip
def test_typed_numbers(module, text, value):
    assert module.evaluate("(text) => module.parse(text)", text) == (
        value if value is None else pytest.approx(value)
    )


@pytest.mark.browser
def test_kernel_presets_are_the_textbook_ones(module):
    kernels = module.evaluate(
        "Object.fromEntries(Object.entries(module.KERNELS).map(([name, make]) => [name, make(3)]))"
    )
    assert kernels["vertical"] == [[-1, 0, 1]] * 3
    assert kernels["identity"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert kernels["laplacian"] == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    assert kernels["sharpen"] == [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    np.testing.assert_allclose(kernels["blur"], np.full((3, 3), 1 / 9))
    np.testing.assert_allclose(kernels["gaussian"], np.outer([1, 2, 1], [1, 2, 1]) / 16)
    five = module.evaluate("module.KERNELS.gaussian(5)")
    np.testing.assert_allclose(five, np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256)
    sums = {name: np.sum(kernel) for name, kernel in kernels.items()}
    brightness_kept = ("identity", "blur", "gaussian", "sharpen", "emboss")
    assert all(sums[name] == pytest.approx(1) for name in brightness_kept)
    assert all(sums[name] == 0 for name in set(sums) - set(brightness_kept))


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def explore(show):
    """Open a page with an explorer; return the page."""
    return lambda explorer=None, **options: show(explorer or ConvolutionExplorer(), **options)


def panel(role: str) -> str:
    """Return the selector of one of the grids."""
    return f".cnn-{role}:not(.cnn-sum-panel)"


def grid(page, role: str) -> list[list[str]]:
    """Return the texts of one of the living widget's grids."""
    return cells(page.locator(f".live-widget {panel(role)}"))


def slide(page, name: str, value: int) -> None:
    page.get_by_label(name, exact=True).fill(str(value))


@pytest.mark.browser
def test_shows_what_torch_computes_after_every_control(explore):
    page = explore(ConvolutionExplorer(filled=True))
    x = torch.tensor(np.array(photos.cat_eye(11)))[None, None].double()
    slide(page, "Input size", 11)
    page.get_by_role("combobox", name="Kernel").select_option("Laplacian")
    slide(page, "Stride", 2)
    slide(page, "Padding", 2)
    slide(page, "Dilation", 2)
    w = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None].double()
    y = torch.nn.functional.conv2d(x, w, stride=2, padding=2, dilation=2)[0, 0].numpy()
    np.testing.assert_array_equal(numbers(grid(page, "output")), y)
    rows = page.locator(".live-widget .cnn-formula-numbers").first.text_content()
    assert rows == "6 = ⌊(11 + 2 × 2 − 2 × (3 − 1) − 1) / 2⌋ + 1"


@pytest.mark.browser
def test_window_products_and_sum_agree(explore):
    page = explore(ConvolutionExplorer(row=3, column=5))
    window, products = numbers(grid(page, "window")), numbers(grid(page, "products"))
    np.testing.assert_array_equal(window, np.array(photos.cat_eye())[3:6, 5:8])
    np.testing.assert_array_equal(products, window * [[-1, 0, 1]])
    total = page.locator(".live-widget .cnn-total").text_content()
    assert numbers([[total]])[0, 0] == products.sum()
    assert (
        page.locator(".live-widget .cnn-sum").text_content().startswith("Output row 4, column 6:")
    )


@pytest.mark.browser
def test_steps_fill_the_output_and_the_end_completes_it(explore):
    page = explore(ConvolutionExplorer(np.ones((3, 3)), np.ones((2, 2))))
    output = "output"
    assert grid(page, output) == [["4", ""], ["", ""]]
    press(page, "One step on")
    assert grid(page, output) == [["4", "4"], ["", ""]]
    press(page, "One step back")
    assert grid(page, output) == [["4", ""], ["", ""]]
    press(page, "Fill the whole output")
    assert grid(page, output) == [["4", "4"], ["4", "4"]]
    press(page, "To the first position")
    assert grid(page, output) == [["4", ""], ["", ""]]


@pytest.mark.browser
def test_plays_pauses_and_ends(explore):
    page = explore(ConvolutionExplorer(np.ones((3, 3)), np.ones((2, 2)), speed=10))
    play(page)
    assert grid(page, "output") == [["4", "4"], ["4", "4"]]
    page.wait_for_function(
        "document.querySelector('.live-widget [aria-live]').textContent.includes('complete')"
    )
    play(page, 0)  # again, from the first place
    assert "" in flat(grid(page, "output"))


@pytest.mark.browser
def test_less_motion_plays_slowly_and_does_not_glide(explore):
    explorer = ConvolutionExplorer(speed=30, row=0, column=0)
    page = explore(explorer, reduced_motion="reduce")
    lens = page.locator(".live-widget .cnn-input .cnn-lens")
    assert lens.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    play(page, 1250)
    shown = sum(text != "" for text in flat(grid(page, "output")))
    assert 2 <= shown <= 4


@pytest.mark.browser
def test_arrow_keys_move_the_window_from_either_grid(explore):
    page = explore(ConvolutionExplorer(row=0, column=0))
    for role in ("output", "input"):
        reachable = page.locator(f".live-widget {panel(role)} [tabindex='0']")
        assert reachable.count() == 1
        reachable.focus()
        for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.tabIndex") == 0
    assert "row 3, column 3:" in page.locator(".live-widget .cnn-sum").text_content()
    page.keyboard.press("End")
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert "row 2, column 1:" in page.locator(".live-widget .cnn-sum").text_content()
    live = page.locator(".live-widget [aria-live]")
    expect(live).to_have_text(re.compile("^Output row 2, column 1: the sum is"))


@pytest.mark.browser
def test_a_click_brings_the_window_over_a_pixel(explore):
    page = explore()
    page.locator(".live-widget .cnn-input tbody tr").nth(6).locator("td").nth(8).click()
    assert "row 6, column 8:" in page.locator(".live-widget .cnn-sum").text_content()
    page.locator(f".live-widget {panel('output')} tbody tr").nth(2).locator("td").nth(3).click()
    assert "row 3, column 4:" in page.locator(".live-widget .cnn-sum").text_content()


@pytest.mark.browser
def test_touch_moves_the_window(explore):
    page = explore(width=360, height=740, has_touch=True, is_mobile=True)
    page.locator(".live-widget .cnn-input tbody tr").nth(5).locator("td").nth(5).tap()
    expect(page.locator(".live-widget .cnn-sum")).to_contain_text("row 5, column 5:")


@pytest.mark.browser
def test_pixels_and_weights_can_be_typed(explore):
    explorer = ConvolutionExplorer(np.zeros((4, 4)), np.ones((2, 2)), row=0, column=0, filled=True)
    page = explore(explorer)
    page.get_by_label("window, row 2, column 1").fill("7")
    page.get_by_label("kernel, row 2, column 1").fill("1/2")
    page.keyboard.press("Enter")
    assert grid(page, "input")[1][0] == "7"
    assert grid(page, "output")[0][0] == "3.5"
    assert page.get_by_role("combobox", name="Input").evaluate("e => e.value") == "custom"
    press(page, "Reset")
    assert grid(page, "kernel") == [["1", "1"], ["1", "1"]]


@pytest.mark.browser
def test_enter_leads_from_a_pixel_to_its_field(explore):
    page = explore()
    page.locator(".live-widget .cnn-input tbody tr").nth(4).locator("td").nth(4).click()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == "window, row 2, column 2"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("text", "reason"), [("cat", "“cat” is not a number"), ("5000", "out of range")]
)
def test_what_is_no_number_is_refused_in_words(explore, text, reason):
    page = explore()
    field = page.get_by_label("kernel, row 1, column 1")
    field.fill(text)
    field.press("Enter")
    assert reason in page.locator(".live-widget .cnn-refusal").text_content()
    assert field.get_attribute("aria-invalid") == "true"
    field.fill("dog")
    field.press("Enter")
    assert field.input_value() == "dog"  # what was typed stays, to be mended
    field.press("Escape")
    assert field.input_value() == "−1"
    assert field.get_attribute("aria-invalid") is None
    assert page.locator(".live-widget .cnn-refusal").text_content() == ""


@pytest.mark.browser
def test_pointing_at_a_number_links_it_by_sign_and_by_words(explore):
    page = explore(ConvolutionExplorer(row=0, column=0))
    page.locator(".live-widget .cnn-products tbody tr").nth(1).locator("td").nth(0).hover()
    settle(page)
    assert page.locator(".live-widget .cnn-linked").count() == 4
    pixel = photos.cat_eye()[1][0]
    assert page.locator(".live-widget .cnn-pair").text_content() == f"{pixel} × (−1) = −{pixel}"


@pytest.mark.browser
def test_an_impossible_setting_says_so_and_draws_no_output(explore):
    page = explore(ConvolutionExplorer(np.ones((4, 4))))
    slide(page, "Kernel size", 5)
    problem = page.locator(".live-widget .cnn-problem")
    assert "spans 5 pixels, and there are only 4" in problem.text_content()
    assert grid(page, "output") == []
    assert page.get_by_role("button", name="Play").is_disabled()
    slide(page, "Padding", 1)
    assert not problem.is_visible()
    assert len(grid(page, "output")) == 2
    page.get_by_label("same", exact=True).check()
    slide(page, "Stride", 2)
    assert "only at stride 1" in problem.text_content()


@pytest.mark.browser
def test_flip_turns_the_kernel_and_edits_the_right_weight(explore):
    page = explore(ConvolutionExplorer(kernel=[[1, 2], [3, 4]]))
    page.get_by_label("Convolution", exact=True).check()
    assert grid(page, "kernel") == [["4", "3"], ["2", "1"]]
    page.get_by_label("kernel, row 1, column 1").fill("9")
    page.keyboard.press("Enter")
    page.get_by_label("Correlation", exact=True).check()
    assert grid(page, "kernel") == [["1", "2"], ["3", "9"]]


@pytest.mark.browser
def test_presets_follow_the_size(explore):
    page = explore()
    page.get_by_role("combobox", name="Kernel").select_option("Gaussian blur")
    slide(page, "Kernel size", 5)
    assert grid(page, "kernel")[2] == [".023", "3/32", "9/64", "3/32", ".023"]
    assert page.get_by_role("combobox", name="Kernel").evaluate("e => e.value") == "gaussian"
    page.get_by_role("combobox", name="Input").select_option("A checkerboard")
    slide(page, "Input size", 5)
    assert grid(page, "input")[0] == ["0", "9", "0", "9", "0"]


@pytest.mark.browser
def test_outside_controls_drive_it_through_jslink(show):
    stride, explorer = ipywidgets.IntSlider(1, 1, 4, description="S"), ConvolutionExplorer()
    link = ipywidgets.jslink((stride, "value"), (explorer, "stride"))
    page = show(body=widget_page.joined(stride, explorer, by=[link]))
    page.get_by_label("S", exact=True).fill("3")
    assert len(grid(page, "output")) == 4
    slide(page, "Stride", 2)
    assert page.get_by_label("S", exact=True).input_value() == "2"


@pytest.mark.browser
def test_two_views_share_their_state(show):
    explorer = ConvolutionExplorer()
    page = show(body=widget_page.joined(explorer, explorer))
    page.get_by_role("button", name="One step on").first.click()
    sums = page.locator(".cnn-sum").all_text_contents()
    assert len(sums) == 2
    assert sums[0] == sums[1]
    assert "column 6:" in sums[0]


# --- Links to a state ---


def link_text(values: dict) -> str:
    """Write values as share.js does, by Python's own encoder."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def share_status(page, index: int = 0) -> str:
    return page.locator(".live-widget .cnn-share-status").nth(index).text_content()


def shown(page) -> dict:
    """Return everything that a link must bring back, as the living widget shows it."""
    return {
        "grids": {role: grid(page, role) for role in ("input", "kernel", "output")},
        "sum": page.locator(".live-widget .cnn-sum").text_content(),
        "formula": page.locator(".live-widget .cnn-formula").text_content(),
        "operation": page.get_by_label("Convolution", exact=True).is_checked(),
        "same": page.get_by_label("same", exact=True).is_checked(),
    }


@pytest.mark.browser
def test_a_link_brings_the_state_back(explore, new_page):
    page = explore()
    page.get_by_role("combobox", name="Kernel").select_option("Gaussian blur")
    slide(page, "Dilation", 2)
    page.get_by_label("same", exact=True).check()
    page.get_by_label("Convolution", exact=True).check()
    page.get_by_label("kernel, row 2, column 3").fill("-1/3")
    press(page, "One step on")
    before = page.url
    assert "#" not in before
    wanted = shown(page)
    press(page, "Copy a link")
    page.wait_for_function("location.hash")
    assert re.fullmatch(r"#conv=[\w-]+", page.url.removeprefix(before))
    other = new_page()
    other.goto(page.url)
    widget_page.wait_until_alive(other)
    assert shown(other) == wanted
    assert share_status(other) == "Set as the link says."
    press(other, "Reset")
    assert grid(other, "kernel") == [["−1", "0", "1"]] * 3  # the page's own
    assert not other.trouble


@pytest.mark.browser
def test_a_link_holds_only_what_differs(explore):
    page = explore()
    slide(page, "Stride", 2)
    press(page, "Copy a link")
    page.wait_for_function("location.hash")
    text = page.url.split("#conv=")[1]
    assert json.loads(base64.urlsafe_b64decode(text + "==")) == {"stride": 2}


@pytest.mark.browser
def test_a_link_opened_on_the_open_page_starts_from_the_pages_own_state(explore):
    page = explore()
    slide(page, "Padding", 3)
    for text in (link_text({"stride": 2}), link_text({"stride": 2}) + "."):  # and a full stop
        open_link(page, f"conv={text}")
        assert page.get_by_label("Stride", exact=True).input_value() == "2"
        assert page.get_by_label("Padding", exact=True).input_value() == "0"
        slide(page, "Stride", 1)


UNREADABLE = {
    "nothing": "",
    "no base64": "%%%",
    "no text": "____",
    "no JSON": base64.urlsafe_b64encode(b"stride=2").decode().rstrip("="),
    "a list": link_text([2]),
    "nobody": link_text(None),
    "too large": link_text({"stride": 5}),
    "a fraction": link_text({"stride": 1.5}),
    "text for a number": link_text({"stride": "2"}),
    "NaN": base64.urlsafe_b64encode(b'{"stride": NaN}').decode().rstrip("="),
    "infinite": base64.urlsafe_b64encode(b'{"kernel": [[1e999]]}').decode().rstrip("="),
    "a huge grid": link_text({"input": [[1] * 40] * 40}),
    "a huge text": link_text({"input": "1" * 100_000}),
    "ragged": link_text({"kernel": [[1, 2], [3]]}),
    "texts in a grid": link_text({"kernel": [["<img src=x onerror=alert(1)>"]]}),
    "no rows": link_text({"kernel": [1, 2]}),
    "a number out of range": link_text({"kernel": [[1e6]]}),
    "an unknown mode": link_text({"mode": "constructor"}),
    "no place": link_text({"row": -1}),
    "a truth": link_text({"flip": 1}),
    "another explorer": "2." + link_text({"stride": 2}),
    "explorer nought": "0." + link_text({"stride": 2}),
}


@pytest.mark.browser
def test_a_link_that_cannot_be_read_changes_nothing_and_says_so(explore):
    page = explore()
    before = shown(page)
    for kind, text in UNREADABLE.items():
        open_link(page, f"conv={text}")
        assert share_status(page) == "The link could not be read.", kind
        assert shown(page) == before, kind
        page.evaluate("document.querySelector('.cnn-share-status').textContent = ''")


@pytest.mark.browser
def test_a_link_with_names_of_prototypes_harms_nothing(explore):
    page = explore()
    text = '{"__proto__": {"stride": 3}, "constructor": 1, "playing": true, "limits": {}}'
    text = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    before = shown(page)
    open_link(page, f"conv={text}")
    assert shown(page) == before
    assert page.evaluate("({}).stride") is None
    assert page.get_by_role("button", name="Play", exact=True).count() == 1


@pytest.mark.browser
def test_a_number_says_which_explorer_of_the_page_a_link_means(browser, new_page, serve, tmp_path):
    explorers = [ConvolutionExplorer() for _ in range(3)]
    stand_ins = [widget_page.stills(browser, e) for e in explorers]  # which hold no place in line
    views = [*map(widget_page.view, explorers, stand_ins)]
    boxed = ipywidgets.VBox([ipywidgets.HBox([explorers[1]])])  # drawn later than the others
    views[1] = widget_page.view(boxed)
    url = serve(widget_page.write(tmp_path, "".join(views) + widget_page.state(*explorers, boxed)))
    page = new_page()
    page.goto(f"{url}/#conv=2.{link_text({'stride': 3})}")
    page.wait_for_function(
        "document.querySelectorAll('.live-widget .cnn-share-status').length === 3"
    )
    page.wait_for_function("scrollY > 500")
    strides = page.locator(".live-widget").get_by_label("Stride", exact=True)
    assert [strides.nth(i).input_value() for i in range(3)] == ["1", "3", "1"]
    top = page.locator(".live-widget .cnn-explorer").nth(1).bounding_box()["y"]
    assert abs(top) < 30
    page.get_by_role("button", name="Copy a link").nth(2).click()
    page.wait_for_function("location.hash.startsWith('#conv=3.')")
    page.get_by_role("button", name="Copy a link").first.click()
    page.wait_for_function("!location.hash.includes('.')")
    assert not page.trouble


@pytest.mark.browser
def test_a_link_goes_to_the_clipboard_or_else_into_a_field(explore):
    page = explore(permissions=["clipboard-read", "clipboard-write"])
    slide(page, "Stride", 3)
    press(page, "Copy a link")
    page.get_by_text("Link copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # http
    press(page, "Copy a link")
    field = page.get_by_label("Link to what is set here")
    field.wait_for()
    assert field.input_value() == page.url
    assert field.evaluate("e => [e.readOnly, e === document.activeElement]") == [True, True]
    assert page.evaluate("getSelection().toString()") == page.url
    assert violations(page) == []
    page.keyboard.press("Tab")
    assert not field.is_visible()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_what_a_link_says_moves_nothing(explore, width):
    page = explore(width=width, body=widget_page.BELOW)
    before = below(page)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    press(page, "Copy a link")
    page.get_by_label("Link to what is set here").wait_for()
    assert below(page) == pytest.approx(before, abs=1)
    open_link(page, "conv=!")
    page.get_by_text("The link could not be read.").wait_for()
    assert below(page) == pytest.approx(before, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.browser
def test_outside_of_the_book_no_link_is_offered(module):
    explorer = ConvolutionExplorer()
    state = {name: value for name, value in explorer.get_state().items() if name[0] != "_"}
    state.pop("layout")
    module.evaluate(
        """(state) => {
          location.hash = "conv=eyJzdHJpZGUiOiAyfQ"; // {"stride": 2}
          const model = {
            get: (name) => state[name], set() {}, on() {}, off() {}, save_changes() {},
          };
          module.default.render({ model, el: document.body });
        }""",
        state,
    )
    assert module.locator(".cnn-explorer").count() == 1
    assert not module.get_by_role("button", name="Copy a link").is_visible()
    assert module.get_by_label("Stride", exact=True).input_value() == "1"


# --- In a frame of another host ---

# As VS Code and Colab show an output: in a frame of an origin of its own, on a page without styles,
# with the five functions of a model that anywidget promises, and drawn before it is on the page.
FRAME = (
    "<title>A notebook</title><iframe sandbox='allow-scripts' width='700' height='900'></iframe>"
)
HOST = """async ({ state, esm, css }) => {
  const [listeners, unsaved] = [new Map(), new Set()];
  globalThis.saved = [];
  const at = (name) => listeners.get(name) ?? listeners.set(name, new Set()).get(name);
  const model = Object.freeze({
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      unsaved.add(name);
      [...at(`change:${name}`)].forEach((callback) => callback());
    },
    on: (name, callback) => at(name).add(callback),
    off: (name, callback) => at(name).delete(callback),
    save_changes() {
      saved.push(...unsaved);
      unsaved.clear();
    },
  });
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const stop = await widget.initialize?.({ model });
  const el = document.createElement("div");
  const undo = await widget.render({ model, el });
  document.body.append(el);
  globalThis.leave = () => {
    undo?.();
    stop?.();
    return [...listeners.values()].reduce((sum, each) => sum + each.size, 0);
  };
}"""
DARK = {  # how each host says that it is dark
    "VS Code": "(dark) => document.body.classList.toggle('vscode-dark', dark)",
    "Colab": "(dark) => document.documentElement.setAttribute('theme', dark ? 'dark' : 'light')",
}


@pytest.mark.browser
@pytest.mark.parametrize("name", widgets.__all__)
def test_a_widget_lives_in_a_frame_of_another_host(new_page, show, name):
    widget = getattr(widgets, name)()
    state = {key: value for key, value in widget.get_state().items() if key[0] != "_"}
    state.pop("layout")
    page = new_page()
    page.set_content(FRAME)
    frame = page.frames[1]
    frame.evaluate(HOST, {"state": state, "esm": widget._esm, "css": widget._css})
    living = frame.locator(".cnn-widget")
    assert living.bounding_box()["height"] > 200
    assert not frame.get_by_role("button", name="Copy a link").is_visible()
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    numbers = "td, output, .cnn-sum, .cnn-formula-numbers"
    in_the_book = show(widget).locator(f".live-widget :is({numbers})").all_text_contents()
    assert living.locator(numbers).all_text_contents() == in_the_book != []

    before = living.text_content()
    slider = living.locator("input[type=range]:enabled").first
    if slider.count():
        slider.press("ArrowRight")
    else:
        living.get_by_role("button", name="One step on").click()
    settle(frame)
    assert frame.evaluate("saved") != []  # Python hears it
    assert living.text_content() != before

    color = "(e) => getComputedStyle(e).color"
    for host, turn in DARK.items():
        for dark, wanted in ((True, "rgb(230, 230, 230)"), (False, "rgb(31, 35, 40)")):
            frame.evaluate(turn, dark)
            assert living.evaluate(color) == wanted, host
    assert frame.evaluate("leave()") == 0  # nothing follows the model any more
    assert not page.trouble, page.trouble


# --- Languages and looks ---


@pytest.mark.browser
def test_an_unknown_language_reads_english(explore):
    assert explore(language="tlh-AQ").get_by_role("button", name="Play").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize(
    "explorer",
    [
        {"row": 4, "column": 6},
        {
            "kernel": np.full((5, 5), 1 / 25),
            "padding": "same",
            "row": 6,
            "column": 2,
            "filled": True,
        },
        {"dilation": 2, "padding": 2, "row": 3, "column": 3, "flip": True, "stride": 2},
        {"input": np.arange(12).reshape(3, 4) - 5.5, "kernel": [[0.25, -1]], "padding": 1},
    ],
)
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_still_picture_is_the_living_one_and_nothing_jumps(both_forms, explorer, width):
    still_page, page = both_forms(ConvolutionExplorer(**explorer), width)
    for role in ("input", "window", "kernel", "products", "output"):
        first = still_page.locator(f".cnn-still {panel(role)}")
        check_alike(first, page.locator(f".live-widget {panel(role)}"))


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_fits_every_width_and_its_digits_are_readable(explore, width):
    settings = {"padding": "full", "kernel": np.full((5, 5), -1 / 25), "filled": True}
    page = explore(ConvolutionExplorer(**settings), width=width)
    assert unreadable(page, width) == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_cells_are_squares_of_one_size(explore, width):
    page = explore(ConvolutionExplorer(padding=1, row=3, column=5), width=width)
    for role in ("input", "window", "kernel", "products", "output"):
        cells = page.locator(f".live-widget {panel(role)} tbody td")
        boxes = "(all) => all.map((e) => e.getBoundingClientRect()).map((b) => [b.width, b.height])"
        sizes = np.array(cells.evaluate_all(boxes))
        assert sizes.min() > 15
        assert np.ptp(sizes) < 1.01, role


@pytest.mark.browser
def test_nothing_moves_while_one_plays(explore):
    page = explore(ConvolutionExplorer(), body=widget_page.BELOW)
    before = below(page)
    for name, value in (("Input size", 16), ("Padding", 6), ("Stride", 4), ("Kernel size", 2)):
        slide(page, name, value)
        assert below(page) == pytest.approx(before, abs=1), name


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(explore, theme, width):
    page = explore(ConvolutionExplorer(padding=1, row=4, column=6), theme=theme, width=width)
    assert violations(page) == []
    slide(page, "Kernel size", 5)
    slide(page, "Dilation", 3)
    slide(page, "Input size", 4)
    assert violations(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_digits_stand_out_on_every_shade(explore, theme):
    """WCAG AA for each cell of each grid, computed from what the browser paints."""
    page = explore(ConvolutionExplorer(padding=1, filled=True), theme=theme)
    assert least_contrast(page)[0] >= 4.5, least_contrast(page)
