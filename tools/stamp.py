"""Carry the repository's address from ``_config.yml`` to every place that repeats it.

``python tools/stamp.py`` writes the install cell of every notebook and the links in the README,
the citation file and the package's metadata. ``--check`` only tells what is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ["README.md", "CITATION.cff", "pyproject.toml"]
TAGS = ["install", "remove-cell"]
INSTALL = """\
# On Google Colab: fetch the book's package and let its widgets run. Elsewhere: nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q "cnnlib @ git+{url}"
    from google.colab import output

    output.enable_custom_widget_manager()"""


def slug(url: str) -> str:
    """Return ``owner/repository`` of a GitHub address."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)/?", url)
    if not match:
        raise SystemExit(f"{url!r} is not of the form https://github.com/owner/repository.")
    return match[1]


def stamped_text(text: str, old: str, new: str) -> str:
    """Replace the repository ``old`` by ``new`` (both ``owner/repository``), its pages too."""
    pages = [name.replace("/", ".github.io/") for name in (old, new)]
    return text.replace(old, new).replace(*pages)


def stamped_notebook(text: str, url: str) -> str:
    """Return a notebook with the install cell in the place of its first code cell."""
    notebook = nbformat.reads(text, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    if "install" not in cell.metadata.get("tags", []):
        raise SystemExit("The first code cell has no tag `install`: it is kept for installing.")
    cell.update(source=INSTALL.format(url=url), metadata={"tags": TAGS}, outputs=[])
    return nbformat.writes(notebook) + "\n"


def stale(root: Path) -> dict[Path, str]:
    """Return what each file that is out of date should hold."""
    url = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    old, new = slug(citation["repository-code"]), slug(url)
    wanted = {
        root / name: stamped_text((root / name).read_text(encoding="utf-8"), old, new)
        for name in TEXTS
    }
    for path in sorted((root / "book").glob("*.ipynb")):
        try:
            wanted[path] = stamped_notebook(path.read_text(encoding="utf-8"), url)
        except SystemExit as problem:
            raise SystemExit(f"{path.name}: {problem}") from None
    return {path: text for path, text in wanted.items() if text != path.read_text(encoding="utf-8")}


def main() -> None:
    """Stamp, or with ``--check`` fail where a stamp is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    check = parser.parse_args().check
    changes = stale(ROOT)
    for path, text in changes.items():
        print(f"{path.relative_to(ROOT)} {'is out of date' if check else 'stamped'}")
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and changes:
        sys.exit("Run `python tools/stamp.py`.")


if __name__ == "__main__":
    main()
