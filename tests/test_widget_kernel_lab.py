"""The kernel lab: its Python side, its arithmetic, its page."""

from __future__ import annotations

import base64
import io
import json
import re

import ipywidgets
import matplotlib
import numpy as np
import pytest
import torch
import traitlets
import widget_page
from PIL import Image
from playwright.sync_api import expect
from widget_page import (
    ask,
    below,
    cells,
    check_alike,
    check_work,
    numbers,
    settle,
    unreadable,
    violations,
    work_of_a_drag,
)

from cnnlib import scratch
from cnnlib.palette import DIVERGING
from cnnlib.widgets import KernelLab
from cnnlib.widgets.common import base, photos

SETTINGS = 2500
SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
BLUR = np.full((5, 5), 1 / 25)


def small_photo(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# --- Python -----------------------------------------------------------------------------------


def test_the_first_state_is_the_cat_under_a_vertical_edge():
    lab = KernelLab()
    np.testing.assert_array_equal(lab.pixels, photos.cat_photo(256))
    assert lab.kernel == [[-1, 0, 1]] * 3
    assert (lab.edges, lab.show, lab.flip) == ("zero", "auto", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"photo": np.zeros((4, 4))}, r"photo must be an array of uint8.*float64 \(4, 4\)"),
        ({"photo": np.zeros((4, 4, 4), np.uint8)}, r"got uint8 \(4, 4, 4\)"),
        ({"photo": np.zeros((300, 4), np.uint8)}, "at most 256 rows and columns"),
        ({"kernel": np.zeros((6, 6))}, "kernel must have 1 to 5 rows and columns, got 6 x 6"),
        ({"kernel": [[1, "2"]]}, "kernel must hold numbers from -999 to 999, got '2'"),
        ({"edges": "mirror"}, "edges must be one of zero, repeat, got 'mirror'"),
        ({"show": "colour"}, "show must be one of auto, photo, signed, magnitude, got 'colour'"),
        ({"row": 256}, "row must be from 0 to 255, got 256"),
        ({"column": -1}, "column must be from 0 to 255, got -1"),
        ({"channel": 1}, "channel must be from 0 to 0, got 1"),
    ],
)
def test_refuses_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        KernelLab(**arguments)


def test_refuses_what_is_no_photo_and_keeps_the_old_one():
    lab = KernelLab()
    for url in ("cat.png", "data:image/png;base64,AAAA", "data:image/png;base64,!"):
        with pytest.raises(ValueError, match="photo must be a PNG in a data URL"):
            lab.photo = url
    np.testing.assert_array_equal(lab.pixels, photos.cat_photo(256))
    with pytest.raises(traitlets.TraitError):
        lab.flip = "yes"


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "kernel_lab/view.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"const STATE = \[(.*?)\]", source, re.DOTALL)[1])
    assert len(names) == 7
    assert {*names, "photo", "limits"} <= set(KernelLab().keys)


def test_links_with_ipywidgets():
    lab, box = KernelLab(), ipywidgets.Checkbox(False)
    ipywidgets.link((box, "value"), (lab, "flip"))
    box.value = True
    assert lab.flip
    ipywidgets.jslink((box, "value"), (lab, "flip"))


