"""The road from an experiment's few lines to a valid record, on drawn pictures."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlib import data, records
from cnnlib.models import create_model
from cnnlib.training import TrainConfig, load_weights
from experiments import __main__ as command
from experiments import common
from experiments.resnet20_cifar10 import SHORT

ROOT = Path(__file__).resolve().parent.parent
TINY = replace(
    SHORT,
    name="tiny",
    config=TrainConfig(epochs=2, lr=0.05, device="cpu"),
    batch_size=32,
    train=96,
    validation=20,
)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch, tmp_path):
    """Draw the data set, and let everything be written into a folder of the test's own."""
    monkeypatch.setattr(data, "cifar10", lambda fallback: data.stand_in(train=300, test=50))
    monkeypatch.chdir(tmp_path)


def test_the_record_says_what_was_done(tmp_path):
    record = TINY.run("short", range(2), None)
    assert records.load("tiny", tmp_path / "runs") == record
    assert [run["seed"] for run in record.runs] == [0, 1]
    assert record.data["splits"]["train"]["n"] == 96
    assert record.config["batch_size"] == 32
    train, test = data.stand_in(train=300, test=50)
    learnt, held_out = data.split(train, validation=30, seed=0)
    assert record.data["splits"]["test"]["sha256"] == test.sha256
    assert record.data["splits"]["train"]["sha256"] == learnt.subset(range(96)).sha256
    assert record.data["splits"]["validation"]["sha256"] == held_out.subset(range(20)).sha256
    for run in record.runs:
        assert np.sum(run["confusion"]) == run["test"]["test"]["n"] == 50
        assert np.trace(run["confusion"]) == run["test"]["test"]["correct"]


def test_the_kept_weights_are_those_of_the_better_seed(tmp_path):
    record = TINY.run("short", range(2), None)
    best = max(record.runs, key=lambda run: run["epochs"][-1]["validation_accuracy"])
    assert record.checkpoint["seed"] == best["seed"]
    model = create_model("resnet20")
    facts = load_weights(tmp_path / "runs" / record.checkpoint["file"], model)
    assert facts["architecture"] == "resnet20"
    assert common.probe(model) == pytest.approx(record.checkpoint["probe"], abs=1e-4)


def test_a_second_run_gives_the_same_weights():
    first = TINY.run("short", range(1), None).checkpoint
    second = TINY.run("short", range(1), None).checkpoint
    assert first["probe"] == second["probe"]


def test_classes_can_be_left_out():
    record = replace(TINY, without=("circle", "ring")).run("short", range(1), None)
    assert record.architecture["num_classes"] == 8
    assert record.data["splits"]["test"]["n"] == 40
    assert record.config["without"] == ["circle", "ring"]


def test_the_confusion_matrix_by_hand():
    true, said = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 1, 0, 2, 2])
    assert common.count_pairs(true, said, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


@pytest.mark.slow
def test_the_command_lists_its_experiments():
    files = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert set(command.EXPERIMENTS) == files - {"__init__", "__main__", "common", "comparison"}
    assert {"pooling_shift", "resnet20_cifar10", "vgg_kernels"} <= set(command.EXPERIMENTS)
    wrong = subprocess.run(
        [sys.executable, "-m", "experiments", "resnet21"], cwd=ROOT, capture_output=True, text=True
    )
    assert wrong.returncode == 2
    assert "resnet20_cifar10" in wrong.stderr
