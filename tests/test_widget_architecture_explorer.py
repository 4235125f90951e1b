"""The architecture explorer: its Python side, its arithmetic, its page."""

from __future__ import annotations

import base64
import gzip
import json
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise

import ipywidgets
import numpy as np
import pytest
import torch
import widget_page
from playwright.sync_api import expect
from torch import nn
from widget_page import (
    ask,
    below,
    check_work,
    open_link,
    press,
    settle,
    unreadable,
    violations,
    words_of,
    work_of_a_drag,
)

from cnnlib.models import create_model
from cnnlib.summary import summary
from cnnlib.widgets import ArchitectureExplorer
from cnnlib.widgets.architecture import networks_of
from cnnlib.widgets.common import base

NETWORKS = 2500
SIZES = {
    "LeNet-5": ("lenet5", (1, 32, 32)),
    "AlexNet": ("alexnet", (3, 224, 224)),
    "VGG-16": ("vgg16", (3, 224, 224)),
    "GoogLeNet": ("googlenet", (3, 224, 224)),
    "ResNet-18": ("resnet18", (3, 224, 224)),
    "ResNet-50": ("resnet50", (3, 224, 224)),
    "ResNet-152": ("resnet152", (3, 224, 224)),
}


@pytest.fixture(scope="module")
def summaries():
    """Return the tables of the book's networks, read from the real modules without weights."""

    def read(name: str, size: tuple):
        with torch.device("meta"):
            model = create_model(name, num_classes=10 if size[0] == 1 else 1000)
        return summary(model, size)

    return {name: read(*setting) for name, setting in SIZES.items()}


def row(name: str, **values) -> dict:
    """Return one row of a plain table."""
    numbers = {"output_shape": (1, 4), "parameters": 1, "macs": 1, "memory": 1}
    return {"name": name, "type": "Linear", "depth": 0} | numbers | values


# --- Python -----------------------------------------------------------------------------------


def test_the_first_network_is_the_books_lenet(summaries):
    assert ArchitectureExplorer().networks[0]["rows"] == [
        [0, "conv1", "Conv2d", [5, 5], [1, 1], [6, 28, 28], 156, 117_600, 18_816],
        [0, "conv2", "Conv2d", [5, 5], [1, 1], [16, 10, 10], 2_416, 240_000, 6_400],
        [0, "fc1", "Linear", None, None, [120], 48_120, 48_000, 480],
        [0, "fc2", "Linear", None, None, [84], 10_164, 10_080, 336],
        [0, "fc3", "Linear", None, None, [10], 850, 840, 40],
    ]
    real = networks_of({"LeNet-5": summaries["LeNet-5"]})[0]
    assert real["rows"] == ArchitectureExplorer().networks[0]["rows"]


def test_plain_dictionaries_do_as_well_as_a_summary(summaries):
    table = summaries["ResNet-18"]
    of_summary, of_rows = networks_of({"a": table, "b": json.loads(json.dumps(table.to_dicts()))})
    assert of_rows["rows"] == of_summary["rows"]
    assert of_rows["input"] == []  # rows do not say it


def test_seven_networks_weigh_little(summaries):
    text = json.dumps(ArchitectureExplorer(summaries).networks)
    assert len(gzip.compress(text.encode())) < 12_000


def test_a_row_in_words_counts_the_whole_network(summaries):
    assert repr(ArchitectureExplorer(summaries, selected="VGG-16")).endswith(
        "VGG-16, 138,357,544 parameters"
    )


def test_stages_are_made_of_plain_rows_of_layers_alone(summaries):
    tables = ArchitectureExplorer(summaries).networks
    stages = [sum(kind == "stage" for _, _, kind, *_ in each["rows"]) for each in tables]
    assert stages == [0, 3, 5, 0, 0, 0, 0]


