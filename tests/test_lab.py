"""What experiments are made of: the record, what a stopped run keeps, rates, claims, the plan."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import experiments
from cnnlib import data, provenance, records
from cnnlib.models import create_model
from cnnlib.training import NonFiniteLossError, TrainConfig, load_checkpoint, load_weights, train
from experiments import __main__ as command_line
from experiments.lab import (
    TEST_ACCURACY,
    TRAINING_ERROR,
    VALIDATION_LOSS,
    Arm,
    Command,
    Experiment,
    Quantity,
    Rates,
    arms,
    conduct,
    course,
    epochs_to,
    findings,
    kept,
    measures,
    plan,
    rates,
    recording,
)
from experiments.lab.work import COURSE, Work

ROOT = Path(__file__).resolve().parent.parent
QUICK = TrainConfig(epochs=2, lr=0.01, device="cpu", precision="fp32")


def linear(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))


def count_test_pictures(model, load, parts):
    return {"seen": sum(len(labels) for _, labels in load(parts["test"]))}


def brightest_weight(model, load, parts):
    return {"largest": float(next(model.parameters()).detach().abs().max())}


TINY = Experiment(
    name="tiny",
    arms={
        "as it is": Arm(linear),
        "slow, flipped": Arm(linear, {"flip": True}, {"lr": 0.001}),
    },
    config=QUICK,
    batch_size=32,
    measure=count_test_pictures,
)
ONE = replace(TINY, arms={"as it is": Arm(linear)})
KEPT = replace(
    ONE,
    arms={"lenet": Arm(partial(create_model, "lenet5", in_channels=3))},
    keep="lenet",
)


def numpys(model, load, parts):
    """Measure what NumPy counts."""
    return {"n": np.int64(3), "many": np.arange(2000)}


def not_a_number(model, load, parts):
    """Measure nothing."""
    return {"n": float("nan")}


def its_own(model, load, parts):
    """Measure what no other arm does."""
    return {"own": True}


SEEN = []


def remember(model, images):
    """Ready a network for pictures by keeping them."""
    SEEN.append((model, images))


def an_object(model, load, parts):
    """Measure what is no number."""
    return {"n": object()}


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch, tmp_path):
    """Draw the data set, and let everything be written into a folder of the test's own."""
    monkeypatch.setattr(data, "cifar10", lambda fallback: data.stand_in(train=300, test=50))
    monkeypatch.setenv("CNNLIB_RUNS", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def origin(monkeypatch):
    """Pretend that all is committed; return what is said of it."""
    state = provenance.describe_run() | {"git": {"commit": "a" * 40, "dirty": False}}
    monkeypatch.setattr(provenance, "describe_run", lambda: state)
    return state


@pytest.fixture
def full(tmp_path):
    """Run the whole experiment: ``full(experiment, seeds=2)`` returns the record."""

    def whole(experiment, seeds=1, **options):
        return conduct(experiment, Command("full", seeds, to=tmp_path, **options))

    return whole


@pytest.fixture
def ran(monkeypatch):
    """Return a list that fills with the tasks that are trained."""
    tasks, one = [], Experiment.one
    monkeypatch.setattr(
        Experiment, "one", lambda self, task, *rest: tasks.append(task) or one(self, task, *rest)
    )
    return tasks


# --- The record -------------------------------------------------------------------------------


def test_the_record_says_what_was_done(tmp_path, full):
    record = full(TINY, seeds=2)
    assert records.load("tiny", tmp_path) == record
    pairs = [(run["seed"], run["arm"]) for run in record.runs]
    assert pairs == [(seed, name) for seed in (0, 1) for name in ("as it is", "slow, flipped")]
    assert record.data["splits"]["train"]["n"] == 270
    assert record.config["arms"]["slow, flipped"] == {
        "network": "linear",
        "augmentation": {"flip": True},
        "lr": 0.001,
    }
    for run in record.runs:
        assert run["parameters"] == 3072 * 10 + 10
        assert run["test"]["test"]["n"] == run["seen"] == 50
        assert len(run["epochs"]) == 2
        assert run["made"]["device"]["type"] == "cpu"
    lrs = {run["arm"]: max(epoch["lr"] for epoch in run["epochs"]) for run in record.runs}
    assert lrs["as it is"] > 5 * lrs["slow, flipped"]


def test_the_pictures_are_those_that_the_record_names(full):
    record = full(replace(ONE, train=96, validation=20))
    train_set, test = data.stand_in(train=300, test=50)
    learnt, held_out = data.split(train_set, validation=30, seed=0)
    expected = {"train": learnt.subset(range(96)), "validation": held_out.subset(range(20))}
    for name, images in (expected | {"test": test}).items():
        assert record.data["splits"][name]["sha256"] == images.sha256


def test_an_arm_may_measure_something_of_its_own(full):
    own = Arm(linear, measure=its_own)
    record = full(replace(TINY, arms={"as it is": Arm(linear), "measured": own}))
    assert [set(run) & {"seen", "own"} for run in record.runs] == [{"seen"}, {"own"}]


def test_controls_stand_under_their_own_names(full):
    record = full(replace(ONE, controls=(count_test_pictures,)))
    assert record.runs[0]["controls"] == {"count_test_pictures": {"seen": 50}}


def test_a_short_run_says_so_and_is_short(tmp_path):
    record = conduct(TINY, Command("short"))
    assert records.load("tiny", tmp_path / "cache") == record
    assert record.profile == "short"
    assert all(len(run["epochs"]) == 2 for run in record.runs)
    assert record.sketch == "1 seed; no rate of its own for each arm"


def test_each_budget_is_a_run_of_its_own(full):
    record = full(replace(TINY, budgets=(1, 3)))
    found = [(run["budget"], len(run["epochs"]), run["arm"]) for run in record.runs]
    assert found == [(n, n, arm) for n in (1, 3) for arm in TINY.arms]


def test_seeds_are_paired(full):
    """Two arms of one network meet the same pictures in the same order: they are one run."""
    twins = replace(TINY, arms={"one": Arm(linear), "other": Arm(linear)})
    first, second, *_ = full(twins, seeds=2).runs
    assert first["seed"] == second["seed"] == 0
    for key in ("train_loss", "validation_loss"):
        assert [e[key] for e in first["epochs"]] == [e[key] for e in second["epochs"]]


def test_an_arm_may_have_its_own_batches_and_be_prepared(full):
    SEEN.clear()
    own = Arm(linear, batch_size=90, prepare=remember)
    record = full(replace(TINY, arms={"own": own}))
    assert record.config["arms"]["own"] == {
        "network": "linear",
        "augmentation": {},
        "batch_size": 90,
        "prepared_by": "remember",
    }
    assert [epoch["steps"] for epoch in record.runs[0]["epochs"]] == [3, 3]  # of 270 pictures
    (model, images), *others = SEEN
    assert isinstance(model, nn.Module)
    assert not others
    assert images.shape == (270, 3, 32, 32)
    mean = images.mean((0, 2, 3))  # normalised as the pictures to learn from
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)


