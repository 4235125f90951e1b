"""Training in two processes: the same numbers as in one, and a killed one is begun again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import shared_run
import torch

from cnnlib import provenance, records
from cnnlib.prediction import load_model
from cnnlib.training import load_checkpoint, processes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(shared_run.__file__)


def torchrun(*command: str, restarts: int = 0, **options) -> str:
    """Run a command in two processes by torch's launcher; return what they printed."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node=2", f"--max-restarts={restarts}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | options.pop("env", {})
    options |= {"env": environment, "capture_output": True, "text": True, "timeout": 300}
    ended = subprocess.run([*launcher, *command], **options)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def launched(folder: Path, *options: str, restarts: int = 0) -> list[dict]:
    """Run the script in two processes; return what each of them wrote."""
    torchrun(str(SCRIPT), str(folder), *options, restarts=restarts)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return the results of both processes of one run."""
    return launched(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the result of the same run in one process."""
    return shared_run.run(tmp_path_factory.mktemp("alone"))


def curve(result: dict) -> list[float]:
    """Return every measured number of a run, but for the seconds."""
    return [
        epoch[key]
        for epoch in result["history"]
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    ]


def test_two_processes_give_the_curve_of_one(two, alone):
    assert alone["processes"] == 1
    for result in two:
        assert result["processes"] == 2
        assert curve(result) == pytest.approx(curve(alone), rel=1e-4)
        for found, expected in zip(result["weights"], alone["weights"], strict=True):
            assert found == pytest.approx(expected, abs=1e-5)


def test_every_picture_is_counted_once(two, alone):
    for result in two:
        assert result["evaluation"]["n"] == 33
        assert result["evaluation"]["correct"] == alone["evaluation"]["correct"]
        assert result["evaluation"]["loss"] == pytest.approx(alone["evaluation"]["loss"], rel=1e-4)


def test_every_process_gets_all_logits(two):
    assert len(two[0]["logits"]) == 33
    assert two[0]["logits"] == two[1]["logits"]


def test_with_batch_norm_both_end_with_one_network(two):
    first, second = (result["norm"] for result in two)
    assert first["weights"] == second["weights"]  # running means and variances too
    assert curve(first) == curve(second)


def test_what_cannot_be_is_refused_by_all(two):
    for result in two:
        assert "batch of 1 cannot be shared by 2 processes" in result["too few"]
        assert result["from first"] == [0, "first"]
        assert "seven" in result["raised"]


@pytest.mark.parametrize("rank", ["0", "1"])  # 0 writes the checkpoints
def test_a_killed_process_is_begun_again_and_the_run_ends(tmp_path, two, rank):
    first, second = launched(tmp_path, "--kill", rank, restarts=1)
    assert (tmp_path / "died").exists()
    assert [epoch["epoch"] for epoch in first["history"]] == [1, 2, 3]
    assert first["weights"] == second["weights"] == two[0]["weights"]
    state = load_checkpoint(tmp_path / "run.pt")
    assert len(state["history"]) == 3


def on_two_machines(*command: str, **environment: str) -> list[subprocess.CompletedProcess]:
    """Run a command by two launchers that find each other by the network; return how they ended."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    launcher += ["--max-restarts=1", "--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}"]
    launcher += ["--local-addr=127.0.0.1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    options = {"env": environment, "capture_output": True, "text": True, "timeout": 300}
    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(subprocess.run, [*launcher, *command], **options) for _ in range(2)]
    return [end.result() for end in ends]


def test_a_process_killed_on_one_of_two_machines_is_begun_again(tmp_path, two):
    fresh = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    for ended in on_two_machines(str(SCRIPT), str(tmp_path), "--kill", "1", **fresh):
        assert ended.returncode == 0, ended.stderr[-3000:]
    assert (tmp_path / "died").exists()
    first, second = (json.loads((tmp_path / f"rank-{i}.json").read_text()) for i in (0, 1))
    assert [epoch["epoch"] for epoch in first["history"]] == [1, 2, 3]
    assert first["weights"] == second["weights"] == two[0]["weights"]


def test_machines_that_could_not_meet_again_are_told_so_at_once(tmp_path):
    for ended in on_two_machines(str(SCRIPT), str(tmp_path)):
        assert ended.returncode != 0
        assert "put TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 before it" in ended.stderr


def test_an_experiment_runs_in_two_processes_and_writes_once(tmp_path):
    environment = {"PYTHONPATH": str(ROOT), "CNNLIB_DATA": "stand-in"}
    environment |= {"CNNLIB_RUNS": str(tmp_path / "runs")}
    command = ("-m", "experiments", "resnet20_cifar10", "--profile", "short")
    printed = torchrun(*command, env=environment, cwd=tmp_path)
    record = records.load("resnet20_cifar10", tmp_path / "runs")
    assert record.config["processes"] == 2
    assert record.command == "torchrun --standalone --nproc-per-node=2 " + " ".join(command)
    assert printed.count("record:") == 1
    assert [epoch["epoch"] for epoch in record.runs[0]["epochs"]] == [1, 2]
    path = tmp_path / "runs" / record.checkpoint["file"]
    assert provenance.file_sha256(path) == record.checkpoint["sha256"]
    assert load_model(path).card.data == record.data["name"]


def test_alone_nothing_is_shared():
    with processes.joined():
        batch = torch.arange(5)
        assert (processes.count(), processes.rank(), processes.is_first()) == (1, 0, True)
        assert processes.share(batch) is batch
        assert processes.summed(batch) is batch
        assert processes.from_first(lambda: "made") == "made"
        assert processes.first_then_all(iter(["once"]).__next__) == "once"
