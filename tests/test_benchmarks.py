"""The benchmarks of training run, on few pictures; what they have recorded holds what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice, pairwise, takewhile

import numpy as np
import pytest
import torch

from benchmarks import shipped_networks, time_to_accuracy, training_steps, training_throughput
from benchmarks.recording import RESULTS, conditions
from cnnlib import data, records
from cnnlib.models import create_model
from cnnlib.prediction import load_model
from experiments import cifar10_fast

COMPUTED = ["networks", "shipped_networks", "training_steps", "training_throughput"]


@pytest.fixture
def few():
    """Return the parts of a data set that a training of seconds needs."""
    train, test = data.stand_in(train=256, test=64)
    return {"train": train, "validation": test}


def recorded(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", COMPUTED)
def test_a_result_names_its_device_and_versions(name):
    result = recorded(name)
    assert result["device"]["name"]
    assert result["versions"]["torch"]
    assert result["precision"] in ("bf16", "fp16", "fp32")


@pytest.mark.parametrize("name", ["training_steps", "training_throughput"])
def test_what_was_timed_were_photographs(name):
    assert recorded(name)["data"].startswith("CIFAR-10")


def test_augmentation_takes_little_of_a_step():
    networks = recorded("training_throughput")["networks"]
    assert set(networks) == set(training_throughput.NETWORKS)
    for found in networks.values():
        assert found["augmentation_share"] <= training_throughput.AUGMENTATION_AT_MOST


def test_ratios_follow_from_the_speeds():
    for found in recorded("training_throughput")["networks"].values():
        speed = {side: each["images_per_second"] for side, each in found["sides"].items()}
        textbook = max(speed[side] for side in training_throughput.TEXTBOOK)
        for side, each in found["sides"].items():
            assert each["ratio"] == pytest.approx(speed[side] / textbook, rel=2e-3)
            least, most = each["ratio_of_turns"]
            assert least <= each["ratio"] <= most
    steps = recorded("training_steps")["steps"]
    assert [each["step"] for each in steps] == list(training_steps.STEPS)
    for before, each in pairwise(steps):
        ratio = each["images_per_second"] / before["images_per_second"]
        assert each["ratio_to_step_before"] == pytest.approx(ratio, rel=2e-3)


def test_a_missed_aim_is_named():
    sides = {"cnnlib": {"ratio": 2.2}, "cnnlib, compiled": {"ratio": 2.69}}
    found = {"sides": sides, "augmentation_share": 0.081}
    assert training_throughput.missed(found) == [
        "cnnlib, compiled: 2.69 times the textbook, 2.7 wanted",
        "augmentation: 8.1% of a step, 8% at most",
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_textbook_loop_learns(few, workers):
    images = few["train"]
    loader = torch.utils.data.DataLoader(
        training_throughput.PILPictures(images), 64, shuffle=True, num_workers=workers
    )
    torch.manual_seed(0)
    model = create_model("simple_cnn", num_classes=10, image_size=32)
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seconds = training_throughput.textbook_epoch(model, loader, optimizer, torch.device("cpu"))
    assert seconds > 0
    assert all((p != before[name]).any() for name, p in model.named_parameters())


@pytest.mark.slow
def test_every_step_before_compiling_trains(monkeypatch, few):
    monkeypatch.setattr(training_steps, "pictures", lambda *_: few["train"].subset(slice(128)))
    for step in takewhile(lambda step: step != "compiled", training_steps.STEPS):
        assert next(training_steps.epochs_of(step, 128)) > 0


def test_pictures_moved_alone_are_crops_of_padded_ones(few):
    images = few["train"].subset(slice(8))
    batches = training_steps.OneByOne(images, 8, torch.device("cpu"))
    ((served, labels),) = list(batches)
    mean, std = (torch.tensor(t).view(3, 1, 1) for t in (training_steps.MEAN, training_steps.STD))
    served = ((served * std + mean) * 255).round().byte().numpy()
    padded = np.pad(images.images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    for image, label in zip(served, labels, strict=True):
        crops = (
            crop[..., ::turn]
            for whole in padded[images.labels == label.item()]
            for crop in (whole[:, i : i + 32, j : j + 32] for i in range(9) for j in range(9))
            for turn in (1, -1)
        )
        assert any(np.array_equal(image, crop) for crop in crops)


def test_flops_are_those_of_the_layers_by_hand():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten())
    forward = 2 * 30 * 30 * 8 * 27  # the first layer has no gradient of its input to compute
    assert training_throughput.flops_per_image(model) == 2 * forward


def quick(monkeypatch):
    """Train the recipes for one epoch, without half precision, which is slow at this size."""
    config = replace(cifar10_fast.CONFIG, precision="fp32", device="cpu")
    experiment = replace(cifar10_fast.EXPERIMENT, config=config, batch_size=64)
    monkeypatch.setattr(time_to_accuracy.cifar10_fast, "EXPERIMENT", experiment)
    budgets = {recipe: (name, 1) for recipe, (name, _) in time_to_accuracy.RECIPES.items()}
    monkeypatch.setattr(time_to_accuracy, "RECIPES", budgets)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", time_to_accuracy.RECIPES)
def test_a_recipe_says_how_far_it_came(monkeypatch, few, recipe):
    quick(monkeypatch)
    found = time_to_accuracy.until_the_target(recipe, few, seed=0)
    assert found["epochs"] == len(found["accuracies"]) == 1
    assert found["reached"] == (found["accuracies"][0] >= time_to_accuracy.TARGET)
    network, _ = time_to_accuracy.RECIPES[recipe]
    flops = training_throughput.flops_per_image(create_model(network))
    assert found["flops"] == 256 * flops
    assert found["seconds"] > 0


def test_a_recipe_ends_when_it_is_there(monkeypatch, few):
    arriving = iter([(1.0, 0.5), (2.0, 0.85), (3.0, 0.9)])
    monkeypatch.setattr(time_to_accuracy, "progress", lambda *_: arriving)
    found = time_to_accuracy.until_the_target("default", few, seed=0)
    assert (found["reached"], found["epochs"], found["seconds"]) == (True, 2, 2.0)
    step = training_throughput.flops_per_image(create_model("resnet20"))
    assert found["flops"] == 2 * 256 * step
    assert list(islice(arriving, 1)) == [(3.0, 0.9)]  # not asked for


def test_the_summary_compares_with_the_first_recipe():
    def run(reached, epochs, seconds, flops):
        return {"reached": reached, "epochs": epochs, "seconds": seconds, "flops": flops}

    runs = {
        "textbook": [run(True, 10, 90.0, 2e12), run(True, 12, 110.0, 4e12)],
        "fast": [run(True, 3, 20.0, 9e12), run(False, 3, 30.0, 9e12)],
    }
    assert list(time_to_accuracy.summary(runs)) == [
        "textbook  reached after 11.0 epochs, 100 s, 3 TFLOP: 1.00 times as fast",
        "fast      NOT REACHED after 3.0 epochs, 25 s, 9 TFLOP: 4.00 times as fast",
    ]


@pytest.fixture(scope="module")
def shipped():
    """Return the shipped ResNet-20."""
    record = records.load(shipped_networks.RECORD)
    return load_model(records.results_folder() / record.checkpoint["file"]).eval()


def test_a_cat_detector_is_as_good_as_the_pairs_it_gets_right(shipped):
    images = data.stand_in(1, 60)[1]
    found = shipped_networks.cat_detectors(shipped, images)
    (batch,) = shipped_networks.served(images)
    with torch.no_grad():
        opinion = shipped(batch).softmax(dim=1)[:, 3]
        channels = torch.relu(shipped.bn1(shipped.conv1(batch)))
    cats, others = opinion[images.labels == 3], opinion[images.labels != 3]
    assert found["network"] == pytest.approx((cats[:, None] > others).double().mean())
    assert found["first_layer"] >= 0.5
    for channel, share in zip(channels.swapaxes(0, 1), found["positive"], strict=True):
        assert share == pytest.approx((channel > 0).double().mean())


def test_turns_are_counted_on_the_middle_of_each_picture(shipped):
    images = data.stand_in(1, 60)[1]
    found = shipped_networks.turns(shipped, images)
    (batch,) = shipped_networks.served(images)
    with torch.no_grad():
        said = shipped(batch[..., 4:28, 4:28]).argmax(dim=1).numpy()
    assert found["accuracy"]["straight"] == pytest.approx((said == images.labels).mean())
    for name, (lost, half) in found["points_lost"].items():
        straight, turned = (found["accuracy"][each] for each in ("straight", name))
        assert lost == pytest.approx(100 * (straight - turned))
        assert half > 0


def test_what_was_measured_of_shipped_weights_is_of_those_that_ship():
    record, found = records.load(shipped_networks.RECORD), recorded("shipped_networks")
    assert found["weights"] == record.checkpoint["sha256"]
    assert found["sha256"] == record.data["splits"]["test"]["sha256"]
    assert found["data"].startswith("CIFAR-10")
    tuned = records.load("fine_tuning").config["arms"]["fine-tuned"]["network"]
    assert records.load("resnet20_eight_classes").checkpoint["sha256"] in tuned


def test_settings_that_change_the_speed_are_named(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    assert conditions()["settings"]["MALLOC_TOP_PAD_"] == "1"