def test_what_readies_a_network_counts_among_the_seconds():
    def slowly(model, images):
        time.sleep(0.5)

    readied = replace(TINY, arms={"readied": Arm(linear, prepare=slowly)})
    parts = readied.load(Command("short"))
    _, epochs = readied.trained("readied", readied.own_config("readied", 0), parts)
    assert epochs[0]["seconds"] > 0.5


def test_a_batch_is_never_larger_than_the_training_set(full):
    record = full(replace(TINY, batch_size=1000))
    assert all(epoch["steps"] == 1 for run in record.runs for epoch in run["epochs"])


def test_with_nothing_left_to_choose_all_training_pictures_are_learned_from(full):
    record = full(replace(TINY, held_out=False, claim=TEST_ACCURACY))
    whole, _ = data.stand_in(train=300, test=50)
    assert list(record.data["splits"]) == ["train", "test"]
    assert record.data["splits"]["train"]["sha256"] == whole.sha256
    for run in record.runs:
        assert {epoch["validation_accuracy"] for epoch in run["epochs"]} == {None}


def test_classes_can_be_left_out(full):
    record = full(replace(ONE, without=("circle", "ring")))
    assert record.architecture["num_classes"] == 8
    assert record.data["splits"]["test"]["n"] == 40
    assert record.config["without"] == ["circle", "ring"]