class Odd(nn.Module):
    """A model with parameters of its own, and a layer that does not run."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(7))
        self.block = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
        self.block.shift = nn.Parameter(torch.zeros(5))
        self.idle = nn.Linear(4, 2)

    def forward(self, x):
        return self.block(x.flatten(1))


def test_parameters_outside_of_layers_and_of_idle_layers_count():
    table = summary(Odd(), (1, 2, 2))
    explorer = ArchitectureExplorer({"odd": table})
    (now,) = explorer.networks
    assert table.parameters == 7 + 20 + 5 + 10
    assert repr(explorer).endswith("odd, 42 parameters")
    assert now["own"][0] == 7
    assert [own for *_, own, _, _ in now["rows"]] == [5, 20, 0, 10]  # beside what lies in it
    assert [shape for *_, shape, _, _, _ in now["rows"]][-1] is None


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ([row("a")], "networks must be a dictionary, such as .*got"),
        ({}, "1 to 20 networks, such as .*got 0"),
        ({str(i): [row("a")] for i in range(21)}, "1 to 20 networks.*got 21"),
        ({"": [row("a")]}, "a network's name must be a text such as 'VGG-16', got ''"),
        ({"n": []}, r"n must be a network's summary or a list of dictionaries, got \[\]"),
        ({"n": nn.Linear(2, 3)}, r"got Linear.*give summary\(model, input_size\)"),
        ({"n": "vgg16"}, "got 'vgg16'"),
        ({"n": [row("a")] * 3001}, "n must have at most 3000 rows, got 3001"),
        ({"n": [{"name": "a", "type": "b"}]}, "row 0 of n has no 'output_shape'"),
        ({"n": [row("a"), row(3)]}, "name of row 1 of n must be a text, got 3"),
        (
            {"n": [row("a", macs=-1)]},
            "macs of row 0 of n must be a whole number, 0 or more, got -1",
        ),
        ({"n": [row("a", parameters=1.5)]}, "parameters of row 0 .* got 1.5"),
        ({"n": [row("a", memory=True)]}, "memory of row 0 .* got True"),
        (
            {"n": [row("a", output_shape="4")]},
            r"output_shape .* such as \(3, 3\), or None, got '4'",
        ),
        ({"n": [row("a", kernel_size=(3, "3"))]}, "kernel_size of row 0 .* got '3'"),
        ({"n": [row("a", depth=1)]}, "depth of row 0 of n is 1, but .* allows 0 at most"),
        ({"n": [row("a", macs=2), row("a.b", depth=1, macs=3)]}, "'a', has fewer macs than the"),
    ],
)
def test_refuses_what_is_no_network(networks, message):
    with pytest.raises(ValueError, match=message):
        ArchitectureExplorer(networks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"selected": "VGG-17"}, "selected must be one of 'LeNet-5'; got 'VGG-17'"),
        ({"layer": "conv3"}, "a layer of LeNet-5 must be one of 'conv1', .*; got 'conv3'"),
        ({"network": 1}, "network must be from 0 to 0, got 1"),
        ({"compare": -2}, "compare must be from -1 to 0, got -2"),
        ({"row": -2}, "row must be from -1 to 3000, got -2"),
        ({"measure": "time"}, 'measure must be "parameters", "macs" or "memory", got \'time\''),
    ],
)
def test_refuses_a_state_with_the_value_and_the_remedy(arguments, message):
    with pytest.raises(ValueError, match=message):
        ArchitectureExplorer(**arguments)


def test_a_refused_value_leaves_the_old_one():
    explorer = ArchitectureExplorer()
    before = explorer.networks
    for networks in ([], [{"name": "x"}], [before[0] | {"rows": [[1, *before[0]["rows"][0][1:]]]}]):
        with pytest.raises(ValueError, match=r"networks|depth"):
            explorer.networks = networks
    with pytest.raises(ValueError, match="measure"):
        explorer.measure = "FLOPs"
    assert (explorer.networks, explorer.measure) == (before, "parameters")


def test_every_trait_of_the_state_is_synced():
    source = (base.FOLDER / "architecture/view.js").read_text(encoding="utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"STATE = \[(.*?)\]", source)[1])
    assert len(names) == 5
    assert {*names, "networks"} <= set(ArchitectureExplorer().keys)


def test_links_with_ipywidgets():
    explorer, slider = ArchitectureExplorer(), ipywidgets.IntSlider(-1, -1, 4)
    ipywidgets.link((slider, "value"), (explorer, "row"))
    slider.value = 3
    assert explorer.row == 3


@pytest.mark.browser
def test_names_from_outside_are_no_html(show, show_still):
    explorer = ArchitectureExplorer({"<q>": [row("<s>", type="<u>")]}, row=0)
    for page in (show(explorer), show_still(explorer)):
        widget = page.locator(".cnn-widget")
        assert widget.locator("q, s, u").count() == 0
        assert set(re.findall("<[qsu]>", widget.inner_text())) == {"<q>", "<s>", "<u>"}


@pytest.mark.browser
@pytest.mark.parametrize("name", SIZES)
def test_sums_are_those_of_the_summary(module, summaries, name):
    table = summaries[name]
    (packed,) = networks_of({name: table})
    now = module.evaluate("(packed) => module.unpack(packed)", packed)
    assert now["totals"] == [table.parameters, table.macs, table.memory]
    assert now["input"] == list(SIZES[name][1])
    shown = {each["name"]: (i, each) for i, each in enumerate(now["rows"]) if not each["stage"]}
    for each in table.rows:
        if each.name == "features":
            continue
        i, row = shown[each.name]
        assert row["sums"] == [each.parameters, each.macs, each.memory], each
        assert row["shape"] == list(each.output_shape[1:])
        assert (row["end"] > i + 1) == each.container


@pytest.mark.browser
def test_vgg_is_shown_in_its_five_stages(module, summaries):
    (packed,) = networks_of({"VGG-16": summaries["VGG-16"]})
    rows = module.evaluate("(packed) => module.unpack(packed).rows", packed)
    stages = {each["stage"]: each for each in rows if each["stage"]}
    assert {number: each["shape"] for number, each in stages.items()} == {
        1: [64, 112, 112],
        2: [128, 56, 56],
        3: [256, 28, 28],
        4: [512, 14, 14],
        5: [512, 7, 7],
    }
    kinds = [
        [inner["type"] for inner in rows[i + 1 : each["end"]]]
        for i, each in enumerate(rows)
        if each["stage"]
    ]
    assert [kind.count("Conv2d") for kind in kinds] == [2, 2, 3, 3, 3]
    assert {kind[-1] for kind in kinds} == {"MaxPool2d"}
    assert stages[3]["name"] == "features.10–16"
    assert sum(each["sums"][0] for each in stages.values()) == 14_714_688  # of torch's own features


# --- The arithmetic of the ES module ----------------------------------------------------------


@pytest.fixture
def module(load_module):
    """Return a page whose ``module`` holds the explorer's functions."""
    return load_module("architecture")


def random_rows(rng, depth: int = 0, prefix: str = "") -> tuple[list[dict], np.ndarray]:
    """Draw the rows of a network with random groups; return them and the sums of the outermost."""
    rows, sums = [], np.zeros(3, object)
    for i in range(int(rng.integers(1, 5))):
        name = f"{prefix}{rng.choice(['conv', 'layer', ''])}{i}"
        inner: list[dict] = []
        own = np.array([int(10 ** rng.uniform(-1, top)) for top in (9, 12, 9)], object)
        if rng.random() < 0.2:
            own[:] = 0
        if depth < 3 and rng.random() < 0.35:
            inner, inside = random_rows(rng, depth + 1, f"{name}.")
            own = inside + own * int(rng.random() < 0.2)
        dims = int(rng.choice([1, 3, 3, 3]))
        shape = [1, *(int(2 ** rng.uniform(0, 11)) for _ in range(dims))]
        kernel = [3, int(rng.choice([1, 3]))] if rng.random() < 0.5 else None
        stride = [int(rng.choice([1, 2]))] * 2 if kernel else None
        kind = str(rng.choice(["Conv2d", "Linear", "ReLU", "Sequential"]))
        counts = dict(zip(("parameters", "macs", "memory"), own.tolist(), strict=True))
        other = {"name": name, "type": kind, "depth": depth, "kernel_size": kernel}
        ran = shape if rng.random() < 0.95 else None
        rows += [{**other, "stride": stride, "output_shape": ran, **counts}, *inner]
        sums = sums + own
    return rows, sums


