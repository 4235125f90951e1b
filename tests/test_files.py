"""Files that are whole or not there."""

from __future__ import annotations

import os
import stat

import pytest

from cnnlib.files import write_atomically


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