def folder_of(images, path):
    """Write pictures as a folder of PNG files, one half of them to learn from."""
    for i, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
        folder = path / ("train", "test")[i // 10 % 2] / images.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{i}.png")


def test_original_pixels_are_tested_too(tmp_path, full):
    drawn, _ = data.stand_in(train=60, test=1)
    folder_of(drawn, tmp_path / "pixels")
    record = full(ONE, original_pixels=tmp_path / "pixels")
    (found,) = record.runs
    assert list(found["test"]) == ["test", "original pixels"]
    assert record.data["splits"]["original pixels"]["n"] == 30
    assert found["test"]["original pixels"]["n"] == 30
    without = full(ONE).runs[0]
    assert without["test"] == {"test": found["test"]["test"]}


def test_original_pixels_of_other_classes_are_refused(tmp_path, full):
    drawn, _ = data.stand_in(train=60, test=1)
    folder_of(drawn.only("circle", "ring"), tmp_path / "pixels")
    with pytest.raises(ValueError, match="other classes"):
        full(TINY, original_pixels=tmp_path / "pixels")


def test_the_confusion_matrix_by_hand():
    true, said = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([0, 1, 1, 0, 2, 2])
    assert measures.count_pairs(true, said, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_first_kernels_are_rows_of_rounded_numbers():
    model = nn.Sequential(nn.Conv2d(2, 3, 1, bias=False), nn.Conv2d(3, 1, 1))
    model[0].weight.data = torch.tensor([[0.123, -1.0], [2.555, 0.0], [0.0, -0.004]])[
        ..., None, None
    ]
    kernels = measures.first_kernels(model)
    assert kernels == [[0.12, -1.0], [2.56, 0.0], [0.0, 0.0]]
    assert str(kernels[2][1]) == "0.0"  # and not -0.0


def test_the_training_error_is_that_of_the_pictures_as_they_are(tmp_path):
    parts = TINY.load(Command("short"))
    model = linear(10).eval()
    load = TINY.loader(parts)
    images, labels = next(iter(load(parts["train"], 300)))
    wrong = (model(images).argmax(1) != labels).float().mean()
    found = measures.training_error(model, load, parts)["training_error"]
    assert found == pytest.approx(float(wrong), abs=1e-6)


def test_the_machines_rate_is_that_of_the_fastest_product(monkeypatch):
    clock = iter([0.0, 3.0, 10.0, 12.0])  # seconds: one product of three, one of two
    monkeypatch.setattr(measures.time, "perf_counter", lambda: next(clock))
    rate = measures.matrix_rate(torch.device("cpu"), torch.float32, n=64, seconds=4)
    assert rate == 2 * 64**3 / 2  # a multiply-accumulate is two


# --- The weights that ship --------------------------------------------------------------------


def test_the_kept_weights_are_those_of_the_better_seed(tmp_path, full):
    record = full(KEPT, seeds=2)
    best = max(record.runs, key=lambda run: run["epochs"][-1]["validation_accuracy"])
    assert record.checkpoint["seed"] == best["seed"]
    model = create_model("lenet5", in_channels=3)
    path = tmp_path / record.checkpoint["file"]
    facts = load_weights(path, model)
    assert facts["architecture"] == record.architecture["name"] == "lenet5"
    assert provenance.file_sha256(path) == record.checkpoint["sha256"]
    assert measures.probe(model) == pytest.approx(record.checkpoint["probe"], abs=1e-4)
    subset = record.checkpoint["subset"]
    assert (subset["n"], subset["correct"]) == (50, best["test"]["test"]["correct"])


def test_the_best_seed_is_that_of_the_last_budget_by_validation():
    accuracies = {("A", 5, 0): 0.9, ("A", 9, 0): 0.5, ("A", 9, 1): 0.7, ("A", 9, 2): 0.6}
    accuracies |= {("B", 9, 0): 0.8}
    ended = {
        course.Task(arm, budget, seed, 0.1, budget): {"epochs": [{"validation_accuracy": value}]}
        for (arm, budget, seed), value in accuracies.items()
    }
    assert recording._shipped("A", ended).seed == 1
    assert recording._shipped("", ended) is None


def test_a_second_run_gives_the_same_weights(tmp_path):
    first, second = (
        conduct(KEPT, Command("full", to=tmp_path / name)).checkpoint for name in ("one", "two")
    )
    assert first["probe"] == second["probe"]
    assert first["subset"] == second["subset"]


def test_a_run_whose_weights_were_not_kept_runs_again_for_them(full, ran):
    full(replace(KEPT, keep=""))
    assert full(KEPT).checkpoint
    assert len(ran) == 2
    full(KEPT)
    assert len(ran) == 2


def test_the_weights_of_all_can_be_kept_for_other_experiments(tmp_path, full):
    full(replace(TINY, keep_all=True))
    work = Work(replace(TINY, keep_all=True), Command("full", to=tmp_path))
    assert work.missing() == []
    for task, run in work.ended().items():
        model = linear(10)
        load_weights(work.path(task).with_suffix(".safetensors"), model)
        again = measures.score_on(model, TINY.loader(work.parts), work.parts)["test"]
        assert again["correct"] == run["test"]["test"]["correct"]
        assert again["loss"] == pytest.approx(run["test"]["test"]["loss"])


def test_an_arm_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no arm 'resnet'; it has as it is, slow, flipped"):
        replace(TINY, keep="resnet")
    with pytest.raises(ValueError, match="by which to choose"):
        replace(TINY, rates=Rates(), held_out=False)


@pytest.mark.parametrize("nameless", [lambda classes: linear(classes), partial(linear, object())])
def test_what_no_name_tells_apart_is_refused_before_anything_runs(nameless, full, ran):
    with pytest.raises(ValueError, match=r"known by that|no name that lasts"):
        full(replace(ONE, arms={"as it is": Arm(nameless)}))
    assert not ran


def test_a_closure_and_a_method_are_refused():
    held = 3

    def closed(classes):
        return linear(classes + held)

    for work in (closed, [].append, partial(closed, 1), partial(linear, closed)):
        with pytest.raises(ValueError, match="does not say what it does"):
            arms.described(work)


def test_functions_are_described_with_what_they_are_given():
    work = partial(linear, [1, "a"], width=partial(its_own, None), rate=0.5)
    assert arms.described(work) == "linear([1, 'a'], width=its_own(None), rate=0.5)"


# --- What is kept of runs ---------------------------------------------------------------------


def test_an_ended_run_is_kept(full, ran):
    growing = Arm(linear, {"size": {0: 32, 2: 32}})  # whose numbers JSON turns into text
    with_it = replace(TINY, arms=TINY.arms | {"growing": growing})
    first = full(with_it)
    assert len(ran) == 3
    assert full(with_it).runs == first.runs
    assert len(ran) == 3


def test_a_record_of_one_seed_does_not_take_the_place_of_one_of_three(tmp_path, full):
    three = full(ONE, seeds=3)
    assert not three.sketch
    with pytest.raises(ValueError, match=r"full record of tiny with 3 seeds.*--seeds"):
        full(ONE)
    with pytest.raises(ValueError, match="this one is short"):
        conduct(ONE, Command("short", 3, to=tmp_path))
    assert records.load("tiny", tmp_path) == three


def test_an_experiment_may_be_a_sketch_whatever_its_runs_give(full):
    known = replace(ONE, sketch="one budget")
    assert full(known, seeds=3).sketch == "one budget"
    assert full(known).sketch == "one budget; 1 seed"


def test_a_class_that_is_none_is_not_left_out_in_silence(full):
    with pytest.raises(ValueError, match=r"has no class cat: .*circle"):
        full(replace(ONE, without=("cat", "ring")))


@pytest.mark.parametrize(
    "damaged", ["", "{", "{}", "[]", "null", '{"run": {}}', '{"run": {"arm": "as it is"}}']
)
def test_a_damaged_run_counts_as_not_there_and_is_named(damaged, tmp_path, full, ran):
    first = full(ONE)
    (path,) = (tmp_path / "runs" / "tiny-full").iterdir()
    path.write_text(damaged)
    with pytest.warns(UserWarning, match=f"{path.name} is damaged"):
        again = full(ONE)
    assert len(ran) == 2
    assert again.runs[0]["test"] == first.runs[0]["test"]


def test_what_a_measure_gives_is_kept_as_numbers(full):
    record = full(replace(ONE, measure=numpys))
    assert record.runs[0]["n"] == 3
    assert record.runs[0]["many"] == list(range(2000))


@pytest.mark.parametrize(
    ("measure", "words"),
    [(not_a_number, "Out of range float"), (an_object, "object; give plain numbers")],
)
def test_what_no_record_can_hold_is_named_and_loses_no_epoch(measure, words, tmp_path, full):
    with pytest.raises(ValueError, match=f"as-it-is-epochs-2-seed-0.*{words}"):
        full(replace(ONE, measure=measure))
    assert [*(tmp_path / "runs" / "tiny-full").glob("*.pt")]


def test_what_is_kept_is_the_run_itself(tmp_path, full):
    record = full(ONE)
    (path,) = (tmp_path / "runs" / "tiny-full").iterdir()
    assert path.name.startswith("as-it-is-epochs-2-seed-0.")
    assert json.loads(path.read_text())["run"] == json.loads(json.dumps(record.runs[0]))


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 64},
        {"train": 100},
        {"config": replace(QUICK, lr=0.02)},
        {"measure": None},
        {"each_epoch": brightest_weight},
        {"arms": {"as it is": Arm(linear, {"flip": True})}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_run_with_other_settings_is_not_kept(change, full, ran):
    full(ONE)
    full(replace(ONE, **change))
    assert [task.arm for task in ran] == ["as it is", "as it is"]


def test_a_run_of_other_code_is_not_kept_and_one_of_another_commit_is(
    full, ran, origin, monkeypatch
):
    full(ONE)
    origin["git"]["commit"] = "b" * 40
    assert full(ONE).git["commit"] == "b" * 40
    assert len(ran) == 1
    monkeypatch.setattr("experiments.lab.work.code_hash", lambda modules: "other code")
    full(ONE)
    assert len(ran) == 2


def test_a_stopped_run_goes_on_from_the_same_settings_only(tmp_path, monkeypatch, full):
    begun_at = []

    def watched(model, batches, validation, config, *, checkpoint):
        epochs = train(model, batches, validation, config, checkpoint=checkpoint)
        begun_at.append(len(load_checkpoint(checkpoint)["history"]))
        return epochs

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "train", watched)
    moved = replace(TINY, arms={"moved": Arm(linear, {"crop": 1})})
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(course, "score_on", stop)
            with pytest.raises(KeyboardInterrupt):
                full(moved)
    assert begun_at == [0, 2]
    full(replace(moved, arms={"moved": Arm(linear, {"crop": 2})}))
    full(replace(moved, batch_size=33))  # as many steps as before
    assert begun_at == [0, 2, 0, 0]
    full(moved)
    assert begun_at == [0, 2, 0, 0, 2]
    assert not list((tmp_path / "runs").rglob("*.pt"))


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import test_lab, torch
import torch._dynamo  # the optimizers do, late: each fork would again
from cnnlib import data, files
from cnnlib.training import loop
from experiments.lab import Command, conduct, kept
torch.set_num_threads(1)  # so that no thread is lost in a fork
data.cifar10 = lambda fallback: data.stand_in(train=300, test=50)
folder, *kills = sys.argv[1:]

def killing(*arguments, left):
    if left.pop() is None:
        os.kill(os.getpid(), signal.SIGKILL)
    files.write_atomically(*arguments)

def begun(writes):
    sys.stdout.flush()
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = [None] + writes * [True]
    for module in (kept, loop):
        module.write_atomically = lambda *arguments: killing(*arguments, left=left)
    record = conduct(test_lab.WATCHED, Command("full", to=Path(folder)))
    for epoch in record.runs[0]["epochs"]:
        print("curve", epoch["train_loss"], epoch["validation_loss"], epoch["largest"], flush=True)
    os._exit(0)

for writes in map(int, kills):
    print("ended", begun(writes))
"""
WATCHED = replace(ONE, config=replace(QUICK, epochs=3), each_epoch=brightest_weight)


@pytest.mark.slow
def test_a_run_killed_before_any_of_its_writes_ends_the_same(tmp_path):
    """Checkpoint, notes, checkpoint, ...: each write in turn is the last thing that was to be."""
    script = KILLED.format(paths=[str(ROOT), str(ROOT / "tests")])

    def printed(folder: str, *kills: int) -> list[str]:
        command = [sys.executable, "-c", script, str(tmp_path / folder), *map(str, kills)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    whole = [line for line in printed("whole", 100) if line.startswith("curve")]
    assert len(set(whole)) == 3
    # Of notes begun, three checkpoints with notes after each, and the run: how many are written.
    writes = [0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0]
    killed = printed("killed", *writes, 100)
    ends = [line for line in killed if line.startswith("ended")]
    assert ends == len(writes) * [f"ended {-signal.SIGKILL}"] + ["ended 0"]
    assert [line for line in killed if line.startswith("curve")] == whole


def test_notes_that_are_lost_begin_a_run_anew(tmp_path, monkeypatch, full):
    with monkeypatch.context() as patch:
        patch.setattr(course, "score_on", lambda *_: pytest.fail("stopped here"))
        with pytest.raises(pytest.fail.Exception):
            full(WATCHED)
    (notes,) = (tmp_path / "runs").rglob("*.epochs.json")
    whole = [each["largest"] for each in json.loads(notes.read_text()).values()]
    notes.unlink()
    found = full(WATCHED).runs[0]["epochs"]
    assert [epoch["largest"] for epoch in found] == whole
    assert len(set(whole)) == 3
    assert not list((tmp_path / "runs").rglob("*.epochs.json"))


def test_a_record_can_be_written_of_what_has_ended(full, tmp_path):
    command = Command("full", 2, to=tmp_path)
    with pytest.raises(ValueError, match="No run of tiny has ended"):
        recording.recorded(Work(TINY, command))
    work = Work(TINY, command)
    work.do(work.missing()[0])
    record = recording.recorded(Work(TINY, command))
    assert len(record.runs) == 1
    assert record.sketch.endswith("1 of 4 runs")
    assert records.load("tiny", tmp_path) == record


def test_a_name_becomes_a_file():
    assert kept.slug("two 3x3, no ReLU between") == "two-3x3-no-ReLU-between"


# --- The code that a run uses -----------------------------------------------------------------

SOURCE = '''"""Words."""
from ours import helper
LIMIT = 3
def work(x):
    """More words."""
    if x > LIMIT:
        raise ValueError(f"{x} is too large")
    return helper.twice(x)  # a comment
EXPERIMENT = dict(arms=3)
'''


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Return the hash of a module of a package: ``code(work="...", helper="...")``."""
    home = tmp_path / "ours"
    home.mkdir()
    monkeypatch.setattr(kept, "HOMES", {"ours": home})
    monkeypatch.setattr(kept, "INDEXES", ("ours",))

    def hashed(work=SOURCE, **others):
        for path in home.glob("*.py"):
            path.unlink()
        sources = {"work": work, "helper": "def twice(x):\n    return 2 * x\n"} | others
        for name, source in sources.items():
            (home / f"{name}.py").write_text(source)
        for function in (kept._source, kept._imports, kept._code):
            function.cache_clear()
        return kept.code_hash(["ours.work"])

    yield hashed
    for function in (kept._source, kept._imports, kept._code):
        function.cache_clear()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("More words.", "Other words."),
        ("  # a comment", ""),
        ('f"{x} is too large"', 'f"{x} is above the limit"'),
        ("LIMIT = 3", "LIMIT = (\n    3\n)"),
        ("arms=3", "arms=4"),
    ],
)
def test_prose_and_the_declaration_do_not_change_the_code(code, old, new):
    assert old in SOURCE
    assert code(SOURCE.replace(old, new)) == code()


