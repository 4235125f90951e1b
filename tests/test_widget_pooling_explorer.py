"""The pooling explorer: its Python side, its arithmetic, its page."""

from __future__ import annotations

import re

import ipywidgets
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import widget_page
from playwright.sync_api import expect
from widget_page import (
    ask,
    below,
    cells,
    check_alike,
    check_work,
    flat,
    least_contrast,
    numbers,
    open_link,
    play,
    press,
    settle,
    unreadable,
    violations,
    work_of_a_drag,
)

from cnnlib import scratch
from cnnlib.widgets import PoolingExplorer
from cnnlib.widgets.common import base, photos
from cnnlib.widgets.pooling import LIMITS

SETTINGS = 2400
MODES = ("max", "average", "blur", "stride")
EYE = np.array(photos.cat_eye(8))
SEED = [[20, 5], [3, 15]]


# --- An independent account of what the explorer computes -------------------------------------


def shift(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shift by padding with the edge and cutting."""
    wide = np.pad(x, 3, mode="edge")
    return wide[3 - down : 3 - down + x.shape[0], 3 - right : 3 - right + x.shape[1]]


def blur(x: torch.Tensor, kernel_size: int, stride: int) -> torch.Tensor:
    """Blur the maxima of (N, 1, H, W) by (1, 2, 1) and keep every stride-th."""
    row = torch.tensor([1, 2, 1], dtype=x.dtype) / 4
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    most = F.max_pool2d(wide, kernel_size, stride=1)
    return F.conv2d(most, torch.outer(row, row)[None, None], stride=stride)


def by_hand(x: np.ndarray, mode: str, k: int, s: int) -> np.ndarray | None:
    """Pool with `cnnlib.scratch`, with torch, or by slicing; None where the window is larger."""
    if min(x.shape) < k:
        return None
    if mode == "max":
        return scratch.max_pool2d(x[None, None], k, s)[0, 0]
    if mode == "average":
        return scratch.avg_pool2d(x[None, None], k, s)[0, 0]
    if mode == "blur":
        return blur(torch.tensor(x)[None, None].double(), k, s)[0, 0].numpy()
    return x[: x.shape[0] - k + 1 : s, : x.shape[1] - k + 1 : s]


def has_a_say(shape: tuple[int, int], mode: str, k: int, s: int) -> np.ndarray:
    """Find the pixels that an output depends on by the gradient of the sum of all means."""
    x = torch.ones(1, 1, *shape, dtype=torch.double, requires_grad=True)
    if min(shape) < k:
        return np.zeros(shape, bool)
    if mode == "stride":
        y = x[..., : shape[0] - k + 1 : s, : shape[1] - k + 1 : s]
    elif mode == "blur":
        y = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), k + 2, s)
    else:
        y = F.avg_pool2d(x, k, s)
    y.sum().backward()
    return x.grad[0, 0].numpy() > 0


def interior(shape: tuple[int, int], mode: str, k: int, s: int) -> np.ndarray:
    """Find the outputs that pixels alone make, and no repeated edge."""
    reach = mode == "blur"
    axes = []
    for size in shape:
        starts = np.arange(0, size - k + 1, s)
        axes.append((starts - reach >= 0) & (starts + k + reach <= size))
    return np.outer(*axes)


# --- Python -----------------------------------------------------------------------------------


def test_the_first_state_is_the_cat_under_a_window_of_two():
    explorer = PoolingExplorer()
    assert explorer.input == EYE.tolist()
    assert (explorer.mode, explorer.kernel_size, explorer.stride) == ("max", 2, 2)
    assert explorer.output_shape == (4, 4)


def test_the_stride_is_the_window_unless_given():
    assert PoolingExplorer(kernel_size=3).stride == 3
    assert PoolingExplorer(kernel_size=3, stride=1).output_shape == (6, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": [[1, 2], [3]]}, r"rectangle.*\[1, 2\]"),
        ({"input": np.zeros((13, 3))}, "1 to 12 rows and columns, got 13 x 3"),
        ({"mode": "median"}, '"max", "average", "blur", "stride", got \'median\''),
        ({"kernel_size": 5}, "kernel_size must be from 1 to 4, got 5"),
        ({"stride": 0}, "stride must be from 1 to 4, got 0"),
        ({"shift_rows": -4}, "shift_rows must be from -3 to 3, got -4"),
        ({"repeats": 9}, "repeats must be from 1 to 4, got 9"),
        ({"reference": "after"}, '"before", "moved", got \'after\''),
        ({"view": "map"}, '"numbers", "photo", got \'map\''),
        ({"row": -1}, "row counts from 0, got -1"),
        ({"speed": 99}, "speed must be from 0.5 to 30"),
        ({"input": np.zeros((2, 5)), "kernel_size": 3}, "larger than the padded input"),
        ({"photo": np.zeros((8, 8, 3), np.uint8)}, r"must be grey.*\(8, 8, 3\)"),
        ({"photo": np.zeros((300, 8), np.uint8)}, "at most 256"),
        ({"photo": np.zeros((8, 8))}, "array of uint8"),
    ],
)
def test_refuses_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        PoolingExplorer(**arguments)


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "pooling/model.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"_TRAITS = \[(.*?)\]", source, re.DOTALL)[1])
    assert len(names) == 13
    assert set(names) <= set(PoolingExplorer().keys)


def test_links_with_ipywidgets():
    explorer, slider = PoolingExplorer(), ipywidgets.IntSlider(0, -3, 3)
    ipywidgets.link((slider, "value"), (explorer, "shift_columns"))
    slider.value = 2
    assert explorer.shift_columns == 2
    ipywidgets.jslink((slider, "value"), (explorer, "shift_rows"))


def test_the_blur_is_that_of_a_network_padded_by_minus_infinity():
    """As in Zhang's MaxBlurPool: of a repeated edge, the maximum sees nothing new."""
    x = torch.randn(1, 1, 12, 12, dtype=torch.double)
    row = torch.tensor([1, 2, 1], dtype=x.dtype) / 4
    most = F.max_pool2d(x, 2, stride=1, padding=1)
    wanted = F.conv2d(most, torch.outer(row, row)[None, None], stride=2)[0, 0]
    np.testing.assert_allclose(by_hand(x[0, 0].numpy(), "blur", 2, 2), wanted, atol=1e-12)


# --- The arithmetic of the ES module ----------------------------------------------------------


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` is the explorer's."""
    return load_module("pooling")


def random_setting(rng) -> dict:
    """Draw one setting, possible or not: digits with many ties, or numbers with a sign."""
    shape = rng.integers(1, 13, 2)
    digits, numbers = rng.integers(0, 10, shape), rng.normal(size=shape).round(3)
    return {
        "input": (digits if rng.integers(2) else numbers).tolist(),
        "mode": str(rng.choice(MODES)),
        "kernel_size": int(rng.integers(1, 5)),
        "stride": int(rng.integers(1, 5)),
        "shift_rows": int(rng.integers(-3, 4)),
        "shift_columns": int(rng.integers(-3, 4)),
        "row": int(rng.integers(12)),
        "column": int(rng.integers(12)),
        "winners": False,
        "reference": str(rng.choice(["before", "moved"])),
        "view": "numbers",
        "repeats": 1,
        "limits": LIMITS,
    }


def check_setting(setting: dict, answer: dict) -> bool:
    """Compare one answer of the module with Python's; return whether there was an output."""
    source = np.array(setting["input"], float)
    way = setting["mode"], setting["kernel_size"], setting["stride"]
    by = setting["shift_rows"], setting["shift_columns"]
    x = shift(source, *by)
    before, now = by_hand(source, *way), by_hand(x, *way)
    np.testing.assert_array_equal(answer["input"], x)
    assert answer["problem"] == (now is None)
    assert answer["unseen"] == np.sum(~has_a_say(x.shape, *way))
    if now is None:
        return False
    np.testing.assert_allclose(answer["now"], now, atol=1e-12)
    changes = np.abs(now - before)
    assert answer["still"]["changed"] == np.sum(changes > 1e-9)
    assert answer["still"]["known"] == now.size
    assert answer["still"]["largest"] == pytest.approx(changes.max(), abs=1e-12)
    if way[0] == "max":
        _, where = F.max_pool2d(torch.tensor(x)[None, None], *way[1:], return_indices=True)
        place = tuple(np.minimum((setting["row"], setting["column"]), np.subtract(now.shape, 1)))
        assert answer["winner"] == [*divmod(where[0, 0][place].item(), x.shape[1])]
    whole = all(each % way[2] == 0 for each in by)
    assert (answer["along"] is not None) == whole
    if whole:
        assert answer["along"]["changed"] == 0  # a whole number of strides: it only moves
        inside = interior(x.shape, *way)
        moves = [each // way[2] for each in by]
        ghosts = np.pad(inside, 3)
        rows, columns = (
            slice(3 - at, 3 - at + n) for at, n in zip(moves, inside.shape, strict=True)
        )
        assert answer["along"]["known"] == np.sum(inside & ghosts[rows, columns])
    return True


@pytest.mark.browser
def test_arithmetic_equals_scratch_and_torch_on_random_settings(module):
    rng = np.random.default_rng(7)
    settings = [random_setting(rng) for _ in range(SETTINGS)]
    answers = ask(
        module,
        """(settings) => settings.map((setting) => {
          const scene = module.numbersScene({ get: (name) => setting[name] });
          const facts = (each) => each && { ...each, plane: null };
          return {
            problem: scene.problem, unseen: scene.unseen, winner: scene.winner,
            input: module.rowsOf(scene.input),
            now: scene.problem ? null : module.rowsOf(scene.now),
            still: facts(scene.effect?.still), along: facts(scene.effect?.along ?? null),
          };
        })""",
        settings,
    )
    pairs = zip(settings, answers, strict=True)
    possible = sum(check_setting(setting, answer) for setting, answer in pairs)
    assert SETTINGS / 2 < possible < SETTINGS - SETTINGS / 20  # both kinds are met


def random_pooling(rng) -> dict:
    """Draw a small photograph, and how it is pooled again and again, while anything is left."""
    return {
        "rows": rng.integers(0, 256, rng.integers(3, 15, 2)).tolist(),
        "mode": str(rng.choice(MODES)),
        "kernelSize": int(rng.integers(1, 5)),
        "stride": int(rng.integers(1, 5)),
        "times": int(rng.integers(2, 5)),
    }


@pytest.mark.browser
def test_pooling_again_and_again_equals_python(module):
    rng = np.random.default_rng(8)
    settings = [random_pooling(rng) for _ in range(SETTINGS)]
    answers = ask(
        module,
        """(settings) => settings.map(({ rows, times, ...pooling }) => module
          .poolAgain(module.planeOf(rows), pooling, times).map(module.rowsOf))""",
        settings,
    )
    deep = 0
    for setting, planes in zip(settings, answers, strict=True):
        way = setting["mode"], setting["kernelSize"], setting["stride"]
        x = np.array(setting["rows"], float)
        for plane in planes:
            if x is None:
                assert np.size(plane) == 0, setting
                break
            np.testing.assert_allclose(plane, x, atol=1e-9, err_msg=str(setting))
            x = by_hand(x, *way)
        deep += len(planes) > 2 and np.size(planes[2]) > 0
    assert SETTINGS / 4 < deep < SETTINGS  # two times and more


@pytest.mark.browser
def test_what_moved_along_equals_what_the_shift_gave_in_photographs(module):
    """At stride 1 each pixel is a place: pooled four times, the map moves along all the same."""
    x = np.random.default_rng(9).integers(0, 256, (40, 30)).astype(float)
    for mode in MODES:
        setting = {"mode": mode, "kernel_size": 3, "stride": 1, "shift_rows": 3} | {
            "shift_columns": -2, "reference": "moved", "view": "photo", "repeats": 4,
            "photo": "", "limits": LIMITS,
        }  # fmt: skip
        along = module.evaluate(
            """([setting, rows]) => {
              const model = { get: (name) => setting[name] };
              const { effect } = module.photoScenes()(model, module.planeOf(rows));
              return { ...effect.along, plane: null };
            }""",
            [setting, x.tolist()],
        )
        assert along["changed"] == 0
        assert along["known"] > 200


@pytest.mark.browser
@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"mode": "median"}, False),
        ({"mode": "toString"}, False),
        ({"kernel_size": 2.5}, False),
        ({"stride": 9}, False),
        ({"shift_rows": "1"}, False),
        ({"row": -1}, False),
        ({"winners": 1}, False),
        ({"input": [[1, 2], [3]]}, False),
        ({"input": [["<b>"]]}, False),
        ({"view": "photo", "repeats": 4, "shift_columns": -3}, True),
    ],
)
def test_a_link_sets_only_what_is_possible(module, change, accepted):
    setting = random_setting(np.random.default_rng(1)) | change
    answer = module.evaluate("([s, limits]) => module.acceptPooling(s, limits)", [setting, LIMITS])
    assert answer == ({**setting, "playing": False} if accepted else None)


# --- The page ---------------------------------------------------------------------------------

BOARDS = ("input", "output", "before", "change", "window")


@pytest.fixture
def explore(show):
    """Open a page with an explorer; return the page."""
    return lambda explorer=None, **options: show(explorer or PoolingExplorer(), **options)


def panel(role: str, where: str = ".live-widget") -> str:
    return f"{where} .cnn-panel.cnn-{role}"


def grid(page, role: str) -> list[list[str]]:
    """Return the texts of one of the living widget's grids."""
    return cells(page.locator(panel(role)))


def marked(page, role: str, mark: str) -> list[list[int]]:
    """Return the places of a grid's cells that carry a mark."""
    return page.locator(f"{panel(role)} td.cnn-{mark}").evaluate_all(
        "(all) => all.map((e) => [e.parentElement.rowIndex - 1, e.cellIndex - 1])"
    )


def text(page, name: str) -> str:
    return page.locator(f".live-widget .cnn-{name}").text_content()


def slide(page, name: str, value: int) -> None:
    page.get_by_role("slider", name=name, exact=True).fill(str(value))
    settle(page)


def choose(page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).check()
    settle(page)


@pytest.mark.browser
def test_shows_each_way_of_pooling_with_its_sentence(explore):
    page = explore(PoolingExplorer(SEED))
    sentences = {
        "Max": ("max(20, 5, 3, 15) = 20", 20),
        "Average": ("(20 + 5 + 3 + 15) / 4 = 10.75", 10.75),
        "Stride only": ("the first of 20, 5, 3, 15 = 20", 20),
    }
    for name, (sentence, value) in sentences.items():
        choose(page, name)
        assert text(page, "sum") == f"Output row 1, column 1: {sentence}"
        assert numbers(grid(page, "output")) == [[value]]
    choose(page, "Max + blur")
    wanted = by_hand(np.array(SEED, float), "blur", 2, 2)[0, 0]  # 20 + 2 x 20 + 5 + 2 x 20 + ...
    assert text(page, "sum") == (
        "Output row 1, column 1: of nine maxima, "
        f"(20 + 2 × 20 + 5 + 2 × 20 + 4 × 20 + 2 × 15 + 3 + 2 × 15 + 15) / 16 ≈ {wanted:.2f}"
    )


@pytest.mark.browser
def test_the_winner_is_lit_and_the_average_shared(explore):
    page = explore(PoolingExplorer(SEED))
    assert marked(page, "input", "wins") == [[0, 0]]
    choose(page, "Average")
    assert len(marked(page, "input", "shares")) == 4
    page = explore(PoolingExplorer(np.arange(1, 17).reshape(4, 4)))
    page.get_by_role("checkbox", name="Show every winner").check()
    assert marked(page, "input", "wins") == [[1, 1], [1, 3], [3, 1], [3, 3]]


@pytest.mark.browser
def test_a_shift_by_a_pixel_changes_some_and_a_shift_by_the_stride_moves_all(explore):
    page = explore()
    assert "Not shifted yet" in text(page, "effect-text")
    press(page, "Shift right")
    before = scratch.max_pool2d(EYE[None, None], 2)[0, 0]
    now = scratch.max_pool2d(shift(EYE, 0, 1)[None, None], 2)[0, 0]
    np.testing.assert_array_equal(numbers(grid(page, "output")), now)
    np.testing.assert_array_equal(numbers(grid(page, "before")), before)
    np.testing.assert_array_equal(numbers(grid(page, "change")), now - before)
    rose, fell = np.argwhere(now > before).tolist(), np.argwhere(now < before).tolist()
    assert (marked(page, "output", "rose"), marked(page, "output", "fell")) == (rose, fell)
    words = text(page, "effect-text")
    most = np.abs(now - before).max()
    assert f"{len(rose + fell)} of 16 outputs changed, by up to {most}." in words
    assert "1 right is no whole number of strides of 2" in words
    assert marked(page, "input", "came") == [[r, 0] for r in range(8)]
    press(page, "Shift right")
    words = text(page, "effect-text")
    assert "They only moved along (1 right): of the 12 that both maps hold, none differs." in words
    choose(page, "moved")
    assert grid(page, "before")[2] == ["", *map(str, before[2, :3])]
    assert marked(page, "output", "rose") == marked(page, "output", "fell") == []
    press(page, "No shift")
    assert page.get_by_role("slider", name="Right").input_value() == "0"


@pytest.mark.browser
def test_a_shift_without_effect_and_one_past_the_old_map_are_said(explore):
    page = explore(PoolingExplorer(np.ones((3, 3)), stride=1, kernel_size=2))
    slide(page, "Down", -2)
    assert "Shifted 2 up: none of 4 outputs changed." in text(page, "effect-text")
    assert "nothing of the old map is left" in text(page, "effect-text")
    slide(page, "Right", -1)
    assert "Shifted 2 up and 1 left" in text(page, "effect-text")


@pytest.mark.browser
def test_pixels_without_a_say_are_marked_and_counted(explore):
    page = explore(PoolingExplorer(np.ones((5, 5))))
    assert len(marked(page, "input", "unseen")) == 9
    assert "9 of 25 pixels have no say" in text(page, "unseen-text")
    choose(page, "Stride only")
    assert "21 of 25 pixels have no say" in text(page, "unseen-text")
    slide(page, "Stride", 1)
    slide(page, "Window", 1)
    assert "All 25 pixels have a say" in text(page, "unseen-text")


@pytest.mark.browser
def test_steps_plays_pauses_and_ends(explore):
    page = explore(PoolingExplorer(np.ones((4, 4)), speed=12))
    press(page, "One step on")
    assert "row 1, column 2:" in text(page, "sum")
    press(page, "One step back")
    assert "row 1, column 1:" in text(page, "sum")
    play(page)
    assert "row 2, column 2:" in text(page, "sum")
    play(page, 0)  # again, from the first place
    assert "row 2, column 2:" not in text(page, "sum")
    press(page, "To the first position")
    assert "row 1, column 1:" in text(page, "sum")


@pytest.mark.browser
def test_less_motion_plays_slowly_and_does_not_glide(explore):
    page = explore(PoolingExplorer(np.ones((12, 12)), speed=30), reduced_motion="reduce")
    lens = page.locator(f"{panel('input')} .cnn-lens")
    assert lens.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    play(page, 1250)
    assert re.search("row 1, column [2-4]:", text(page, "sum"))


@pytest.mark.browser
def test_arrow_keys_move_the_window_and_the_result_is_read_out(explore):
    page = explore()
    for role in ("output", "input"):
        reachable = page.locator(f"{panel(role)} [tabindex='0']")
        assert reachable.count() == 1
        reachable.focus()
        for key in ("ArrowDown", "ArrowRight"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.tabIndex") == 0
    page.keyboard.press("ArrowRight")
    assert "row 3, column 4:" in text(page, "sum")
    spoken = page.locator(".live-widget [aria-live]")
    expect(spoken).to_have_text(re.compile("^Output row 3, column 4 is 5. Not shifted yet."))
    page.keyboard.press("Control+Home")
    assert "row 1, column 1:" in text(page, "sum")


@pytest.mark.browser
def test_a_click_and_a_touch_bring_the_window_over_a_pixel(explore):
    page = explore()
    page.locator(f"{panel('input')} tbody tr").nth(5).locator("td").nth(2).click()
    assert "row 3, column 2:" in text(page, "sum")
    page = explore(width=360, height=740, has_touch=True, is_mobile=True)
    page.locator(f"{panel('output')} tbody tr").nth(1).locator("td").nth(3).tap()
    expect(page.locator(".live-widget .cnn-sum")).to_contain_text("row 2, column 4:")


@pytest.mark.browser
def test_typing_changes_the_pixel_that_was_shifted_there(explore):
    page = explore(PoolingExplorer(np.zeros((4, 4)), shift_columns=1))
    page.locator(f"{panel('input')} tbody tr").nth(2).locator("td").nth(3).click()
    page.keyboard.press("Enter")
    field = page.get_by_label("window, row 1, column 2")
    assert field.evaluate("e => e === document.activeElement")
    field.fill("-2.5")
    field.press("Enter")
    assert grid(page, "input")[2] == ["0", "0", "0", "−2.5"]
    press(page, "Shift left")
    assert grid(page, "input")[2] == ["0", "0", "−2.5", "0"]
    assert page.get_by_role("combobox", name="Input").evaluate("e => e.value") == "custom"
    press(page, "Reset")
    assert page.get_by_role("slider", name="Right").input_value() == "1"
    assert set(flat(grid(page, "input"))) == {"0"}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("typed", "reason"), [("cat", "“cat” is not a number"), ("5000", "out of range")]
)
def test_what_is_no_number_is_refused_in_words(explore, typed, reason):
    page = explore()
    field = page.get_by_label("window, row 1, column 1")
    field.fill(typed)
    field.press("Enter")
    assert reason in text(page, "refusal")
    assert field.get_attribute("aria-invalid") == "true"
    field.press("Escape")
    assert field.input_value() == str(EYE[0, 0])
    assert text(page, "refusal") == ""


@pytest.mark.browser
def test_presets_and_sizes(explore):
    page = explore()
    shown = page.get_by_role("combobox", name="Input")
    shown.select_option("1, 2, 3, …")
    assert numbers(grid(page, "input")).tolist() == np.arange(1, 17).reshape(4, 4).tolist()
    assert numbers(grid(page, "output")).tolist() == [[6, 8], [14, 16]]
    shown.select_option("A bright pixel")
    assert np.argwhere(numbers(grid(page, "input"))).tolist() == [[4, 4]]
    shown.select_option("Its edges (a feature map)")
    edges = scratch.correlate2d(np.array(photos.cat_eye(16)), [[-1, 0, 1]] * 3, "valid")
    np.testing.assert_array_equal(numbers(grid(page, "input")), np.maximum(edges, 0)[3:11, 3:11])
    slide(page, "Input size", 12)
    np.testing.assert_array_equal(numbers(grid(page, "input")), np.maximum(edges, 0)[1:13, 1:13])


@pytest.mark.browser
def test_an_impossible_setting_says_so_and_draws_no_output(explore):
    page = explore(PoolingExplorer(SEED))
    slide(page, "Window", 3)
    assert "window of 3 × 3 is larger than the input of 2 × 2" in text(page, "problem")
    assert grid(page, "output") == grid(page, "change") == []
    assert page.get_by_role("button", name="Play").is_disabled()
    slide(page, "Window", 2)
    assert text(page, "problem") == ""
    assert numbers(grid(page, "output")) == [[20]]


PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return Array.from({ length: height }, (_, r) =>
    Array.from({ length: width }, (_, c) => data[4 * (r * width + c)]));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("mode", MODES)
def test_the_photograph_is_pooled_as_python_pools_it(explore, mode):
    page = explore(PoolingExplorer(mode=mode, view="photo", repeats=2))
    canvas = page.locator(f"{panel('output')} canvas")
    page.wait_for_function("(e) => e.width === 64", arg=canvas.element_handle())
    slide(page, "Down", -1)
    page.wait_for_function("document.querySelector('.cnn-effect-text').innerText.includes('%')")
    cat = photos.cat_photo().astype(float)
    now, before = (by_hand(by_hand(x, mode, 2, 2), mode, 2, 2) for x in (shift(cat, -1, 0), cat))
    assert np.abs(np.array(canvas.evaluate(PIXELS)) - now).max() <= 0.5 + 1e-9
    changes = np.abs(now - before)
    share = int(100 * np.mean(changes >= 1) + 0.5)
    assert f"{share} % of the pixels changed" in text(page, "effect-text")
    assert f"by {changes.mean():.1f} on average" in text(page, "effect-text")
    assert "256 × 256 → 128 × 128 → 64 × 64" in text(page, "chain")


@pytest.mark.browser
def test_a_small_photograph_that_is_pooled_away_says_so(explore):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    page = explore(PoolingExplorer(photo=pixels, view="photo", kernel_size=4, repeats=2))
    page.locator(".live-widget .cnn-problem:not(:empty)").wait_for()
    assert "2 × 2 pixels are left, and the window of 4 × 4 is larger" in text(page, "problem")
    assert not page.locator(f"{panel('output')} canvas").is_visible()


@pytest.mark.browser
def test_a_drag_of_the_photograph_is_drawn_once_a_frame(explore):
    page = explore(PoolingExplorer(view="photo"))
    canvas = page.locator(f"{panel('output')} canvas")
    page.wait_for_function("(e) => e.width === 128", arg=canvas.element_handle())
    work = work_of_a_drag(page, page.get_by_role("slider", name="Right"), list(range(-3, 4)))
    check_work(work, pictures=4)  # the photograph, its pooled one, the one before, the change


@pytest.mark.browser
def test_outside_controls_drive_it_and_views_share_their_state(show):
    outside, explorer = ipywidgets.IntSlider(0, -9, 9, description="S"), PoolingExplorer()
    link = ipywidgets.jslink((outside, "value"), (explorer, "shift_columns"))
    page = show(body=widget_page.joined(outside, explorer, explorer, by=[link]))
    page.get_by_label("S", exact=True).fill("9")  # out of range: clamped
    words = page.locator(".cnn-effect-text").all_text_contents()
    assert len(words) == 2
    assert words[0] == words[1]
    assert words[0].startswith("Shifted 3 right")
    page.get_by_role("button", name="Shift left").first.click()
    assert page.get_by_label("S", exact=True).input_value() == "2"


@pytest.mark.browser
def test_a_link_restores_the_state(explore):
    page = explore(PoolingExplorer(SEED))
    choose(page, "Average")
    slide(page, "Right", 1)
    press(page, "Copy a link")
    page.wait_for_function("location.hash.startsWith('#pool=')")
    hash_ = page.evaluate("location.hash")
    press(page, "Reset")
    open_link(page, "")
    open_link(page, hash_)
    assert "/ 4" in text(page, "sum")
    assert page.get_by_role("slider", name="Right").input_value() == "1"
    open_link(page, "pool=nonsense")
    page.get_by_text("could not be read").wait_for()
    assert page.get_by_role("slider", name="Right").input_value() == "1"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_still_picture_is_the_living_one_and_nothing_jumps(both_forms, width):
    explorers = [
        PoolingExplorer(shift_columns=1, row=1, column=2),
        PoolingExplorer(np.arange(25).reshape(5, 5) - 9.5, mode="average", winners=True),
        PoolingExplorer(mode="blur", kernel_size=3, stride=1, shift_rows=-1, reference="moved"),
        PoolingExplorer(mode="stride", kernel_size=4, stride=2, shift_columns=2),
    ]
    for explorer in explorers:
        still_page, page = both_forms(explorer, width)
        for role in BOARDS:
            first = still_page.locator(panel(role, ".cnn-still"))
            living = page.locator(panel(role))
            check_alike(first, living)
            names = [each.locator("td").evaluate_all(MARKS) for each in (first, living)]
            assert names[0] == names[1], role
        assert still_page.locator(".cnn-sum").text_content() == text(page, "sum")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_the_still_of_the_photograph_shows_what_is_painted(both_forms, width):
    explorer = PoolingExplorer(view="photo", shift_columns=1, repeats=2, mode="average")
    still_page, page = both_forms(explorer, width)
    for role in BOARDS[:4]:
        picture = still_page.locator(f".cnn-still .cnn-{role} img")
        canvas = page.locator(f".live-widget .cnn-{role} canvas")
        assert picture.bounding_box() == pytest.approx(canvas.bounding_box(), abs=1)
        first, second = (each.evaluate(LEVELS) for each in (picture, canvas))
        difference = np.subtract(first, second)
        assert np.sqrt(np.mean(difference**2)) < 4, role  # of 255 levels: it is compressed
    assert still_page.locator(".cnn-still .cnn-change img").get_attribute("alt") == (
        "A window pools an input: What changed, from blue (darker) to red (brighter)"
    )


LEVELS = """(picture) => {
  const { naturalWidth, naturalHeight, width, height } = picture;
  const size = { width: naturalWidth ?? width, height: naturalHeight ?? height };
  const context = Object.assign(document.createElement("canvas"), size).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, size.width, size.height);
  context.drawImage(picture, 0, 0);
  return [...context.getImageData(0, 0, size.width, size.height).data];
}"""


MARKS = """(all) => all.map((e) =>
  ["came", "unseen", "wins", "shares", "rose", "fell"].filter((n) => e.matches(`.cnn-${n}`)))"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_fits_every_width_and_nothing_moves(explore, width):
    page = explore(PoolingExplorer(), width=width, body=widget_page.BELOW)
    overlaps = """() => {
      const parts = [".cnn-pool-header", ".cnn-pool-ways", ".cnn-shift", ".cnn-effect-text",
        ".cnn-pool-reading", ".cnn-panel", ".cnn-sliders", ".cnn-end"];
      const boxes = parts.flatMap((name) => [...document.querySelectorAll(`.live-widget ${name}`)])
        .map((e) => [e.className, e.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
      return boxes.flatMap(([a, p], i) => boxes.slice(i + 1)
        .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1 &&
          p.top < q.bottom - 1 && q.top < p.bottom - 1).map(([b]) => [a, b]));
    }"""
    heights = {}
    for window in (2, 3, 4):
        slide(page, "Window", window)
        for mode in ("Average", "Max + blur"):
            choose(page, mode)
            for name, value in (("Right", -3), ("Down", 2), ("Stride", 1), ("Stride", 3)):
                slide(page, name, value)
                heights.setdefault(window, below(page))
                assert below(page) == pytest.approx(heights[window], abs=1)
            assert unreadable(page, width) == []
            assert page.evaluate(overlaps) == [], (window, mode)
    choose(page, "Photograph")
    assert below(page) == pytest.approx(heights[4], abs=1)
    assert page.evaluate(overlaps) == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(explore, theme, width):
    page = explore(PoolingExplorer(shift_columns=1), theme=theme, width=width)
    assert violations(page) == []
    slide(page, "Stride", 3)
    choose(page, "moved")
    assert violations(page) == []
    choose(page, "Photograph")
    page.wait_for_function("document.querySelector('.cnn-output canvas').width > 1")
    assert violations(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_digits_stand_out_on_every_shade(explore, theme):
    """WCAG AA for each cell of each grid, computed from what the browser paints."""
    page = explore(PoolingExplorer(shift_columns=1, mode="average"), theme=theme)
    assert least_contrast(page)[0] >= 4.5, least_contrast(page)
