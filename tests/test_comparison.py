"""Comparisons of networks: what the record says, what a stopped one keeps, the blocks by hand."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from cnnlib import data, provenance, records
from cnnlib.arithmetic import conv_parameters
from cnnlib.training import NonFiniteLossError, TrainConfig, load_checkpoint, train
from experiments import (
    alexnet_tricks,
    cifar10_fast,
    common,
    compared,
    comparison,
    fast_steps,
    fast_trials,
    residual_blocks,
    vgg_kernels,
)
from experiments.comparison import Comparison, Variant, slug


def linear(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))


def count_test_pictures(model, loader, parts):
    return {"seen": sum(len(labels) for _, labels in loader(parts["test"]))}


TINY = Comparison(
    name="tiny",
    variants={
        "as it is": Variant(linear),
        "slow, flipped": Variant(linear, {"flip": True}, {"lr": 0.001}),
    },
    config=TrainConfig(epochs=2, lr=0.01, device="cpu", precision="fp32"),
    batch_size=32,
    measure=count_test_pictures,
)


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch, tmp_path):
    """Draw the data set, and let everything be written into a folder of the test's own."""
    monkeypatch.setattr(data, "cifar10", lambda fallback: data.stand_in(train=300, test=50))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clean(monkeypatch):
    """Pretend that all is committed."""
    state = provenance.describe_run() | {"git": {"commit": "a" * 40, "dirty": False}}
    monkeypatch.setattr(provenance, "describe_run", lambda: state)
    return state


def full(comparison, tmp_path, monkeypatch, seeds=range(1)):
    """Run the whole comparison, its record kept out of the shipped ones."""
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path)
    return comparison.run("full", seeds)


def test_the_record_says_what_was_done(tmp_path, monkeypatch):
    record = full(TINY, tmp_path, monkeypatch, range(2))
    assert records.load("tiny", tmp_path) == record
    pairs = [(run["seed"], run["variant"]) for run in record.runs]
    assert pairs == [(seed, name) for seed in (0, 1) for name in ("as it is", "slow, flipped")]
    assert record.data["splits"]["train"]["n"] == 270
    assert record.config["variants"]["slow, flipped"] == {
        "augmentation": {"flip": True},
        "lr": 0.001,
    }
    for run in record.runs:
        assert run["parameters"] == 3072 * 10 + 10
        assert run["test"]["test"]["n"] == run["seen"] == 50
        assert len(run["epochs"]) == 2
    lrs = {run["variant"]: max(epoch["lr"] for epoch in run["epochs"]) for run in record.runs}
    assert lrs["as it is"] > 5 * lrs["slow, flipped"]


def test_a_variant_may_measure_something_of_its_own(tmp_path, monkeypatch):
    own = Variant(linear, measure=lambda *_: {"own": True})
    variants = {"as it is": Variant(linear), "measured": own}
    record = full(replace(TINY, variants=variants), tmp_path, monkeypatch)
    assert [set(run) & {"seen", "own"} for run in record.runs] == [{"seen"}, {"own"}]


def test_only_the_last_step_looks_six_times():
    measured = [each.measure for each in fast_steps.COMPARISON.variants.values()]
    assert measured == [None] * (len(fast_steps.STEPS) - 1) + [cifar10_fast.in_views]
    assert fast_steps.COMPARISON.measure is None


def test_a_short_run_says_so_and_is_short(tmp_path):
    record = TINY.run("short", range(1))
    assert records.load("tiny", tmp_path / "runs") == record
    assert record.profile == "short"
    assert all(len(run["epochs"]) == 1 for run in record.runs)


def test_an_ended_run_is_kept(tmp_path, monkeypatch, clean):
    growing = Variant(linear, {"size": {0: 32, 2: 32}})  # whose numbers JSON turns into text
    comparison = replace(TINY, variants=TINY.variants | {"growing": growing})
    first = full(comparison, tmp_path, monkeypatch)
    monkeypatch.setattr(Comparison, "one", lambda *_: pytest.fail("it ran again"))
    assert full(comparison, tmp_path, monkeypatch) == first