@pytest.mark.parametrize(
    ("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("x >", "x >="), ("twice(x)", "twice(+x)")]
)
def test_what_computes_changes_the_code(code, old, new):
    assert old in SOURCE
    assert code(SOURCE.replace(old, new)) != code()


def test_the_code_is_also_that_of_what_is_imported(code):
    assert code(helper="def twice(x):\n    return x + x\n") != code()
    assert code(bystander="def twice(x):\n    return x\n") == code()


def test_a_run_uses_its_network_and_not_the_others():
    reached = kept.reached({COURSE, "experiments.resnet20_cifar10", "cnnlib.models.resnet"})
    assert {"cnnlib.training.loop", "cnnlib.data.batches", "cnnlib.models.registry"} <= reached
    assert {"experiments.lab.arms", "experiments.lab.measures"} <= reached
    others = {"cnnlib.models.vgg", "cnnlib.records", "cnnlib.files", "cnnlib.data.cifar"}
    others |= {"experiments.lab.experiment", "experiments.lab.rates", "experiments.fast_steps"}
    assert not others & reached


def test_nothing_that_keeps_account_is_named_in_vain():
    for name in kept.ACCOUNTS:
        assert kept._source(name), name


# --- Rates ------------------------------------------------------------------------------------


def grids(cost, search=None, own=0.1):
    """Return the grid in the end, if a rate costs ``cost(rate)``, and which one is chosen."""
    search, costs = search or Rates(), {}
    while len(grid := search.next_grid(own, costs)) > len(costs):
        costs = {rate: cost(rate) for rate in grid}
    return grid, rates.cheapest(costs)


def test_a_grid_is_widened_until_the_best_lies_inside():
    assert grids(lambda rate: abs(rate - 0.1)) == ([0.05, 0.1, 0.2], 0.1)
    assert grids(lambda rate: abs(rate - 0.8)) == ([0.05, 0.1, 0.2, 0.4, 0.8, 1.6], 0.8)
    fails_above = grids(lambda rate: math.inf if rate > 0.03 else abs(rate - 0.025))
    assert fails_above == ([0.0125, 0.025, 0.05, 0.1, 0.2], 0.025)


def test_a_grid_has_an_end():
    grid, best = grids(lambda rate: rate, Rates(most=4))
    assert grid == [0.025, 0.05, 0.1, 0.2]
    assert best == 0.025
    assert len(grids(lambda _: math.inf)[0]) == Rates().most


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1.5}, {"seeds": 0}, {"most": 2}])
def test_a_search_that_is_none_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Rates(**wrong)


