"""The receptive field explorer: its Python side, its arithmetic, its page."""

from __future__ import annotations

import base64
import io
import re

import ipywidgets
import numpy as np
import pytest
import torch
import widget_page
from PIL import Image
from playwright.sync_api import expect
from widget_page import (
    ask,
    below,
    check_work,
    press,
    settle,
    unreadable,
    violations,
    work_of_a_drag,
)

from cnnlib.arithmetic import Layer, output_size, receptive_field
from cnnlib.widgets import ReceptiveFieldExplorer
from cnnlib.widgets.common import base, photos
from cnnlib.widgets.receptive_field import LIMITS, SETTINGS

STACKS = 2500
VGG = [(3, 1, 1), (3, 1, 1), (2, 2), (3, 1, 1), (3, 1, 1), (2, 2)]


# --- Python -----------------------------------------------------------------------------------


def test_the_first_state_is_two_convolutions_on_the_cat():
    explorer = ReceptiveFieldExplorer()
    assert explorer.output_sizes == [32, 30, 28]
    assert (explorer.row, explorer.column) == (13, 13)
    assert explorer.field.size == 5
    assert explorer.photo.startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    "layers",
    [
        [3, (2, 2), (3, 1, 1, 2)],
        [{"kernel_size": 3}, (np.int64(2), 2), {"kernel_size": 3, "padding": 1, "dilation": 2}],
        (Layer(3), [2, 2], Layer(3, 1, 1, 2)),
    ],
)
def test_takes_layers_in_many_forms(layers):
    explorer = ReceptiveFieldExplorer(layers)
    assert [tuple(layer.values()) for layer in explorer.layers] == [
        (3, 1, 0, 1),
        (2, 2, 0, 1),
        (3, 1, 1, 2),
    ]
    assert {type(value) for layer in explorer.layers for value in layer.values()} == {int}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": []}, r"1 to 8 layers, such as .*, got \[\]"),
        ({"layers": [3] * 9}, "1 to 8 layers"),
        ({"layers": 3}, "1 to 8 layers.*got 3"),
        ({"layers": [(3, 1, 0, 1, 1)]}, r"layer 1 must be \(kernel_size, .*got \(3, 1, 0, 1, 1\)"),
        ({"layers": [3, {"stride": 2}]}, "layer 2 must be"),
        ({"layers": [{"kernel_size": 3, "pad": 1}]}, "layer 1 must be.*'pad'"),
        ({"layers": [8]}, "kernel_size of layer 1 must be a whole number from 1 to 7, got 8"),
        ({"layers": [3, (3, 5)]}, "stride of layer 2 must be a whole number from 1 to 4, got 5"),
        ({"layers": [(3, 1, "same")]}, "padding of layer 1 .* from 0 to 12, got 'same'"),
        ({"layers": [(3, 1, 0, True)]}, "dilation of layer 1 .* got True"),
        ({"layers": [2.5]}, "kernel_size of layer 1 .* got 2.5"),
        ({"layers": ["cat"]}, "kernel_size of layer 1 .* got 'cat'"),
        ({"input_size": 7}, "input_size must be from 8 to 256, got 7"),
        ({"row": -1}, "row counts from 0, got -1"),
        ({"show": "all"}, 'show must be "photo" or "paths", got \'all\''),
        ({"photo": np.zeros((4, 4))}, "photo must be an array of uint8"),
        ({"photo": np.zeros((300, 4, 3), np.uint8)}, "at most 256 rows"),
        ({"layers": [3, 7], "input_size": 8}, "layer 2: the kernel is larger than the padded"),
    ],
)
def test_refuses_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReceptiveFieldExplorer(**arguments)


def test_a_refused_value_leaves_the_old_one():
    explorer = ReceptiveFieldExplorer([5])
    with pytest.raises(ValueError, match="layer 1"):
        explorer.layers = [{"kernel_size": 9}]
    assert explorer.layers[0]["kernel_size"] == 5


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "receptive_field/view.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"STATE = \[(.*?)\]", source)[1])
    assert len(names) == 5
    assert {*names, "photo", "limits"} <= set(ReceptiveFieldExplorer().keys)


