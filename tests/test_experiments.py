"""The experiments themselves: their networks by hand, and what each of them changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import data, records
from cnnlib.arithmetic import conv_parameters
from experiments import (
    alexnet_tricks,
    cifar10_fast,
    compared,
    fast_steps,
    fast_trials,
    fine_tuning,
    residual_blocks,
    resnet20_cifar10,
    resnet20_eight_classes,
    vgg_kernels,
)
from experiments.lab import Command, conduct


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    """Draw the data set."""
    monkeypatch.setattr(data, "cifar10", lambda fallback: data.stand_in(train=300, test=50))


def full(experiment, tmp_path):
    """Run the whole experiment, its record kept out of the shipped ones."""
    return conduct(experiment, Command("full", to=tmp_path))


@pytest.mark.slow
def test_the_capstone_records_how_each_epoch_leaves_it(tmp_path):
    quick = replace(resnet20_cifar10.EXPERIMENT.config, epochs=2, device="cpu")
    record = full(replace(resnet20_cifar10.EXPERIMENT, config=quick), tmp_path)
    assert records.load("resnet20_cifar10", tmp_path) == record
    assert record.architecture["name"] == "resnet20"
    (run,) = record.runs
    confusion = torch.tensor(run["confusion"])
    assert confusion.sum() == run["test"]["test"]["n"] == 50
    assert confusion.trace() == run["test"]["test"]["correct"]
    for epoch in run["epochs"]:
        assert torch.tensor(epoch["confusion"]).sum() == 30  # validation pictures
        assert torch.tensor(epoch["kernels"]).shape == (16, 27)
    first, last = (torch.tensor(epoch["kernels"]) for epoch in run["epochs"])
    assert not torch.equal(first, last)
    text = (tmp_path / "resnet20_cifar10.json").read_text()
    assert str(run["confusion"][0]) in text  # a row of the matrix is a line


def test_the_second_capstone_never_sees_what_the_first_one_teaches_it():
    eight, ten = resnet20_eight_classes.EXPERIMENT, resnet20_cifar10.EXPERIMENT
    assert eight.without == ("cat", "dog")
    assert replace(eight.config, epochs=60) == ten.config
    assert eight.arms == ten.arms


def named(images: data.ImageSet) -> data.ImageSet:
    """Return drawn pictures under CIFAR-10's names: only what is counted matters."""
    return data.ImageSet(images.images, images.labels, data.CIFAR10_CLASSES, images.name)


@pytest.fixture
def short_fine_tuning(monkeypatch):
    """Return the experiment in one epoch, on pictures of which some are called cats and dogs."""
    drawn = [named(images) for images in data.stand_in(train=2500, test=200)]
    monkeypatch.setattr(data, "cifar10", lambda fallback: drawn)
    config = replace(fine_tuning.EXPERIMENT.config, epochs=1, device="cpu", precision="fp32")
    return replace(fine_tuning.EXPERIMENT, config=config, rates=None)


def test_fine_tuning_learns_from_a_hundred_pictures_of_each_new_class(short_fine_tuning):
    parts = short_fine_tuning.load(Command("full"))
    assert fine_tuning.PAIR == ("cat", "dog")
    assert parts["train"].classes == parts["test"].classes == fine_tuning.PAIR
    assert torch.tensor(parts["train"].labels).bincount().tolist() == [100, 100]
    assert len(parts["familiar"]) == 160
    assert not set(parts["familiar"].classes) & set(fine_tuning.PAIR)
    images, _ = next(iter(short_fine_tuning.loader(parts)(parts["test"], 1)))
    mean, std = (torch.tensor(fine_tuning.NORMAL[name]).view(3, 1, 1) for name in ("mean", "std"))
    by_hand = (torch.from_numpy(parts["test"].images[0]) / 255 - mean) / std
    torch.testing.assert_close(images[0], by_hand)


def test_the_record_of_fine_tuning_is_the_sketch_that_it_declares():
    assert records.load("fine_tuning").sketch == fine_tuning.EXPERIMENT.sketch


@pytest.mark.slow
def test_the_fine_tuned_network_begins_with_the_weights_that_ship(short_fine_tuning, tmp_path):
    arm = short_fine_tuning.arms["fine-tuned"]
    tuned, known = arm.build(2), fine_tuning.knows_eight()
    assert torch.equal(tuned.layer3[2].conv2.weight, known.layer3[2].conv2.weight)
    assert tuned.fc.weight.shape == (2, 64)
    record = full(short_fine_tuning, tmp_path)
    random, begun = record.runs
    assert "after_looking" not in random
    looked = begun["after_looking"]
    assert looked["eval"]["n"] == looked["training"]["n"] == 160
    assert looked["eval"]["loss"] != looked["training"]["loss"]
    assert tuple(record.config["mean"]) == tuple(fine_tuning.NORMAL["mean"])


