"""Chapter numbers: each chapter has the number of its file, now and later."""

from __future__ import annotations

import re
from pathlib import PurePosixPath


def number_sections(toc, number: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Write ``number`` on the first entry of a table of contents, ``number.1`` on the next..."""
    numbers = {}
    for offset, entry in enumerate(toc.children):
        own = (*number[:-1], number[-1] + offset)
        paragraph, *subsections = entry.children
        reference = paragraph[0]
        reference["secnumber"] = own
        numbers[reference["anchorname"]] = own
        for section in subsections:
            numbers |= number_sections(section, (*own, 1))
    return numbers


def number_chapters(collector, env) -> list[str]:
    """Number each chapter by its file name: ``02_convolution`` is chapter 2, now and later.

    Sphinx would count the chapters that exist. Replaces its ``assign_section_numbers``.
    """
    before, env.toc_secnumbers = env.toc_secnumbers, {}
    for docname, toc in env.tocs.items():
        match = re.match(r"(\d+)_", PurePosixPath(docname).name)
        if match:
            chapter = (int(match[1]),)
            env.toc_secnumbers[docname] = number_sections(toc, chapter)
            env.titles[docname]["secnumber"] = chapter
    return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]
