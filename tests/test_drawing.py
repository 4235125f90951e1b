"""Drawings of networks, against the real modules, numbers by hand, and a browser's geometry."""

from __future__ import annotations

import re
from collections import Counter
from math import prod, sqrt
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from small_models import Apply
from torch import nn

from cnnlib.drawing import network
from cnnlib.drawing.reading import read
from cnnlib.models import create_model
from cnnlib.palette import COLORS

SVG = "{http://www.w3.org/2000/svg}"
BOOK = Path(__file__).resolve().parent.parent / "book" / "_static" / "book.css"
IMAGENET, CIFAR = (3, 224, 224), (3, 32, 32)

#: name -> (input, boxes of each kind, worked out by hand from the papers' tables).
BY_HAND = {
    "lenet5": ((1, 32, 32), {"convolution": 2, "pooling": 2, "linear": 3}),
    "alexnet": (IMAGENET, {"convolution": 5, "pooling": 3, "linear": 3}),
    "vgg16": (IMAGENET, {"convolution": 2 + 2 + 3 + 3 + 3, "pooling": 5, "linear": 3}),
    # A stem of 3, and 6 in each module; 4 poolings between, one in each module, one at the end.
    "googlenet": (
        IMAGENET,
        {"convolution": 3 + 9 * 6, "pooling": 4 + 9 + 1, "linear": 1, "concatenation": 9},
    ),
    # Convolutions: the stem's, those of the blocks, the projections.
    "resnet18": (
        IMAGENET,
        {"convolution": 1 + 8 * 2 + 3, "pooling": 2, "linear": 1, "addition": 8},
    ),
    "resnet34": (
        IMAGENET,
        {"convolution": 1 + 16 * 2 + 3, "pooling": 2, "linear": 1, "addition": 16},
    ),
    "resnet50": (
        IMAGENET,
        {"convolution": 1 + 16 * 3 + 4, "pooling": 2, "linear": 1, "addition": 16},
    ),
    "resnet152": (
        IMAGENET,
        {"convolution": 1 + 50 * 3 + 4, "pooling": 2, "linear": 1, "addition": 50},
    ),
    "resnet20": (
        CIFAR,
        {"convolution": 1 + 9 * 2, "pooling": 1, "linear": 1, "addition": 9, "reshaping": 2},
    ),
    "simple_cnn": ((3, 64, 64), {"convolution": 2, "pooling": 2, "linear": 2}),
    "simple_resnet": (
        CIFAR,
        {"convolution": 1 + 4 * 2 + 1, "pooling": 1, "linear": 1, "addition": 4},
    ),
}
COLLAPSED = {"resnet34", "resnet50", "resnet152"}
every_network = pytest.mark.parametrize("name", list(BY_HAND))


def on_meta(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def inception():
    return on_meta("googlenet").inception3a, (192, 28, 28)


#: Everything that is looked at in the browser.
DRAWN = {
    **{name: lambda n=name: (on_meta(n), BY_HAND[n][0]) for name in BY_HAND},
    "lenet5_1998": lambda: (create_model("lenet5_1998"), (1, 32, 32)),
    "plain56": lambda: (create_model("plain56"), CIFAR),
    "googlenet of 32": lambda: (on_meta("googlenet", image_size=32), CIFAR),
    "inception": inception,
    "identity": lambda: (on_meta("resnet18").layer1[0], (64, 56, 56)),
    "projection": lambda: (on_meta("resnet50").layer2[0], (256, 56, 56)),
    "option A": lambda: (on_meta("resnet20").layer2[0], (16, 32, 32)),
}


def boxes(svg):
    """Return the groups of a drawing, one a box."""
    return [
        group for group in ElementTree.fromstring(svg).iter(SVG + "g") if group.get("data-kind")
    ]


def counted(svg):
    found = Counter()
    for group in boxes(svg):
        found[group.get("data-kind")] += int(group.get("data-times"))
    return found


def box_sizes(svg):
    """Return the width and height of every rectangle, by its name."""
    found = {}
    for group in boxes(svg):
        if (rect := group.find(SVG + "rect")) is not None:
            found[group.get("data-name")] = float(rect.get("width")), float(rect.get("height"))
    return found


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(SVG + "text")]