@pytest.mark.parametrize(
    "change", [{"batch_size": 64}, {"train": 100}, {"config": replace(TINY.config, lr=0.02)}]
)
def test_a_run_with_other_settings_is_not_kept(change, tmp_path, monkeypatch, clean):
    full(TINY, tmp_path, monkeypatch)
    ran = []
    one = Comparison.one
    monkeypatch.setattr(Comparison, "one", lambda *a: ran.append(a[1]) or one(*a))
    full(replace(TINY, **change), tmp_path, monkeypatch)
    assert "as it is" in ran


@pytest.mark.parametrize(
    "change", ["commit", "dirty", "crop", "batch_size"], ids=lambda change: f"other {change}"
)
def test_a_run_that_was_stopped_goes_on_from_the_same_commit_and_settings_only(
    change, tmp_path, monkeypatch, clean
):
    plan = replace(TINY, variants={"moved": Variant(linear, {"crop": 1})})
    begun_at = []

    def watched(model, batches, validation, config, *, checkpoint):
        records = train(model, batches, validation, config, checkpoint=checkpoint)
        begun_at.append(len(load_checkpoint(checkpoint)["history"]))
        return records

    def stop(*_):
        raise KeyboardInterrupt

    def stopped(plan):
        with monkeypatch.context() as patch:
            patch.setattr(comparison, "tested", stop)
            with pytest.raises(KeyboardInterrupt):
                full(plan, tmp_path, monkeypatch)

    monkeypatch.setattr(comparison, "train", watched)
    stopped(plan)
    stopped(plan)
    assert begun_at == [0, 2]
    if change in ("commit", "dirty"):
        clean["git"][change] = {"commit": "b" * 40, "dirty": True}[change]
    elif change == "crop":
        plan = replace(plan, variants={"moved": Variant(linear, {"crop": 2})})
    else:
        plan = replace(plan, batch_size=33)  # as many steps as before
    full(plan, tmp_path, monkeypatch)
    assert begun_at == [0, 2, 0]
    assert not list((tmp_path / "runs").rglob("*.pt"))


def test_a_variant_may_have_its_own_batches_and_be_prepared(tmp_path, monkeypatch):
    seen = []

    def remember(model, images):
        seen.append((model, images))

    own = Variant(linear, batch_size=90, prepare=remember)
    record = full(replace(TINY, variants={"own": own}), tmp_path, monkeypatch)
    assert record.config["variants"]["own"] == {
        "augmentation": {},
        "batch_size": 90,
        "prepared_by": "remember",
    }
    assert [epoch["steps"] for epoch in record.runs[0]["epochs"]] == [3, 3]  # of 270 pictures
    (model, images), *others = seen
    assert isinstance(model, nn.Module)
    assert not others
    assert images.shape == (270, 3, 32, 32)
    mean = images.mean((0, 2, 3))  # normalised as the pictures to learn from
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)


def test_a_batch_is_never_larger_than_the_training_set(tmp_path, monkeypatch):
    record = full(replace(TINY, batch_size=1000), tmp_path, monkeypatch)
    assert all(epoch["steps"] == 1 for run in record.runs for epoch in run["epochs"])


def test_a_run_of_uncommitted_code_is_not_kept(tmp_path, monkeypatch, clean):
    clean["git"]["dirty"] = True
    full(TINY, tmp_path, monkeypatch)
    ran = []
    one = Comparison.one
    monkeypatch.setattr(Comparison, "one", lambda *a: ran.append(a[1]) or one(*a))
    full(TINY, tmp_path, monkeypatch)
    assert ran == list(TINY.variants)


