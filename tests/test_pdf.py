"""The whole book as one PDF, read by another program than the one that printed it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
import yaml
from bs4 import BeautifulSoup, NavigableString
from test_repository import load_tool

from benchmarks.pages import documents

ROOT = Path(__file__).resolve().parent.parent
PAGES = documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))
pdf = load_tool("pdf")

LEFT, RIGHT = 59.5, 595.3 - 59.5  # points: A4 within margins of 21 mm


@dataclass
class Printed:
    """A PDF: the text of each page, where its lines end, its bookmarks and its links outwards."""

    texts: list[str]
    lines: list[list[tuple[float, float]]]
    bookmarks: list[tuple[int, str, int]]
    addresses: set[str]

    def chapter(self, i: int) -> tuple[int, int]:
        """Return the first page of the i-th page of the book, and the one after its last."""
        starts = [page for level, _, page in self.bookmarks if level == 0][2:]
        return starts[i], [*starts, len(self.texts)][i + 1]

    def words(self, i: int) -> str:
        """Return the text of the i-th page of the book, without blanks, heads and page numbers."""
        return "".join(self.sheets(i))

    def sheets(self, i: int) -> list[str]:
        """Return the same, sheet by sheet."""
        return [squeezed(self.body(page)) for page in range(*self.chapter(i))]

    def body(self, page: int) -> str:
        """Return a page's text without its head and its number, which come first."""
        head, number, *rest = self.texts[page].splitlines()
        assert number == str(page + 1), head
        return "\n".join(rest)


def squeezed(text: str) -> str:
    """Return a text without blanks, its hyphens and its apostrophes of one kind."""
    text = re.sub("[\ufffe\x02\u2010\u2011]", "-", text)
    return re.sub(r"\s", "", re.sub("[\u02bc\u2019]", "'", text))


@pytest.fixture(scope="module")
def printed(built) -> Printed:
    """The PDF of the built book."""
    path = built / pdf.PDF.name
    if not path.exists():
        pytest.fail("The book is not printed: run `make pdf`.", pytrace=False)
    with pikepdf.open(path) as book:
        links = [link for page in book.pages for link in page.get("/Annots", [])]
        addresses = {str(link.A.URI) for link in links if "/A" in link and "/URI" in link.A}
    document = pypdfium2.PdfDocument(path)
    texts, lines = [], []
    for page in document:
        text = page.get_textpage()
        texts.append(text.get_text_range())
        boxes = [text.get_rect(i) for i in range(text.count_rects())]
        lines.append([(left, right) for left, _, right, _ in boxes])
    bookmarks = [
        (mark.level, mark.get_title(), mark.get_dest().get_index()) for mark in document.get_toc()
    ]
    return Printed(texts, lines, bookmarks, addresses)


def article_of(built: Path, name: str) -> BeautifulSoup:
    """Return the article of a page of the built book, without what is not for paper."""
    text = (built / "html" / f"{name}.html").read_text(encoding="utf-8")
    article = BeautifulSoup(text, "lxml").select_one("article.bd-article")
    for share in article.select(".cnn-share"):
        share.parent.decompose()
    for each in article.select(".headerlink, .tag_hide-input details, summary"):
        each.decompose()
    return article


@pytest.fixture(scope="module")
def articles(built) -> list[BeautifulSoup]:
    """The articles of all pages."""
    return [article_of(built, name) for name in PAGES]


def heading(tag) -> str:
    """Return the words of a heading in one line."""
    return " ".join(tag.get_text().split())


def test_all_chapters_are_there_in_order(printed, articles):
    chapters = [title for level, title, _ in printed.bookmarks if level == 0]
    assert chapters[:2] == ["Seeing Convolutions", "Contents"]
    assert chapters[2:] == [heading(article.h1) for article in articles]
    assert chapters[-1] == "Bibliography"


def test_the_contents_tell_the_true_pages(printed, articles):
    first, _ = printed.chapter(0)
    contents = "\n".join(printed.texts[1:first])
    told = re.findall(r"^(\S.*?) (?:\. ?){3,} ?(\d+)\r?$", contents, re.MULTILINE)
    wanted = [heading(tag) for article in articles for tag in article.select("h1, section > h2")]
    assert [squeezed(title) for title, _ in told] == [squeezed(title) for title in wanted]
    for title, page in told:
        assert squeezed(title) in squeezed(printed.body(int(page) - 1)), (title, page)
    places = [page for _, _, page in printed.bookmarks if page >= first]
    assert {int(page) - 1 for _, page in told} <= set(places)