def at_leaves(model, size):
    """Return the shape that every convolution and linear layer gives, by a pass of our own."""
    shapes, hooks = {}, []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):

            def note(_, __, out, name=name):
                shapes[name] = "x".join(map(str, out.shape[1:]))

            hooks.append(module.register_forward_hook(note))
    device = next(model.parameters()).device
    model.eval()(torch.zeros(1, *size, device=device))
    for hook in hooks:
        hook.remove()
    return shapes


# ---- what is drawn -------------------------------------------------------------------------


@every_network
def test_boxes_of_each_kind_by_hand(name):
    size, expected = BY_HAND[name]
    drawing = network(on_meta(name), size)
    for svg in (drawing.svg, drawing.narrow):
        assert counted(svg) == {"input": 1, **expected}
        assert (max(int(box.get("data-times")) for box in boxes(svg)) > 1) == (name in COLLAPSED)


@pytest.mark.parametrize("name", sorted(BY_HAND.keys() - COLLAPSED))
def test_every_layer_is_drawn_with_the_shape_that_it_gives(name):
    model, size = on_meta(name), BY_HAND[name][0]
    drawn = {
        box.get("data-name"): box.get("data-shape")
        for box in boxes(network(model, size).svg)
        if box.get("data-kind") in ("convolution", "linear")
    }
    assert drawn == at_leaves(model, size)


@pytest.mark.parametrize("name", sorted(COLLAPSED))
def test_blocks_that_come_again_are_drawn_once(name):
    model, size = on_meta(name), BY_HAND[name][0]
    shapes = at_leaves(model, size)
    drawing = network(model, size)
    once = [box for box in boxes(drawing.svg) if box.get("data-kind") in ("convolution", "linear")]
    assert len(once) < len(shapes)
    assert all(shapes[box.get("data-name")] == box.get("data-shape") for box in once)
    found = Counter()
    for box in once:
        found[box.get("data-shape")] += int(box.get("data-times"))
    assert found == Counter(shapes.values())
    # Of the 3, 4, 6 and 3 blocks of the stages, all but the one that changes the shape.
    if name == "resnet50":
        assert [t for t in texts(drawing.svg) if t.startswith("× ")] == ["× 2", "× 3", "× 5", "× 2"]


def test_the_shortcuts_of_resnet18():
    steps = [s for s in read(on_meta("resnet18"), IMAGENET).path if s.node.kind == "addition"]
    shortcuts = [[inner.node.look for inner in step.branches[1]] for step in steps]
    projections = [
        [("convolution", "1×1 /2", shape)] for shape in ((128, 28, 28), (256, 14, 14), (512, 7, 7))
    ]
    identity = []
    assert shortcuts == [
        *(identity, identity),
        *(projections[0], identity),
        *(projections[1], identity),
        *(projections[2], identity),
    ]
    assert all(len(step.branches[0]) == 2 for step in steps)


def test_the_four_branches_of_an_inception_module():
    model, size = inception()
    _, join = read(model, size).path
    branches = [[(s.node.text, s.node.channels) for s in branch] for branch in join.branches]
    assert branches == [
        [("1×1", 64)],
        [("1×1", 96), ("3×3", 128)],
        [("1×1", 16), ("3×3", 32)],
        [("max 3×3", 192), ("1×1", 32)],
    ]
    assert join.node.look == ("concatenation", "cat", (64 + 128 + 32 + 32, 28, 28))
    drawing = network(model, size)
    for svg in (drawing.svg, drawing.narrow):
        rects = {box.get("data-name"): box.find(SVG + "rect") for box in boxes(svg)}
        lefts = {
            name.split(".")[0]: float(rect.get("x"))
            for name, rect in rects.items()
            if "conv" in name
        }
        assert sorted(lefts, key=lefts.get) == ["branch1", "branch2", "branch3", "branch4"]
        gaps = [b - a for a, b in zip(lefts.values(), [*lefts.values()][1:], strict=False)]
        assert min(gaps) > float(rects["branch1.conv"].get("width"))