def folder_of(images, path):
    """Write pictures as a folder of PNG files, one half of them to learn from."""
    for i, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
        folder = path / ("train", "test")[i // 10 % 2] / images.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{i}.png")


def test_with_nothing_left_to_choose_all_training_pictures_are_learned_from(tmp_path):
    record = replace(TINY, held_out=False).run("short", range(1))
    whole, _ = data.stand_in(train=300, test=50)
    assert list(record.data["splits"]) == ["train", "test"]
    assert record.data["splits"]["train"]["sha256"] == whole.sha256
    for run in record.runs:
        assert [epoch["validation_accuracy"] for epoch in run["epochs"]] == [None]


def test_original_pixels_are_tested_too(tmp_path):
    drawn, _ = data.stand_in(train=60, test=1)
    folder_of(drawn, tmp_path / "pixels")
    plan = replace(TINY, variants={"guess": Variant(linear)})
    record = plan.run("short", range(1), tmp_path / "pixels")
    (found,) = record.runs
    assert list(found["test"]) == ["test", "original pixels"]
    assert record.data["splits"]["original pixels"]["n"] == 30
    assert found["test"]["original pixels"]["n"] == 30
    without = plan.run("short", range(1)).runs[0]
    assert without["test"] == {"test": found["test"]["test"]}


def test_original_pixels_of_other_classes_are_refused(tmp_path):
    drawn, _ = data.stand_in(train=60, test=1)
    folder_of(drawn.only("circle", "ring"), tmp_path / "pixels")
    with pytest.raises(ValueError, match="other classes"):
        TINY.run("short", range(1), tmp_path / "pixels")


def test_a_name_becomes_a_file():
    assert slug("two 3x3, no ReLU between") == "two-3x3-no-ReLU-between"


def test_every_block_of_vggs_question_sees_five_by_five_pixels():
    for name, layers in vgg_kernels.BLOCKS.items():
        block = vgg_kernels.block(layers).eval()
        convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        assert sum(c.kernel_size[0] - 1 for c in convolutions) + 1 == 5, name
        assert all(c.weight.shape[:2] == (64, 64) for c in convolutions)
        assert block(torch.randn(2, 64, 16, 16)).shape == (2, 64, 16, 16)


def test_the_two_small_kernels_have_18_numbers_for_25():
    def kernels(name):
        model = vgg_kernels.build(name)
        return sum(m.weight.numel() for m in model if isinstance(m, nn.Sequential) for m in m
                   if isinstance(m, nn.Conv2d))  # fmt: skip

    assert kernels("one 5x5") == 4 * conv_parameters(64, 64, 5, bias=False)
    assert kernels("two 3x3") == kernels("two 3x3, no ReLU between")
    assert kernels("two 3x3") / kernels("one 5x5") == 18 / 25


def test_without_a_relu_two_kernels_are_one():
    """Two convolutions in a row are a single one: 5x5, inside of the border."""
    first, second, *_ = vgg_kernels.block((3, 3))
    x = torch.randn(1, 64, 9, 9)
    both = F.conv2d(first.weight.transpose(0, 1), second.weight.flip(2, 3), padding=2)
    one = F.conv2d(x, both.transpose(0, 1))
    torch.testing.assert_close(second(first(x))[..., 2:-2, 2:-2], one, atol=1e-4, rtol=1e-4)


def test_what_is_kept_is_the_run_itself(tmp_path, monkeypatch, clean):
    record = full(TINY, tmp_path, monkeypatch)
    kept = json.loads((tmp_path / "runs" / "tiny-full" / "as-it-is-0.json").read_text())
    assert kept["run"] == json.loads(json.dumps(record.runs[0]))
    assert not list((tmp_path / "runs").rglob("*.pt"))


def test_alexnets_activations_learn_each_at_its_rate():
    rates = {"ReLU": 0.01, "tanh": 0.003, "sigmoid": 0.1}
    losses = {name: {str(rate): 1.0, "0.03": 1.5} for name, rate in rates.items()}
    plan = alexnet_tricks.comparison(losses)
    for name, rate in rates.items():
        config = plan.own_config(name, seed=1)
        assert (config.schedule, config.lr, config.seed) == ("constant", rate, 1)
    assert plan.own_config("dropout", seed=0).schedule == "one_cycle"
    assert plan.own_config("dropout", seed=0).lr == 0.01


def test_alexnets_tricks_come_one_at_a_time():
    def dropouts(name):
        return {m.p for m in alexnet_tricks.build(name).modules() if isinstance(m, nn.Dropout)}

    plan = alexnet_tricks.comparison({"ReLU": {"0.01": 1.0}})
    kinds = {"ReLU": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    for name, kind in kinds.items():
        assert sum(isinstance(m, kind) for m in alexnet_tricks.build(name).modules()) == 7
    for name, variant in plan.variants.items():
        assert dropouts(name) == ({0.5} if "dropout" in name else {0.0})
        assert bool(variant.augmentation) == ("augmentation" in name)


def test_the_rate_is_the_one_with_the_smallest_loss():
    assert alexnet_tricks.best({"0.003": 1.5, "0.01": 1.2, "0.1": None}) == 0.01


def test_trials_that_ended_are_kept(monkeypatch, clean):
    monkeypatch.setattr(alexnet_tricks, "trial", lambda name, rate, _: rate)
    first = alexnet_tricks.tried("full")
    monkeypatch.setattr(alexnet_tricks, "trial", lambda *_: pytest.fail("it tried again"))
    assert alexnet_tricks.tried("full") == first
    assert first["tanh"] == {str(rate): rate for rate in alexnet_tricks.RATES}


def test_a_trial_that_ends_early_is_never_the_best(monkeypatch):
    def explode(*_):
        raise NonFiniteLossError("the loss is nan")

    monkeypatch.setattr(Comparison, "trained", explode)
    assert alexnet_tricks.trial("ReLU", 0.1, "short") is None


def test_the_trials_are_in_the_record(monkeypatch, tmp_path):
    losses = {"ReLU": {"0.003": 1.2, "0.1": None}}
    plan = replace(alexnet_tricks.comparison(losses), variants={"tiny": Variant(linear)})
    assert plan.run("short", range(1)).config["trials"] == losses


@pytest.mark.parametrize("variant", residual_blocks.NETWORKS)
def test_a_network_without_a_block_has_its_shortcut_alone(variant):
    """Taking away block 4, of unchanged shape, gives what the network computes around it."""
    torch.manual_seed(0)
    model = residual_blocks.build(variant).eval()
    for block in (stage[i] for stage, i in residual_blocks.blocks(model)):
        nn.init.normal_(block.bn2.weight)  # where the branch begins at zero it would not count
    x, seen = torch.randn(2, 3, 32, 32), {}
    model.layer2[0].register_forward_hook(lambda _, __, out: seen.update(before=out.clone()))
    model(x)
    rest = nn.Sequential(model.layer2[2], model.layer3)(seen["before"])
    rest = model.norm(rest).relu() if variant == "pre-activation" else rest
    expected = model.fc(rest.mean((2, 3)))
    torch.testing.assert_close(residual_blocks.without(model, 4)(x), expected)
    assert not torch.allclose(model(x), expected)


def test_every_compared_network_takes_the_same_pictures():
    for name in compared.NETWORKS:
        assert compared.build(name).eval()(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_each_step_of_the_ladder_adds_what_it_is_called():
    steps = list(fast_steps.COMPARISON.variants.values())
    for (name, added), before, after in zip(
        list(fast_steps.STEPS.items())[1:], steps[:-1], steps[1:], strict=True
    ):
        old, new = ({**variant.settings(), **variant.build.keywords} for variant in (before, after))
        differ = {key for key in old | new if old.get(key) != new.get(key)}
        names = {"prepare": "prepared_by"}
        assert differ == {names.get(key, key) for key in added}, name


def test_the_last_step_is_the_recipe():
    *_, (name, last) = fast_steps.COMPARISON.variants.items()
    config = fast_steps.COMPARISON.own_config(name, seed=0)
    (recipe,) = cifar10_fast.COMPARISON.variants.values()
    assert (last.augmentation, last.prepare) == (recipe.augmentation, recipe.prepare)
    expected = replace(cifar10_fast.CONFIG, epochs=config.epochs)
    assert config == expected
    assert last.batch_size == cifar10_fast.COMPARISON.batch_size


def sides_seen(size, epochs):
    """Return the side of the pictures in each epoch of a training."""
    images, _ = data.stand_in(train=4, test=1)
    batches = data.DeviceBatches(images, 4, size=size)
    seen = []
    for epoch in range(1, epochs + 1):
        batches.set_epoch(epoch)
        ((pictures, _),) = batches
        seen.append(pictures.shape[-1])
    return seen


def test_pictures_that_grow_are_tried_at_no_more_work():
    trial = fast_trials.COMPARISON.variants["pictures that grow"]
    seen = sides_seen(trial.augmentation["size"], trial.changes["epochs"])
    assert seen == [24, 24, 28, 32]
    work = sum((side / 32) ** 2 for side in seen)  # in epochs of 32x32
    assert fast_trials.RECIPE.epochs - 0.2 < work <= fast_trials.RECIPE.epochs


def test_the_first_step_begins_with_torchs_own_kernels():
    stage = fast_steps.start(10, identity=False).stages[1]
    bound = 1 / math.sqrt(stage.conv1.in_channels * 9)  # torch draws from -bound to bound
    assert stage.conv1.weight.abs().max() <= bound
    assert fast_steps.start(10, identity=True).stages[1].conv1.weight.max() == 1


@pytest.mark.slow
def test_the_recipe_is_tested_in_views(tmp_path, monkeypatch):
    quick = replace(cifar10_fast.CONFIG, epochs=1, device="cpu", precision="fp32")
    record = full(replace(cifar10_fast.COMPARISON, config=quick), tmp_path, monkeypatch)
    (run,) = record.runs
    assert run["views"]["test"]["n"] == run["test"]["test"]["n"] == 50
    assert run["bf16_matrix_rate"] > 0
    assert record.config["variants"]["fastnet"]["prepared_by"] == "whiten"


def test_the_rate_is_that_of_the_fastest_product(monkeypatch):
    clock = iter([0.0, 3.0, 10.0, 12.0])  # seconds: one product of three, one of two
    monkeypatch.setattr(common.time, "perf_counter", lambda: next(clock))
    rate = common.matrix_rate(torch.device("cpu"), torch.float32, n=64, seconds=4)
    assert rate == 2 * 64**3 / 2  # a multiply-accumulate is two


@pytest.mark.slow
def test_trials_change_one_thing_and_never_see_a_test_picture(tmp_path, monkeypatch):
    quick = replace(fast_trials.COMPARISON.config, epochs=1, device="cpu", precision="fp32")
    guess, trial = "the recipe", "twice the weight decay"
    few = {name: fast_trials.COMPARISON.variants[name] for name in (guess, trial)}
    plan = replace(fast_trials.COMPARISON, config=quick, variants=few)
    record = full(plan, tmp_path, monkeypatch)
    assert "test" not in record.data["splits"]
    assert all(list(run["test"]) == ["validation"] for run in record.runs)
    for run in record.runs:  # what the last epoch saw in its own precision
        assert run["test"]["validation"]["accuracy"] == run["epochs"][-1]["validation_accuracy"]
    changed = record.config["variants"][trial]
    assert changed.pop("weight_decay") == 2 * fast_trials.RECIPE.weight_decay
    assert changed == record.config["variants"][guess]


def test_what_readies_a_network_counts_among_the_seconds():
    def slowly(model, images):
        time.sleep(0.5)

    plan = replace(TINY, variants={"readied": Variant(linear, prepare=slowly)})
    _, epochs = plan.trained("readied", plan.own_config("readied", 0), plan.load("short"))
    assert epochs[0]["seconds"] > 0.5
