"""Figures hold what they were given, and pictures of them are well-behaved guests of a page."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from cnnlib import plots
from cnnlib.page import picture
from cnnlib.palette import COLORS, css_variables
from cnnlib.plots import Grid

SVG = "{http://www.w3.org/2000/svg}"
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (6, 3, 4, 4), dtype=np.uint8)


@dataclass
class Epoch:
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def one_run(length=3, shift=0.0, validation=True):
    return [
        Epoch(i, 2 / i + shift, 1 - 0.5 / i, 2.2 / i + shift, 1 - 0.6 / i)
        if validation
        else Epoch(i, 2 / i + shift, 1 - 0.5 / i)
        for i in range(1, length + 1)
    ]


#: One of each, with the longest words that the book has for it.
FIGURES = {
    "image_grid": lambda: plots.image_grid(IMAGES, ["automobile, taken for a truck"] * 6, 4),
    "photo": lambda: plots.photo(np.zeros((90, 120)), [(9, 20, 30, 40, "ear")], "Chelsea"),
    "feature_maps": lambda: plots.feature_maps(rng.random((5, 6, 6)), list("abcde")),
    "signed maps": lambda: plots.feature_maps(rng.normal(size=(70, 90)), signed=True, limit=1.5),
    "kernels": lambda: plots.kernels(rng.normal(size=(16, 3, 3, 3))),
    "learning_curves": lambda: plots.learning_curves([one_run(), one_run(shift=0.1)]),
    "confusion_matrix": lambda: plots.confusion_matrix(
        np.diag(range(5)), ["automobile", "bird", "cat", "deer", "dog"]
    ),
    "matrices": lambda: plots.matrices(
        Grid([[1, 2, 3], [4, 5, 6]], "input", "input", (0, 0, 2, 2)),
        Grid([[1, 0], [0, -1]], "kernel", "kernel"),
        Grid([[-4, -4]], "output", "output"),
        signs="∗=",
    ),
}
every_figure = pytest.mark.parametrize("name", list(FIGURES))


def texts_of(figure):
    """Return the texts that are drawn: no empty ones, no labels of ticks off the axis."""
    unseen = set()
    for axis in (a for axes in figure.axes for a in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        unseen |= {t.label1 for t in axis.get_major_ticks() if not low <= t.get_loc() <= high}
    texts = (t for t in figure.findobj(Text) if t not in unseen)
    return [t for t in texts if t.get_visible() and t.get_text().strip()]


def words_of(figure):
    return [t.get_text() for t in texts_of(figure)]


# ---- on the page ---------------------------------------------------------------------------


@every_figure
def test_picture_is_one_labelled_svg(name):
    shown = picture(FIGURES[name](), 'What it shows: 3 < 4 & "so on" — it\'s <b>safe</b>')
    root = ElementTree.fromstring(shown.svg)
    assert root.tag == SVG + "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'What it shows: 3 < 4 & "so on" — it\'s <b>safe</b>'
    assert "<b>" not in shown.svg
    assert float(root.get("width")) <= plots.WIDTH * 96 + 0.5
    # Nothing in it reaches the rest of the page, nor another host.
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "g", "path", "text", "tspan", "use", "image", "defs", "clipPath", "rect"}
    assert "http" not in shown.svg.replace("http://www.w3.org/2000/svg", "")


@every_figure
def test_every_colour_of_the_palette_follows_the_theme(name):
    svg = re.sub(r"base64,[^\"]+", "", picture(FIGURES[name](), "A figure").svg)
    light = {role: pair[0].lower() for role, pair in COLORS.items()}
    used = re.findall(r"var\(--cnn-(\w+), (#[0-9a-f]{6})\)", svg)
    assert used
    assert all(light[role] == color for role, color in used)
    rest = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", svg)))
    assert not rest & set(light.values())
    # What does not follow is drawn on a photograph.
    assert rest <= {plots.NEAR_BLACK.lower()}


@every_figure
def test_a_picture_has_the_same_bytes_twice(name):
    state = rng.bit_generator.state
    first = picture(FIGURES[name](), "A figure")
    rng.bit_generator.state = state
    again = picture(FIGURES[name](), "A figure")
    assert first.svg == again.svg
    assert first.png == again.png


@pytest.mark.slow
def test_ids_are_unique_on_a_page_and_every_reference_is_met():
    seen = set()
    for name in FIGURES:
        for alt in ("One figure", "Another"):
            svg = picture(FIGURES[name](), alt).svg
            ids = re.findall(r'\bid="([^"]+)"', svg)
            assert len(set(ids)) == len(ids)
            assert not seen & set(ids)
            seen.update(ids)
            assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) == set(ids)
    assert seen


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_a_picture_needs_alternative_text(alt):
    with pytest.raises(ValueError, match="needs alt"):
        picture(plots.image_grid(IMAGES), alt)


def test_the_bundle_has_one_form_for_each_reader():
    figure = plots.learning_curves(one_run())
    shown = picture(figure, "The loss\n   falls")
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/plain"] == "<picture: The loss falls>"
    assert bundle["text/html"].count("<svg") == 1
    assert css_variables() in bundle["text/html"]
    png = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert png.size == tuple(int(2 * 96 * inches) for inches in figure.get_size_inches())
    assert png.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_text_stays_text_and_small_pictures_stay_sharp():
    root = ElementTree.fromstring(picture(FIGURES["learning_curves"](), "Curves").svg)
    assert {"validation", "train", "epoch"} <= {t.text for t in root.iter(SVG + "text")}
    small = picture(plots.image_grid(IMAGES), "Six pictures").svg
    assert small.count("pixelated") == 6
    assert "pixelated" not in picture(plots.photo(np.zeros((300, 400))), "Nothing").svg


def test_the_svg_embeds_the_very_pixels():
    root = ElementTree.fromstring(picture(plots.image_grid(IMAGES), "Six pictures").svg)
    for image, element in zip(IMAGES, root.iter(SVG + "image"), strict=True):
        data = base64.b64decode(element.get("href").partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        _, _, _, d, _, _ = map(float, re.findall(r"[-\d.]+", element.get("transform")))
        upright = pixels if d > 0 else pixels[::-1]
        np.testing.assert_array_equal(upright, image.transpose(1, 2, 0))


def test_pyplot_is_never_touched():
    code = (
        "import sys; from cnnlib import page, plots; "
        "page.picture(plots.photo([[0, 1], [1, 0]]), 'Four pixels'); "
    )
    code += "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    picture(plots.learning_curves(one_run()), "The loss falls")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.browser
def test_the_page_recolours_pictures(page):
    shown = [
        picture(FIGURES[name](), name)._repr_mimebundle_()["text/html"]
        for name in ("learning_curves", "matrices")
    ]
    page.set_viewport_size({"width": 360, "height": 800})
    theme = "<style>.text_html { background: #eee; padding: 1em }</style>"
    body = "".join(f'<div class="output text_html">{html}</div>' for html in shown)
    page.set_content(f'<!doctype html><html data-theme="light">{theme}<body>{body}</body></html>')
    ground = "getComputedStyle(document.querySelector('.text_html')).backgroundColor"
    assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"
    fill = "getComputedStyle(document.querySelector('svg text')).fill"
    light, dark = ("rgb({}, {}, {})".format(*rgb) for rgb in map(rgb_of, COLORS["muted"]))
    assert page.evaluate(fill) == light
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.evaluate(fill) == dark
    widths = "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)"
    assert all(0 < width <= 360 for width in page.evaluate(widths))
    assert page.get_by_role("img", name="matrices").count() == 1
    assert not page.trouble


# ---- for every figure ----------------------------------------------------------------------


@every_figure
def test_type_is_never_small_nor_cut_off(name):
    figure = FIGURES[name]()
    with matplotlib.rc_context(plots.STYLE):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    edge = figure.bbox
    assert texts_of(figure)
    for text in texts_of(figure):
        assert text.get_fontsize() >= 9, text  # points: 12 pixels
        box = text.get_window_extent(canvas.get_renderer())
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= edge.x1 + 1 and box.y1 <= edge.y1 + 1
        assert inside, text


def rgb_of(color):
    return [round(255 * part) for part in to_rgb(color)]


def contrast(one, other):
    """WCAG 2.2's contrast ratio of two colours."""

    def luminance(color):
        parts = np.array(to_rgb(color))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("shade", [0, 1])