def test_no_rate_is_chosen_by_the_test():
    with pytest.raises(ValueError, match="points of test accuracy: trials see no test"):
        Rates(by=TEST_ACCURACY)
    with pytest.raises(ValueError, match="points of test accuracy: trials see no test"):
        replace(TINY, rates=Rates(), claim=TEST_ACCURACY)


@pytest.mark.slow
def test_an_arm_that_diverges_at_every_rate_says_so(full, monkeypatch):
    def explode(self, task, *rest):
        raise NonFiniteLossError("the loss is nan")

    monkeypatch.setattr(Experiment, "one", explode)
    lost = replace(TUNED, rates=Rates(by=VALIDATION_LOSS, most=4))
    with pytest.raises(ValueError, match=r"as it is diverges .* rates 0.00\d+, "):
        full(lost)


def test_a_trial_takes_a_share_of_the_budget():
    assert [Rates().epochs(n) for n in (1, 2, 20, 100)] == [1, 1, 5, 25]


TUNED = replace(TINY, rates=Rates(by=VALIDATION_LOSS), config=replace(QUICK, epochs=8))


@pytest.mark.slow
def test_each_arm_learns_at_the_best_of_its_rates(full, ran):
    record = full(TUNED)
    assert all(task.epochs == 2 for task in ran if task.is_trial)  # a quarter of eight
    for run in record.runs:
        tried = [each for each in record.trials if each["arm"] == run["arm"]]
        costs = {}
        for each in tried:
            costs.setdefault(each["lr"], []).append(each["value"])
        assert all(len(values) == 2 for values in costs.values())  # two seeds
        best = min(costs, key=lambda rate: np.mean(costs[rate]))
        assert run["lr"] == best
        assert run["lr"] not in (min(costs), max(costs))
        assert max(epoch["lr"] for epoch in run["epochs"]) == pytest.approx(best, rel=0.1)
    assert record.config["arms"]["as it is"]["rates"]["by"] == "of validation loss"
    assert record.sketch == "1 seed"