def test_alexnets_activations_learn_at_a_constant_rate_without_regularisation():
    for name in alexnet_tricks.ACTIVATIONS:
        config = alexnet_tricks.EXPERIMENT.own_config(name, seed=1)
        assert (config.schedule, config.weight_decay, config.seed) == ("constant", 0.0, 1)
    assert alexnet_tricks.EXPERIMENT.own_config("dropout", seed=0).schedule == "one_cycle"
    assert all(alexnet_tricks.EXPERIMENT.rates_of(arm) for arm in alexnet_tricks.EXPERIMENT.arms)


def test_alexnets_tricks_come_one_at_a_time():
    def dropouts(name):
        return {m.p for m in alexnet_tricks.build(name).modules() if isinstance(m, nn.Dropout)}

    kinds = {"ReLU": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    for name, kind in kinds.items():
        assert sum(isinstance(m, kind) for m in alexnet_tricks.build(name).modules()) == 7
    for name, arm in alexnet_tricks.EXPERIMENT.arms.items():
        assert dropouts(name) == ({0.5} if "dropout" in name else {0.0})
        assert bool(arm.augmentation) == ("augmentation" in name)
        assert arm.against == ("" if name in kinds else "bare")


def test_only_the_last_step_looks_six_times():
    measured = [each.measure for each in fast_steps.EXPERIMENT.arms.values()]
    assert measured == [None] * (len(fast_steps.STEPS) - 1) + [cifar10_fast.in_views]
    assert fast_steps.EXPERIMENT.measure is None


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
    steps = list(fast_steps.EXPERIMENT.arms.values())
    for (name, added), before, after in zip(
        list(fast_steps.STEPS.items())[1:], steps[:-1], steps[1:], strict=True
    ):
        old, new = ({**arm.settings(), **arm.build.keywords} for arm in (before, after))
        differ = {key for key in old | new if old.get(key) != new.get(key)} - {"network"}
        names = {"prepare": "prepared_by"}
        assert differ == {names.get(key, key) for key in added}, name


def test_the_last_step_is_the_recipe():
    *_, (name, last) = fast_steps.EXPERIMENT.arms.items()
    config = fast_steps.EXPERIMENT.own_config(name, seed=0)
    (recipe,) = cifar10_fast.EXPERIMENT.arms.values()
    assert (last.augmentation, last.prepare) == (recipe.augmentation, recipe.prepare)
    expected = replace(cifar10_fast.CONFIG, epochs=config.epochs)
    assert config == expected
    assert last.batch_size == cifar10_fast.EXPERIMENT.batch_size


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
    trial = fast_trials.EXPERIMENT.arms["pictures that grow"]
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
def test_the_recipe_is_tested_in_views(tmp_path):
    quick = replace(cifar10_fast.CONFIG, epochs=1, device="cpu", precision="fp32")
    record = full(replace(cifar10_fast.EXPERIMENT, config=quick), tmp_path)
    (run,) = record.runs
    assert run["views"]["test"]["n"] == run["test"]["test"]["n"] == 50
    assert run["bf16_matrix_rate"] > 0
    assert record.config["arms"]["fastnet"]["prepared_by"] == "whiten"


@pytest.mark.slow
def test_trials_change_one_thing_and_never_see_a_test_picture(tmp_path):
    quick = replace(fast_trials.EXPERIMENT.config, epochs=1, device="cpu", precision="fp32")
    guess, trial = "the recipe", "twice the weight decay"
    few = {name: fast_trials.EXPERIMENT.arms[name] for name in (guess, trial)}
    plan = replace(fast_trials.EXPERIMENT, config=quick, arms=few)
    record = full(plan, tmp_path)
    assert "test" not in record.data["splits"]
    assert all(list(run["test"]) == ["validation"] for run in record.runs)
    for run in record.runs:  # what the last epoch saw in its own precision
        assert run["test"]["validation"]["accuracy"] == run["epochs"][-1]["validation_accuracy"]
    changed = record.config["arms"][trial]
    assert changed.pop("weight_decay") == 2 * fast_trials.RECIPE.weight_decay
    assert changed == record.config["arms"][guess]
