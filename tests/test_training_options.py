"""The moving average of the weights, and what fp16 needs, against torch's own parts."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import create_model, data
from cnnlib.training import TrainConfig, evaluate, fit, load_checkpoint, loop, train

PLAIN = TrainConfig(epochs=3, lr=0.05, schedule="constant", device="cpu", precision="fp32")
HALF = replace(PLAIN, precision="fp16", channels_last=False)


def batches(n=24, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    images = scale * torch.randn(n, 2, 4, 4, generator=generator)
    return list(zip(images.split(8), (torch.arange(n) % 3).split(8), strict=True))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 3))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def steps_of(config):
    """Train without an average, and return the weights after each step."""
    model, seen = network(), []
    step = torch.optim.SGD.step

    def recorded(optimizer, *arguments):
        step(optimizer, *arguments)
        seen.append(weights(model))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", recorded)
        fit(model, batches(), config=config)
    return seen


class TestMovingAverage:
    def test_the_average_by_its_formula(self):
        model = network()
        fit(model, batches(), config=replace(PLAIN, ema=0.9))
        first, *others = steps_of(PLAIN)
        average = {name: tensor.double() for name, tensor in first.items()}
        for step in others:
            average = {name: 0.9 * average[name] + 0.1 * step[name] for name in average}
        for name, tensor in model.state_dict().items():
            if name != "0.num_batches_tracked":
                torch.testing.assert_close(tensor.double(), average[name], rtol=1e-5, atol=1e-6)

    def test_validation_and_caller_see_it_and_the_steps_do_not(self):
        model, held_out = network(), batches()
        plain = [record.train_loss for record in fit(network(), batches(), config=PLAIN)]
        for record in train(model, batches(), held_out, replace(PLAIN, ema=0.9)):
            seen = evaluate(model, held_out, device="cpu", precision="fp32")
            assert record.validation_loss == pytest.approx(seen.loss, rel=1e-6)
            assert record.train_loss == plain[record.epoch - 1]

    def test_after_break_the_model_holds_the_average(self):
        model, whole = network(), network()
        config = replace(PLAIN, ema=0.9)
        for record in train(model, batches(), config=config):
            if record.epoch == 2:
                break
        fit(whole, batches(), config=replace(config, epochs=2))
        assert same(weights(model), weights(whole))

    @pytest.mark.parametrize("stop", [1, 2, 3])
    def test_a_run_goes_on_to_the_bit(self, tmp_path, stop):
        config, path = replace(PLAIN, ema=0.9), tmp_path / "run.pt"
        for record in train(network(), batches(), config=config, checkpoint=path):
            if record.epoch == stop:
                break
        resumed, whole = network(), network()
        records = fit(resumed, batches(), config=config, checkpoint=path)
        fit(whole, batches(), config=config)
        assert len(records) == 3
        assert same(weights(resumed), weights(whole))
        assert same(load_checkpoint(path)["model"], weights(whole))  # what a reader will load

    @pytest.mark.parametrize("ema", [0, 1, -0.5, 1.5])
    def test_a_bad_decay_is_named(self, ema):
        with pytest.raises(ValueError, match=f"ema is {ema}"):
            TrainConfig(ema=ema)


def noise(seed=0):
    """Return 24 pictures of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 2, 4, 4), dtype=np.uint8)
    return data.ImageSet(pixels, np.arange(24) % 3, ("a", "b", "c"), "noise")


class TestTheSameBatches:
    """A run goes on with the batches that it began with, and with no others."""

    def served(self, images=None, **changes):
        options = {"batch_size": 8, "crop": 1, "mean": (0.5, 0.4), "std": (0.2, 0.3), "seed": 3}
        return data.DeviceBatches(images or noise(), **options | changes)

    def begun(self, path, batches):
        """Train for one epoch of three."""
        next(train(network(), batches, config=PLAIN, checkpoint=path))
        return path

    def test_with_the_same_ones_it_goes_on(self, tmp_path):
        path = self.begun(tmp_path / "run.pt", self.served())
        same_again = self.served(seed=np.int64(3), mean=np.array([0.5, 0.4]))
        assert len(fit(network(), same_again, config=PLAIN, checkpoint=path)) == 3

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"seed": 4}, r"batches\.seed was 3, is 4"),
            ({"crop": 2}, r"batches\.crop was 1, is 2"),
            ({"flip": True}, r"batches\.flip was False, is True"),
            ({"cutout": 2}, r"batches\.cutout was 0, is 2"),
            ({"padding_mode": "reflect"}, r"batches\.padding_mode was 'zeros', is 'reflect'"),
            ({"size": 3}, r"batches\.size was \[\], is \[\[0, 3\]\]"),
            ({"shuffle": False}, r"batches\.shuffle was True, is False"),
            ({"mean": (0.5, 0.3)}, r"batches\.mean was \[0\.5, 0\.4\], is \[0\.5, 0\.3\]"),
            ({"std": (0.2, 0.2)}, r"batches\.std was \[0\.2, 0\.3\], is \[0\.2, 0\.2\]"),
            ({"batch_size": 9}, r"batches\.batch_size was 8, is 9"),
            ({"images": noise(seed=1)}, r"batches\.digest was "),
        ],
    )
    def test_with_others_it_does_not(self, tmp_path, changes, said):
        path = self.begun(tmp_path / "run.pt", self.served())
        with pytest.raises(ValueError, match=said):
            train(network(), self.served(**changes), config=PLAIN, checkpoint=path)

    def test_with_none_that_say_what_they_are_neither(self, tmp_path):
        path = self.begun(tmp_path / "run.pt", self.served())
        with pytest.raises(ValueError, match=r"batches\.data was 'noise', is None"):
            train(network(), batches(), config=PLAIN, checkpoint=path)

    def test_facts_that_no_file_can_hold_do_no_harm(self, tmp_path):
        class Odd(list):
            def facts(self):
                return {"transform": print}

        path = self.begun(tmp_path / "run.pt", Odd(batches()))
        assert load_checkpoint(path)["batches"] == {}