def test_option_a_is_one_box_however_it_is_written():
    def sliced(self, x):
        return self.conv(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))

    by_slices = Apply(sliced, conv=nn.Conv2d(16, 32, 3, stride=2, padding=1))
    for model in (on_meta("resnet20").layer2[0], by_slices):
        join = read(model, (16, 32, 32)).path[-1]
        [shortcut] = join.branches[1]
        assert shortcut.node.look == ("reshaping", "/2, +16 zeros", (32, 16, 16))


def test_the_published_lenet():
    plan = read(create_model("lenet5_1998"), (1, 32, 32))
    assert [(s.node.kind, s.node.text, s.node.parameters) for s in plan.path] == [
        ("input", "input", 0),
        ("convolution", "5×5", 156),
        ("pooling", "sum 2×2 /2", 12),
        ("convolution", "5×5", 1516),
        ("pooling", "sum 2×2 /2", 32),
        ("convolution", "5×5", 48_120),
        ("linear", "linear", 10_164),
        ("other", "RadialBasis", 0),
    ]


@pytest.mark.parametrize(
    ("layer", "kind", "text", "shape"),
    [
        (nn.Conv2d(4, 6, (3, 5), stride=(1, 2)), "convolution", "3×5 /1×2", (6, 10, 4)),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), "convolution", "2×2 /2 transposed", (6, 24, 24)),
        (nn.MaxPool2d(3, stride=2), "pooling", "max 3×3 /2", (4, 5, 5)),
        (nn.AvgPool2d(2), "pooling", "average 2×2 /2", (4, 6, 6)),
        (nn.AdaptiveAvgPool2d(1), "pooling", "global average", (4, 1, 1)),
        (nn.AdaptiveMaxPool2d(1), "pooling", "global max", (4, 1, 1)),
        (nn.AdaptiveAvgPool2d(5), "pooling", "average to 5×5", (4, 5, 5)),
        (Apply(lambda _, x: x.amax(dim=(2, 3))), "pooling", "global max", (4,)),
        (nn.Upsample(scale_factor=2), "other", "Upsample", (4, 24, 24)),
        (nn.Sequential(nn.Flatten(), nn.Linear(576, 3)), "linear", "linear", (3,)),
    ],
)
def test_one_layer(layer, kind, text, shape):
    first, last = read(layer, (4, 12, 12)).path
    assert first.node.look == ("input", "input", (4, 12, 12))
    assert last.node.look == (kind, text, shape)


@pytest.mark.parametrize(
    "layer",
    [nn.ReLU(), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(12), nn.ZeroPad2d(0), nn.Identity()],
)
def test_what_keeps_the_shape_is_left_out(layer):
    assert [step.node.kind for step in read(layer, (4, 12, 12)).path] == ["input"]
    assert counted(network(layer, (4, 12, 12)).svg) == {"input": 1}


def test_paths_within_paths():
    inner = Apply(lambda self, x: x + self.conv(x), conv=nn.Conv2d(4, 4, 3, padding=1))
    outer = Apply(
        lambda self, x: torch.cat([self.inner(x), x, self.side(x)], dim=1) * self.gate(x),
        inner=inner,
        side=nn.Conv2d(4, 2, 1),
        gate=nn.Conv2d(4, 1, 1),
    )
    _, product = read(outer, (4, 8, 8)).path
    (joined,), (gate,) = product.branches
    assert (product.node.text, gate.node.name) == ("mul", "gate")
    assert [[s.node.kind for s in path] for path in joined.branches] == [
        ["addition"],
        [],
        ["convolution"],
    ]
    drawing = network(outer, (4, 8, 8))
    expected = {"input": 1, "convolution": 3, "addition": 1, "concatenation": 1, "other": 1}
    assert counted(drawing.svg) == counted(drawing.narrow) == expected