@pytest.mark.parametrize("name", ["confusion_matrix", "matrices"])
def test_numbers_can_be_read_on_their_cells(name, shade):
    roles = {pair[0].lower(): role for role, pair in COLORS.items()}
    surface = np.array(to_rgb(COLORS["surface"][shade]))
    cells = [p for p in FIGURES[name]().findobj(Rectangle) if p.get_facecolor()[3] > 0]
    for cell in cells:
        *rgb, alpha = cell.get_facecolor()
        role = roles.get(matplotlib.colors.to_hex(rgb))
        if role in ("input", "kernel", "output"):
            ground = alpha * np.array(to_rgb(COLORS[role][shade])) + (1 - alpha) * surface
            assert contrast(COLORS["text"][shade], tuple(ground)) >= 4.5
    assert contrast(COLORS["muted"][shade], tuple(surface)) >= 4.5


# ---- pictures, maps and kernels ------------------------------------------------------------


def test_image_grid_holds_the_pictures_in_rows():
    axes = plots.image_grid(IMAGES, titles=list("abcdef"), columns=4).axes[0]
    assert len(axes.images) == 6
    for image, artist in zip(IMAGES, axes.images, strict=True):
        np.testing.assert_array_equal(artist.get_array(), image.transpose(1, 2, 0))
    lefts = [round(artist.get_extent()[0]) for artist in axes.images]
    assert lefts == [0, 1, 2, 3, 0, 1]
    tops = [artist.get_extent()[3] for artist in axes.images]
    assert tops[:4] == [tops[0]] * 4
    assert tops[4] > tops[0]  # y runs downwards
    assert [t.get_text() for t in axes.texts] == list("abcdef")


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_a_figure_for_a_phone_is_shown_there_whole(columns):
    photographs = np.zeros((4, 90, 120))
    for figure in (
        plots.image_grid(photographs, columns=columns, width=plots.PHONE),
        plots.feature_maps(photographs, columns=columns, width=plots.PHONE),
    ):
        assert figure.get_figwidth() == pytest.approx(4.5)
    # 360 pixels less the page's margins of 16; 9 points are 12 pixels at 96 to the inch.
    assert 12 * (360 - 2 * 16) / (96 * plots.PHONE) >= 9