def test_links_with_ipywidgets():
    explorer, slider = ReceptiveFieldExplorer(), ipywidgets.IntSlider(13, 0, 27)
    ipywidgets.link((slider, "value"), (explorer, "row"))
    slider.value = 3
    assert explorer.row == 3


def test_a_photograph_in_colour_is_shown_in_grey():
    photo = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    url = ReceptiveFieldExplorer(photo=photo).photo
    shown = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert shown.mode == "L"
    grey = photo @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    assert np.abs(np.asarray(shown) - grey).max() < 1.5


def random_stack(rng) -> dict:
    """Draw a stack of layers and an input size, possible or not."""
    depth = int(rng.integers(1, 9))
    largest = int(rng.choice([3, 7]))
    strides = [1, 1, 1, 2, 2, 3, 4]
    layers = [
        {
            "kernel_size": int(rng.integers(1, largest + 1)),
            "stride": int(rng.choice(strides)),
            "padding": int(rng.choice([0, 1, 1, 2, 3, 12])),
            "dilation": int(rng.choice([1, 1, 2, 4])),
        }
        for _ in range(depth)
    ]
    return {"layers": layers, "input_size": int(rng.integers(8, 65)), "place": float(rng.random())}


def sizes_by_arithmetic(setting: dict) -> list[int]:
    """Return the sizes from the input on, 0 from where a layer is larger than its input."""
    sizes = [setting["input_size"]]
    for layer in setting["layers"]:
        try:
            sizes.append(output_size(sizes[-1], **layer) if sizes[-1] else 0)
        except ValueError:
            sizes.append(0)
    return sizes


def paths_by_torch(layers: list[dict], size: int, index: int) -> np.ndarray:
    """Return how often each input pixel counts: the gradient of a stack of kernels of ones."""
    x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)
    y = x
    for layer in layers:
        settings = {name: layer[name] for name in ("stride", "padding", "dilation")}
        ones = torch.ones(1, 1, layer["kernel_size"], dtype=torch.float64)
        y = torch.nn.functional.conv1d(y, ones, **settings)
    y[0, 0, index].backward()
    return x.grad[0, 0].numpy()