# ---- to scale, and said --------------------------------------------------------------------


def test_the_boxes_are_to_scale():
    drawing = network(on_meta("vgg16"), IMAGENET)
    for svg in (drawing.svg, drawing.narrow):
        sizes = box_sizes(svg)
        # 224 pixels and 64 channels, 56 and 256, 14 and 512.
        (wide, thin), (half, double), (quarter, thick) = (
            sizes[f"features.{number}"] for number in (2, 12, 26)
        )
        assert wide / half == pytest.approx(sqrt(224 / 56), rel=0.02)
        assert wide / quarter == pytest.approx(sqrt(224 / 14), rel=0.02)
        assert double / thin == pytest.approx(sqrt(256 / 64), rel=0.02)
        assert thick / thin == pytest.approx(sqrt(512 / 64), rel=0.02)
        assert wide == max(width for width, _ in sizes.values())


def test_a_pooling_goes_from_one_width_to_the_other():
    drawing = network(on_meta("vgg16"), IMAGENET)
    sizes = box_sizes(drawing.svg)
    first = next(box for box in boxes(drawing.svg) if box.get("data-kind") == "pooling")
    corners = first.find(SVG + "polygon").get("points").split()
    left, right, low_right, low_left = (float(corner.split(",")[0]) for corner in corners)
    assert right - left == pytest.approx(sizes["features.2"][0], abs=0.3)  # 224
    assert low_right - low_left == pytest.approx(sizes["features.5"][0], abs=0.3)  # 112


def test_seams_divide_a_concatenation_as_its_branches_have_channels():
    svg = network(*inception()).svg
    join = next(box for box in boxes(svg) if box.get("data-kind") == "concatenation")
    rect = join.find(SVG + "rect")
    top, height = float(rect.get("y")), float(rect.get("height"))
    seams = [float(re.match(r"M\S+ ([\d.]+)", p.get("d"))[1]) for p in join.iter(SVG + "path")]
    shares = [(seam - top) / height for seam in seams]
    assert shares == pytest.approx([64 / 256, 192 / 256, 224 / 256], abs=0.01)


def test_what_the_wide_form_says_of_vgg16():
    said = texts(network(on_meta("vgg16"), IMAGENET).svg)
    # 3 * 64 * 9 + 64, and 512 * 7 * 7 * 4096 + 4096.
    assert {"1,792", "102,764,544", "3×3, 512", "classifier.0", "14 × 14"} <= set(said)
    assert "138,357,544 parameters" in " ".join(said)


def test_parameters_of_a_module_stand_beside_its_concatenation():
    # 192·64 + 192·96 + 96·128·9 + 192·16 + 16·32·9 + 192·32; its BatchNorms are not drawn.
    assert "155,136" in texts(network(*inception()).svg)


def test_the_alternative_text():
    assert network(create_model("lenet5"), (1, 32, 32)).alt == (
        "LeNet5, drawn to scale from 1 × 32 × 32 at the top to 10 at the bottom: 2 convolutions, "
        "2 poolings and 3 fully connected layers. 61,706 parameters."
    )
    assert (
        "53 convolutions, 2 poolings, 1 fully connected layer and 16 additions of a shortcut"
        in (network(on_meta("resnet50"), IMAGENET).alt)
    )


def test_long_names_end_where_the_numbers_begin():
    encoder = nn.ModuleDict({"downsampling_transition": nn.Conv2d(3, 3, 1)})
    layer = Apply(lambda self, x: self.encoder["downsampling_transition"](x), encoder=encoder)
    said = texts(network(layer, (3, 8, 8)).svg)
    [shown] = [text for text in said if text.startswith("…")]
    assert "encoder.downsampling_transition".endswith(shown[1:])
    assert len(shown) > 8


