"""`cnnlib.records`: what a record must hold, and the records and weights that the book ships."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from importlib import import_module

import pytest

from cnnlib import data, provenance, records
from cnnlib.models import create_model
from cnnlib.training import evaluate, fingerprint, load_weights
from experiments.lab.findings import shortcomings
from experiments.lab.measures import probe
from experiments.lab.recording import SUBSET

SHIPPED = sorted(path.stem for path in records.results_folder().glob("*.json"))
WITH_WEIGHTS = [name for name in SHIPPED if records.load(name).checkpoint]


def example():
    """Return a small record that is valid."""
    epoch = {"epoch": 1, "train_loss": 1.0, "validation_accuracy": 0.5}
    return {
        "schema": 1,
        "name": "example",
        "created": "2026-11-21T03:00:00+00:00",
        "profile": "full",
        "command": "python -m experiments example",
        "git": {"commit": "0" * 40, "dirty": False},
        "versions": dict.fromkeys(("python", *provenance.PACKAGES), "1.0"),
        "device": {"type": "cpu", "name": "a CPU", "threads": 2},
        "precision": "bf16",
        "config": {"epochs": 2, "lr": 0.1},
        "data": {"name": "digits", "splits": {"train": {"n": 3, "sha256": "a" * 64}}},
        "architecture": {"name": "lenet5", "parameters": 1, "fingerprint": "b" * 64},
        "runs": [
            {
                "seed": 0,
                "seconds": 1.0,
                "epochs": [epoch, {**epoch, "epoch": 2}],
                "test": {"test": records.measured(100, 90, 0.3)},
            }
        ],
        "checkpoint": {"file": "e.safetensors", "bytes": 1, "sha256": "c" * 64, "seed": 0},
        "trials": [],
        "sketch": None,
    }


def test_round_trip(tmp_path):
    record = records.Record(**example())
    assert records.save(record, tmp_path) == tmp_path / "example.json"
    assert records.load("example", tmp_path) == record
    assert record.mean() == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda r: r.pop("git"), "'git' is missing"),
        (lambda r: r.update(extra=1), "unknown field 'extra'"),
        (lambda r: r.update(schema=0), "schema 0"),
        (lambda r: r.update(created="yesterday"), "'created'"),
        (lambda r: r.update(created="2026-11-21T03:00:00"), "'created'"),
        (lambda r: r.update(profile="long"), "'profile'"),
        (lambda r: r["versions"].pop("torch"), "'versions'"),
        (lambda r: r["data"]["splits"]["train"].update(sha256=""), "split 'train'"),
        (lambda r: r["runs"][0]["epochs"].pop(), "epochs are not 1 to 2"),
        (lambda r: r["runs"].append(copy.deepcopy(r["runs"][0])), "a seed occurs twice"),
        (
            lambda r: r.update(runs=[copy.deepcopy(r["runs"][0]) | {"arm": "a"}] * 2),
            "a seed occurs twice: 0 of 'a'",
        ),
        (lambda r: r["runs"][0].update(test={}), "no test result"),
        (lambda r: r["runs"][0]["test"]["test"].update(accuracy=0.91), "do not follow"),
        (lambda r: r["runs"][0]["test"]["test"].update(interval=[0.8, 0.9]), "do not follow"),
        (lambda r: r["runs"][0]["test"]["test"].pop("loss"), "lacks"),
        (lambda r: r["checkpoint"].update(seed=5), "none of the runs'"),
        (lambda r: r["checkpoint"].update(sha256="c"), "lacks its hash"),
        (lambda r: r["config"].update(epochs=10**15), "epochs are not 1 to 1000000000000000"),
        (lambda r: r["config"].update(epochs="two"), "epochs are not 1 to two"),
        (lambda r: r["runs"][0]["test"]["test"].update(n=0), "90 correct of 0 is not possible"),
        (lambda r: r["runs"][0]["test"]["test"].update(n="many"), "wrong kind: TypeError"),
        (lambda r: r["runs"].append(3), "wrong kind: AttributeError"),
        (lambda r: r["data"].update(splits=[]), "wrong kind: AttributeError"),
        (lambda r: r.update(sketch=""), "'sketch' is missing or malformed"),
        (lambda r: r.update(trials=[{"arm": "a"}]), "'trials' is missing or malformed"),
    ],
)
def test_what_is_wrong_is_named(spoil, complaint):
    state = example()
    records.validate(state)
    spoil(state)
    with pytest.raises(ValueError, match=complaint):
        records.validate(state)


def test_an_arm_may_have_its_own_number_of_epochs():
    state = example()
    state["runs"][0]["arm"] = "longer"
    state["config"] |= {"epochs": 1, "arms": {"longer": {"epochs": 2}}}
    records.validate(state)
    state["config"]["arms"]["longer"]["epochs"] = 3
    with pytest.raises(ValueError, match="epochs are not 1 to 3"):
        records.validate(state)
    state["config"]["arms"] = ["longer"]  # forged: no arm has settings
    with pytest.raises(ValueError, match="epochs are not 1 to 1"):
        records.validate(state)


def test_a_record_is_written_whole_or_not_at_all(tmp_path):
    records.save(records.Record(**example()), tmp_path)
    before = (tmp_path / "example.json").read_bytes()
    broken = example()
    broken["config"]["lr"] = float("nan")  # JSON has no such number
    with pytest.raises(ValueError, match="JSON"):
        records.save(records.Record(**broken), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["example.json"]
    assert (tmp_path / "example.json").read_bytes() == before


def test_a_missing_record_lists_those_that_are_there(tmp_path):
    records.save(records.Record(**example()), tmp_path)
    with pytest.raises(ValueError, match=r"no record 'exampel'.*there are: example"):
        records.load("exampel", tmp_path)
    (tmp_path / "half.json").write_text('{"schema": 1,')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for name in ("half", "deep"):
        with pytest.raises(ValueError, match=rf"{name}\.json is not a record"):
            records.load(name, tmp_path)


def test_there_are_shipped_records():
    assert "resnet20_cifar10" in WITH_WEIGHTS


def test_arms_and_budgets_may_share_a_seed():
    state = example()
    run = state["runs"][0]
    state["runs"] = [run | {"arm": "max"}, run | {"arm": "average"}]
    records.validate(state)
    short = run | {"epochs": run["epochs"][:1], "budget": 1}
    state["runs"] = [short, run | {"budget": 2}]
    records.validate(state)
    state["runs"][0]["budget"] = 3
    with pytest.raises(ValueError, match="epochs are not 1 to 3"):
        records.validate(state)


def test_rows_of_numbers_are_lines_of_the_file(tmp_path):
    state = example()
    state["runs"][0]["confusion"] = [[5, 0], [-1, 2.5e-07]]
    state["command"] = "python [ 1, 2 ]"  # no list, but text
    record = records.Record(**state)
    text = records.save(record, tmp_path).read_text()
    assert "\n    [5, 0],\n    [-1, 2.5e-07]\n" in text
    assert records.load("example", tmp_path) == record


@pytest.mark.parametrize("name", SHIPPED)
class TestShipped:
    def test_is_valid_and_was_made_from_a_commit(self, name):
        record = records.load(name)
        assert record.profile == "full"
        assert record.git["dirty"] is False
        assert not {"/", "\\"} & set(record.command)

    def test_is_a_sketch_where_it_falls_short_of_what_a_claim_needs(self, name):
        record = records.load(name)
        assert record.sketch or not shortcomings(record)

    def test_the_architecture_is_still_the_same(self, name):
        record = records.load(name)
        classes = record.architecture.get("num_classes", 10)
        stated = [run | {"num_classes": classes} for run in record.runs if "arm" in run]
        for facts in stated or [record.architecture]:
            model = built(name, facts)
            assert fingerprint(model) == facts["fingerprint"]
            assert sum(p.numel() for p in model.parameters()) == facts["parameters"]


@pytest.mark.parametrize("name", WITH_WEIGHTS)
class TestShippedWeights:
    def test_the_checkpoint_is_the_recorded_file(self, name):
        facts = records.load(name).checkpoint
        path = records.results_folder() / facts["file"]
        assert path.stat().st_size == facts["bytes"] <= 5_000_000
        assert provenance.file_sha256(path) == facts["sha256"]

    def test_the_checkpoint_answers_as_it_did(self, name):
        record = records.load(name)
        model, facts = shipped_model(record)
        assert facts["architecture"] == record.architecture["name"]
        assert probe(model) == pytest.approx(record.checkpoint["probe"], abs=1e-3)

    @pytest.mark.slow
    def test_the_checkpoint_reaches_its_accuracy_again(self, name):
        record = records.load(name)
        model, facts = shipped_model(record)
        test_set = data.cifar10()[1]
        classes = json.loads(facts["classes"])
        if set(classes) <= set(test_set.classes):
            test_set = test_set.only(*classes)
        if test_set.sha256 != record.data["splits"]["test"]["sha256"]:
            pytest.skip(f"the data at hand are {test_set.name!r}, not {record.data['name']!r}")
        subset = test_set.subset(range(SUBSET))
        expected = record.checkpoint["subset"]
        assert subset.sha256 == expected["sha256"]
        mean, std = json.loads(facts["mean"]), json.loads(facts["std"])
        batches = data.DeviceBatches(subset, SUBSET, shuffle=False, mean=mean, std=std)
        result = evaluate(model, batches, device="cpu", precision="fp32")
        # Two pictures may lie so near the border that another CPU's rounding turns them.
        assert abs(result.correct - expected["correct"]) <= 2
        stated = record.runs[0]["test"]["test"]["interval"]
        assert result.accuracy == pytest.approx(sum(stated) / 2, abs=0.05)


def built(name, facts):
    """Build a recorded network: an arm of its experiment, or one of the registry."""
    if "arm" in facts:
        experiment = import_module(f"experiments.{name}").EXPERIMENT
        return experiment.arms[facts["arm"]].build(facts["num_classes"])
    return create_model(facts["name"], facts.get("num_classes", 10))


def shipped_model(record):
    """Return the model with its shipped weights, and the facts stored beside them."""
    facts = record.architecture
    model = create_model(facts["name"], facts.get("num_classes", 10))
    path = records.results_folder() / record.checkpoint["file"]
    return model, load_weights(path, model)


def test_the_example_is_complete():
    assert asdict(records.Record(**example())).keys() == example().keys()


def test_a_benchmark_is_what_its_file_says():
    (path,) = (records.results_folder().parent / "benchmarks/results").glob("networks.json")
    assert records.benchmark("networks") == json.loads(path.read_text())
    with pytest.raises(ValueError, match=r"no benchmark 'netwerks'.*networks"):
        records.benchmark("netwerks")
