"""The moving average of the weights, and what fp16 needs, against torch's own parts."""

from __future__ import annotations

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


class TestHalfPrecision:
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
        options = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "lr": 1.0}
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