# ---- as a guest of the page ----------------------------------------------------------------


@every_network
def test_it_is_one_labelled_picture_of_valid_svg(name):
    drawing = network(on_meta(name), BY_HAND[name][0])
    html = drawing._repr_mimebundle_()["text/html"]
    assert html.count('role="img"') == 1
    assert f'aria-label="{drawing.alt}"' in html
    light = {role: pair[0].lower() for role, pair in COLORS.items()}
    for svg in (drawing.svg, drawing.narrow):
        root = ElementTree.fromstring(svg)
        assert svg in html
        assert root.get("aria-hidden") == "true"
        assert float(root.get("font-size")) >= 12
        assert not any(element.get("font-size") for element in root.iter() if element is not root)
        assert not re.search(r'\bid="|href|http', svg.replace("http://www.w3.org/2000/svg", ""))
        used = re.findall(r"var\(--cnn-(\w+), (#[0-9a-f]{6})\)", svg)
        assert used
        assert all(light[role] == color for role, color in used)
        assert not re.search(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", svg))
    assert float(ElementTree.fromstring(drawing.svg).get("width")) <= 46 * 16
    assert float(ElementTree.fromstring(drawing.narrow).get("width")) <= 328


def test_names_are_escaped():
    class Odd(nn.Identity):
        pass

    Odd.__name__ = 'A"<b>&'
    drawing = network(Odd(), (3, 8, 8))
    html = drawing._repr_mimebundle_()["text/html"]
    assert "<b>" not in html
    ElementTree.fromstring(drawing.svg)
    assert 'aria-label="A&quot;&lt;b&gt;&amp;, drawn' in html


def test_the_same_drawing_twice_and_the_model_left_as_it_was():
    model = create_model("resnet20").train()
    model.layer1.eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = network(model, CIFAR)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    again = network(model, CIFAR)
    assert (first.svg, first.narrow, first.alt) == (again.svg, again.narrow, again.alt)


GEOMETRY = """() => {
  const root = document.querySelector(".cnn-network");
  const svg = [...root.querySelectorAll("svg")].filter((s) => s.getClientRects().length);
  const frame = svg[0].getBoundingClientRect();
  const box = (e) => { const { left, right, top, bottom } = e.getBoundingClientRect();
    return { left, right, top, bottom, what: e.textContent }; };
  const apart = (a, b) => a.right <= b.left + 0.5 || b.right <= a.left + 0.5
    || a.bottom <= b.top + 0.5 || b.bottom <= a.top + 0.5;
  const letters = [...svg[0].querySelectorAll("text")].map((e) => {
    // Of a line's height, what letters and digits take.
    const b = box(e), height = b.bottom - b.top;
    return { ...b, top: b.top + 0.15 * height, bottom: b.bottom - 0.2 * height };
  });
  const boxes = [...svg[0].querySelectorAll("[data-kind]")].map(box);
  const overlaps = [];
  letters.forEach((a, i) => {
    for (const b of [...letters.slice(i + 1), ...boxes]) {
      if (!apart(a, b)) overlaps.push(`${a.what} | ${b.what}`);
    }
  });
  boxes.forEach((a, i) => {
    for (const b of boxes.slice(i + 1)) if (!apart(a, b)) overlaps.push(`${a.what} | ${b.what}`);
  });
  const outside = [...letters, ...boxes].filter((b) =>
    b.left < frame.left - 0.5 || b.right > frame.right + 0.5
    || b.top < frame.top - 0.5 || b.bottom > frame.bottom + 0.5).map((b) => b.what);
  const scale = frame.width / svg[0].viewBox.baseVal.width;
  const smallest = Math.min(...[...svg[0].querySelectorAll("text")].map(
    (e) => parseFloat(getComputedStyle(e).fontSize) * scale));
  const fill = (kind) => { const e = svg[0].querySelector(`[data-kind=${kind}] > rect`);
    return e && getComputedStyle(e).fill; };
  return { shown: svg.length, width: frame.width, overlaps, outside, smallest,
    input: fill("input"), convolution: fill("convolution"),
    scrolls: document.documentElement.scrollWidth - innerWidth };
}"""


def rgb(color):
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "drawn"), [(768, 672), (360, 326)])
def test_nothing_overlaps_on_a_page_light_or_dark(page, width, drawn):
    page.set_viewport_size({"width": width, "height": 800})
    css = BOOK.read_text()
    for name, build in DRAWN.items():
        html = network(*build())._repr_mimebundle_()["text/html"]
        for shade, theme in enumerate(("light", "dark")):
            page.set_content(
                f'<!doctype html><html data-theme="{theme}"><style>{css} body {{ margin: 16px }}'
                f'</style><div class="cell_output"><div class="output text_html">{html}</div></div>'
            )
            found = page.evaluate(GEOMETRY)
            assert (found["overlaps"], found["outside"]) == ([], []), (name, width)
            assert (found["shown"], found["width"]) == (1, drawn), name
            assert found["smallest"] >= 12
            assert found["scrolls"] <= 0
            assert found["input"] == rgb(COLORS["input"][shade])
            assert found["convolution"] == rgb(COLORS["kernel"][shade])


