"""No file can break a reader: those that once could, and some hundred damaged ones a run."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import time

import fuzzing
import pytest
from fuzzing import READERS, BrokenPromiseError, Reader, check
from hypothesis import given, settings

from cnnlib.data import official

KEPT = [(name, path) for name in READERS for path in fuzzing.kept(name)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(name, tmp_path):
    reader = READERS[name]
    assert all(check(reader, content, tmp_path) for content in reader.sound())


@pytest.fixture(scope="module")
def limited():
    """A process of its own, in which memory is limited as in `tools/fuzz.py`."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, fuzzing.begin, tuple(READERS)) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), KEPT, ids=lambda value: getattr(value, "name", value))
def test_what_once_broke_a_reader_is_refused(limited, name, path):
    assert not limited.apply(fuzzing.check_kept, (name, path.read_bytes()))


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(limited, name):
    found = limited.apply(fuzzing.fuzz, (name, 100, 0))
    assert not found.said
    assert found.inputs >= 100


def test_a_number_too_large_to_remember_is_not_made_room_for():
    # LONG_BINPUT: the unpickler would make room for two thousand million values.
    forged = b"\x80\x02]r" + (2**31 - 1).to_bytes(4, "little") + b"."
    with pytest.raises(ValueError, match=r"under the number 2,147,483,647"):
        official.read_batch(forged, "batch")


def test_lists_in_lists_do_not_unfold():
    # Each list holds the one before it twice: thirty of them would be a thousand million numbers.
    labels = [1]
    for _ in range(30):
        labels = [labels, labels]

    forged = pickle.dumps({"labels": labels, "batch_label": "b", "data": 0}, 2)
    with pytest.raises(ValueError, match="no whole numbers in a list"):
        official.read_batch(forged, "batch")


class TestTheFuzzerItself:
    @pytest.mark.parametrize("error", [KeyError, MemoryError, RecursionError, OSError])
    def test_another_error_is_seen(self, error, tmp_path):
        def read(path):
            raise error("broken")

        with pytest.raises(BrokenPromiseError, match="broken"):
            check(Reader(read, list, "a"), b"", tmp_path)

    def test_a_swallowed_want_of_memory_is_seen(self, tmp_path):
        def read(path):
            try:
                raise MemoryError
            except MemoryError as error:
                raise ValueError("not a file of ours") from error

        with pytest.raises(BrokenPromiseError, match="wanted too much"):
            check(Reader(read, list, "a"), b"", tmp_path)

    def test_too_much_memory_is_not_given(self, limited):
        with pytest.raises(MemoryError):
            limited.apply(bytes, (fuzzing.MEMORY,))

    def test_what_breaks_a_reader_is_returned(self, monkeypatch):
        def read(path):
            if path.read_bytes() != b"sound":
                raise KeyError("broken")

        monkeypatch.setitem(READERS, "brittle", Reader(read, lambda: [b"sound"], "a"))
        found = fuzzing.fuzz("brittle", 50, 0)
        assert "it raised KeyError('broken')" in found.said
        with pytest.raises(BrokenPromiseError):
            fuzzing.check_kept("brittle", found.broken_by)

    def test_a_hang_is_seen(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fuzzing, "SECONDS", 1)
        with pytest.raises(BrokenPromiseError, match="more than 1 s"):
            check(Reader(lambda path: time.sleep(60), list, "a"), b"", tmp_path)

    def test_what_is_read_and_what_is_refused(self, tmp_path):
        reader = Reader(lambda path: int(path.read_text()), list, "a")
        assert check(reader, b"12", tmp_path)
        assert not check(reader, b"twelve", tmp_path)

    def test_damage_changes_what_is_sound(self):
        seen, sound = set(), b"sound and whole" * 100

        @settings(max_examples=50, derandomize=True, database=None, deadline=None)
        @given(fuzzing.damaged([sound]))
        def once(content):
            seen.add(content)

        once()
        assert len(seen - {sound}) > 20


def test_the_corpus_holds_readers_only():
    folders = {path.name.replace("-", " ") for path in fuzzing.CORPUS.iterdir() if path.is_dir()}
    assert folders <= set(READERS)


def test_a_hundred_thousand_inputs_are_on_record():
    record = json.loads(fuzzing.RECORD.read_text())
    assert set(record["readers"]) == set(READERS)
    assert sum(reader["inputs"] for reader in record["readers"].values()) >= 100_000
    assert not any(reader["broken"] for reader in record["readers"].values())
