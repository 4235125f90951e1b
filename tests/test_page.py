"""What a notebook puts on its page: the numbers that prose cites, and tables."""

from __future__ import annotations

from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from cnnlib import data, page, records
from cnnlib.page import picture, table


@pytest.mark.parametrize("value", ["269,722", "91.3 %", 60, 0.25])
def test_glue_is_what_myst_nb_reads(monkeypatch, value):
    shown = []

    def display(bundle, metadata, raw):
        shown.append((bundle, metadata, raw))

    monkeypatch.setattr("IPython.display.display", display)
    page.glue("name", value)
    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", display)
    import myst_nb

    myst_nb.glue("name", value, display=False)
    ours, theirs = shown
    assert ours == theirs


def test_glue_keeps_where_a_number_comes_from(monkeypatch):
    facts = []
    monkeypatch.setattr(
        "IPython.display.display", lambda _, metadata, raw: facts.append(metadata["scrapbook"])
    )
    images = data.stand_in(1, 1)[0]
    for source in (images, records.load("resnet20_cifar10"), "this machine", None):
        page.glue("name", 1, source=source)
    sources = [each.get("source") for each in facts]
    assert sources == [images.name, "resnet20_cifar10", "this machine", None]


def test_numbers_of_numpy_and_torch_are_written_as_pythons(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda bundle, **_: shown.extend(bundle.values())
    )
    page.glue("name", np.int64(61))
    page.glue("name", torch.tensor(0.5))
    assert shown == ["61", "0.5"]
    assert table(["n"], [[np.int64(1234567)], [torch.tensor(3)]]).rows == [["1,234,567"], ["3"]]


LAYERS = table(
    ["layer", "output", "parameters", "share"],
    [["conv1", "(16, 32, 32)", 432, "0.2 %"], ["3x3, <b>", "(10,)", 1625281, None]],
)


def test_a_table_is_text_where_there_is_no_page():
    assert repr(LAYERS) == (
        "layer           output  parameters  share\n"
        "conv1     (16, 32, 32)         432  0.2 %\n"
        "3x3, <b>         (10,)   1,625,281"
    )


def test_a_table_is_html_on_a_page():
    root = ElementTree.fromstring(LAYERS._repr_html_())
    head, *rows = root.iter("tr")
    assert [(cell.tag, cell.get("scope"), cell.text) for cell in head] == [
        ("th", "col", name) for name in ("layer", "output", "parameters", "share")
    ]
    assert [[cell.text or "" for cell in row] for row in rows] == [
        ["conv1", "(16, 32, 32)", "432", "0.2 %"],
        ["3x3, <b>", "(10,)", "1,625,281", ""],
    ]
    assert [(row[0].tag, row[0].get("scope")) for row in rows] == [("th", "row")] * 2
    sides = [cell.get("style").partition(";")[0] for cell in rows[0]]
    assert sides == ["text-align: left"] + ["text-align: right"] * 3


def test_no_line_ends_behind_a_plus_minus():
    root = ElementTree.fromstring(table(["points"], [["−3.0 ± 0.4"]])._repr_html_())
    assert root.findtext(".//tbody/tr/th") == "−3.0 ±\u00a00.4"


def test_a_heading_without_words_is_none():
    root = ElementTree.fromstring(table(["", "a"], [["", 1]])._repr_html_())
    assert [[cell.tag for cell in row] for row in root.iter("tr")] == [["td", "th"], ["td", "td"]]


@pytest.mark.parametrize(
    ("texts", "right"),
    [
        (["1", "-2", "−3.0 ± 0.4"], True),
        (["2 MB", "1.5 images/s", "12 µs"], True),
        (["1e-05", "3.2e+4", "10²"], True),
        (["1.3 ×", "–", ""], True),
        (["3x3", "5x5"], False),
        (["1x1 convolution"], False),
        (["3a", "4b"], False),
        (["relu", "2"], False),
        (["", "–"], False),
        ([], False),
    ],
)
def test_columns_of_numbers_stand_to_the_right(texts, right):
    assert table(["a"], [[text] for text in texts]).right == [right]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"each row needs 2 cells, one a column: \['1'\]"):
        table(["a", "b"], [[1]])


@pytest.mark.parametrize(
    ("share", "text"), [(0.913, "91.3 %"), (1, "100.0 %"), (-0.031, "-3.1 %"), (0.00049, "0.0 %")]
)
def test_a_share_is_printed_in_percent(share, text):
    assert page.percent(share) == text


def test_a_cell_is_one_line_and_no_number_is_one_among_numbers():
    found = table(["what", "loss"], [["two\nlines", 0.5], ["none", float("nan")]])
    assert repr(found).splitlines()[1:] == ["two lines   0.5", "none        nan"]


def test_axes_are_no_figure():
    _, axes = plt.subplots()
    with pytest.raises(TypeError, match=r"not a Axes: axes\.figure"):
        picture(axes, alt="A line.")
    plt.close()


@pytest.mark.parametrize("source", [("a", "b"), "", len, 3])
def test_a_source_has_a_name(source):
    with pytest.raises(TypeError, match="a source is a set of pictures, a record or words"):
        page.glue("n", 7, source=source)