def test_grids_keep_to_the_width_that_they_are_given():
    grids = Grid([[1, 2, 3, 4]]), Grid([[1, 2]]), Grid([[3.5, 13.5]])
    assert plots.matrices(*grids).get_figwidth() == pytest.approx(10 * 0.44 + 0.1)
    narrow = plots.matrices(*grids, width=3.4)
    assert narrow.get_figwidth() == pytest.approx(3.4)
    assert {text.get_fontsize() for text in texts_of(narrow)} == {9}
    with pytest.raises(ValueError, match="do not fit a width of 2 inches"):
        plots.matrices(*grids, width=2)


def test_image_grid_takes_what_pictures_come_as():
    grey, colour = rng.random((5, 7)), rng.random((5, 7, 3))
    tensor = torch.rand(1, 4, 4, requires_grad=True)
    axes = plots.image_grid([grey, colour, tensor, np.zeros((3, 3), bool)]).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), grey)
    np.testing.assert_array_equal(axes.images[1].get_array(), colour)
    np.testing.assert_array_equal(axes.images[2].get_array(), tensor.detach().numpy()[0])
    assert axes.images[0].get_clim() == (0, 1)
    left, right, bottom, top = axes.images[0].get_extent()
    assert (bottom - top) / (right - left) == pytest.approx(5 / 7)
    assert plots.image_grid(IMAGES[:, :1]).axes[0].images[0].get_clim() == (0, 255)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGES, ["one"]), "1 titles for 6 pictures"),
        (([],), "nothing to draw"),
        ((IMAGES, None, 0), "0 columns"),
        ((np.zeros((1, 4, 9, 9)),), r"1 or 3 channels; got shape \(4, 9, 9\)"),
        ((np.full((1, 3, 4, 4), -1.5),), r"0\.\.1 for float64, not -1\.5.*normalisation"),
        ((np.full((1, 3, 4, 4), np.nan),), r"nan at index \(0, 0, 0\)"),
        ((np.zeros((3, 4)),), r"2 or 3 axes.*got shape \(4,\)"),
        ((np.full((1, 4, 4), "x"),), "must be numbers"),
    ],
)
def test_image_grid_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.image_grid(*arguments)


