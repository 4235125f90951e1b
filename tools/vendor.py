"""Refresh the scripts and fonts of others that the book serves: ``python tools/vendor.py``.

They come from the npm registry at the versions below and lie in ``book/_static/vendor/``, with a
``manifest.json`` that says what each file is, whose, under which licence, and its SHA-256.
``tests/test_repository.py`` checks the folder against the manifest. Needs ``npm``.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "book" / "_static" / "vendor"


@dataclass(frozen=True)
class Package:
    """One npm package: what to take of it, and where to put it."""

    name: str
    version: str
    folder: str  # below book/_static/vendor
    files: tuple[str, ...]  # patterns of paths inside the package
    strip: str = ""  # leading part of those paths that is not kept


PACKAGES = [
    Package(
        "katex",
        "0.19.1",
        "katex",
        ("LICENSE", "dist/katex.min.js", "dist/katex.min.css", "dist/fonts/*.woff"),
        strip="dist/",
    ),
    Package(
        "@fontsource-variable/source-serif-4",
        "5.3.1",
        "source-serif-4",
        ("LICENSE", "files/source-serif-4-latin-wght-*.woff2"),
        strip="files/",
    ),
]


def fetch(package: Package, folder: Path) -> Path:
    """Download a package's archive by ``npm pack``."""
    spec = f"{package.name}@{package.version}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), spec]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    return folder / name


def unpack(package: Package, archive: Path) -> list[dict]:
    """Write the wanted files of an archive and return their manifest entries."""
    entries = []
    with tarfile.open(archive) as tar:
        read = {
            member.name.removeprefix("package/"): tar.extractfile(member).read()
            for member in tar
            if member.isfile()
        }
    licence = json.loads(read["package.json"])["license"]
    for pattern in package.files:
        paths = sorted(fnmatch.filter(read, pattern))
        if not paths:
            raise SystemExit(f"{package.name} {package.version} has no file {pattern}")
        for path in paths:
            kept = f"{package.folder}/{path.removeprefix(package.strip)}"
            (VENDOR / kept).parent.mkdir(parents=True, exist_ok=True)
            (VENDOR / kept).write_bytes(read[path])
            entries.append(
                {
                    "file": kept,
                    "package": package.name,
                    "version": package.version,
                    "licence": licence,
                    "source": path,
                    "sha256": hashlib.sha256(read[path]).hexdigest(),
                }
            )
    return entries


def main() -> None:
    """Replace the vendor folder by what the packages above hold."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        entries = [
            entry for package in PACKAGES for entry in unpack(package, fetch(package, Path(folder)))
        ]
    (VENDOR / "manifest.json").write_text(json.dumps(entries, indent=2) + "\n")
    size = sum(path.stat().st_size for path in VENDOR.rglob("*") if path.is_file())
    print(f"{len(entries)} files, {size / 1e6:.2f} MB, in {VENDOR}")


if __name__ == "__main__":
    main()
