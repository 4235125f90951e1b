"""What search engines find of the book: descriptions, addresses, the list of pages, robots, 404."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from bs4 import BeautifulSoup

from benchmarks.pages import documents

ROOT = Path(__file__).resolve().parent.parent
PAGES = documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))
SITE = "https://ada.github.io/book"
WORDS = "Nine products, and their sum: that is all of a convolution."
DESCRIPTION = WORDS[:47] + "..."
CONF = """
extensions = ["myst_parser", "sphinx_book_theme", "address", "findable"]
html_theme, html_title, root_doc = "sphinx_book_theme", "A book", "one"
ogp_description_length = 50
html_theme_options = {"repository_url": ""}
"""


LIST = (
    "- [Two](part/two.md). More of it, in a second page.\n\n```{toctree}\n:hidden:\npart/two\n```\n"
)
SAID = "Two. More of it, in a second page."


def build(folder: Path, repository: str) -> Path:
    """Build a small book of two pages; return where it is."""
    (folder / "conf.py").write_text(CONF)
    (folder / "one.md").write_text(f"# One\n\n{WORDS}\n\n{LIST}")
    (folder / "part").mkdir()
    (folder / "part/two.md").write_text("# Two\n\nMore of it.\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", folder, folder / "_build"]
    here = {"PYTHONPATH": str(ROOT / "book/_ext"), "BOOK_REPOSITORY": repository}
    here["GITHUB_REPOSITORY"] = ""  # wherever these tests run
    subprocess.run(command, check=True, env=os.environ | here)
    return folder / "_build"


def told(page: Path) -> dict[str, str]:
    """Return what the head of a page tells of it, by name."""
    head = BeautifulSoup(page.read_text().partition("</head>")[0], "html.parser")
    metas = head.select("meta[content]")
    tags = {tag.get("property") or tag.get("name"): tag["content"] for tag in metas}
    links = {tag["rel"][0]: tag["href"] for tag in head.select("link[rel]")}
    wanted = ["og:title", "og:url", "og:image", "og:description", "description", "canonical"]
    return {name: text for name, text in (tags | links).items() if name in wanted}


@pytest.mark.slow
def test_a_book_with_an_address_gives_it(tmp_path):
    html = build(tmp_path, "https://github.com/ada/book")
    assert told(html / "one.html") == {
        "og:title": "One",
        "og:url": f"{SITE}/one.html",
        "og:image": f"{SITE}/_static/card.png",
        "og:description": DESCRIPTION,
        "description": DESCRIPTION,
        "canonical": f"{SITE}/one.html",
    }
    two = told(html / "part/two.html")
    assert two["canonical"] == f"{SITE}/part/two.html"
    assert two["description"] == two["og:description"] == SAID
    listed = ElementTree.parse(html / "sitemap.xml").findall(".//{*}loc")
    assert {each.text for each in listed} == {f"{SITE}/one.html", f"{SITE}/part/two.html"}
    assert f"Sitemap: {SITE}/sitemap.xml" in (html / "robots.txt").read_text().splitlines()
    # Wherever it is shown, it finds what it needs, and leads home.
    page = (html / "404.html").read_text()
    addresses = re.findall(r'(?:href|src)="([^"#][^"]*)"', page)
    assert [each for each in addresses if not each.startswith(("/book/", "https:"))] == []
    assert "/book/index.html" in addresses


@pytest.mark.slow
def test_a_book_without_an_address_leaves_out_what_needs_one(tmp_path):
    html = build(tmp_path, "")
    assert told(html / "one.html") == {
        "og:title": "One",
        "og:description": DESCRIPTION,
        "description": DESCRIPTION,
    }
    assert not (html / "sitemap.xml").exists()
    assert (html / "robots.txt").read_text() == "User-agent: *\nAllow: /\n"
    assert 'href="/index.html"' in (html / "404.html").read_text()


def test_every_page_says_what_it_is_about(built):
    descriptions = {name: told(built / f"html/{name}.html")["description"] for name in PAGES}
    assert len(set(descriptions.values())) == len(PAGES)
    assert [name for name, text in descriptions.items() if not 60 <= len(text) <= 160] == []
    assert [text for text in descriptions.values() if re.search(r"[\\{}]", text)] == []