def test_a_link_to_another_chapter_tells_its_page(printed, articles):
    i = PAGES.index("book/02_convolution")
    capstone, _ = printed.chapter(PAGES.index("book/19_cifar10_resnet"))
    assert f"thecapstone(p.{capstone + 1})" in printed.words(i)
    assert "(p.000)" not in "".join(map(squeezed, printed.texts))


def test_every_number_of_a_figure_and_of_an_equation_occurs(printed, articles):
    figures = 0
    for i, article in enumerate(articles):
        words = printed.words(i)
        captions = [squeezed(each.get_text()) for each in article.select("figcaption")]
        figures += len(captions)
        assert [caption for caption in captions if caption not in words] == []
        numbers = [squeezed(each.get_text()) for each in article.select(".eqno")]
        assert [number for number in numbers if number not in words] == []
    assert figures > 60


# Of these the text is not one of letters.
NO_WORDS = (
    "svg, script, style, noscript, select, option, img, .math, .cnn-icon, .cnn-hidden, [hidden]"
)


def words_of(article) -> list[str]:
    """Return every run of letters of an article that one sees, without blanks; it is used up."""
    for each in article.select(NO_WORDS):
        each.decompose()
    texts = article.find_all(string=lambda text: type(text) is NavigableString)
    return [words for words in map(squeezed, texts) if words]


def is_on(text: str, sheets: list[str]) -> bool:
    """Tell whether a text stands on a sheet, or at the end of one and goes on on the next."""
    return any(text in sheet for sheet in sheets) or any(
        text[:cut] in sheet and text[cut:] in following
        for sheet, following in pairwise(sheets)
        for cut in range(1, len(text))
    )


@pytest.mark.parametrize(
    "name", ["book/intro", "book/02_convolution", "book/19_cifar10_resnet", "book/survival"]
)
def test_no_word_of_a_page_is_lost(printed, built, name):
    """Of the text, of code and its output, of tables, of widgets' stills, of the solutions."""
    i = PAGES.index(name)
    wanted, sheets = words_of(article_of(built, name)), printed.sheets(i)
    assert len(wanted) > 100
    assert [each for each in wanted if not is_on(each, sheets)] == []


def test_nothing_is_cut_at_the_margin(printed):
    beyond = [
        (page + 1, left, right)
        for page, lines in enumerate(printed.lines)
        for left, right in lines
        if left < LEFT - 3 or right > RIGHT + 3  # letters may lean over by a millimetre
    ]
    assert beyond == []


def test_solutions_stand_at_the_end_of_their_chapter(printed):
    words = printed.words(PAGES.index("book/02_convolution"))
    exercises, _, solutions = words.rpartition("Solutions")
    assert "defcorrelate1d_in_loops" in solutions
    assert "defcorrelate1d_in_loops" not in exercises
    assert "Exercise2:withyourownloops" in exercises
    assert "Exercise2:withyourownloops" in solutions


def test_links_lead_within_the_book_or_out_of_it(printed):
    assert len(printed.addresses) > 20  # of the sources
    assert [each for each in printed.addresses if "127.0.0.1" in each or "file:" in each] == []


# --- Printing twice ---------------------------------------------------------------------------


class Pretended:
    """A page of which each print shows other page numbers, until the last of them stays."""

    def __init__(self, monkeypatch, *numbers: dict[str, int]):
        self.numbers, self.told, self.prints = list(numbers), [], 0
        monkeypatch.setattr(pdf, "page_numbers", lambda printed: printed)

    def evaluate(self, script, told):
        self.told.append(told[0])

    def pdf(self, **options):
        self.prints += 1
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]


def test_it_is_printed_until_the_numbers_are_true(monkeypatch):
    once = Pretended(monkeypatch, {"a": 1})
    assert pdf.print_twice(once) == {"a": 1}
    assert once.told == [{}, {"a": 1}]
    page = Pretended(monkeypatch, {"a": 1}, {"a": 2}, {"a": 2})
    assert pdf.print_twice(page) == {"a": 2}
    assert page.told == [{}, {"a": 1}, {"a": 2}]


def test_numbers_that_never_come_true_are_no_book(monkeypatch):
    page = Pretended(monkeypatch, *({"a": number} for number in range(20)))
    with pytest.raises(RuntimeError, match="not true"):
        pdf.print_twice(page)


def test_parts_are_those_of_the_contents():
    contents = {"root": "a", "parts": [{"caption": "One", "chapters": [{"file": "b"}]}]}
    assert pdf.parts_of(contents) == [
        {"caption": "", "pages": ["a"]},
        {"caption": "One", "pages": ["b"]},
    ]