# ---- what cannot be drawn ------------------------------------------------------------------


@pytest.mark.parametrize("thing", [nn.Conv2d, "resnet18", None])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(ValueError, match="build the model first"):
        network(thing, CIFAR)


@pytest.mark.parametrize("size", [(32, 32), 32, (3, 32, 0), None])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match="input_size"):
        network(nn.Conv2d(3, 1, 1), size)


def test_a_picture_that_does_not_fit_is_refused_by_the_layer_that_failed():
    model = nn.Sequential(nn.Flatten(), nn.Linear(prod(CIFAR), 10))
    with pytest.raises(ValueError, match=r"layer '1' \(Linear\) received \(1, 768\).*input_size"):
        network(model, (3, 16, 16))


def test_paths_that_cross_are_refused():
    def dense(self, x):
        first = self.a(x)
        second = self.b(torch.cat([x, first], dim=1))
        return torch.cat([x, first, second], dim=1)

    model = Apply(dense, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(7, 4, 1))
    with pytest.raises(ValueError, match=r"cross.*one block, by itself"):
        network(model, CIFAR)


def test_a_model_that_forgets_its_input_is_refused():
    with pytest.raises(ValueError, match="nothing that was made from its input"):
        network(Apply(lambda _, x: torch.ones(1, 3)), CIFAR)


class Shuffled(nn.Module):
    """Moves channels into pixels, then convolves."""

    def __init__(self):
        super().__init__()
        self.shuffle, self.conv = nn.PixelShuffle(2), nn.Conv2d(3, 5, 3)

    def forward(self, x):
        return self.conv(self.shuffle(x))


def test_channels_that_become_pixels_are_drawn_as_such():
    plan = read(Shuffled(), (12, 8, 8))
    assert [node.shape for node, _ in plan.nodes()] == [(12, 8, 8), (3, 16, 16), (5, 14, 14)]


class Giving(nn.Module):
    """Gives what a function makes of two layers' maps."""

    def __init__(self, give):
        super().__init__()
        self.one, self.two, self.give = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), give

    def forward(self, x):
        return self.give(self.one(x), self.two(x))


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda a, b: (a, b), "gives 2 answers"),
        (lambda a, b: {"first": a, "second": a.flatten(1).softmax(1) * b.flatten(1)}, "2 answers"),
        (lambda a, b: (a + b).view(-1), r"gives \(144,\) for 1 picture\(s\)"),
        (lambda a, b: (a + b).sum(), r"gives \(\) for 1 picture"),
    ],
)
def test_what_is_no_answer_for_each_picture_is_refused(give, words):
    with pytest.raises(ValueError, match=words):
        read(Giving(give), (3, 8, 8))