def visible_by_depth(rows: list[dict], opened: set[str]) -> list[int]:
    """Return the rows all of whose outer rows are open."""
    seen, path = [], []
    for i, each in enumerate(rows):
        path[each["depth"] :] = [each["name"]]
        if all(name in opened for name in path[:-1]):
            seen.append(i)
    return seen


@pytest.mark.browser
def test_sums_shares_and_folds_on_random_networks(module):
    rng = np.random.default_rng(1)
    cases = []
    for _ in range(NETWORKS):
        rows, sums = random_rows(rng)
        names = [each["name"] for each in rows]
        opened = [name for name in names if rng.random() < 0.5]
        cases.append((rows, sums, opened, int(rng.integers(-1, len(rows)))))
    packed = [networks_of({"n": rows})[0] for rows, *_ in cases]
    answers = ask(
        module,
        """(cases) => cases.map(([packed, opened, row]) => {
          const network = module.unpack(packed);
          const { rows, totals } = network;
          const none = module.openGroups(rows, opened, -1);
          return { totals, sums: rows.map((row) => row.sums), seen: module.visibleRows(rows, none),
            shares: rows.map((row) => row.sums.map((sum, k) => module.shareIn(sum, totals[k]))),
            around: module.visibleRows(rows, module.openGroups(rows, [], row)),
            labels: rows.map((row) => row.label), ends: rows.map((row) => row.end),
            counts: module.layerCounts(rows) };
        })""",
        [[one, opened, place] for one, (_, _, opened, place) in zip(packed, cases, strict=True)],
    )
    folded = 0
    for (rows, sums, opened, place), answer in zip(cases, answers, strict=True):
        assert answer["totals"] == sums.tolist()
        wanted = [[each["parameters"], each["macs"], each["memory"]] for each in rows]
        assert answer["sums"] == wanted
        np.testing.assert_allclose(
            np.array(answer["shares"]),
            np.array(wanted, float) / np.maximum(sums.astype(float), 1),
            rtol=1e-12,
        )
        assert answer["seen"] == visible_by_depth(rows, set(opened))
        path = rows[place]["name"].split(".") if place >= 0 else []
        around = {".".join(path[:n]) for n in range(1, len(path))}
        assert answer["around"] == visible_by_depth(rows, around)
        folded += len(answer["seen"]) < len(rows)
        assert answer["labels"] == [each["name"].rpartition(".")[2] for each in rows]
        depths = [each["depth"] for each in rows] + [-1]
        assert answer["ends"] == [
            next(j for j in range(i + 1, len(depths)) if depths[j] <= depths[i])
            for i in range(len(rows))
        ]
        leaves = sum(a >= b for a, b in pairwise(depths))
        assert answer["counts"]["count"] == f"{leaves:,}"
    assert folded > NETWORKS / 5


@pytest.mark.browser
def test_boxes_are_to_scale_on_random_networks(module):
    rng = np.random.default_rng(2)
    cases = [(random_rows(rng)[0], int(rng.integers(3))) for _ in range(NETWORKS)]
    packed = [networks_of({"n": rows})[0] for rows, _ in cases]
    answers = ask(
        module,
        """(cases) => cases.map(([packed, k]) => {
          const network = module.unpack(packed);
          const layout = module.boxesOf(network, new Set());
          const scale = module.scaleOf([layout], k);
          const heights = layout.boxes.map((box) => module.heightOfBox(box.shape, scale.rows));
          const { bars } = module.pathsOf(layout, scale, k);
          const rows = layout.boxes.map(({ x, width }) => module.rowAt(layout, x + width / 2));
          return { ...layout, scale, heights, bars, rows };
        })""",
        [[one, k] for one, (_, k) in zip(packed, cases, strict=True)],
    )
    for (rows, k), answer in zip(cases, answers, strict=True):
        tops = [i for i, each in enumerate(rows) if each["depth"] == 0]
        boxes = answer["boxes"]
        assert [box["row"] for box in boxes] == tops == answer["rows"]
        edges = np.array([(box["x"], box["x"] + box["width"]) for box in boxes]).flatten()
        assert np.all(np.diff([0, *edges, answer["end"], answer["scale"]["units"] + 1e-9]) > 0)
        shapes = [rows[i]["output_shape"] or [1, 1] for i in tops]
        sides = np.array([[*shape, 1][2] for shape in shapes], float)
        wanted = np.maximum(2, 100 * np.sqrt(sides / sides.max()))
        np.testing.assert_allclose(answer["heights"], wanted, rtol=1e-12)
        for box, shape in zip(boxes, shapes, strict=True):
            if box["kind"] != "thin":
                assert box["width"] == pytest.approx(shape[1] ** 0.5)
        values = [rows[i][("parameters", "macs", "memory")[k]] for i in tops]
        bars = [float(h) for h in re.findall(r"h[\d.]+v([\d.]+)", answer["bars"])]
        exact = [40 * value / max(values) for value in values if value]
        np.testing.assert_allclose(bars, exact, atol=0.0051)


#: A network small enough to draw by hand: 16 channels are 4 wide, the mean box 3, the room 0.9.
SMALL = [
    row("conv", type="Conv2d", output_shape=(1, 16, 8, 8), kernel_size=(3, 3), stride=(1, 1)),
    row("relu", type="ReLU", output_shape=(1, 16, 8, 8), parameters=0, macs=0),
    row("pool", type="MaxPool2d", output_shape=(1, 16, 2, 2), parameters=0, macs=0,
        kernel_size=(2, 2), stride=(4, 4)),
    row("block", type="Sequential", output_shape=(1, 9, 2, 1), parameters=3, macs=2, memory=2),
    row("block.0", depth=1, type="Conv2d", output_shape=(1, 9, 2, 1), kernel_size=(3, 1),
        stride=(1, 2)),
    row("block.1", depth=1, type="Dropout", output_shape=(1, 9, 2, 1), parameters=0),
]  # fmt: skip


