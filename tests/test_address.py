"""Where the book lives: found in a copy, a fork, a workflow, or nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import address
import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
BOOK = "https://github.com/ada/book"


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    """A machine that knows of no address, wherever these tests run."""
    for name in ("BOOK_REPOSITORY", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path):
    """Make a checkout: ``checkout(url)`` returns one with that remote, ``checkout()`` with none."""

    def make(url: str = ""):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        if url:
            command = ["git", "-C", tmp_path, "remote", "add", "origin", url]
            subprocess.run(command, check=True)
        return tmp_path

    return make


@pytest.mark.parametrize(
    "written",
    [
        "https://github.com/ada/book",
        "https://github.com/ada/book/",
        "https://github.com/ada/book.git",
        "https://ada:secret@github.com/ada/book.git",
        "git@github.com:ada/book.git",
        "ssh://git@github.com/ada/book",
        "git://github.com/ada/book.git\n",
        "ssh://git@ssh.github.com:443/ada/book.git",
        "git@GitHub.com:/ada/book.git",
        "org-123@github.com:ada/book.git",
        "http://www.github.com/ada/book//",
    ],
)
def test_each_way_to_write_it_on_github(written):
    assert address.github(written) == BOOK


@pytest.mark.parametrize(
    "written",
    [
        "",
        "origin",
        "https://gitlab.com/ada/book",
        "https://github.com/ada",
        "https://github.com.evil.org/ada/book",
        "/somewhere/github.com/ada/book",
    ],
)
def test_what_is_not_on_github(written):
    assert address.github(written) is None


def test_the_first_that_knows_it_tells_it(checkout, monkeypatch):
    folder = checkout()
    assert address.find_repository(folder) is None
    monkeypatch.setenv("GITHUB_REPOSITORY", "runs/it")
    assert address.find_repository(folder) == "https://github.com/runs/it"
    checkout("git@github.com:remote/of-it.git")
    assert address.find_repository(folder) == "https://github.com/remote/of-it"
    assert address.find_repository(folder, BOOK + "/") == BOOK
    monkeypatch.setenv("BOOK_REPOSITORY", "file:///a/copy")
    assert address.find_repository(folder, BOOK) == "file:///a/copy"


def test_a_workflow_on_another_server_tells_no_address_on_github(checkout, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/book")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example.org")
    assert address.find_repository(checkout()) is None
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    assert address.find_repository(checkout()) == BOOK


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://ada:secret@gitlab.com/a/b.git", "https://gitlab.com/a/b.git"),
        (" ", None),
        ("file:///a copy", "file:///a%20copy"),
    ],
)
def test_an_address_is_told_without_what_is_nobodys_business(checkout, monkeypatch, given, told):
    monkeypatch.setenv("BOOK_REPOSITORY", given)
    assert address.find_repository(checkout()) == told


def test_git_is_asked_about_the_folder_alone(checkout, monkeypatch, tmp_path):
    other = checkout("git@github.com:other/one.git")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    folder = tmp_path / "copy"
    (folder / ".git").mkdir(parents=True)
    assert address.find_repository(folder) is None


def test_a_remote_that_is_no_text_is_no_address(checkout):
    folder = checkout()
    with open(folder / ".git" / "config", "ab") as config:
        config.write(b'[remote "origin"]\n\turl = https://github.com/ada/b\xfcch\n')
    assert address.find_repository(folder) is None


def test_a_remote_elsewhere_is_no_address(checkout):
    assert address.find_repository(checkout("https://example.org/ada/book.git")) is None


def test_a_copy_within_another_checkout_has_no_remote(checkout):
    copy = checkout("git@github.com:outer/other.git") / "copy"
    copy.mkdir()
    assert address.find_repository(copy) is None


def test_without_git_there_is_no_remote(checkout, monkeypatch):
    folder = checkout(BOOK)
    monkeypatch.setenv("PATH", "")
    assert address.find_repository(folder) is None


@pytest.mark.parametrize(
    ("repository", "pages"),
    [
        (BOOK, "https://ada.github.io/book"),
        ("https://github.com/ada/ada.github.io", "https://ada.github.io"),
        ("https://github.com/Ada/ada.github.io", "https://ada.github.io"),
        ("https://gitlab.com/ada/book", ""),
        ("file:///a/copy", ""),
        ("", ""),
    ],
)
def test_where_the_pages_of_a_repository_are(repository, pages):
    assert address.pages(repository) == pages


def settled(folder, repository="", base=""):
    """Settle the addresses of a book; return its configuration."""
    theme = {"repository_url": repository, "launch_buttons": {}, "use_issues_button": True}
    config = SimpleNamespace(html_theme_options=theme, html_baseurl=base)
    address.settle(SimpleNamespace(srcdir=folder), config)
    return config


def test_a_book_on_github_has_all_its_buttons(tmp_path):
    config = settled(tmp_path, BOOK)
    assert config.book_repository == config.html_theme_options["repository_url"] == BOOK
    assert {"launch_buttons", "use_issues_button"} <= set(config.html_theme_options)
    assert address.site(config) == "https://ada.github.io/book"
    assert address.site(settled(tmp_path, BOOK, "https://book.org/")) == "https://book.org"


def test_elsewhere_a_book_is_fetched_and_has_no_buttons(tmp_path):
    config = settled(tmp_path, "file:///a/copy")
    assert config.book_repository == "file:///a/copy"
    assert config.html_theme_options == {"repository_url": ""}
    assert address.site(config) is None


@pytest.mark.parametrize(
    ("repository", "base", "told"),
    [
        ("", "", ["of Colab and the repository, a sitemap and canonical addresses."]),
        ("", "https://book.org", ["of Colab and the repository."]),
        (BOOK, "", []),
    ],
)
def test_the_build_says_in_one_line_what_is_left_out(tmp_path, monkeypatch, repository, base, told):
    said = []
    monkeypatch.setattr(address, "tell", said.append)
    config = settled(tmp_path, repository, base)
    address.say_missing(
        SimpleNamespace(config=config, builder=SimpleNamespace(format="html")), None
    )
    assert len(said) == len(told)
    assert all(words in line for words, line in zip(told, said, strict=True))


# --- A small book ---------------------------------------------------------------------------------

CONF = """
extensions = ["myst_nb", "sphinx_book_theme", "address", "releases"]
html_theme, html_title, root_doc, nb_execution_mode = "sphinx_book_theme", "A book", "one", "off"
html_theme_options = {
    "repository_url": "",
    "repository_branch": "notebooks",
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "use_repository_button": True,
    "use_issues_button": True,
}
"""


def addresses(folder: Path, repository: str) -> set[str]:
    """Build a small book; return what lies elsewhere of all that its page leads to."""
    (folder / "conf.py").write_text(CONF)
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = new_notebook(cells=[new_markdown_cell("# One")], metadata=metadata)
    nbformat.write(notebook, folder / "one.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", folder, folder / "_build"]
    here = {"PYTHONPATH": str(ROOT / "book/_ext"), "BOOK_REPOSITORY": repository}
    subprocess.run(command, check=True, env=os.environ | here)
    page = BeautifulSoup((folder / "_build/one.html").read_text(), "html.parser")
    links = [link["href"] for link in page.select('link[rel="canonical"], header a, main a')]
    return {link.partition("?")[0] for link in links if link.startswith("https:")}


@pytest.mark.slow
def test_a_page_leads_to_where_it_is_published(tmp_path):
    assert addresses(tmp_path, BOOK) == {
        BOOK,
        f"{BOOK}/issues/new",
        f"{BOOK}/releases/latest/download/seeing-convolutions.pdf",
        f"{BOOK}/releases/latest/download/seeing-convolutions.zip",
        "https://ada.github.io/book/one.html",
        "https://colab.research.google.com/github/ada/book/blob/notebooks/one.ipynb",
    }


@pytest.mark.slow
def test_a_page_that_is_published_nowhere_leads_nowhere(tmp_path):
    assert addresses(tmp_path, "") == set()
