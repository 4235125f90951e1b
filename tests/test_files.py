"""Files that are whole or not there."""

from __future__ import annotations

import os
import stat

import pytest

from cnnlib.files import remove_leftovers, write_atomically


def test_a_file_is_written_folders_and_all(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, lambda file: file.write(b"all of it"))
    assert path.read_bytes() == b"all of it"
    assert os.listdir(path.parent) == ["file"]


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half(file):
        file.write(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_atomically(path, write_half)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_others_may_read_what_they_may_read_of_any_new_file(tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    write_atomically(ours, lambda file: file.write(b""))
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def versions(folder, path):
    """Write three versions of a file; return what lies in the folder after each."""
    found = []
    for content in (b"one", b"two", b"three"):
        write_atomically(path, lambda file, c=content: file.write(c), folder / "previous")
        found.append({name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))})
    return found


EACH_VERSION = [
    {"file": b"one"},
    {"file": b"two", "previous": b"one"},
    {"file": b"three", "previous": b"two"},
]


def test_the_previous_file_is_kept(tmp_path):
    assert versions(tmp_path, tmp_path / "file") == EACH_VERSION


def test_the_previous_file_is_kept_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert versions(tmp_path, tmp_path / "file") == EACH_VERSION


@pytest.mark.parametrize("moment", [1, 2])
def test_a_file_is_there_at_every_moment(tmp_path, monkeypatch, moment):
    path, replace, calls = tmp_path / "file", os.replace, []
    versions(tmp_path, path)

    def stops(*names):  # as if the process ended between two of its steps
        calls.append(names)
        if len(calls) == moment:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", stops)
    with pytest.raises(KeyboardInterrupt):
        versions(tmp_path, path)
    monkeypatch.undo()
    assert path.read_bytes() == b"three"
    assert versions(tmp_path, path)[-1] == EACH_VERSION[-1]


def test_only_what_killed_writers_left_is_removed(tmp_path):
    names = ["a.pt", "a.pt.12.tmp", "a.pt.x.tmp", "a.pt.tmp", "b.pt.12.tmp", "a.previous.pt"]
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a.pt")
    assert sorted(os.listdir(tmp_path)) == sorted(set(names) - {"a.pt.12.tmp"})
