"""Formulas: what KaTeX makes of them, and the letters that the pages carry for them."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from fontTools.ttLib import TTFont
from seeing.formulas import formula_of, style_of, typeset


def set_one(tex: str, displayed: bool = False) -> dict[str, str]:
    return typeset(((tex, displayed),))[0]


def test_a_formula_is_there_for_the_eye_and_for_the_ear():
    html = BeautifulSoup(set_one(r"x^2")["html"], "html.parser")
    shown = html.select_one(".katex-html")
    assert shown["aria-hidden"] == "true"
    assert shown.get_text().replace("\u200b", "") == "x2"
    told = html.select_one(".katex-mathml math semantics")
    assert str(told.mrow) == "<mrow><msup><mi>x</mi><mn>2</mn></msup></mrow>"
    assert told.annotation.get_text() == "x^2"


def test_formulas_come_in_their_order():
    done = typeset((("a", False), ("b", True)))
    assert ["katex-display" in each["html"] for each in done] == [False, True]
    assert [re.search(r"<mi>(\w)</mi>", each["html"])[1] for each in done] == ["a", "b"]
    assert typeset(()) == []


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\sqrt{a", "Expected '}'"),
        (r"\nonsense", r"Undefined control sequence: \nonsense"),
        ("größer", "LaTeX-incompatible input"),  # which KaTeX would show, and LaTeX not
    ],
)
def test_what_is_wrong_is_said(tex, message):
    assert message in set_one(tex)["error"]


def display(tex: str, nowrap: bool = False) -> nodes.math_block:
    return nodes.math_block("", tex, nowrap=nowrap)


@pytest.mark.parametrize(
    ("node", "tex"),
    [
        (nodes.math("", "x"), ("x", False)),
        (display("x = 1"), ("x = 1", True)),
        (display(r"a &= b \\ &= c"), (r"\begin{split}a &= b \\ &= c\end{split}", True)),
        (display("a = b\n\nc = d"), (r"\begin{split}a = b\\c = d\end{split}", True)),
        (display(r"\begin{align}a\end{align}", True), (r"\begin{align}a\end{align}", True)),
    ],
)
def test_lines_stand_below_each_other(node, tex):
    assert formula_of(node) == tex
    assert "html" in typeset((tex,))[0]


def test_the_style_sheet_holds_the_letters_that_are_used():
    style = style_of(set("xΣ2∑"))
    fonts = re.findall(r"font-family:KaTeX_(\w+);[^}]*url\(data:font/woff;base64,([^)]+)\)", style)
    letters = {
        family: {chr(code) for code in TTFont(BytesIO(b64decode(font))).getBestCmap()}
        for family, font in fonts
    }
    assert letters == {
        "Main": set("xΣ2"),
        "Math": set("xΣ2"),
        "Size1": {"∑"},
        "Size2": {"∑"},
    }
    for other in ("Size3-Regular", "Fraktur-Bold"):  # without any of them, or needed nowhere
        assert f"url(vendor/katex/fonts/KaTeX_{other}.woff)" in style
    assert "woff2" not in style