@pytest.mark.slow
def test_trials_are_kept_and_see_no_test_picture(full, ran, monkeypatch):
    looked, score_on = [], course.score_on
    monkeypatch.setattr(course, "score_on", lambda *a: looked.append(1) or score_on(*a))
    full(TUNED)
    assert len(looked) == 2  # of two runs
    trials = [task for task in ran if task.is_trial]
    full(TUNED, seeds=2)
    assert [task for task in ran if task.is_trial] == trials
    assert len(ran) == len(trials) + 4


def test_a_trial_that_diverges_is_never_the_best(full, monkeypatch):
    one = Experiment.one

    def explode(self, task, *rest):
        if task.lr > 0.008:
            raise NonFiniteLossError("the loss is nan")
        return one(self, task, *rest)

    monkeypatch.setattr(Experiment, "one", explode)
    record = full(replace(TUNED, arms={"as it is": Arm(linear)}))
    values = {each["lr"]: each["value"] for each in record.trials}
    assert values[0.01] is None
    assert values[0.02] is None
    assert 0.0025 in values
    assert record.runs[0]["lr"] < 0.005 + 1e-9


def test_a_run_that_diverges_stops_the_experiment(full, monkeypatch):
    def explode(*_):
        raise NonFiniteLossError("the loss is nan")

    monkeypatch.setattr(Experiment, "one", explode)
    with pytest.raises(NonFiniteLossError):
        full(ONE)


def test_an_arm_may_say_why_its_rate_is_given(full, ran):
    given = {name: replace(arm, fixed="as published") for name, arm in TINY.arms.items()}
    record = full(replace(TUNED, arms=given))
    assert not any(task.is_trial for task in ran)
    assert record.config["arms"]["as it is"]["fixed"] == "as published"
    assert record.sketch == "1 seed"


def test_muons_two_rates_move_together():
    config = TrainConfig(optimizer="muon", lr=2.0, kernel_lr=0.08)
    assert arms.at_rate(config, 1.0) == replace(config, lr=1.0, kernel_lr=0.04)
    assert arms.at_rate(QUICK, 0.02) == replace(QUICK, lr=0.02)


# --- Claims -----------------------------------------------------------------------------------


def run_of(*errors, **more):
    """Return a run whose training error after each epoch was that."""
    epochs = [{"epoch": i, "train_accuracy": 1 - error} for i, error in enumerate(errors, start=1)]
    return {"epochs": epochs} | more


def test_quantities_by_hand():
    run = run_of(0.5, 0.25, 0.1)
    assert TRAINING_ERROR.of(run) == pytest.approx(10)
    assert epochs_to(0.25).of(run) == 2
    assert epochs_to(0.05).of(run) == math.inf
    run["epochs"][0]["training_error"] = 0.2  # as measured after the epoch
    assert epochs_to(0.25).of(run) == 1
    tested = {"test": {"test": records.measured(100, 90, 0.3)}}
    assert (TEST_ACCURACY.of(tested), TEST_ACCURACY.cost(tested)) == (90, -90)
    assert TRAINING_ERROR.cost({"diverged": "the loss is nan"}) == math.inf
    assert Quantity("loss", lambda _: math.nan).cost(run) == math.inf


def record_of(values: dict[str, list[float]], trials=(), **config) -> records.Record:
    """Return a record whose arms end with such values, one a seed."""
    runs = [
        {"arm": arm, "seed": seed, "lr": 0.1, "epochs": [{"value": value}]}
        for arm, found in values.items()
        for seed, value in enumerate(found)
    ]
    settings = {"arms": {arm: {"rates": {}} for arm in values}} | config
    unused = dict.fromkeys(
        ("name", "created", "profile", "command", "git", "versions", "device", "precision")
    )
    return records.Record(
        **unused, config=settings, data={}, architecture={}, runs=runs, trials=list(trials)
    )


VALUE = Quantity("points", lambda run: run["epochs"][-1]["value"])