@pytest.mark.browser
def test_a_small_network_is_drawn_as_by_hand(module):
    (packed,) = networks_of({"small": SMALL})
    packed["input"] = [1, 8, 8]
    answer = module.evaluate(
        """([packed, t]) => {
          const network = module.unpack(packed);
          const layout = module.boxesOf(network, new Set());
          const scale = module.scaleOf([layout], 0);
          const opened = module.boxesOf(network, module.openGroups(network.rows, [], 5));
          return {
            kinds: layout.boxes.map(({ kind }) => kind), opened: opened.boxes.map(({ row }) => row),
            named: network.rows.map((row) => module.kindText(t, row)), scale,
            paths: module.pathsOf(layout, scale, 0, (row) => row === 3),
            tags: module.tagsOf(layout, 20, (row) => `row ${row}`),
          };
        }""",
        [packed, words_of("architecture")],
    )
    assert answer["kinds"] == ["input", "full", "thin", "empty", "group"]
    assert answer["opened"] == [-1, 0, 1, 2, 4, 5]  # an open group gives way to what is in it
    named = ["Conv2d 3×3", "ReLU", "MaxPool2d 2×2 /4", "Sequential", "Conv2d 3×1 /1×2", "Dropout"]
    assert answer["named"] == named
    assert answer["scale"] == {"units": 50, "rows": 8, "most": 3}
    # Widths 1, 4, none, 4, 3: room 0.9 before each, 0.36 before the thin one, which is 0.18 wide.
    paths = answer["paths"]
    assert paths["input"] == "M0.9 0h1v100h-1Z"
    assert paths["full"] == "M2.8 0h4v100h-4Z"
    assert paths["thin"] == "M7.16 0h0.18v100h-0.18Z"
    assert paths["empty"] == "M8.24 25h4v50h-4Z"  # a quarter of the rows, half the height
    assert paths["group"] == paths["lit"] == "M13.14 25h3v50h-3Z"
    assert paths["stripes"] == "M13.89 25v50M14.64 25v50M15.39 25v50"
    assert paths["spot"] == "M12.87 0h3.54v150h-3.54Z"
    # A third of the largest, and the largest, as broad as the narrowest box of a layer.
    assert paths["bars"] == "M3.3 136.67h3v13.33h-3ZM13.14 110h3v40h-3Z"
    assert answer["tags"] == {
        "sizes": [
            {"text": "8", "left": "2.25", "width": "34"},  # input and conv have one size
            {"text": "2", "left": "38.95", "width": "24.5"},
            {"text": "2×1", "left": "63.45", "width": "19.5"},
        ],
        "names": [
            {"text": "row -1", "left": "2.25", "width": "9.5"},
            {"text": "row 0", "left": "11.75", "width": "24.5"},
            {"text": "row 2", "left": "38.95", "width": "24.5"},
            {"text": "row 3", "left": "63.45", "width": "19.5"},
        ],
    }