# --- The arithmetic of the ES module ----------------------------------------------------------


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` is the explorer's."""
    return load_module("receptive_field")


@pytest.mark.browser
def test_arithmetic_equals_cnnlib_and_torch_on_random_stacks(module):
    rng = np.random.default_rng(2)
    settings = [random_stack(rng) for _ in range(STACKS)]
    answers = ask(
        module,
        """(settings) => settings.map(({ layers, input_size, place }) => {
          const table = module.fieldTable(layers, input_size);
          const last = table.at(-1);
          if (last.problem) return { table };
          const index = Math.floor(place * last.output);
          const [paths] = module.pathsTo(layers, table, index);
          return { table, index, first: paths.first, counts: [...paths.counts],
            interval: module.fieldInterval(index, last), reach: module.reach(last, input_size),
            middle: module.nearestUnit(module.middleOf(index, last), last) };
        })""",
        settings,
    )
    impossible = sum(bool(answer["table"][-1]["problem"]) for answer in answers)
    assert STACKS / 20 < impossible < STACKS / 2  # both kinds are met
    for setting, answer in zip(settings, answers, strict=True):
        sizes, stack = sizes_by_arithmetic(setting), [Layer(**x) for x in setting["layers"]]
        assert [row["output"] for row in answer["table"]] == sizes, setting
        for depth, row in enumerate(answer["table"]):
            field = receptive_field(stack[:depth])
            assert (row["size"], row["jump"], row["start"]) == (
                field.size,
                field.jump,
                field.start,
            ), setting
        if not sizes[-1]:
            continue
        wanted = paths_by_torch(setting["layers"], sizes[0], answer["index"])
        paths = np.zeros(sizes[0])
        paths[answer["first"] : answer["first"] + len(answer["counts"])] = answer["counts"]
        np.testing.assert_array_equal(paths, wanted, str(setting))
        start = field.start + answer["index"] * field.jump
        assert answer["interval"] == [start, start + field.size - 1]
        seen = np.flatnonzero(wanted)
        assert np.all((seen >= start) & (seen < start + field.size))
        end = field.start + (sizes[-1] - 1) * field.jump + field.size
        assert answer["reach"] == [max(0, -field.start), max(0, end - sizes[0])]
        assert answer["middle"] == answer["index"]


@pytest.mark.slow
@pytest.mark.browser
def test_the_averaged_picture_is_that_of_torch(module):
    rng = np.random.default_rng(3)
    drawn = [
        random_stack(rng) | {"input_size": int(rng.integers(8, 17))} for _ in range(2 * STACKS)
    ]
    sizes = [sizes_by_arithmetic(setting) for setting in drawn]
    settings = [s for s, size in zip(drawn, sizes, strict=True) if size[-1] and max(size) <= 32]
    images = [rng.random((s["input_size"],) * 2) for s in settings]
    answers = ask(
        module,
        """([settings, images]) => settings.map(({ layers, input_size }, i) => {
          const table = module.fieldTable(layers, input_size);
          window.averaged ??= module.averaging(); // one for all: what it keeps must not show
          return [...averaged(Float64Array.from(images[i].flat()), layers, table)];
        })""",
        [settings, [image.tolist() for image in images]],
    )
    assert len(settings) >= 2000
    for setting, image, answer in zip(settings, images, answers, strict=True):
        y = torch.tensor(image)[None, None]
        for layer in setting["layers"]:
            k, *others = (layer[name] for name in SETTINGS)
            kernel = torch.full((1, 1, k, k), 1 / k**2, dtype=torch.float64)
            y = torch.nn.functional.conv2d(y, kernel, None, *others)
        np.testing.assert_allclose(answer, y.flatten().numpy(), atol=1e-12)


@pytest.mark.browser
@pytest.mark.parametrize("size", [8, 32, 100, 256])
def test_the_photograph_shrinks_as_in_pillow(module, size):
    photo = photos.cat_photo()
    flat = module.evaluate(
        "([image, size]) => [...module.shrunk(image, 256, 256, size)]",
        [photo.flatten().tolist(), size],
    )
    exact = Image.fromarray(photo.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    difference = np.array(flat).reshape(size, size) - np.asarray(exact)
    # Pillow counts a pixel on the border of two boxes whole, this code in part.
    assert np.abs(difference).max() < (1e-3 if 256 % size == 0 else 40)


def marks(path: str) -> list[tuple[float, float]]:
    """Return where the points of a path's moves are."""
    return [(float(x), float(y)) for x, y in re.findall(r"M(-?[\d.]+) ([\d.]+)", path)]


@pytest.mark.browser
def test_the_side_view_shows_what_cnnlib_and_torch_find(module):
    rng = np.random.default_rng(4)
    settings = [s for s in (random_stack(rng) for _ in range(150)) if sizes_by_arithmetic(s)[-1]]
    for setting in settings[::3]:
        setting["input_size"] = min(256, 4 * setting["input_size"])  # some are drawn in part
    wide = [Layer(7, padding=12, dilation=4), Layer(7, padding=12)] * 4
    layers = ReceptiveFieldExplorer(wide, input_size=64).layers
    settings.append({"layers": layers, "input_size": 256, "place": 0.5})  # with too many lines
    answers = ask(
        module,
        """(settings) => settings.map(({ layers, input_size, place }) => {
          const table = module.fieldTable(layers, input_size);
          const index = Math.floor(place * table.at(-1).output);
          return module.sideView(layers, table, module.pathsTo(layers, table, index), index);
        })""",
        settings,
    )
    drawn_in_part = 0
    for setting, answer in zip(settings, answers, strict=True):
        stack, sizes = [Layer(**each) for each in setting["layers"]], sizes_by_arithmetic(setting)
        index, (low, high) = int(setting["place"] * sizes[-1]), answer["view"]
        drawn_in_part += sizes[0] > high - low
        heights = [76 - 71 * depth / len(stack) for depth in range(len(stack) + 1)]
        seen = []
        for depth, (size, height) in enumerate(zip(sizes, heights, strict=True)):
            field = receptive_field(stack[:depth])
            middles = field.start + np.arange(size) * field.jump + (field.size - 1) / 2
            paths = (
                np.eye(size)[index]
                if depth == len(stack)
                else paths_by_torch(setting["layers"][depth:], size, index)
            )
            seen += [(x, height) for x in middles[paths > 0]]
            units = [x for x, y in marks(answer["units"]) if abs(y - height) < 0.01]
            np.testing.assert_allclose(
                units, middles[(middles > low) & (middles < high)], atol=0.006
            )
        np.testing.assert_allclose(marks(answer["seen"]), seen, atol=0.006)
        paths = paths_by_torch(setting["layers"], sizes[0], index)
        bumps = re.findall(r"M(-?[\d.]+) 100V([\d.]+)h1V100Z", answer["bump"])
        wanted = [(i - 0.5, 100 - 20 * paths[i] / paths.max()) for i in np.flatnonzero(paths)]
        np.testing.assert_allclose(
            np.array(bumps, float).reshape(-1, 2), np.reshape(wanted, (-1, 2)), atol=0.006
        )
        taps = sum(
            layer.kernel_size * sum(abs(y - heights[depth]) < 0.01 for _, y in seen)
            for depth, layer in enumerate(stack, 1)
        )
        links = [*marks(answer["lines"]), *marks(answer["lost"])]
        assert len(links) == (taps if taps <= 1500 else 0), setting
    assert 0 < drawn_in_part < len(settings)
    assert taps > 1500


@pytest.mark.browser
def test_presets_are_what_they_are_called(module):
    stacks = module.evaluate("module.STACKS")
    fields = {
        name: receptive_field([Layer(**layer) for layer in stack]) for name, stack in stacks.items()
    }
    sizes = {name: (field.size, field.jump) for name, field in fields.items()}
    assert sizes == {
        "two3": (5, 1),
        "one5": (5, 1),
        "three3": (7, 1),
        "pool": (8, 2),
        "vgg": (16, 4),
        "resnet": (25, 4),
        "dilated": (15, 1),
    }
    limits = {**LIMITS}
    for stack in stacks.values():
        ReceptiveFieldExplorer(stack)
        assert module.evaluate(
            """([layers, limits]) => module.acceptField(
              { layers, input_size: 32, row: 0, column: 0, show: "photo" }, limits) !== null""",
            [stack, limits],
        )


GOOD = {
    "layers": [{"kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1}],
    "input_size": 32,
    "row": 0,
    "column": 5,
    "show": "paths",
}


@pytest.mark.browser
@pytest.mark.parametrize(
    "change",
    [
        {"layers": []},
        {"layers": "cat"},
        {"layers": GOOD["layers"] * 9},
        {"layers": [{**GOOD["layers"][0], "kernel_size": 8}]},
        {"layers": [{**GOOD["layers"][0], "stride": 1.5}]},
        {"layers": [{**GOOD["layers"][0], "more": 1}]},
        {"layers": [{"kernel_size": 3}]},
        {"input_size": 10_000},
        {"input_size": None},
        {"row": -1},
        {"column": 1e6},
        {"show": "<b>"},
    ],
)
def test_a_link_with_what_is_not_possible_is_refused(module, change):
    accept = "([values, limits]) => module.acceptField(values, limits)"
    assert module.evaluate(accept, [GOOD, LIMITS]) == GOOD
    assert module.evaluate(accept, [GOOD | change, LIMITS]) is None


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def explore(show):
    """Open a page with an explorer; return the page, once the photograph is there."""

    def open_page(explorer=None, **options):
        page = show(explorer or ReceptiveFieldExplorer(), **options)
        wait_for_the_photograph(page)
        return page

    return open_page


def wait_for_the_photograph(page) -> None:
    page.wait_for_function("document.querySelector('.live-widget .cnn-input canvas').width !== 300")
    settle(page)


def rows(page, where: str = ".live-widget") -> list[list[str]]:
    """Return the texts of a table, a select's value for its text, without the buttons."""
    return page.locator(f"{where} .cnn-rf-table").evaluate(
        """(table) => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) =>
          [...row.cells].slice(0, -1).filter((cell) => !cell.hidden).map((cell) =>
            cell.querySelector("select")?.value ?? cell.textContent))"""
    )


def sentences(page) -> str:
    return page.locator(".live-widget .cnn-rf-sentences").text_content()


def field_frame(page) -> np.ndarray:
    """Return top, left and size of the framed field, in pixels of the input."""
    top, left, size = page.locator(".live-widget .cnn-input .cnn-rf-mark").evaluate(
        """(mark) => {
          const box = mark.getBoundingClientRect();
          const input = mark.previousSibling.getBoundingClientRect();
          const pixel = input.width / mark.previousSibling.width;
          return [box.top - input.top, box.left - input.left, box.width].map((d) => d / pixel);
        }"""
    )
    return np.round([top, left, size], 2)


def point(page, row: float, column: float, role: str = "output") -> dict:
    """Return where a pixel of a picture is, in the picture's own coordinates."""
    canvas = page.locator(f".live-widget .cnn-{role} canvas").first
    pixels, width = canvas.evaluate("(c) => [c.width, c.getBoundingClientRect().width]")
    return {"x": (column + 0.5) * width / pixels, "y": (row + 0.5) * width / pixels}


def choose(page, name: str, option: str) -> None:
    page.get_by_role("combobox", name=name, exact=True).select_option(option)


@pytest.mark.browser
def test_the_table_follows_every_control(explore):
    page = explore()
    assert rows(page) == [
        ["Input", "", "", "", "", "32", "1", "1", "0"],
        ["1", "3", "1", "0", "1", "30", "1", "3", "0"],
        ["2", "3", "1", "0", "1", "28", "1", "5", "0"],
    ]
    choose(page, "Stride of layer 1", "2")
    choose(page, "Dilation of layer 2", "3")
    choose(page, "Padding of layer 2", "3")
    press(page, "Add a layer")
    choose(page, "Kernel of layer 3", "5")
    stack = [Layer(3, 2), Layer(3, 1, 3, 3), Layer(5, 1, 1)]
    last = receptive_field(stack)
    assert rows(page)[-1] == [
        *("3", "5", "1", "1", "1", "13"),
        *(str(value).replace("-", "−") for value in (last.jump, last.size, last.start)),
    ]
    lines = page.locator(".live-widget .cnn-rf-numbers").all_text_contents()
    assert lines == [
        "13 = ⌊(15 + 2 × 1 − 1 × (5 − 1) − 1) / 1⌋ + 1",
        "23 = 15 + 1 × (5 − 1) × 2",
        "2 = 2 × 1",
        "−8 = −6 − 1 × 2",
    ]
    press(page, "Remove layer 1")
    assert [row[1] for row in rows(page)[1:]] == ["3", "5"]
    assert page.evaluate("document.activeElement.ariaLabel") == "Remove layer 1"
    press(page, "Remove layer 1")
    assert page.get_by_role("button", name="Remove layer 1").is_disabled()
    assert page.evaluate("document.activeElement.textContent") == "Add a layer"
    press(page, "Reset")
    assert [row[1] for row in rows(page)[1:]] == ["3", "3"]


@pytest.mark.browser
def test_presets_sizes_and_padding_of_all_layers(explore):
    page = explore()
    choose(page, "Layers", "3 × 3, pool, 3 × 3")
    assert [row[-2] for row in rows(page)] == ["1", "3", "4", "8"]
    choose(page, "Input size", "64 × 64")
    assert rows(page)[-1][5] == "29"
    page.get_by_label("half the kernel").check()
    assert [row[3] for row in rows(page)[1:]] == ["1", "0", "1"]
    choose(page, "Kernel of layer 3", "7")
    assert rows(page)[-1][3] == "3"  # half stays half
    assert page.get_by_role("combobox", name="Layers").evaluate("e => e.value") == "custom"
    page.get_by_label("none").check()
    choose(page, "Kernel of layer 3", "5")
    assert [row[3] for row in rows(page)[1:]] == ["0", "0", "0"]


@pytest.mark.browser
def test_a_layer_leaves_no_more_than_eight(explore):
    page = explore(ReceptiveFieldExplorer([(3, 1, 1)] * 7))
    press(page, "Add a layer")
    assert len(rows(page)) == 9
    assert page.get_by_role("button", name="Add a layer").is_disabled()


@pytest.mark.browser
def test_pointing_shows_and_a_click_keeps(explore):
    page = explore(ReceptiveFieldExplorer([3, (2, 2), 3], row=0, column=0))
    plane = page.locator(".live-widget .cnn-output .cnn-rf-plane")
    plane.hover(position=point(page, 4, 9))
    settle(page)
    assert sentences(page).startswith(
        "Output row 5, column 10 sees 8 × 8 pixels: rows 9 to 16, columns 19 to 26."
    )
    np.testing.assert_array_equal(field_frame(page), [8, 18, 8])
    page.mouse.move(5, 5)
    settle(page)
    assert sentences(page).startswith("Output row 1, column 1 sees")
    plane.click(position=point(page, 4, 9))
    page.mouse.move(5, 5)
    settle(page)
    assert sentences(page).startswith("Output row 5, column 10 sees")
    page.locator(".live-widget .cnn-input .cnn-rf-plane").click(
        position=point(page, 31, 11.5, "input")
    )
    settle(page)
    # the field whose middle is nearest: the last row, and 11.5 = 2 * 4 + 3.5
    assert sentences(page).startswith("Output row 13, column 5 sees")


@pytest.mark.browser
def test_keys_and_sliders_walk_over_the_output(explore):
    page = explore(ReceptiveFieldExplorer(row=0, column=0))
    page.get_by_role("application").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight"):
        page.keyboard.press(key)
    assert sentences(page).startswith("Output row 2, column 28 sees")
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowUp")
    assert sentences(page).startswith("Output row 1, column 1 sees")
    page.get_by_label("Output row", exact=True).fill("20")
    page.get_by_label("Output column", exact=True).fill("3")
    assert sentences(page).startswith("Output row 20, column 3 sees 5 × 5")
    page.wait_for_function(
        "document.querySelector('.live-widget [aria-live=polite]').textContent"
        ".startsWith('Output row 20, column 3')"
    )


@pytest.mark.browser
def test_touch_keeps_a_pixel(explore):
    page = explore(width=360, height=740, has_touch=True, is_mobile=True)
    page.locator(".live-widget .cnn-output .cnn-rf-plane").tap(position=point(page, 20, 7))
    said = page.locator(".live-widget .cnn-rf-sentences")
    expect(said).to_contain_text("Output row 21, column 8 sees")


@pytest.mark.browser
def test_a_field_beyond_the_edge_and_with_gaps_is_said_in_words(explore):
    page = explore(ReceptiveFieldExplorer([(3, 1, 2, 2)] * 3, row=5, column=16))
    assert "rows 0 to 12, columns 11 to 23. Only 12 × 13 of them lie in the input." in sentences(
        page
    )
    assert "only 6 × 7 pixels are used." in sentences(page)
    lost = page.locator(".live-widget .cnn-rf-lost")
    assert lost.get_attribute("d") == ""  # the side view is along the row, which fits
    page.get_by_label("Output column", exact=True).fill("1")
    assert lost.get_attribute("d") != ""
    np.testing.assert_array_equal(field_frame(page), [-1, -6, 13])


@pytest.mark.browser
def test_a_pixel_that_sees_padding_alone_says_so(explore):
    page = explore(ReceptiveFieldExplorer([(1, 1, 12)], row=0, column=0))
    assert sentences(page).endswith("it sees padding alone.")


@pytest.mark.browser
def test_an_impossible_stack_says_so_and_draws_no_field(explore):
    page = explore(ReceptiveFieldExplorer([3, 3, 3], input_size=8))
    choose(page, "Kernel of layer 2", "7")
    problem = page.locator(".live-widget .cnn-rf-problem")
    assert "in layer 2 the kernel is larger than its padded input. It spans 7" in (
        problem.text_content()
    )
    assert rows(page)[2][5:] == [
        "No output: the kernel spans 7 pixels, and with padding there are only 6."
    ]
    assert rows(page)[3][5:] == ["No input, because a layer before it has no output."]
    assert not page.locator(".live-widget .cnn-rf-mark").first.is_visible()
    assert not page.locator(".live-widget .cnn-output canvas").is_visible()
    assert sentences(page) == ""
    choose(page, "Padding of layer 2", "3")
    assert not problem.is_visible()
    assert sentences(page) != ""


def pixels(page, selector: str) -> np.ndarray:
    """Return a canvas's pixels, shape (H, W, 4)."""
    width, height, data = page.locator(f".live-widget {selector}").evaluate(
        """(c) => [c.width, c.height,
          [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]]"""
    )
    return np.array(data).reshape(height, width, 4)


@pytest.mark.browser
def test_the_pictures_are_those_of_pillow_and_torch(explore):
    explorer = ReceptiveFieldExplorer(VGG, input_size=128, row=0, column=9, show="paths")
    page = explore(explorer)
    small = photos.cat_photo().reshape(128, 2, 128, 2).mean(axis=(1, 3))
    y = torch.tensor(small)[None, None]
    for size, stride, padding in [(3, 1, 1), (3, 1, 1), (2, 2, 0)] * 2:
        kernel = torch.full((1, 1, size, size), 1 / size**2, dtype=torch.float64)
        y = torch.nn.functional.conv2d(y, kernel, None, stride, padding)
    painted = {role: pixels(page, f".cnn-{role} canvas >> nth=0") for role in ("input", "output")}
    assert np.abs(painted["input"][..., 0] - small).max() <= 0.5
    assert np.abs(painted["output"][..., 0] - y[0, 0].numpy()).max() <= 0.5 + 1e-9
    heat = pixels(page, ".cnn-rf-heat")
    rows_, columns = (
        paths_by_torch(explorer.layers, 128, place) for place in (explorer.row, explorer.column)
    )
    start = explorer.field.start
    inside = np.outer(rows_, columns)[: 16 + start, start + 36 : start + 52]
    red = heat[-start:, :, 0]
    np.testing.assert_allclose(red, 230 * inside / inside.max(), atol=0.51)
    assert set(heat[:-start, :, 3].flat) == {0}  # padding: the hatching shows through


@pytest.mark.browser
def test_a_link_restores_the_state(explore):
    page = explore(permissions=["clipboard-read", "clipboard-write"])
    choose(page, "Layers", "Dilated by 1, 2, 4")
    page.get_by_label("Output row", exact=True).fill("3")
    page.get_by_label("Paths", exact=True).check()
    press(page, "Copy a link")
    page.get_by_text("Link copied.").wait_for()
    fragment = "#" + page.url.partition("#")[2]
    assert fragment.startswith("#field=")
    other = explore(fragment=fragment)
    other.get_by_text("Set as the link says.").wait_for()
    assert rows(other) == rows(page)
    assert sentences(other) == sentences(page)
    assert other.get_by_label("Paths", exact=True).is_checked()
    broken = explore(fragment="#field=eyJyb3ciOi0xfQ")  # {"row":-1}
    broken.get_by_text("The link could not be read.").wait_for()
    assert len(rows(broken)) == 3


@pytest.mark.browser
def test_outside_controls_drive_it_and_are_held_within_limits(show):
    size = ipywidgets.IntSlider(32, 0, 999, description="S")
    explorer = ReceptiveFieldExplorer()
    link = ipywidgets.jslink((size, "value"), (explorer, "input_size"))
    page = show(body=widget_page.joined(size, explorer, explorer, by=[link]))
    page.get_by_label("S", exact=True).fill("50")
    for table in page.locator(".live-widget .cnn-rf-table").all():  # two views, one state
        assert table.locator("tr").nth(1).locator("td").nth(4).text_content() == "50"
    page.get_by_label("S", exact=True).fill("999")
    assert page.locator(".cnn-input .cnn-label").first.text_content() == "Input, 256 × 256"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize(
    "explorer",
    [
        {},
        {"layers": [(3, 1, 1)] * 4 + [(3, 2, 1)] + [(3, 1, 1)] * 3, "row": 3, "show": "paths"},
        {"layers": VGG, "input_size": 224, "row": 20},
    ],
)
def test_the_still_picture_is_the_living_one_and_nothing_jumps(both_forms, explorer, width):
    still_page, page = both_forms(ReceptiveFieldExplorer(**explorer), width)
    boxes = [".cnn-input .cnn-rf-mark", ".cnn-output .cnn-rf-mark", ".cnn-rf-box svg"]
    for box in [*boxes, ".cnn-rf-table", ".cnn-rf-formula"]:
        first = still_page.locator(f".cnn-still {box}").bounding_box()
        assert first == pytest.approx(page.locator(f".live-widget {box}").bounding_box(), abs=1)
    for text in (".cnn-rf-sentences", ".cnn-rf-numbers", ".cnn-rf-names span", ".cnn-label"):
        texts = still_page.locator(f".cnn-still {text}").all_text_contents()
        assert texts == page.locator(f".live-widget {text}").all_text_contents()
    assert rows(still_page, ".cnn-still") == rows(page)


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_fits_every_width_and_nothing_moves(explore, width):
    stack = [(7, 1, 3)] * 8
    explorer = ReceptiveFieldExplorer(stack, input_size=224)
    page = explore(explorer, width=width, body=widget_page.BELOW)
    before = below(page)
    overlapping = """() => {
      const boxes = [...document.querySelectorAll(".live-widget tr:not([hidden]) > *")]
        .flatMap((cell) => [...cell.children, ...(cell.children.length ? [] : [cell])])
        .map((e) => e.getBoundingClientRect());
      return boxes.filter((a, i) => boxes.some((b, j) => j > i && a.left < b.right - 0.5 &&
        b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)).length;
    }"""
    for row, column in ((1, 1), (224, 100), (112, 224)):
        page.get_by_label("Output row", exact=True).fill(str(row))
        page.get_by_label("Output column", exact=True).fill(str(column))
        assert below(page) == pytest.approx(before, abs=1)
        assert unreadable(page, width, ".cnn-hidden, .cnn-rf-frame, svg") == []
        assert page.evaluate(overlapping) == 0
    choose(page, "Dilation of layer 8", "3")
    choose(page, "Stride of layer 2", "4")
    choose(page, "Input size", "32 × 32")
    assert below(page) == pytest.approx(before, abs=1)


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(explore, theme, width):
    page = explore(ReceptiveFieldExplorer([3, (2, 2), 3]), theme=theme, width=width)
    assert violations(page) == []
    choose(page, "Input size", "8 × 8")
    choose(page, "Kernel of layer 3", "7")
    assert violations(page) == []


@pytest.mark.browser
def test_a_moving_mouse_is_followed_once_a_frame(explore):
    page = explore(ReceptiveFieldExplorer([(7, 1, 3)] * 8, input_size=256, show="paths"))
    plane = page.locator(".live-widget .cnn-output .cnn-rf-plane")
    check_work(work_of_a_drag(page, plane), pictures=1, layouts=2)  # the paths alone