def test_the_sentence_by_hand():
    """Differences 1, 2 and 3: the mean is 2, the half width 4.3027 * 1 / sqrt(3) = 2.48."""
    record = record_of({"A": [10.0, 20.0, 30.0], "B": [11.0, 22.0, 33.0]})
    assert list(findings.sentences(record, VALUE, {"B": "A"})) == [
        "In 1 epoch, rates per arm, 3 seeds: B − A = +2.00 ± 2.48 points (95 %, over seeds, not "
        "over the choice of rate); we could not tell them apart."
    ]
    record = record_of({"A": [10.0, 20.0, 30.0], "B": [12.0, 22.1, 31.9]})
    (sentence,) = findings.sentences(record, VALUE, {"B": "A"})
    assert "+2.00 ± 0.25" in sentence
    assert "tell" not in sentence


def test_a_sentence_says_when_it_is_a_sketch_or_has_no_interval():
    one = replace(record_of({"A": [1.0], "B": [2.0]}), sketch="1 seed")
    (sentence,) = findings.sentences(one, VALUE, {"B": "A"})
    assert sentence.startswith(
        "A sketch (1 seed). In 1 epoch, rates per arm, 1 seed: B − A = +1.00"
    )
    assert "no interval" in sentence
    never = record_of({"A": [1.0, 2.0], "B": [2.0, math.inf]})
    (sentence,) = findings.sentences(never, VALUE, {"B": "A"})
    assert "did not both get there" in sentence
    (sentence,) = findings.sentences(record_of({"A": [1.0, 3.0]}), VALUE, {"A": "A"})
    assert "A = 2.00 ± 12.71 points" in sentence  # 12.706 * sqrt(2) / sqrt(2)


def tried(arm, *rates):
    facts = {"budget": 1, "seed": 0, "epochs": 1, "value": 1.0}
    return [{"arm": arm, "lr": rate, **facts} for rate in rates]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (record_of({"A": [1, 2, 3], "B": [1, 2, 3]}), []),
        (record_of({"A": [1, 2, 3], "B": [1, 2]}), ["2 seeds"]),
        (record_of({"A": [1, 2, 3], "B": [1, 2, 3]}, tried("A", 0.05, 0.1, 0.2)), []),
        (
            record_of({"A": [1, 2, 3], "B": [1, 2, 3]}, tried("A", 0.1, 0.2, 0.4)),
            ["the rate of A lies at the edge of those tried"],
        ),
        (record_of({"A": [1, 2, 3], "B": [1, 2, 3]}, arms={}), ["no rate of its own for each arm"]),
        (record_of({"A": [1, 2, 3], "B": [1, 2, 3]}, arms={}, fixed="the paper's"), []),
        (record_of({"A": [1, 2, 3]}, arms={}), []),  # it is compared with nothing
    ],
)
def test_what_falls_short_is_named(record, expected):
    assert findings.shortcomings(record) == expected


def test_runs_on_two_kinds_of_device_fall_short():
    record = record_of({"A": [1, 2, 3]})
    for run, kind in zip(record.runs, ("cpu", "cpu", "cuda"), strict=True):
        run["made"] = {"device": {"type": kind}, "precision": "bf16"}
    assert findings.shortcomings(record) == ["runs on cpu in bf16 and cuda in bf16"]


# --- The command and the plan -----------------------------------------------------------------


@pytest.mark.slow
def test_every_experiment_is_wanted_and_can_be_run():
    files = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    assert set(experiments.WANTED) == files - {"__init__", "__main__"}
    wrong = subprocess.run(
        [sys.executable, "-m", "experiments", "resnet21"], cwd=ROOT, capture_output=True, text=True
    )
    assert wrong.returncode == 2
    assert "resnet20_cifar10" in wrong.stderr


@pytest.fixture
def two_wanted(monkeypatch):
    """Let two tiny experiments be all that is wanted: the first is the tuned one."""
    homes = {"tiny": replace(TUNED, name="tiny"), "other": replace(ONE, name="other")}
    monkeypatch.setattr(plan, "WANTED", {"tiny": 2, "other": 3})
    for name, each in homes.items():
        home = type(sys)(f"experiments.{name}")
        home.EXPERIMENT = each
        monkeypatch.setitem(sys.modules, home.__name__, home)
    monkeypatch.setattr(plan, "epoch_seconds", lambda work, arm: 10.0)


def test_the_plan_lists_what_is_missing(two_wanted, tmp_path, capsys, ran):
    plan.plan({"profile": "full", "to": tmp_path})
    lines = capsys.readouterr().out.splitlines()
    # Two arms, two seeds, eight epochs; three rates, two seeds, two epochs; 13 seconds each.
    assert lines[0].split() == ["tiny", "4", "runs,", "12", "trials,", "about", "12.1", "minutes"]
    assert lines[1].split() == ["other", "3", "runs,", "0", "trials,", "about", "1.3", "minutes"]
    assert not ran


@pytest.mark.slow
def test_the_plan_runs_whole_runs_that_fit(two_wanted, tmp_path, capsys, ran):
    """A minute holds a trial of 26 seconds, and a run of `other`, but no run of 104."""
    plan.plan({"profile": "full", "to": tmp_path}, minutes=1)
    assert {task.epochs for task in ran} == {2}
    assert not (tmp_path / "tiny.json").exists()
    assert len(records.load("other", tmp_path).runs) == 3
    plan.plan({"profile": "full", "to": tmp_path}, minutes=10)
    assert records.load("tiny", tmp_path).sketch == "2 seeds"
    capsys.readouterr()
    again = len(ran)
    plan.plan({"profile": "full", "to": tmp_path}, minutes=10)
    assert "tiny" in capsys.readouterr().out  # two seeds are a sketch
    assert len(ran) == again