def test_photo_frames_boxes_where_they_are():
    image = rng.random((20, 40, 3))
    axes = plots.photo(image, [(5, 10, 4, 8, "ear"), (0, 0, 20, 40)], title="cat").axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), image)
    left, right, _, top = axes.images[0].get_extent()
    pixel = (right - left) / 40
    frames = [p for p in axes.patches if p.get_edgecolor()[:3] == to_rgb(COLORS["highlight"][0])]
    x, y, width, height = frames[0].get_bbox().bounds
    assert ((x - left) / pixel, (y - top) / pixel) == pytest.approx((10, 5))
    assert (width / pixel, height / pixel) == pytest.approx((8, 4))
    assert words_of(axes.figure) == ["cat", "ear"]


@pytest.mark.parametrize("top", [0, 5, 20, 70])
def test_photo_keeps_a_label_inside_the_figure(top):
    figure = plots.photo(np.zeros((100, 150)), [(top, 110, 23, 20, "ear")])
    (label,) = figure.axes[0].texts
    figure.draw_without_rendering()
    extent = label.get_bbox_patch().get_window_extent()
    assert figure.bbox.y0 <= extent.y0
    assert extent.y1 <= figure.bbox.y1


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 21, 5), (0, 36, 5, 5)])
def test_photo_refuses_a_box_off_the_picture(box):
    with pytest.raises(ValueError, match="does not lie on a picture of 20x40"):
        plots.photo(np.zeros((20, 40)), [box])


def test_feature_maps_share_one_scale():
    maps = rng.random((3, 5, 5)) * 10 + 2
    figure = plots.feature_maps(maps, titles=list("abc"))
    for values, artist in zip(maps, figure.axes[0].images, strict=True):
        np.testing.assert_array_equal(artist.get_array(), values)
        assert artist.get_clim() == (maps.min(), maps.max())
        assert artist.get_cmap().name == "viridis"
    assert figure.axes[1].images[0].get_clim() == (maps.min(), maps.max())


def test_signed_maps_are_centred_on_zero():
    figure = plots.feature_maps([[1.0, -4.0], [2.0, 0.0]], signed=True)
    artist = figure.axes[0].images[0]
    assert artist.get_clim() == (-4, 4)
    assert artist.get_cmap().name == "RdBu_r"
    clipped = plots.feature_maps([[1.0, -4.0], [2.0, 0.0]], signed=True, limit=2)
    assert clipped.axes[0].images[0].get_clim() == (-2, 2)
    assert [t.get_text() for t in clipped.axes[1].get_xticklabels()] == ["≤ −2", "2"]


def test_a_constant_map_is_drawn():
    assert plots.feature_maps(np.zeros((2, 2))).axes[0].images[0].get_clim() == (-1, 1)