class TestHalfPrecision:
    @pytest.mark.parametrize("stop", [1, 2])
    def test_a_run_goes_on_to_the_bit(self, tmp_path, stop):
        # Bright pictures halve the scale now and then: it has to be the same afterwards.
        model, resumed, path = network(), network(), tmp_path / "run.pt"
        model[0], resumed[0] = nn.Identity(), nn.Identity()
        bright, config = batches(scale=300.0), replace(HALF, lr=1e-4)
        half_way = copy.deepcopy(model)
        for record in train(half_way, bright, config=config, checkpoint=path):
            if record.epoch == stop:
                break
        assert load_checkpoint(path)["scaler"]["scale"] < 2**16
        fit(resumed, bright, config=config, checkpoint=path)
        fit(model, bright, config=config)
        assert same(weights(resumed), weights(model))

    @pytest.mark.parametrize(("then", "now"), [("bf16", "fp16"), ("fp16", "fp32")])
    def test_a_run_goes_on_where_auto_is_another_precision(self, tmp_path, monkeypatch, then, now):
        # As in a hosted notebook, which gives one GPU today and another one tomorrow.
        config, path = replace(PLAIN, precision="auto"), tmp_path / "run.pt"
        monkeypatch.setattr(loop, "pick_precision", lambda *_: then)
        next(train(network(), batches(), config=config, checkpoint=path))
        monkeypatch.setattr(loop, "pick_precision", lambda *_: now)
        records = fit(network(), batches(), config=config, checkpoint=path)
        assert [record.epoch for record in records] == [1, 2, 3]
        assert bool(load_checkpoint(path)["scaler"]) == (now == "fp16")

    def test_steps_equal_those_of_torchs_scaler(self):
        model, reference = network(), network()
        fit(model, batches(), config=replace(HALF, grad_clip=0.1))
        scaler = torch.amp.GradScaler("cpu")
        parts = [
            {"params": [p for p in reference.parameters() if p.ndim > 1], "weight_decay": 5e-4},
            {"params": [p for p in reference.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.SGD(parts, lr=PLAIN.lr, momentum=0.9, nesterov=True)
        for _ in range(PLAIN.epochs):
            for images, labels in batches():
                with torch.autocast("cpu", torch.float16):
                    logits = reference(images)
                optimizer.zero_grad()
                scaler.scale(F.cross_entropy(logits.float(), labels)).backward()
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(reference.parameters(), 0.1)
                scaler.step(optimizer)
                scaler.update()
        assert same(weights(model), weights(reference))

    def test_the_loss_is_scaled_for_the_way_back(self):
        # Torch begins with 65,536; the gradients of the network's output are that much larger.
        seen = []
        for config in (HALF, PLAIN):
            model = network()
            model.register_forward_hook(lambda module, x, y: y.register_hook(seen.append) and None)
            fit(model, batches()[:1], config=replace(config, epochs=1))
        assert 2**15 < seen[0].abs().max() / seen[1].abs().max() < 2**17

    def test_an_overflowed_step_is_left_out_and_the_scale_halved(self):
        # Pictures so bright that 65,536 times their gradient has no number in fp16.
        model, found = network(), []
        model[0] = nn.Identity()  # no BatchNorm, which would make them darker
        before = weights(model)
        update = torch.amp.GradScaler.update

        def recorded(scaler):
            update(scaler)
            found.append((scaler.get_scale(), same(before, weights(model))))

        bright = [(images * 1e4, labels) for images, labels in batches(8)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.amp.GradScaler, "update", recorded)
            fit(model, bright, config=replace(HALF, epochs=1))
        assert found == [(2.0**15, True)]

    def test_the_norm_that_is_clipped_is_the_unscaled_one(self):
        model, before = network(), network()
        options = {"momentum": 0.0, "weight_decay": 0.0, "lr": 1.0}
        config = replace(HALF, epochs=1, grad_clip=1e-2, **options)
        fit(model, batches()[:1], config=config)
        pairs = zip(model.parameters(), before.parameters(), strict=True)
        moved = torch.cat([(a - b).detach().flatten() for a, b in pairs])
        assert float(moved.norm()) == pytest.approx(1e-2, rel=1e-2)


def test_seeds_of_processes_differ():
    seeds = {loop._epoch_seed(0, epoch, rank) for epoch in range(10) for rank in range(10)}
    assert len(seeds) == 100


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_runs_with_one_seed_agree_to_the_bit(precision):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 3, 16, 16), dtype=np.uint8)
    images = data.ImageSet(pixels, np.arange(64) % 10, data.CIFAR10_CLASSES, "noise")

    def run(seed):
        torch.manual_seed(seed)
        model = nn.Sequential(create_model("resnet20"), nn.Dropout(0.2))
        served = data.DeviceBatches(images, 16, crop=2, flip=True, cutout=4, seed=seed)
        config = TrainConfig(epochs=2, device="cpu", precision=precision, ema=0.5, seed=seed)
        fit(model, served, config=config)
        return weights(model)

    once = run(seed=3)
    torch.rand(100)  # whatever happens between the runs draws from the same generator
    assert same(run(seed=3), once)
    assert not same(run(seed=4), once)