def test_a_run_waits_for_its_rate(tmp_path):
    work = Work(TUNED, Command("full", to=tmp_path))
    assert [task.is_trial for task in work.missing()] == 12 * [True] + 2 * [False]
    assert all(task.is_trial for task in work.ready())
    one_arm = [task for task in work.ready() if task.arm == "as it is"]
    while one_arm:
        work.do(one_arm[0])
        one_arm = [task for task in work.ready() if task.arm == "as it is" and task.is_trial]
    (run,) = [task for task in work.ready() if not task.is_trial]
    assert run.arm == "as it is"
    assert run.lr == work.rate(8, "as it is")[0]


def test_the_time_is_that_of_what_is_left(two_wanted, tmp_path, monkeypatch):
    work = Work(ONE, Command("full", to=tmp_path))
    (task,) = work.missing()
    assert plan.seconds(work, task) == 1.3 * 2 * 10
    with monkeypatch.context() as patch:
        patch.setattr(course, "score_on", lambda *_: pytest.fail("stopped here"))
        with pytest.raises(pytest.fail.Exception):
            work.do(task)
    assert plan.seconds(work, task) == 0  # two of two epochs are done


def test_the_plan_goes_on_where_one_experiment_diverges(two_wanted, tmp_path, capsys, monkeypatch):
    one = Experiment.one

    def explode(self, task, *rest):
        if self.name == "tiny" and not task.is_trial:
            raise NonFiniteLossError("the loss is nan")
        return one(self, task, *rest)

    monkeypatch.setattr(Experiment, "one", explode)
    plan.plan({"profile": "full", "to": tmp_path}, minutes=10)
    assert "tiny is passed over: the loss is nan" in capsys.readouterr().out
    assert len(records.load("other", tmp_path).runs) == 3


@pytest.mark.parametrize("damaged", ["record", "checkpoint"])
def test_the_plan_goes_on_where_a_file_is_damaged(damaged, two_wanted, tmp_path, capsys):
    work = Work(replace(TUNED, name="tiny"), Command("full", 2, to=tmp_path))
    if damaged == "record":
        (tmp_path / "tiny.json").write_text("{")
    for task in work.missing():
        path = work.path(task).with_suffix(".pt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"nothing" if damaged == "checkpoint" else b"")
        if damaged == "record":
            path.unlink()
    plan.plan({"profile": "full", "to": tmp_path}, minutes=10)
    assert "tiny is passed over: " in capsys.readouterr().out
    assert len(records.load("other", tmp_path).runs) == 3


def test_an_epochs_seconds_follow_from_some_steps_and_are_kept(tmp_path, monkeypatch):
    work = Work(ONE, Command("full", to=tmp_path))
    timed = plan.epoch_seconds(work, "as it is")
    assert 0 < timed < 60
    monkeypatch.setattr(plan, "_timed", lambda *_: pytest.fail("it was timed again"))
    assert plan.epoch_seconds(work, "as it is") == timed


def test_a_run_without_git_names_its_commit(tmp_path):
    command = Command("full", to=tmp_path, commit="c" * 40)
    assert command.origin()["git"] == {"commit": "c" * 40, "dirty": False}
    assert (command.runs, command.records) == (tmp_path / "runs", tmp_path)


def test_runs_lie_where_the_environment_says(monkeypatch, tmp_path):
    assert Command("short").records == Command("full").runs == tmp_path / "cache"
    assert Command("full").records == ROOT / "results"


@pytest.fixture
def said(monkeypatch):
    """Run a command line that knows one experiment: ``said("tiny --seeds 2")``."""
    home = type(sys)("experiments.tiny")
    home.EXPERIMENT = ONE
    monkeypatch.setitem(sys.modules, home.__name__, home)
    monkeypatch.setattr(command_line, "WANTED", {"tiny": 3})
    monkeypatch.setattr(command_line, "answer_signals", lambda: None)
    monkeypatch.setenv("CNNLIB_DATA", "before")

    def run(line):
        monkeypatch.setattr(sys, "argv", ["experiments", *line.split()])
        command_line.main()

    return run


def test_the_command_line_hands_over_what_it_was_told(said, tmp_path):
    archive, commit = tmp_path / "pictures.tar", "d" * 40
    said(f"tiny --profile full --seeds 2 --to {tmp_path} --data {archive} --commit {commit}")
    assert os.environ["CNNLIB_DATA"] == str(archive)
    record = records.load("tiny", tmp_path)
    assert record.git == {"commit": commit, "dirty": False}
    assert [run["seed"] for run in record.runs] == [0, 1]
    assert record.sketch == "2 seeds"
    said(f"tiny --profile full --seeds 3 --to {tmp_path} --so-far")
    assert records.load("tiny", tmp_path).sketch == "2 seeds; 2 of 3 runs"


def test_the_command_line_knows_the_plan(said, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command_line, "plan", lambda *options: asked.append(options))
    said(f"plan --profile full --to {tmp_path} --minutes 9.5")
    expected = {"profile": "full", "original_pixels": None, "to": tmp_path, "commit": None}
    assert asked == [(expected, 9.5)]


def test_no_seed_is_refused(said, capsys):
    with pytest.raises(SystemExit):
        said("tiny --seeds 0")
    assert "at least one seed" in capsys.readouterr().err
