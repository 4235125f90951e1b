"""`cnnlib.provenance`: what a record says of where its numbers come from."""

from __future__ import annotations

import hashlib

import torch

from cnnlib import provenance


def test_a_run_names_this_commit_and_no_folder(monkeypatch, tmp_path):
    archive = tmp_path / "pictures.tar"
    archive.touch()
    monkeypatch.setattr("sys.argv", ["run.py", "--original-pixels", str(archive)])
    facts = provenance.describe_run()
    assert facts["command"].endswith(" --original-pixels pictures.tar")
    assert facts["versions"]["torch"] == torch.__version__.split("+")[0]
    assert facts["git"]["commit"] is None or len(facts["git"]["commit"]) == 40


def test_a_device_is_named():
    facts = provenance.describe_device("cpu")
    assert facts["type"] == "cpu"
    assert facts["name"]
    assert facts["threads"] == torch.get_num_threads()


def test_a_files_hash_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"whole")
    assert provenance.file_sha256(tmp_path / "a") == hashlib.sha256(b"whole").hexdigest()