# --- The arithmetic of the ES module ----------------------------------------------------------


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` is the lab's."""
    return load_module("kernel_lab")


def random_setting(rng) -> dict:
    """Draw one setting: a small photo, grey or coloured, a kernel, and how it meets the edges."""
    height, width = rng.integers(1, 10, 2).tolist()
    channels = [rng.integers(0, 256, height * width).tolist() for _ in range(rng.choice([1, 3]))]
    kernel = rng.normal(scale=2, size=rng.integers(1, 6, 2)).round(3)
    kernel[rng.random(kernel.shape) < 0.2] = 0
    return {
        "photo": {"width": width, "height": height, "channels": channels},
        "kernel": kernel.tolist(),
        "flip": bool(rng.integers(2)),
        "edges": str(rng.choice(["zero", "repeat"])),
        "row": int(rng.integers(height)),
        "column": int(rng.integers(width)),
    }


def by_scratch(setting: dict) -> list[np.ndarray]:
    """Filter a setting's photo in Python, a channel at a time."""
    photo, kernel = setting["photo"], np.array(setting["kernel"])
    kernel = kernel[::-1, ::-1] if setting["flip"] else kernel
    margins = [((size - 1) // 2, size // 2) for size in kernel.shape]
    mode = {"zero": "constant", "repeat": "edge"}[setting["edges"]]
    return [
        scratch.correlate2d(
            np.pad(np.reshape(channel, (photo["height"], photo["width"])), margins, mode), kernel
        )
        for channel in photo["channels"]
    ]


def best_show(kernel) -> str:
    """Return how a kernel's output is shown: by sign where it is mostly about 0."""
    weights = np.array(kernel)
    return "signed" if weights.sum() < 0.5 and (weights < 0).any() else "photo"


def check_full_color(values: np.ndarray, full: float) -> None:
    """Check the number that gets the full colour: two digits, and 99 of 100 do not exceed it."""
    sizes = np.sort(np.abs(values).ravel())
    if sizes[-1] < 1e-9:
        assert full == 1
        return
    assert float(f"{full:.2g}") == full
    bin_ = sizes[-1] / 1024
    least = sizes[int(np.ceil(0.99 * len(sizes))) - 1]  # what 99 of 100 do not exceed
    assert least * (1 - 1e-9) <= full <= (least + bin_) * 1.1 + 1e-9


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kernel", "way"),
    [
        ([[-1, 0, 1]], "signed"),
        ([[-1, 0, 1.4]], "signed"),  # adds up to a little more than 0
        (SHARPEN, "photo"),
        ([[0.2]], "photo"),  # dark, but never negative
        ([[-1]], "signed"),
    ],
)
def test_auto_shows_by_sign_what_can_be_negative(module, kernel, way):
    assert (
        module.evaluate("(kernel) => module.bestShow(kernel)", kernel) == way == best_show(kernel)
    )


@pytest.mark.browser
def test_full_color_leaves_out_the_largest_hundredth(module):
    values = [311.5] * 495 + [-311.5] * 495 + [1024.0] * 10  # a bin is 1 wide
    full = "([values, most]) => module.fullColor([Float64Array.from(values)], most)"
    assert module.evaluate(full, [values, 1024]) == 320
    assert module.evaluate(full, [[0] * 9, 0]) == 1


@pytest.mark.browser
def test_signed_colors_are_those_of_the_plots(module):
    tones = np.linspace(-1, 1, 41)
    colors = module.evaluate(
        "(tones) => tones.map((t) => module.divergingColor(t))", tones.tolist()
    )
    wanted = matplotlib.colormaps[DIVERGING](tones / 2 + 0.5)[:, :3] * 255
    assert np.abs(np.array(colors) - wanted).max() < 26  # five colours of eleven
    np.testing.assert_allclose(np.array(colors)[[0, 20, 40]], wanted[[0, 20, 40]], atol=1)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kernel": [[0, 0, 0], [0, 1, 0], [0, 0, 0]]}, "It shows the same picture."),
        ({"kernel": BLUR}, "It shows the same picture, softer."),
        ({"kernel": SHARPEN}, "with stronger edges"),
        ({"kernel": [[0.5]]}, "in another brightness"),
        ({"kernel": SOBEL}, "red and blue"),
        ({"kernel": SOBEL, "show": "magnitude"}, "it is black; its edges stand out"),
    ],
)
def test_the_alternative_text_says_what_one_should_see(visit, show_still, arguments, sentence):
    lab = KernelLab(small_photo(3, (8, 8)), **arguments)
    canvas = visit(lab).locator(".live-widget .cnn-output canvas")
    assert sentence in canvas.get_attribute("aria-label")
    picture = show_still(lab).locator(".cnn-still .cnn-output img")
    assert picture.get_attribute("alt").startswith("A kernel filters a photo: ")
    assert sentence in picture.get_attribute("alt")


@pytest.mark.browser
def test_arithmetic_equals_scratch_on_random_settings(module):
    rng = np.random.default_rng(6)
    settings = [random_setting(rng) for _ in range(SETTINGS)]
    answers = ask(
        module,
        """(settings) => settings.map(({ photo, kernel, flip, edges, row, column }) => {
          const output = module.filtered(photo, kernel, { flip, edges });
          const applied = flip ? module.flipped(kernel) : kernel;
          const [rows, columns] = [kernel.length, kernel[0].length];
          const source = module.framed(photo, rows, columns, edges);
          const last = photo.channels.length - 1;
          const here = module.neighbourhood(source, rows, columns, row, column, last);
          const { low, high, mean } = module.summary(output.channels);
          return {
            output: output.channels.map((channel) => [...channel]),
            sum: module.total(module.products(here, applied)),
            low, high, mean,
            outside: module.outside(output.channels),
            full: module.fullColor(output.channels, Math.max(-low, high)),
            best: module.bestShow(kernel),
          };
        })""",
        settings,
    )
    coloured = 0
    for setting, answer in zip(settings, answers, strict=True):
        wanted = np.array(by_scratch(setting))
        got = np.reshape(answer["output"], wanted.shape)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-9)
        assert answer["sum"] == pytest.approx(wanted[-1, setting["row"], setting["column"]])
        assert answer["low"] == pytest.approx(wanted.min())
        assert answer["high"] == pytest.approx(wanted.max())
        assert answer["mean"] == pytest.approx(wanted.mean())
        assert answer["outside"] == np.any((np.rint(wanted) < 0) | (wanted >= 255.5), 0).sum()
        check_full_color(wanted, answer["full"])
        assert answer["best"] == best_show(setting["kernel"])
        coloured += len(wanted) == 3
    assert SETTINGS / 3 < coloured < SETTINGS * 2 / 3  # both kinds are met


@pytest.mark.browser
def test_presets_are_the_textbook_ones(module):
    make = """(size) => Object.fromEntries(
      Object.entries(module.PHOTO_KERNELS).map(([name, make]) => [name, make(size)]))"""
    three, five = (module.evaluate(make, size) for size in (3, 5))
    assert three["sobelVertical"] == SOBEL
    assert three["sobelHorizontal"] == np.transpose(SOBEL).tolist()
    smooth, across = [1, 4, 6, 4, 1], [-1, -2, 0, 2, 1]
    np.testing.assert_array_equal(five["sobelVertical"], np.outer(smooth, across))
    np.testing.assert_array_equal(five["sobelHorizontal"], np.outer(across, smooth))
    assert three["shift"] == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    for kernels in (three, five):
        for name, kernel in kernels.items():
            sums = {"sobelVertical": 0, "sobelHorizontal": 0, "vertical": 0, "horizontal": 0}
            wanted = (sums | {"laplacian": 0, "outline": 0}).get(name, 1)
            assert np.sum(kernel) == pytest.approx(wanted), name
            shown = module.evaluate(
                "(kernel) => module.kernelName(kernel, module.PHOTO_KERNELS)", kernel
            )
            assert shown == name


@pytest.mark.browser
def test_photos_are_decoded_to_the_pixel(module):
    for photo in (small_photo(7, (5, 8)), small_photo(8, (9, 4, 3)), photos.cat_photo(256)):
        answer = module.evaluate(
            """async (url) => {
              const { width, height, channels } = await module.decode(url);
              return { width, height, channels: channels.map((channel) => [...channel]) };
            }""",
            photos.photo_url("photo", photo),
        )
        shape = (answer["height"], answer["width"])
        got = np.stack([np.reshape(each, shape) for each in answer["channels"]], -1)
        np.testing.assert_array_equal(got, np.atleast_3d(photo))


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def visit(show):
    """Open a page with labs; return the page."""
    return lambda *labs, **options: show(*(labs or [KernelLab()]), **options)


def painted(page, role: str = "output") -> np.ndarray:
    """Return what a canvas of the living widget shows, after the next frame."""
    settle(page)
    canvas = page.locator(f".live-widget .cnn-{role} canvas").first
    url = canvas.evaluate("(canvas) => canvas.toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(image.convert("RGB")).astype(int)


def grid(page, role: str) -> list[list[str]]:
    """Return the texts of one of the living widget's grids."""
    settle(page)
    return cells(page.locator(f".live-widget .cnn-lab-strip .cnn-{role}").first)


def text(page, name: str) -> str:
    settle(page)
    return page.locator(f".live-widget .cnn-lab-{name}").first.text_content()


def weight(page, row: int, column: int):
    return page.get_by_label(f"kernel, row {row}, column {column}", exact=True).first


def choose(page, name: str) -> None:
    page.get_by_role("combobox", name="Kernel").first.select_option(name)


def check(page, name: str) -> None:
    page.get_by_label(name, exact=True).first.check()


def by_torch(photo: np.ndarray, kernel, mode: str) -> np.ndarray:
    """Filter a photo, grey or coloured, by torch; ``mode`` says what stands beyond its edges."""
    kernel = np.array(kernel, float)
    (top, bottom), (left, right) = [((k - 1) // 2, k // 2) for k in kernel.shape]
    x = torch.tensor(np.atleast_3d(photo).transpose(2, 0, 1)[:, None].astype(float))
    x = torch.nn.functional.pad(x, (left, right, top, bottom), mode)
    y = torch.nn.functional.conv2d(x, torch.tensor(kernel)[None, None])[:, 0]
    return y.numpy().transpose(1, 2, 0).reshape(photo.shape)


def check_painted(page, values: np.ndarray, way: str) -> None:
    """Compare what the page paints with numbers in colours, the full colour read off its legend."""
    got = painted(page)
    if way == "photo":
        wanted = np.clip(np.rint(values), 0, 255)
        assert np.abs(got - as_rgb(wanted)).max() <= 1
        return
    shown = values if way == "magnitude" or values.ndim == 2 else values[..., 0]
    high = page.locator(".live-widget .cnn-lab-ends-of-bar").inner_text().split()[-1]
    full = float(high)
    check_full_color(shown, full)
    tones = shown / full
    if way == "magnitude":
        wanted = as_rgb(np.clip(255 * np.abs(tones), 0, 255))
        assert np.abs(got - wanted).max() <= 1
    else:
        stops = [(5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31)]
        places = [-1, -0.6, 0, 0.6, 1]  # of the plots' map, see above
        wanted = np.stack([np.interp(tones, places, each) for each in zip(*stops, strict=True)], -1)
        assert np.abs(got - wanted).max() <= 1


def as_rgb(picture: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.atleast_3d(picture), (*picture.shape[:2], 3)).astype(int)


@pytest.mark.browser
@pytest.mark.parametrize("way", ["photo", "signed", "magnitude"])
@pytest.mark.parametrize("gray", [True, False])
def test_paints_what_python_computes(visit, way, gray):
    lab = KernelLab(photos.cat_photo(256, gray), SHARPEN, show=way, edges="repeat", flip=True)
    page = visit(lab)
    check_painted(page, by_torch(lab.pixels, SHARPEN[::-1], "replicate"), way)
    np.testing.assert_array_equal(painted(page, "input"), as_rgb(lab.pixels))


@pytest.mark.browser
def test_every_control_changes_the_picture_as_python_does(visit):
    photo = small_photo(9, (16, 20, 3))
    page = visit(KernelLab(photo, channel=0))
    choose(page, "Emboss")
    check(page, "5 × 5")
    check(page, "Convolution")
    check(page, "nearest pixel")
    check(page, "signed")
    check(page, "green")
    emboss = np.pad([[2, 1, 0], [1, 1, -1], [0, -1, -2]], 1)  # turned half round
    filtered = by_torch(photo, emboss, "replicate")
    green = filtered[..., 1]
    check_painted(page, green, "signed")
    assert text(page, "facts").startswith("The kernel’s numbers add up to 1:")
    numbers = (green.min(), green.max(), green.mean())
    low, high, mean = (f"{value:.1f}".removesuffix(".0").replace("-", "−") for value in numbers)
    said = f"The output runs from {low} to {high}; its mean is {mean}."
    assert text(page, "facts").endswith(said)
    assert "green channel" in text(page, "legend")
    check(page, "photo")
    check_painted(page, filtered, "photo")
    count = np.any((filtered < -0.5) | (filtered >= 255.5), axis=2).sum()
    share = f"{100 * count / 320:.1f}".removesuffix(".0")
    assert text(page, "legend") == (f"0255{count} pixels ({share} %) are outside 0 to 255: cut off")
    page.get_by_role("button", name="Reset").click()
    assert grid(page, "kernel") == [["−1", "0", "1"]] * 3


@pytest.mark.browser
def test_window_products_and_sum_agree(visit):
    photo = small_photo(10, (12, 12))
    page = visit(KernelLab(photo, SOBEL, row=4, column=7))
    window, products = numbers(grid(page, "window")), numbers(grid(page, "products"))
    np.testing.assert_array_equal(window, photo[3:6, 6:9])
    np.testing.assert_array_equal(products, window * SOBEL)
    assert numbers([[text(page, "total")]])[0, 0] == products.sum()
    assert text(page, "line").startswith("Row 5, column 8: 9 products add up to")
    check(page, "Convolution")
    assert grid(page, "kernel") == [["1", "0", "−1"], ["2", "0", "−2"], ["1", "0", "−1"]]
    assert numbers([[text(page, "total")]])[0, 0] == -products.sum()


@pytest.mark.browser
def test_what_a_photo_cannot_show_is_said_at_its_pixel(visit):
    photo = np.full((8, 8), 200, np.uint8)
    page = visit(KernelLab(photo, [[2.0]], row=0, column=0))
    assert text(page, "line") == "Row 1, column 1: 1 products add up to 400 (shown as 255)"
    assert text(page, "legend").endswith("64 pixels (100 %) are outside 0 to 255: cut off")
    weight(page, 1, 1).fill("1/2")
    page.keyboard.press("Enter")
    assert text(page, "total") == "100"
    assert "shown as" not in text(page, "line")


@pytest.mark.browser
def test_beyond_the_edge_are_zeros_or_the_nearest_pixel(visit):
    photo = small_photo(11, (6, 6))
    page = visit(KernelLab(photo, SOBEL, row=0, column=0))
    assert grid(page, "window")[0] == ["0", "0", "0"]
    check(page, "nearest pixel")
    corner = np.pad(photo, 1, "edge")[:3, :3].astype(str).tolist()
    assert grid(page, "window") == corner
    beyond = page.locator(".live-widget .cnn-window td.cnn-padding")
    assert beyond.count() == 5
    assert beyond.first.get_attribute("aria-label") == f"beyond the edge, {photo[0, 0]}"


@pytest.mark.browser
@pytest.mark.parametrize("role", ["input", "output"])
def test_arrow_keys_move_the_pixel_from_either_photo(visit, role):
    page = visit(KernelLab(small_photo(12, (30, 30)), row=2, column=2))
    page.locator(f".live-widget .cnn-{role} .cnn-lab-area").focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowRight", "ArrowLeft", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert text(page, "line").startswith("Row 1, column 13:")
    assert page.get_by_label("Column", exact=True).input_value() == "13"
    page.wait_for_function(
        "document.querySelector('.live-widget [aria-live]').textContent.startsWith('Row 1')"
    )
    page.get_by_label("Row", exact=True).fill("30")
    assert text(page, "line").startswith("Row 30, column 13:")


@pytest.mark.browser
def test_the_mouse_shows_a_pixel_and_a_click_keeps_it(visit):
    page = visit()
    area = page.locator(".live-widget .cnn-output .cnn-lab-area")
    side = area.bounding_box()["width"]
    at = {"x": side * 100.5 / 256, "y": side * 50.5 / 256}
    area.hover(position=at)
    assert text(page, "line").startswith("Row 51, column 101:")
    for role in ("input", "output"):  # the mark of both photos is there
        mark = page.locator(f".live-widget .cnn-{role} .cnn-lab-mark").bounding_box()
        box = page.locator(f".live-widget .cnn-{role} .cnn-lab-area").bounding_box()
        assert mark["x"] + mark["width"] / 2 - box["x"] == pytest.approx(at["x"], abs=1)
        assert mark["y"] + mark["height"] / 2 - box["y"] == pytest.approx(at["y"], abs=1)
    page.mouse.move(0, 0)
    assert text(page, "line").startswith("Row 105, column 90:")
    area.click(position=at)
    page.mouse.move(0, 0)
    assert text(page, "line").startswith("Row 51, column 101:")


@pytest.mark.browser
def test_touch_keeps_a_pixel(visit):
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    area = page.locator(".live-widget .cnn-input .cnn-lab-area")
    side = area.bounding_box()["width"]
    before = text(page, "line")
    area.tap(position={"x": side * 0.25, "y": side * 0.75})
    expect(page.locator(".live-widget .cnn-lab-line")).not_to_have_text(before)
    row, column = map(int, re.findall(r"\d+", text(page, "line"))[:2])
    assert (row, column) == (pytest.approx(193, abs=1), pytest.approx(65, abs=1))


@pytest.mark.browser
def test_weights_can_be_typed_nudged_and_slid(visit):
    page = visit(KernelLab(small_photo(13, (10, 10))))
    weight(page, 2, 3).fill("1/9")
    page.keyboard.press("Enter")
    assert grid(page, "kernel")[1] == ["−1", "0", "1/9"]
    assert page.get_by_role("combobox", name="Kernel").evaluate("e => e.value") == "custom"
    weight(page, 1, 1).fill("−0,5")
    page.keyboard.press("Tab")
    assert grid(page, "kernel")[0][0] == "−0.5"
    choose(page, "Sharpen")
    weight(page, 2, 2).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert grid(page, "kernel")[1][1] == "6"
    slider = page.get_by_label("Weight in row 2, column 2")
    slider.fill("2.5")
    assert grid(page, "kernel")[1][1] == "2.5"
    assert "add up to −1.5" in text(page, "facts")


@pytest.mark.browser
def test_a_turned_kernel_is_edited_where_one_sees_it(visit):
    page = visit(KernelLab(kernel=[[1, 2], [3, 4]], flip=True))
    assert grid(page, "kernel") == [["4", "3"], ["2", "1"]]
    weight(page, 1, 1).fill("9")
    page.keyboard.press("Enter")
    check(page, "Correlation")
    assert grid(page, "kernel") == [["1", "2"], ["3", "9"]]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("typed", "reason"), [("cat", "“cat” is not a number"), ("5000", "out of range")]
)
def test_what_is_no_number_is_refused_in_words(visit, typed, reason):
    page = visit()
    before = painted(page)
    field = weight(page, 1, 1)
    field.fill(typed)
    field.press("Enter")
    assert reason in text(page, "refusal")
    assert field.get_attribute("aria-invalid") == "true"
    page.locator(".live-widget .cnn-input .cnn-lab-area").hover()
    settle(page)
    assert field.input_value() == typed  # what was typed stays, to be mended
    np.testing.assert_array_equal(painted(page), before)
    field.press("Escape")
    settle(page)
    assert field.input_value() == "−1"
    assert field.get_attribute("aria-invalid") is None
    assert text(page, "refusal") == ""


@pytest.mark.browser
def test_pointing_at_a_number_links_it_by_sign_and_by_words(visit):
    photo = small_photo(14, (9, 9))
    page = visit(KernelLab(photo, SOBEL, row=4, column=4))
    page.locator(".live-widget .cnn-products tbody tr").nth(1).locator("td").nth(0).hover()
    settle(page)
    assert page.locator(".live-widget .cnn-linked").count() == 3
    pixel = photo[4, 3]
    assert text(page, "pair") == f"{pixel} × (−2) = −{2 * pixel}"


@pytest.mark.browser
def test_says_what_the_kernels_numbers_add_up_to(visit):
    page = visit()
    assert "add up to 0: where the photo is even, the output is 0" in text(page, "facts")
    choose(page, "Gaussian blur")
    assert "add up to 1: where the photo is even, brightness stays" in text(page, "facts")
    assert text(page, "legend").endswith("all pixels are from 0 to 255")
    page.wait_for_function(
        "document.querySelector('.live-widget [aria-live]').textContent.includes('output runs')"
    )


@pytest.mark.browser
def test_outside_controls_drive_it_and_what_is_out_of_range_is_clamped(show):
    row, lab = ipywidgets.IntSlider(2, 0, 500, description="R"), KernelLab(small_photo(1, (9, 9)))
    lab.row = 2
    link = ipywidgets.jslink((row, "value"), (lab, "row"))
    page = show(body=widget_page.joined(row, lab, by=[link]))
    page.get_by_label("R", exact=True).fill("400")
    assert text(page, "line").startswith("Row 9,")
    page.get_by_label("Row", exact=True).fill("4")
    assert page.get_by_label("R", exact=True).input_value() == "3"


@pytest.mark.browser
def test_views_of_one_lab_agree_and_labs_do_not_meddle(visit):
    one, other = KernelLab(small_photo(15, (8, 8))), KernelLab(small_photo(16, (8, 8)))
    page = visit(one, one, other)
    page.get_by_role("combobox", name="Kernel").first.select_option("Sharpen")
    settle(page)
    chosen = page.get_by_role("combobox", name="Kernel").evaluate_all(
        "(all) => all.map((each) => each.value)"
    )
    assert chosen == ["sharpen", "sharpen", "vertical"]
    facts = page.locator(".live-widget .cnn-lab-facts").all_text_contents()
    assert facts[0] == facts[1] != facts[2]


@pytest.mark.browser
def test_a_photo_that_cannot_be_read_says_so_in_place(visit):
    lab = KernelLab()
    lab._trait_values["photo"] = "data:image/png;base64,AAAA"  # as a foreign link may set it
    page = visit(KernelLab(small_photo(17, (8, 8))), body=widget_page.joined(lab))
    assert "could not be read" in page.get_by_role("alert").filter(has_text="photo").text_content()


# --- Links ------------------------------------------------------------------------------------


def link_to(values) -> str:
    text = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return f"#kernel={text}"


@pytest.mark.browser
def test_a_link_opens_the_state_that_was_copied(visit):
    page = visit()
    choose(page, "Laplacian")
    check(page, "Convolution")
    check(page, "nearest pixel")
    page.get_by_label("Row", exact=True).fill("7")
    page.get_by_role("button", name="Copy a link").click()
    page.wait_for_function("location.hash.startsWith('#kernel=')")
    other = visit(fragment="#" + page.url.partition("#")[2])
    other.wait_for_function("document.querySelector('.cnn-share-status').textContent !== ''")
    assert grid(other, "kernel") == [["0", "1", "0"], ["1", "−4", "1"], ["0", "1", "0"]]
    assert text(other, "line").startswith("Row 7, column 90:")
    assert other.get_by_label("Convolution", exact=True).is_checked()
    np.testing.assert_array_equal(painted(other), painted(page))


@pytest.mark.browser
@pytest.mark.parametrize(
    "values",
    [
        {"kernel": [[1, 2], [3]]},
        {"kernel": np.zeros((9, 9)).tolist()},
        {"kernel": [["<b>"]]},
        {"kernel": [[1e12]]},
        {"flip": "yes"},
        {"edges": "__proto__"},
        {"show": "constructor"},
        {"row": 256},
        {"column": 1.5},
        {"channel": 1},
    ],
)
def test_a_link_to_what_is_not_possible_sets_nothing(visit, values):
    page = visit(fragment=link_to({"row": 1} | values))
    page.wait_for_function("document.querySelector('.cnn-share-status').textContent !== ''")
    assert "could not be read" in page.locator(".cnn-share-status").first.text_content()
    assert text(page, "line").startswith("Row 105, column 90:")
    assert grid(page, "kernel") == [["−1", "0", "1"]] * 3


# --- What it must be --------------------------------------------------------------------------

LARGE = {"kernel": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256, "row": 0, "column": 0}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "arguments"),
    [
        (360, {}),
        (768, {}),
        (1440, LARGE),
        (360, LARGE),
        (1440, {"photo": photos.cat_photo(256, gray=False), "kernel": SHARPEN, "flip": True}),
        (360, {"photo": photos.cat_photo(256, gray=False), "kernel": SOBEL}),
    ],
)
def test_the_still_picture_is_the_living_one_and_nothing_jumps(both_forms, width, arguments):
    still_page, page = both_forms(KernelLab(**arguments), width)
    for role in ("input", "output:not(.cnn-lab-sum)"):
        first = still_page.locator(f".cnn-still .cnn-{role}")
        living = page.locator(f".live-widget .cnn-{role}")
        assert first.bounding_box() == pytest.approx(living.bounding_box(), abs=1)
    for role in ("window", "kernel", "products"):
        first = still_page.locator(f".cnn-still .cnn-{role}")
        check_alike(first, page.locator(f".live-widget .cnn-{role}"))
    for name in ("line", "facts", "legend"):
        first = still_page.locator(f".cnn-still .cnn-lab-{name}").text_content()
        assert first.strip() == text(page, name).strip()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_moves_while_one_plays(visit, width):
    page = visit(width=width, body=widget_page.BELOW)
    before = below(page)
    steps = [
        lambda: choose(page, "Sharpen"),
        lambda: check(page, "Convolution"),
        lambda: check(page, "nearest pixel"),
        lambda: check(page, "magnitude"),
        lambda: check(page, "photo"),
        lambda: weight(page, 1, 1).fill("-123.456"),
        lambda: page.keyboard.press("Enter"),
        lambda: weight(page, 1, 2).fill("a cat"),
        lambda: page.keyboard.press("Enter"),
        lambda: page.get_by_label("Row", exact=True).fill("256"),
        lambda: page.locator(".live-widget .cnn-products td").nth(5).hover(),
    ]
    for i, step in enumerate(steps):
        step()
        assert below(page) == pytest.approx(before, abs=1), i


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_fits_every_width_and_its_digits_are_readable(visit, width):
    lab = KernelLab(photos.cat_photo(256, gray=False), **LARGE)
    page = visit(lab, width=width)
    assert unreadable(page, width, ".cnn-hidden") == []
    overlaps = """() => {
      const boxes = [...document.querySelectorAll(
        ".live-widget :is(.cnn-panel, .cnn-segments, .cnn-choice, .cnn-slider, button, " +
        ".cnn-lab-line, .cnn-lab-links, .cnn-lab-facts)")]
        .map((e) => [e, e.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
      return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
        p.left < q.right - 1 && q.left < p.right - 1 &&
        p.top < q.bottom - 1 && q.top < p.bottom - 1).map(([b]) => [a.className, b.className]));
    }"""
    assert page.evaluate(overlaps) == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("kernel", [[[-1, 0, 1]] * 3, LARGE["kernel"]])
def test_no_number_is_cut_in_its_cell(visit, width, kernel):
    lab = KernelLab(np.full((9, 9), 255, np.uint8), kernel, row=4, column=4)
    page = visit(lab, width=width)
    cut = """() => [...document.querySelectorAll(".live-widget tbody :is(td, input)")]
      .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.value ?? e.textContent)"""
    assert page.evaluate(cut) == []


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("light", 360), ("dark", 360)])
def test_axe_finds_nothing(visit, theme, width):
    page = visit(KernelLab(photos.cat_photo(256, gray=False)), theme=theme, width=width)
    assert violations(page) == []
    check(page, "5 × 5")
    choose(page, "Sobel, vertical edges")
    weight(page, 1, 1).fill("dog")
    page.keyboard.press("Enter")
    settle(page)
    assert violations(page) == []


@pytest.mark.browser
def test_every_control_is_reached_by_the_tab_key_and_shows_it(visit):
    page = visit(KernelLab(photos.cat_photo(256, gray=False)))
    page.locator(".live-widget select").focus()
    seen = set()
    for _ in range(40):
        settle(page)
        name, outline = page.evaluate(
            """() => {
              const e = document.activeElement;
              const drawn = e.type === "radio" ? e.nextElementSibling : e;
              return [e.ariaLabel ?? e.labels?.[0]?.textContent ?? e.textContent,
                getComputedStyle(drawn).outlineStyle]; }"""
        )
        if page.evaluate("document.activeElement === document.body"):
            break
        assert outline != "none", name
        seen.add(name)
        page.keyboard.press("Tab")
    ways = {"3 × 3", "Correlation", "auto", "zeros", "red", "Row", "Column", "Kernel"}
    weights = {"kernel, row 2, column 2", "Weight in row 2, column 2"}  # arrows lead to the others
    assert ways | weights | {"Reset", "Copy a link"} <= seen
    assert sum("arrow keys" in name for name in seen) == 2


@pytest.mark.browser
@pytest.mark.parametrize("gray", [True, False])
def test_a_drag_is_drawn_once_a_frame(visit, gray):
    lab = KernelLab(photos.cat_photo(256, gray), np.random.default_rng(0).normal(size=(5, 5)))
    page = visit(lab)
    weight = page.locator(".live-widget .cnn-lab-weight input")
    values = np.linspace(-5, 5, 41).round(2).tolist()
    check_work(work_of_a_drag(page, weight, values), pictures=1)  # the filtered one alone


@pytest.mark.browser
def test_a_moving_mouse_is_followed_once_a_frame_and_paints_nothing(visit):
    page = visit()
    area = page.locator(".live-widget .cnn-input .cnn-lab-area")
    check_work(work_of_a_drag(page, area), pictures=0, layouts=2)