def test_kernels_stand_by_channel():
    weights = rng.normal(size=(4, 3, 5, 5))
    axes = plots.kernels(torch.tensor(weights, requires_grad=True)).axes[0]
    limit = np.abs(weights).max()
    assert len(axes.images) == 12
    tops = sorted({artist.get_extent()[3] for artist in axes.images})
    for artist in axes.images:
        left, _, _, top = artist.get_extent()
        out_channel, in_channel = round(left), tops.index(top)
        np.testing.assert_array_equal(artist.get_array(), weights[out_channel, in_channel])
        assert artist.get_clim() == (-limit, limit)
    assert "columns: output channels; rows: input channels" in words_of(axes.figure)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(3), "2 or 3 or 4 axes"),
        (np.zeros((128, 3, 1, 1)), r"128 x 3 kernels are too many.*\[:16, :3\]"),
        ([[0.0, np.inf]], r"inf at index \(0, 1\)"),
    ],
)
def test_kernels_refuse(weights, message):
    with pytest.raises(ValueError, match=message):
        plots.kernels(weights)


# ---- curves --------------------------------------------------------------------------------


def test_learning_curves_of_one_run():
    run = one_run(4)
    loss, accuracy = plots.learning_curves(run).axes
    assert [line.get_linestyle() for line in loss.lines] == ["--", "-"]
    for axes, metric in ((loss, "loss"), (accuracy, "accuracy")):
        for line, split in zip(axes.lines, ("train", "validation"), strict=True):
            assert line.get_xdata().tolist() == [1, 2, 3, 4]
            assert line.get_ydata().tolist() == [getattr(e, f"{split}_{metric}") for e in run]
    # Each curve has its name at its end, in the curves' order from bottom to top.
    heights = {t.get_text(): t.xy[1] for t in loss.texts}
    assert set(heights) == {"train", "validation"}
    assert heights["train"] < heights["validation"]


def test_learning_curves_of_several_seeds_show_each_and_their_mean():
    runs = [one_run(3, shift=0.0), one_run(2, shift=0.4)]
    loss = plots.learning_curves(runs).axes[0]
    curves = [(len(line.get_xdata()), line.get_linewidth()) for line in loss.lines]
    assert curves == [(3, 0.8), (2, 0.8), (2, 2.0)] * 2
    np.testing.assert_allclose(loss.lines[2].get_ydata(), [2.2, 1.2])


def test_learning_curves_take_every_form_of_a_record():
    runs = [one_run(3), one_run(3, 0.2)]
    as_dicts = [{"seed": 0, "epochs": [vars(epoch) for epoch in run]} for run in runs]
    forms = [runs, as_dicts, {"runs": as_dicts}, SimpleNamespace(runs=as_dicts)]
    drawn = [
        [line.get_ydata().tolist() for line in plots.learning_curves(form).axes[1].lines]
        for form in forms
    ]
    assert all(lines == drawn[0] for lines in drawn)
    assert len(drawn[0]) == 6


def test_learning_curves_without_validation():
    loss = plots.learning_curves(one_run(validation=False)).axes[0]
    assert len(loss.lines) == 1
    assert [t.get_text() for t in loss.texts] == ["train"]


def broken_run(value):
    run = one_run()
    run[1].train_loss = value
    return run


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "no epoch"),
        ([[]], "no epoch"),
        (SimpleNamespace(runs=[]), "no epoch"),
        (broken_run(float("nan")), r"train_loss holds nan at index \(1,\)"),
        (broken_run(None), "epoch 2 has no train_loss"),
    ],
)
def test_learning_curves_refuse(record, message):
    with pytest.raises(ValueError, match=message):
        plots.learning_curves(record)


# ---- numbers in cells ----------------------------------------------------------------------