@pytest.mark.browser
def test_counts_bytes_and_shares_are_written_as_decimals_round(module):
    rng = np.random.default_rng(3)
    powers = 10 ** rng.uniform(0, 14, NETWORKS)
    values = [
        *map(int, powers),
        0,
        999_999,
        10**6,
        999_499_999,
        999_500_000,
        1_125_000,
        9_995 * 10**8,
    ]
    parts = [*rng.random(NETWORKS).tolist(), 0, 1, 0.00004, 0.00005, 0.09994, 0.09995, 1 / 3]
    words = words_of("architecture")
    answers = ask(
        module,
        """([values, parts, t]) => values.map((value, i) => [module.exactly(value),
          module.inWords(t, value), module.inBytes(value), module.inPercent(parts[i]),
          module.inTimes(value, 1000 * parts[i])])""",
        [values, parts, words],
    )
    three = Context(prec=3, rounding=ROUND_HALF_UP)
    two = Context(prec=2, rounding=ROUND_HALF_UP)
    for value, part, answer in zip(values, parts, answers, strict=True):
        exactly, said, size, share, times = answer
        assert exactly == f"{value:,}"
        rounded = int(three.create_decimal(value)) if value >= 10**6 else value
        power = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
        number, _, unit = said.partition(" ")
        assert Decimal(number.replace(",", "")) * power.get(unit, 1) == rounded, said
        assert number.replace(",", "").replace(".", "").strip("0") == str(rounded).strip("0")
        assert not unit or 1 <= float(number.replace(",", "")) < 1000 or unit == "trillion"
        step = 1024 ** max(0, min(3, (value.bit_length() - 1) // 10))
        unit = {1: "B", 2**10: "KiB", 2**20: "MiB", 2**30: "GiB"}[step]
        assert size == (f"{value} B" if step == 1 else f"{value / step:.1f} {unit}")
        assert share.endswith(" %")
        if 0 < part < 0.00005:
            assert share == "< 0.01 %"
        else:
            assert float(share[:-2]) == pytest.approx(
                100 * part, abs=0.00501 if part < 0.0999 else 0.0501
            )
        ratio = value / (1000 * part) if part else 0
        if 0 < ratio < 0.001:
            assert times == "< 0.001"
        else:
            assert times == "–" if not part else Decimal(times) == two.create_decimal(ratio)


@pytest.mark.browser
def test_sentences_are_those_worked_by_hand(module, summaries):
    packed = networks_of(summaries)
    words = words_of("architecture")

    def say(name: str, layer: str | None, k: int) -> str:
        network = next(each for each in packed if each["name"] == name)
        names = [each[1] for each in network["rows"]]
        place = names.index(layer) if layer else -1
        return module.evaluate(
            "([t, n, i, k]) => module.sentenceOf(t, module.unpack(n), i, k)",
            [words, network, place, k],
        )

    assert say("VGG-16", "features.5", 0) == (
        # 128 * (3 * 3 * 64) + 128; 128 * 112 * 112 * 3 * 3 * 64; 4 * 128 * 112 * 112 / 2 ** 20
        "features.5, Conv2d 3×3: 128 filters of 3 × 3 × 64. Output 128 × 112 × 112: 73,856 "
        "parameters, 925 million MACs, 6.1 MiB of memory; 0.05 % of the network’s parameters."
    )
    assert say("VGG-16", "classifier.0", 0) == (
        "classifier.0, Linear: 4,096 units with 25,088 weights each. Output 4,096: 102,764,544 "
        "parameters, 103 million MACs, 16.0 KiB of memory; 74.3 % of the network’s parameters."
    )
    assert say("VGG-16", "features.5–9", 1) == (
        "features.5–9, Stage 2: 5 layers, of which 2 multiply by weights. Output 128 × 56 × 56: "
        "221,440 parameters, 2.77 billion MACs, 13.8 MiB of memory; 17.9 % of the network’s MACs."
    )
    assert say("AlexNet", None, 0) == (
        "AlexNet has 61,100,840 parameters and takes 714 million MACs and 4.2 MiB of memory for "
        "one input of 3 × 224 × 224. Of its 21 layers, 8 multiply by weights. classifier.1 "
        "(Linear) has the largest share of the parameters: 61.8 %."
    )


@pytest.mark.browser
def test_a_grouped_convolution_is_described_by_what_its_filters_see(module):
    model = nn.Sequential(nn.Conv2d(8, 16, 3, groups=4, bias=False), nn.ConvTranspose2d(16, 2, 2))
    packed = networks_of({"n": summary(model, (2, 8, 6, 6))})[0]  # a batch of two
    said = module.evaluate(
        "([t, n]) => [0, 1].map((i) => module.sentenceOf(t, module.unpack(n), i, 0))",
        [words_of("architecture"), packed],
    )
    assert "Conv2d 3×3: 16 filters of 3 × 3 × 2. Output 16 × 4 × 4: 288 parameters" in said[0]
    assert "1, ConvTranspose2d 2×2. Output 2 × 5 × 5" in said[1]


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def explore(show, summaries):
    """Open an explorer of the book's networks: ``explore(selected="VGG-16", width=360, ...)``.

    What is no trait is an option of the page.
    """
    own = {"selected", "layer", "measure", "compare", "opened", "row"}

    def open_explorer(**options):
        traits = {"selected": "VGG-16"} | {k: v for k, v in options.items() if k in own}
        others = {k: v for k, v in options.items() if k not in own}
        return show(ArchitectureExplorer(summaries, **traits), **others)

    return open_explorer


def seen_rows(page) -> list[str]:
    """Return the names of the table's rows that are seen."""
    return page.locator(".live-widget tbody tr:not([hidden]) th").all_text_contents()


def chosen(page) -> list[str]:
    return page.locator(".live-widget tbody tr[aria-selected=true] th").all_text_contents()


def sentence(page) -> str:
    return page.locator(".live-widget .cnn-arch-sentence").text_content()


def lit_boxes(page) -> int:
    """Return how many boxes of the picture are lit."""
    return (page.locator(".live-widget .cnn-arch-lit").first.get_attribute("d") or "").count("M")


def line(page, name: str):
    """Return the seen row with this label."""
    return page.locator(".live-widget tbody tr:not([hidden])").filter(
        has=page.locator(f'th span:text-is("{name}")')
    )


def middle_of_box(page, number: int) -> dict:
    """Return where a box is in the first picture: they stand in the order of the path's parts."""
    return page.locator(".live-widget .cnn-arch-picture svg").first.evaluate(
        """(svg, number) => {
          const kinds = ["input", "group", "full", "empty", "thin"];
          const boxes = kinds.flatMap((kind) => {
            const d = svg.querySelector(`.cnn-arch-${kind}`).getAttribute("d");
            return [...d.matchAll(/M([\\d.]+) [\\d.]+h([\\d.]+)/g)].map((m) => [+m[1], +m[2]]);
          }).sort((a, b) => a[0] - b[0]);
          const [x, width] = boxes[number];
          const { width: pixels } = svg.getBoundingClientRect();
          return { x: (x + width / 2) / svg.viewBox.baseVal.width * pixels, y: 90 };
        }""",
        number,
    )


@pytest.mark.browser
def test_shows_the_table_of_the_network(explore, summaries):
    page = explore()
    texts = page.locator(".live-widget tbody tr:not([hidden])").evaluate_all(
        "(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert texts[1] == [
        *("features.5–9", "Stage 2", "128×56×56", "221,440", "2,774,532,096", "13.8 MiB", "0.16 %")
    ]
    assert texts[-1][:4] == ["classifier", "Sequential", "1,000", "123,642,856"]
    press(page, "Open all")
    table = summaries["VGG-16"]
    numbers = page.locator(".live-widget tbody tr:not(.cnn-arch-group)").evaluate_all(
        "(all) => all.map((row) => [...row.cells].slice(3, 5).map((cell) => cell.textContent))"
    )
    layers = [each for each in table.rows if not each.container]
    assert numbers == [[f"{each.parameters:,}", f"{each.macs:,}"] for each in layers]
    total = page.locator(".live-widget tfoot tr").inner_text().split()
    assert total[:4] == ["Whole", "network", "138,357,544", "15,470,264,320"]
    assert not page.evaluate("document.getAnimations().length")  # nothing to reduce


@pytest.mark.browser
def test_the_tree_is_walked_by_keys(explore):
    page = explore()
    table = page.get_by_role("treegrid")
    page.get_by_role("button", name="Open all").focus()
    page.keyboard.press("Tab")  # past "Fold all", which is disabled
    assert chosen(page) == ["features.0–4"]
    keys = page.keyboard
    keys.press("ArrowDown")
    keys.press("ArrowRight")
    assert line(page, "features.5–9").get_attribute("aria-expanded") == "true"
    assert chosen(page) == ["features.5–9"]
    keys.press("ArrowRight")
    assert chosen(page) == ["5"]
    assert page.evaluate("document.activeElement.querySelector('th').textContent") == "5"
    assert lit_boxes(page) == 1
    assert sentence(page).startswith("features.5, Conv2d 3×3: 128 filters of 3 × 3 × 64.")
    page.wait_for_function(
        "document.querySelector('.live-widget [aria-live=polite]').textContent"
        ".startsWith('features.5, Conv2d')"
    )
    keys.press("ArrowLeft")
    assert chosen(page) == ["features.5–9"]
    assert lit_boxes(page) == 5  # all the layers of the open group
    keys.press("ArrowLeft")
    assert line(page, "features.5–9").get_attribute("aria-expanded") == "false"
    assert lit_boxes(page) == 1
    keys.press("ArrowLeft")  # nowhere to go
    assert chosen(page) == ["features.5–9"]
    keys.press("End")
    assert chosen(page) == ["classifier"]
    keys.press("ArrowDown")
    assert chosen(page) == ["classifier"]
    keys.press("Enter")
    assert seen_rows(page)[-7:] == list("0123456")
    keys.press(" ")
    assert seen_rows(page)[-1] == "classifier"
    keys.press("Home")
    keys.press("ArrowUp")
    assert chosen(page) == ["features.0–4"]
    keys.press("Escape")
    assert chosen(page) == []
    assert sentence(page).startswith("VGG-16 has 138,357,544 parameters")
    assert table.locator("tr[tabindex='0']").count() == 1


@pytest.mark.browser
def test_steps_walk_over_what_is_seen(explore):
    page = explore(selected="ResNet-50", layer="layer4")
    for name in ("avgpool", "fc"):
        press(page, "One step on")
        assert chosen(page) == [name]
    assert page.get_by_role("button", name="One step on").is_disabled()
    press(page, "One step back")
    assert chosen(page) == ["avgpool"]
    press(page, "Reset")
    assert chosen(page) == ["layer4"]


@pytest.mark.browser
def test_a_mouse_shows_and_a_click_keeps(explore):
    page = explore()
    picture = page.locator(".live-widget .cnn-arch-picture svg").first
    picture.hover(position=middle_of_box(page, 2))  # after the input and the first stage
    settle(page)
    assert sentence(page).startswith("features.5–9, Stage 2")
    assert lit_boxes(page) == 1
    assert page.locator(".live-widget tr.cnn-arch-lit th").all_text_contents() == ["features.5–9"]
    page.mouse.move(2, 2)
    settle(page)
    assert sentence(page).startswith("VGG-16 has")
    picture.click(position=middle_of_box(page, 3))
    page.mouse.move(2, 2)
    settle(page)
    assert chosen(page) == ["features.10–16"]
    line(page, "classifier").hover()
    settle(page)
    assert sentence(page).startswith("classifier, Sequential: 7 layers, of which 3")
    line(page, "avgpool").click()
    assert chosen(page) == ["avgpool"]
    line(page, "classifier").locator(".cnn-arch-sign").click()
    assert seen_rows(page)[-7:] == list("0123456")
    assert chosen(page) == ["classifier"]


@pytest.mark.browser
def test_touch_opens_and_keeps(explore):
    page = explore(width=360, height=740, has_touch=True, is_mobile=True)
    picture = page.locator(".live-widget .cnn-arch-picture svg").first
    picture.tap(position=middle_of_box(page, 7))
    expect(page.locator(".live-widget .cnn-arch-sentence")).to_contain_text("classifier, Seq")
    sign = line(page, "classifier").locator(".cnn-arch-sign")
    box = sign.bounding_box()
    assert min(box["width"], box["height"]) >= 24
    sign.tap()
    settle(page)
    assert seen_rows(page)[-7:] == list("0123456")
    line(page, "3").tap()
    assert chosen(page) == ["3"]


@pytest.mark.browser
def test_what_is_chosen_in_a_group_that_folds_gives_way_to_it(explore):
    page = explore(selected="GoogLeNet", layer="inception3a.branch2.0.conv")
    opened = ["inception3a", "branch1", "branch2", "0", "conv", "bn", "1", "branch3", "branch4"]
    assert seen_rows(page)[5:14] == opened
    line(page, "branch2").locator(".cnn-arch-sign").click()
    assert chosen(page) == ["branch2"]
    press(page, "Fold all")
    assert chosen(page) == ["inception3a"]
    assert page.get_by_role("button", name="Fold all").is_disabled()
    press(page, "Open all")
    assert len(seen_rows(page)) == 223
    assert page.get_by_role("button", name="Open all").is_disabled()


@pytest.mark.browser
def test_what_is_open_stays_open_when_another_row_is_chosen(explore):
    page = explore(layer="classifier.0")
    line(page, "avgpool").click()
    assert seen_rows(page)[-7:] == list("0123456")
    line(page, "3").click()
    page.keyboard.press("Escape")
    assert seen_rows(page)[-7:] == list("0123456")
    assert page.evaluate("document.activeElement.querySelector('th').textContent") == "3"
    press(page, "Reset")
    assert chosen(page) == ["0"]


@pytest.mark.browser
def test_bars_and_shares_follow_the_measure(explore):
    page = explore(opened=["classifier"])
    label = page.locator(".live-widget .cnn-measure")
    assert label.text_content() == "Parameters, up to 102,764,544 (74.3 %)"
    share = line(page, "features.5–9").locator("td").last
    assert share.text_content() == "0.16 %"
    page.get_by_label("MACs", exact=True).check()
    settle(page)
    # stages 3 and 4, each 924,844,032 + 2 * 1,849,688,064
    assert label.text_content() == "MACs, up to 4,624,220,160 (29.9 %)"
    assert share.text_content() == "17.9 %"
    assert "features.2 (Conv2d) has the largest share of the MACs: 12 %" in sentence(page)
    page.get_by_label("Memory", exact=True).check()
    settle(page)
    # stage 1: 4 * 64 * (2 * 224**2 + 112**2) of 60,514,208 bytes
    assert label.text_content() == "Memory, up to 27.6 MiB (47.8 %)"
    strips = page.locator(".live-widget tbody tr:not([hidden])").evaluate_all(
        """(rows) => rows.map((row) => [...row.querySelectorAll("td[data-column]")]
          .map((cell) => getComputedStyle(cell).backgroundImage.includes("rgba(0, 0, 0, 0)")))"""
    )
    assert {tuple(row) for row in strips} == {(True, True, False)}


@pytest.mark.browser
def test_two_networks_are_drawn_to_one_scale(explore):
    page = explore(selected="AlexNet")
    pictures = page.locator(".live-widget .cnn-arch-picture")
    assert not pictures.nth(1).is_visible()
    page.get_by_label("Compare with").select_option("VGG-16")
    settle(page)
    assert page.locator(".live-widget .cnn-arch-comparison").text_content() == (
        # 138,357,544 / 61,100,840, 15,470,264,320 / 714,188,480, 60,514,208 / 4,392,864
        "VGG-16 has 2.3 times as many parameters as AlexNet, 22 times as many MACs, and takes 14 "
        "times the memory."
    )
    boxes = [each.get_attribute("viewBox") for each in pictures.locator("svg").all()]
    assert boxes[0] == boxes[1]
    assert pictures.nth(1).is_visible()
    tallest = page.evaluate(
        """() => [...document.querySelectorAll(".live-widget .cnn-arch-bars")].map((bars) =>
          Math.max(...[...bars.getAttribute("d").matchAll(/h[\\d.]+v([\\d.]+)/g)]
            .map((m) => +m[1])))"""
    )
    # the tallest bars: AlexNet's classifier against VGG-16's
    assert tallest == pytest.approx([40 * 58_631_144 / 123_642_856, 40], abs=0.01)
    page.get_by_label("Compare with").select_option("no other")
    settle(page)
    assert not pictures.nth(1).is_visible()


@pytest.mark.browser
def test_another_network_begins_folded(explore):
    page = explore(layer="classifier.0")
    page.get_by_label("Network", exact=True).select_option("ResNet-18")
    settle(page)
    names = ["conv1", "bn1", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]
    assert seen_rows(page) == names
    assert sentence(page).startswith("ResNet-18 has 11,689,512 parameters")


@pytest.mark.browser
def test_a_row_far_down_is_brought_into_sight(explore):
    page = explore(selected="ResNet-152", width=360)
    press(page, "Open all")
    page.evaluate("scrollTo(0, 0)")
    line(page, "conv1").first.focus()
    page.keyboard.press("End")
    settle(page)
    inside = """([selector, inner]) => {
      const outer = document.querySelector(`.live-widget ${selector}`).getBoundingClientRect();
      const box = document.querySelector(`.live-widget ${inner}`).getBoundingClientRect();
      return box.top >= outer.top - 1 && box.bottom <= outer.bottom + 1
        && box.left >= outer.left - 1 && box.right <= outer.right + 1;
    }"""
    assert chosen(page) == ["fc"]
    assert page.evaluate(inside, [".cnn-arch-box", "tr.cnn-arch-chosen"])
    assert page.evaluate(inside, [".cnn-arch-scroll", ".cnn-arch-spot"])
    page.keyboard.press("Home")
    settle(page)
    assert page.evaluate(inside, [".cnn-arch-scroll", ".cnn-arch-spot"])
    hidden = """() => {
      const row = document.querySelector(".live-widget tr.cnn-arch-chosen").getBoundingClientRect();
      const head = document.querySelector(".live-widget thead").getBoundingClientRect();
      return row.top < head.bottom - 1;
    }"""
    assert not page.evaluate(hidden)


@pytest.mark.browser
def test_a_link_restores_the_state(explore):
    page = explore(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Network", exact=True).select_option("GoogLeNet")
    page.get_by_label("Compare with").select_option("AlexNet")
    page.get_by_label("MACs", exact=True).check()
    line(page, "inception3b").locator(".cnn-arch-sign").click()
    line(page, "branch3").click()
    press(page, "Copy a link")
    page.get_by_text("Link copied.").wait_for()
    fragment = "#" + page.url.partition("#")[2]
    assert fragment.startswith("#arch=")
    other = explore(fragment=fragment)
    other.get_by_text("Set as the link says.").wait_for()
    assert seen_rows(other) == seen_rows(page)
    assert sentence(other) == sentence(page)
    assert chosen(other) == ["branch3"]
    assert other.get_by_label("MACs", exact=True).is_checked()
    assert other.locator(".live-widget .cnn-arch-title").nth(1).text_content() == "AlexNet"


def link_text(values) -> str:
    """Write values as share.js does, by Python's own encoder."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.browser
def test_a_link_that_cannot_be_changes_nothing_and_says_so(explore):
    page = explore()
    before = seen_rows(page), sentence(page)
    bad = [
        {"network": 7}, {"network": -1}, {"network": "2"}, {"row": 45}, {"row": -2}, {"row": 1.5},
        {"compare": 7}, {"measure": "constructor"}, {"measure": 1}, {"opened": "features"},
        {"opened": [1]}, {"opened": {"length": 0}}, {"opened": ["a"] * 400}, [1], None,
    ]  # fmt: skip
    for values in bad:
        open_link(page, f"arch={link_text(values)}")
        status = page.locator(".live-widget .cnn-share-status")
        assert status.text_content() == "The link could not be read.", values
        assert (seen_rows(page), sentence(page)) == before, values
        page.evaluate("document.querySelector('.cnn-share-status').textContent = ''")
    open_link(page, "arch=" + link_text({"opened": ["classifier", "<img src=x>"], "row": 44}))
    assert page.locator(".live-widget .cnn-share-status").text_content() == "Set as the link says."
    assert len(seen_rows(page)) == 14
    assert chosen(page) == ["6"]


@pytest.mark.browser
def test_outside_controls_drive_it_and_are_held_within_limits(show, summaries):
    which = ipywidgets.IntSlider(2, 0, 99, description="N")
    place = ipywidgets.IntSlider(-1, -1, 999, description="R")
    one, other = ArchitectureExplorer(summaries, network=2), ArchitectureExplorer(row=1)
    links = [
        ipywidgets.jslink((which, "value"), (one, "network")),
        ipywidgets.jslink((place, "value"), (one, "row")),
    ]
    page = show(body=widget_page.joined(which, place, one, one, other, by=links))
    page.get_by_label("R", exact=True).fill("45")
    said = page.locator(".cnn-arch-sentence")
    expect(said.nth(0)).to_contain_text("classifier.6, Linear")
    expect(said.nth(1)).to_contain_text("classifier.6, Linear")  # two views, one state
    expect(said.nth(2)).to_contain_text("conv2, Conv2d 5×5: 16 filters of 5 × 5 × 6.")
    page.get_by_label("R", exact=True).fill("999")
    page.get_by_label("N", exact=True).fill("99")
    expect(said.nth(0)).to_contain_text("fc, Linear: 1,000 units with 2,048 weights each")
    assert page.locator(".live-widget select").nth(0).evaluate("(e) => e.value") == "6"
    page.get_by_role("treegrid").nth(1).locator("tbody tr:not([hidden])").first.click()
    assert page.get_by_label("R", exact=True).input_value() == "0"  # and it drives them
    assert page.get_by_label("Compare with").nth(2).is_hidden()  # with one network


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize(
    "traits",
    [
        {},
        {"selected": "GoogLeNet", "measure": "macs", "layer": "inception3a.branch2.0.conv"},
        {"selected": "ResNet-50", "measure": "memory", "compare": 2},
    ],
)
def test_the_still_picture_is_the_living_one_and_nothing_jumps(
    both_forms, summaries, traits, width
):
    traits = {"selected": "LeNet-5"} | traits
    still_page, page = both_forms(ArchitectureExplorer(summaries, **traits), width)
    for box in (".cnn-arch-picture svg", ".cnn-arch-box", ".cnn-arch-notes", ".cnn-arch-sizes"):
        first = still_page.locator(f".cnn-still {box}").first.bounding_box()
        living = page.locator(f".live-widget {box}").first.bounding_box()
        assert first == pytest.approx(living, abs=1)
    texts = (".cnn-arch-sentence", ".cnn-label", ".cnn-arch-sizes b", ".cnn-arch-names b")
    for text in (*texts, "thead th", "tfoot tr > *"):
        still = still_page.locator(f".cnn-still {text}").all_text_contents()
        assert still == page.locator(f".live-widget {text}").all_text_contents()
    cells = "(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
    rows = still_page.locator(".cnn-still tbody tr:not([hidden])").evaluate_all(cells)
    assert rows == page.locator(".live-widget tbody tr:not([hidden])").evaluate_all(cells)
    for kind in ("spot", "group", "stripes", "full", "empty", "thin", "bars", "lit"):
        still = still_page.locator(f".cnn-still .cnn-arch-{kind}").first.get_attribute("d")
        assert still == page.locator(f".live-widget path.cnn-arch-{kind}").first.get_attribute("d")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_fits_every_width_and_nothing_moves(explore, width):
    page = explore(selected="VGG-16", width=width, body=widget_page.BELOW, compare=5)
    before = below(page)
    for measure in ("MACs", "Memory", "Parameters"):
        page.get_by_label(measure, exact=True).check()
        for name in ("avgpool", "classifier", "features.17–23"):
            line(page, name).click()
            assert below(page) == pytest.approx(before, abs=1)
        assert unreadable(page, width, ".cnn-hidden, .cnn-arch-picture") == []
    press(page, "Open all")
    page.mouse.move(2, 2)
    longest = line(page, "0").last
    longest.click()
    opened = below(page)  # once: the table has grown to its full height
    for name in ("2", "28"):
        line(page, name).first.click()
        assert below(page) == pytest.approx(opened, abs=1)
    assert unreadable(page, width, ".cnn-hidden, .cnn-arch-picture") == []
    cut = page.locator(".live-widget tr:not([hidden]) :is(td, th)").evaluate_all(
        """(all) => all.filter((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return cell.checkVisibility() && cell.firstChild
            && range.getBoundingClientRect().width > cell.getBoundingClientRect().width + 1;
        }).map((cell) => cell.outerHTML)"""
    )
    assert cut == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
def test_a_table_fits_into_its_box(explore, width):
    for name in SIZES:
        page = explore(selected=name, width=width)
        if name != "LeNet-5":
            press(page, "Open all")
        sizes = page.locator(".live-widget .cnn-arch-box").evaluate(
            "(box) => [box.scrollWidth, box.clientWidth]"
        )
        assert sizes[0] <= sizes[1], name


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(explore, theme, width):
    page = explore(selected="ResNet-50", layer="layer1.0.conv1", theme=theme, width=width)
    assert violations(page) == []
    page.get_by_label("Compare with").select_option("VGG-16")
    press(page, "Open all")
    assert violations(page) == []


@pytest.mark.browser
def test_a_moving_mouse_is_followed_once_a_frame_on_the_largest_network(explore):
    page = explore(selected="ResNet-152")
    press(page, "Open all")
    check_work(work_of_a_drag(page, page.locator(".live-widget .cnn-arch-scroll svg").first), 0, 2)