def test_confusion_matrix_counts_and_shades():
    counts = [[3, 1, 0], [0, 8, 8], [0, 0, 0]]
    axes = plots.confusion_matrix(counts, ["cat", "dog", "ship"]).axes[0]
    numbers = {t.get_position()[::-1]: int(t.get_text()) for t in axes.texts}
    assert numbers == {(i, j): counts[i][j] for i in range(3) for j in range(3)}
    shades = {
        (round(p.get_y() + 0.46), round(p.get_x() + 0.48)): p.get_alpha() for p in axes.patches
    }
    # Shares of a row: three quarters, a quarter; two halves; and none of an empty class.
    assert shades[0, 0] == pytest.approx(plots.DARKEST * 0.75**0.5)
    assert shades[0, 1] == pytest.approx(plots.DARKEST * 0.5)
    assert shades[1, 1] == shades[1, 2] == pytest.approx(plots.DARKEST * 0.5**0.5)
    assert shades[2, 2] == 0
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", "dog", "ship"]
    assert axes.get_ylabel() == "true class"
    assert axes.get_ylim() == (2.5, -0.5)  # the first class on top


@pytest.mark.parametrize(
    ("counts", "classes", "message"),
    [
        ([[1, 2]], ["cat"], r"shape \(1, 2\) and 1 classes"),
        (np.eye(3), ["cat", "dog"], "and 2 classes"),
        (np.eye(21), ["x"] * 21, "at most 20"),
        ([[0.5, 0.5], [0.0, 1.0]], "ab", "counted, not normalised"),
        ([[1, -1], [0, 1]], "ab", "0 or more"),
    ],
)
def test_confusion_matrix_refuses(counts, classes, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion_matrix(counts, classes)


def test_matrices_show_every_number_in_its_colour():
    figure = plots.matrices(
        Grid([[1, 2, 3]], "input", "f"), Grid([0.5, -1], "kernel", "g", (0, 1, 1, 1)), signs="∗"
    )
    assert words_of(figure) == ["1", "2", "3", "f", "∗", "0.5", "−1.0", "g"]
    cells = [p for p in figure.axes[0].patches if p.get_facecolor()[3] > 0]
    colors = [p.get_edgecolor()[:3] for p in cells]
    assert colors == [to_rgb(COLORS["input"][0])] * 3 + [to_rgb(COLORS["kernel"][0])] * 2
    assert [p.get_x() for p in cells] == [0, 1, 2, 4, 5]
    frame = figure.axes[0].patches[-1]
    assert frame.get_bbox().bounds == (5, 0, 1, 1)
    assert frame.get_edgecolor()[:3] == to_rgb(COLORS["highlight"][0])


def test_a_cell_without_number_is_empty():
    assert words_of(plots.matrices(Grid([[1, np.nan], [-0.0, 1250]]))) == ["1", "0", "1250"]
    assert words_of(plots.matrices(Grid([[0.125, 1 / 3]]))) == ["0.125", "0.333"]


@pytest.mark.parametrize(
    ("grids", "signs", "message"),
    [
        ([], "", "0 grids"),
        ([Grid([[1]]), Grid([[2]])], "+=", "2 grids and 2 signs"),
        ([Grid([[1]], role="weight")], "", "unknown role 'weight'"),
        ([Grid([[1, 2]], highlight=(0, 1, 1, 2))], "", r"highlight \(0, 1, 1, 2\) lies outside"),
        ([Grid(np.zeros((2, 2, 2)))], "", "1 or 2 axes"),
        ([Grid(np.full((1, 30), -100))], "", "30 columns.*do not fit"),
    ],
)
def test_matrices_refuse(grids, signs, message):
    with pytest.raises(ValueError, match=message):
        plots.matrices(*grids, signs=signs)


def test_powers_of_ten_are_raised_by_their_letters():
    assert [plots.power_of_ten(x) for x in (1e-12, 0.001, 1, 10, 1e6)] == [
        "10⁻¹²",
        "10⁻³",
        "10⁰",
        "10¹",
        "10⁶",
    ]
