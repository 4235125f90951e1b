"""`cnnlib.training` against hand-written loops, hand-worked numbers, and a series of accidents."""

from __future__ import annotations

import math
import os
import pickle
import random
import re
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import memory, training
from cnnlib.training import (
    EpochRecord,
    NonFiniteLossError,
    TrainConfig,
    collect_logits,
    evaluate,
    fit,
    load_checkpoint,
    load_weights,
    loop,
    lr_at,
    pick_device,
    pick_precision,
    processes,
    remove_checkpoint,
    save_weights,
    train,
)
from cnnlib.training.checkpoints import previous

PLAIN = TrainConfig(epochs=3, lr=0.05, schedule="constant", device="cpu", precision="fp32")


def pictures(n=20, classes=3, seed=0):
    """Return n little pictures with labels that a linear model can learn."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    images = 0.3 * torch.randn(n, 2, 4, 4, generator=generator)
    images[torch.arange(n), 0, labels, labels] += 2.0
    return images, labels


def in_batches(images, labels, size=8):
    return list(zip(images.split(size), labels.split(size), strict=True))


def linear_model(classes=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(32, classes))


def same_weights(a, b):
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


class TestSchedules:
    def test_step_is_the_published_one(self):
        config = TrainConfig(schedule="step", lr=0.1)
        rates = [lr_at(step, 100, config) for step in (0, 49, 50, 74, 75, 99)]
        assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])

    def test_one_cycle_worked_by_hand(self):
        # Ten steps, four of them warm-up: up by quarters, then down by sixths.
        config = TrainConfig(schedule="one_cycle", lr=1.0, warmup=0.4)
        rates = [lr_at(step, 10, config) for step in range(10)]
        up, down = [1 / 4, 2 / 4, 3 / 4, 1], [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
        assert rates == pytest.approx(up + down)

    def test_cosine_worked_by_hand(self):
        config = TrainConfig(schedule="cosine", lr=2.0, warmup=0.0)
        rates = [lr_at(step, 4, config) for step in range(4)]
        assert rates == pytest.approx([2, 1 + math.sqrt(0.5), 1, 1 - math.sqrt(0.5)])

    @pytest.mark.parametrize("schedule", training.SCHEDULES)
    @pytest.mark.parametrize("warmup", [0.0, 0.17, 0.99])
    @pytest.mark.parametrize("total", [1, 7, 100])
    def test_every_rate_is_positive_and_at_most_the_peak(self, schedule, warmup, total):
        config = TrainConfig(schedule=schedule, warmup=warmup, lr=0.3)
        rates = [lr_at(step, total, config) for step in range(total)]
        assert all(0 < rate <= 0.3 + 1e-12 for rate in rates)

    @pytest.mark.parametrize("step", [-1, 10])
    def test_a_step_outside_the_run_is_refused(self, step):
        with pytest.raises(ValueError, match=str(step)):
            lr_at(step, 10, TrainConfig())


class TestConfig:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("epochs", 0),
            ("epochs", 2.5),
            ("epochs", True),
            ("lr", 0.0),
            ("lr", float("nan")),
            ("lr", "0.1"),
            ("schedule", "cycle"),
            ("schedule", ["cosine"]),
            ("warmup", 1.0),
            ("warmup", "0.2"),
            ("optimizer", "adam"),
            ("momentum", 1.0),
            ("momentum", "0.9"),
            ("kernel_lr", 0.0),
            ("kernel_lr", "0.05"),
            ("weight_decay", -1e-4),
            ("weight_decay", float("inf")),
            ("weight_decay", None),
            ("label_smoothing", 1.0),
            ("label_smoothing", [0.1]),
            ("grad_clip", 0.0),
            ("grad_clip", "1"),
            ("ema", "0.999"),
            ("device", 0),
            ("precision", "float32"),
            ("precision", ["fp32"]),
            ("channels_last", "yes"),
            ("compile", None),
            ("seed", 0.5),
            ("seed", "0"),
        ],
    )
    def test_a_bad_value_is_named(self, name, value):
        with pytest.raises(ValueError, match=re.escape(f"{name} is {value!r}; it must be ")):
            TrainConfig(**{name: value})

    def test_an_unknown_device_is_named(self):
        with pytest.raises(ValueError, match=r"'tpu'.*'auto'"):
            pick_device("tpu")

    @pytest.mark.parametrize(
        ("capability", "expected"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")]
    )
    def test_a_gpu_gets_the_precision_that_it_computes_in(self, monkeypatch, capability, expected):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        assert pick_precision("auto", torch.device("cuda")) == expected

    @pytest.mark.parametrize(
        ("capabilities", "expected"),
        [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
    )
    def test_a_cpu_gets_the_precision_that_it_computes_in(
        self, monkeypatch, capabilities, expected
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
        assert pick_precision("auto", torch.device("cpu")) == expected


class TestTraining:
    def test_equals_a_loop_written_out_with_torch(self):
        batches = in_batches(*pictures())
        model, reference = linear_model(), linear_model()
        config = replace(PLAIN, schedule="step", weight_decay=0.01, label_smoothing=0.1)
        records = fit(model, batches, config=config)

        weight, bias = reference[1].weight, reference[1].bias
        optimizer = torch.optim.SGD(
            [{"params": [weight], "weight_decay": 0.01}, {"params": [bias], "weight_decay": 0.0}],
            lr=0.05,
            momentum=0.9,
            nesterov=True,
        )
        step, losses = 0, []
        for _ in range(3):
            for images, labels in batches:
                for group in optimizer.param_groups:
                    group["lr"] = 0.05 * (1 if step < 4.5 else 0.1 if step < 6.75 else 0.01)
                loss = F.cross_entropy(reference(images), labels, label_smoothing=0.1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item() * len(labels))
                step += 1
        assert same_weights(model, reference)
        assert [r.train_loss for r in records] == pytest.approx(
            [sum(losses[i : i + 3]) / 20 for i in (0, 3, 6)], rel=1e-5
        )

    def test_adamw_equals_torchs(self):
        batches = in_batches(*pictures())
        model, reference = linear_model(), linear_model()
        fit(model, batches, config=replace(PLAIN, epochs=1, optimizer="adamw", weight_decay=0.1))
        optimizer = torch.optim.AdamW(
            [
                {"params": [reference[1].weight], "weight_decay": 0.1},
                {"params": [reference[1].bias], "weight_decay": 0.0},
            ],
            lr=0.05,
        )
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(reference(images), labels).backward()
            optimizer.step()
        assert same_weights(model, reference)

    @pytest.mark.parametrize("schedule", training.SCHEDULES)
    def test_the_optimizer_steps_at_the_scheduled_rates(self, monkeypatch, schedule):
        config, rates = replace(PLAIN, schedule=schedule), []
        step = torch.optim.SGD.step

        def noted(optimizer, *arguments):
            rates.append({group["lr"] for group in optimizer.param_groups})
            step(optimizer, *arguments)

        monkeypatch.setattr(torch.optim.SGD, "step", noted)
        records = fit(linear_model(), in_batches(*pictures()), config=config)
        expected = [lr_at(i, 9, config) for i in range(9)]
        assert [rate for (rate,) in rates] == pytest.approx(expected)
        assert [record.lr for record in records] == pytest.approx(expected[2::3])

    def test_freed_memory_is_kept_while_it_trains_and_given_back_after(self, monkeypatch):
        calls = []
        for name in ("keep", "give_back"):
            monkeypatch.setattr(memory, name, lambda name=name: calls.append(name))
        for record in train(linear_model(), in_batches(*pictures()), config=PLAIN):
            calls.append(record.epoch)
        assert calls == ["keep", 1, 2, 3, "give_back"]

    def test_clipping_bounds_the_step(self):
        batches = in_batches(*pictures(8), size=8)
        model, before = linear_model(), linear_model()
        config = replace(PLAIN, epochs=1, momentum=0.0, weight_decay=0.0, grad_clip=1e-3, lr=1.0)
        fit(model, batches, config=config)
        moved = [
            (a - b).detach() for a, b in zip(model.parameters(), before.parameters(), strict=True)
        ]
        norm = torch.sqrt(sum((m.double() ** 2).sum() for m in moved))
        assert float(norm) == pytest.approx(1e-3, rel=1e-3)

    def test_learns_and_counts_every_picture_once(self):
        images, labels = pictures(60)
        batches = in_batches(images, labels, size=7)  # the last batch is shorter
        records = fit(linear_model(), batches, batches, replace(PLAIN, epochs=20))
        assert [record.epoch for record in records] == list(range(1, 21))
        assert records[-1].steps == 9
        assert records[-1].train_accuracy > 0.95 > records[0].train_accuracy
        assert records[-1].validation_accuracy > 0.95

    def test_the_train_accuracy_is_weighted_by_pictures(self):
        # A frozen answer "class 0": right on 5 of 6 pictures, in batches of 5 and of 1.
        class AlwaysZero(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(1))

            def forward(self, x):
                logits = torch.tensor([10.0, 0.0]).repeat(len(x), 1)
                return logits + 0 * self.weight

        labels = torch.tensor([0, 0, 0, 0, 0, 1])
        batches = in_batches(torch.zeros(6, 1, 2, 2), labels, size=5)
        (record,) = fit(AlwaysZero(), batches, config=replace(PLAIN, epochs=1))
        assert record.train_accuracy == pytest.approx(5 / 6)
        right, wrong = math.log1p(math.exp(-10)), 10 + math.log1p(math.exp(-10))
        assert record.train_loss == pytest.approx((5 * right + wrong) / 6, rel=1e-5)

    def test_channels_last_gives_the_same_numbers_in_another_order(self):
        def trained(channels_last):
            torch.manual_seed(0)
            layers = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3)
            model, strides = nn.Sequential(*layers), set()

            def note(module, inputs):
                strides.add((inputs[0].stride()[1:], module.weight.stride()))

            model[0].register_forward_pre_hook(note)
            fit(model, in_batches(*pictures()), config=replace(PLAIN, channels_last=channels_last))
            return list(model.parameters()), strides

        # Two channels of 4x4, and four kernels of two channels, 3x3: by hand.
        last, strides = trained(channels_last=True)
        assert strides == {((1, 8, 2), (18, 1, 6, 2))}
        first, strides = trained(channels_last=False)
        assert strides == {((16, 4, 1), (18, 9, 3, 1))}
        for a, b in zip(last, first, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("precision", ["bf16", "fp16"])
    def test_a_lower_precision_stays_near_fp32(self, precision):
        batches = in_batches(*pictures(60))
        finals = {}
        for name in ("fp32", precision):
            config = replace(PLAIN, epochs=5, precision=name)
            finals[name] = fit(linear_model(), batches, config=config)[-1].train_loss
        assert finals[precision] == pytest.approx(finals["fp32"], rel=0.05)
        assert finals[precision] != finals["fp32"]  # so the lower precision was really used

    @pytest.mark.slow
    def test_compiling_keeps_the_names_and_the_numbers(self):
        batches = in_batches(*pictures(16))  # batches of one size: one compilation
        model, reference = linear_model(), linear_model()
        torch._dynamo.utils.counters.clear()
        fit(model, batches, config=replace(PLAIN, epochs=1, compile=True))
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
        fit(reference, batches, config=replace(PLAIN, epochs=1))
        assert list(model.state_dict()) == ["1.weight", "1.bias"]
        torch.testing.assert_close(model[1].weight, reference[1].weight, rtol=1e-4, atol=1e-6)

    def test_early_stopping_is_break(self):
        seen = []
        for record in train(linear_model(), in_batches(*pictures()), config=PLAIN):
            seen.append(record.epoch)
            if record.epoch == 2:
                break
        assert seen == [1, 2]

    def test_dropout_does_not_depend_on_what_the_caller_draws(self):
        def run(disturb):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 3))
            for _ in train(model, in_batches(*pictures()), config=PLAIN):
                if disturb:
                    torch.rand(3)
            return model

        assert same_weights(run(disturb=False), run(disturb=True))

    def test_epoch_and_seed_are_mixed(self):
        seeds = {loop._epoch_seed(seed, epoch) for seed in range(20) for epoch in range(20)}
        assert len(seeds) == 400

    def test_a_record_prints_as_one_line(self):
        record = EpochRecord(3, 10, 0.1, 1.25, 0.5, None, None, 1.0, 100.0)
        assert str(record) == "epoch   3  train  50.0% loss 1.250"
        assert str(replace(record, validation_loss=2.0, validation_accuracy=0.25)).endswith(
            "validation  25.0% loss 2.000"
        )


class TestEvaluation:
    def test_counts_by_hand_and_leaves_the_mode(self):
        # Logits are the first two pixels, so the greater one is the answer: 3 of 4 are right.
        images = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 4.0], [0.0, 3.0]]).view(4, 1, 1, 2)
        labels = torch.tensor([0, 1, 1, 1])
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9)).train()
        result = evaluate(model, in_batches(images, labels, 3), device="cpu", precision="fp32")
        assert (result.n, result.correct, result.accuracy) == (4, 3, 0.75)
        losses = [math.log1p(math.exp(x)) for x in (-1, -1, 1, -3)]
        assert result.loss == pytest.approx(sum(losses) / 4, rel=1e-6)
        assert model.training
        assert model[1].training

    def test_the_mode_survives_an_error(self):
        model = nn.Sequential(nn.Flatten(), nn.Linear(99, 2)).train()
        with pytest.raises(RuntimeError):
            evaluate(model, in_batches(*pictures()), device="cpu")
        assert model.training

    def test_no_pictures(self):
        for measure in (evaluate, collect_logits):
            with pytest.raises(ValueError, match="no picture"):
                measure(linear_model(), [], device="cpu")

    def test_logits_come_in_order(self):
        images, labels = pictures()
        model = linear_model()
        logits, found = collect_logits(
            model, in_batches(images, labels), device="cpu", precision="fp32"
        )
        assert torch.equal(found, labels)
        torch.testing.assert_close(logits, model(images).detach())


class TestBadInput:
    def test_nothing_to_train_on(self):
        with pytest.raises(ValueError, match="smaller batch size"):
            train(linear_model(), [], config=PLAIN)

    def test_everything_frozen(self):
        with pytest.raises(ValueError, match="frozen"):
            train(linear_model().requires_grad_(False), in_batches(*pictures()), config=PLAIN)

    def test_a_label_outside_the_classes(self):
        images, labels = pictures()
        labels[13] = 7
        with pytest.raises(ValueError, match=r"label is 7.*0 to 2"):
            fit(linear_model(), in_batches(images, labels), config=PLAIN)

    def test_out_of_memory_names_a_batch_size(self):
        class Hungry(nn.Linear):
            def forward(self, x):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        with pytest.raises(MemoryError, match=r"8 pictures.*batch size of 4, and halve"):
            fit(Hungry(1, 1), in_batches(*pictures()), config=PLAIN)
        with pytest.raises(MemoryError, match=r"20 pictures.*batch size of 10\.$"):
            evaluate(Hungry(1, 1), in_batches(*pictures(), size=20), device="cpu")

    def test_a_network_that_is_too_large_is_said_to_be(self, monkeypatch):
        def full(*_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        model = linear_model()
        monkeypatch.setattr(nn.Module, "to", full)
        with pytest.raises(MemoryError, match="network does not fit into the memory of cpu"):
            fit(model, in_batches(*pictures()), config=PLAIN)

    def test_out_of_memory_in_the_optimizer_names_a_batch_size_too(self, monkeypatch):
        def full(optimizer, *_):  # as torch says it on Windows
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 2")

        monkeypatch.setattr(torch.optim.AdamW, "step", full)
        config = replace(PLAIN, optimizer="adamw")
        with pytest.raises(MemoryError, match="batch size of 4"):
            fit(linear_model(), in_batches(*pictures()), config=config)

    def test_out_of_memory_counts_the_pictures_of_all_processes(self, monkeypatch):
        class Hungry(nn.Linear):
            def forward(self, x):
                assert len(x) == 2
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        monkeypatch.setattr(processes, "share", lambda batch: batch[:2])
        with pytest.raises(MemoryError, match=r"8 pictures.*batch size of 4"):
            fit(Hungry(1, 1), in_batches(*pictures()), config=PLAIN)

    def test_any_other_error_passes_through(self):
        model = nn.Sequential(nn.Flatten(), nn.Linear(99, 2))
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            fit(model, in_batches(*pictures()), config=PLAIN)


class TestSurvival:
    def test_a_non_finite_loss_stops_and_keeps_the_last_checkpoint(self, tmp_path):
        images, labels = pictures(40)
        good, bad = in_batches(images, labels), in_batches(images.clone(), labels)
        bad[2][0][0, 0, 0, 0] = float("nan")

        class TurnsBad(list):
            def set_epoch(self, epoch):
                self[:] = bad if epoch == 2 else good

        path = tmp_path / "run.pt"
        run = train(linear_model(), TurnsBad(good), config=PLAIN, checkpoint=path)
        next(run)
        after_one = path.read_bytes()
        where = r"nan at step 8 of 15 .epoch 2, batch 3 of 5, learning rate 0\.05"
        with pytest.raises(NonFiniteLossError, match=where):
            next(run)
        assert path.read_bytes() == after_one

    @pytest.mark.slow
    def test_ten_kills_at_random_steps_change_no_bit(self, tmp_path):
        script = Path(__file__).with_name("killed_run.py")

        def run(checkpoint, *kills):
            command = [sys.executable, script, checkpoint, *map(str, kills)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            return done.stdout.split()

        weights, ended = run(tmp_path / "undisturbed.pt")
        assert (len(weights), ended) == (64, "0")
        draw = random.Random(11)
        # Five steps an epoch: some kills come before an epoch is done, some after one or two.
        kills = [draw.randrange(0, 7) for _ in range(10)]
        killed = run(tmp_path / "killed.pt", *kills)
        assert killed == [str(-signal.SIGKILL)] * 10 + [weights, "0"]

    def test_ctrl_c_leaves_a_checkpoint_from_which_the_run_goes_on(self, tmp_path):
        batches = in_batches(*pictures())

        class Interrupted(list):
            drawn = 0

            def __iter__(self):
                for batch in list.__iter__(self):
                    self.drawn += 1
                    if self.drawn == 5:
                        raise KeyboardInterrupt
                    yield batch

        path = tmp_path / "run.pt"
        model = linear_model()
        with pytest.raises(KeyboardInterrupt):
            fit(model, Interrupted(batches), config=PLAIN, checkpoint=path)
        resumed, undisturbed = linear_model(seed=9), linear_model()
        records = fit(resumed, batches, config=PLAIN, checkpoint=path)
        reference = fit(undisturbed, batches, config=PLAIN)
        assert same_weights(resumed, undisturbed)
        assert [r.train_loss for r in records] == [r.train_loss for r in reference]

    def test_a_finished_run_is_not_trained_again(self, tmp_path):
        batches, path = in_batches(*pictures()), tmp_path / "run.pt"
        first = fit(linear_model(), batches, config=PLAIN, checkpoint=path)
        again = fit(linear_model(seed=4), batches, config=PLAIN, checkpoint=path)
        assert again == first

    @pytest.mark.parametrize("damage", ["truncated", "bit", "empty", "text"])
    def test_a_damaged_checkpoint_is_refused(self, tmp_path, damage):
        path = tmp_path / "run.pt"
        fit(linear_model(), in_batches(*pictures()), config=PLAIN, checkpoint=path)
        previous(path).unlink()
        content = damaged(path, damage)
        with pytest.raises(ValueError, match=r"run\.pt.*Delete it"):
            train(linear_model(), in_batches(*pictures()), config=PLAIN, checkpoint=path)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("damage", ["truncated", "bit", "empty", "text"])
    def test_the_one_before_a_damaged_checkpoint_takes_its_place(self, tmp_path, damage):
        path, undisturbed = tmp_path / "run.pt", linear_model()
        reference = fit(undisturbed, in_batches(*pictures()), config=PLAIN)
        fit(linear_model(), in_batches(*pictures()), config=PLAIN, checkpoint=path)
        before = previous(path).read_bytes()
        damaged(path, damage)
        resumed = linear_model(seed=9)
        said = r"run\.pt is damaged.*goes on from .*run\.previous\.pt, which holds epoch 2\.$"
        with pytest.warns(UserWarning, match=said):
            run = train(resumed, in_batches(*pictures()), config=PLAIN, checkpoint=path)
        records = list(run)
        assert [r.train_loss for r in records] == [r.train_loss for r in reference]
        assert same_weights(resumed, undisturbed)
        assert len(load_checkpoint(path)["history"]) == 3
        assert previous(path).read_bytes() == before  # and not the damaged one

    def test_who_deletes_a_checkpoint_begins_anew(self, tmp_path):
        path, batches = tmp_path / "run.pt", in_batches(*pictures())
        first = fit(linear_model(), batches, config=PLAIN, checkpoint=path)
        path.unlink()
        records = list(train(linear_model(seed=4), batches, config=PLAIN, checkpoint=path))
        assert [r.train_loss for r in records] != [r.train_loss for r in first]
        path.unlink()
        train(linear_model(), batches, config=PLAIN, checkpoint=path)
        assert path.exists()
        assert not previous(path).exists()

    def test_what_killed_writers_left_goes_and_all_goes_with_the_checkpoint(self, tmp_path):
        path, batches = tmp_path / "run.pt", in_batches(*pictures())
        for name in ("run.pt.123456.tmp", "run.previous.pt.7.tmp"):
            (tmp_path / name).touch()
        fit(linear_model(), batches, config=PLAIN, checkpoint=path)
        found = {p.name for p in tmp_path.iterdir()}
        assert found == {"run.pt", "run.previous.pt", ".run.pt.lock"}
        remove_checkpoint(path)
        remove_checkpoint(path)  # where there is none, nothing happens
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("part", ["history", "model", "scaler"])
    def test_a_checkpoint_that_lacks_a_part(self, tmp_path, part):
        path = tmp_path / "run.pt"
        fit(linear_model(), in_batches(*pictures()), config=PLAIN, checkpoint=path)
        state = load_checkpoint(path)
        for wrong in ({part: None}, {part: "text"}):
            torch.save(state | wrong, path)
            with pytest.raises(ValueError, match=f"its {part} is missing"):
                load_checkpoint(path)

    def test_weights_that_explode_in_the_last_batch_are_not_saved(self, tmp_path):
        # The loss is that of the weights before the step: it cannot tell.
        path, batches, step = tmp_path / "run.pt", in_batches(*pictures()), torch.optim.SGD.step
        model, taken = linear_model(), []

        def last_explodes(optimizer, *arguments):
            step(optimizer, *arguments)
            taken.append(1)
            if len(taken) == 6:
                model[1].weight.data.mul_(1e28)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.optim.SGD, "step", last_explodes)
            with pytest.raises(NonFiniteLossError, match=r"After epoch 2 the weights.*last batch"):
                fit(model, batches, config=PLAIN, checkpoint=path)
        assert len(taken) == 6
        assert len(load_checkpoint(path)["history"]) == 1

    def test_a_validation_loss_that_is_no_number_is_not_saved(self, tmp_path):
        path, (images, labels) = tmp_path / "run.pt", pictures()
        held_out = in_batches(images * float("nan"), labels)
        with pytest.raises(NonFiniteLossError, match="After epoch 1 the validation loss is nan"):
            fit(linear_model(), in_batches(images, labels), held_out, PLAIN, checkpoint=path)
        assert load_checkpoint(path)["history"] == []

    def test_a_checkpoint_cannot_run_code(self, tmp_path):
        path, trace = tmp_path / "run.pt", tmp_path / "trace"

        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        torch.save({"cnnlib_checkpoint": 1, "model": Evil()}, path)
        with pytest.raises(ValueError, match="damaged or is no checkpoint"):
            load_checkpoint(path)
        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ValueError, match="damaged or is no checkpoint"):
            load_checkpoint(path)
        assert not trace.exists()

    def test_a_checkpoint_of_another_version(self, tmp_path):
        path = tmp_path / "run.pt"
        torch.save({"cnnlib_checkpoint": 99}, path)
        with pytest.raises(ValueError, match="version 99"):
            load_checkpoint(path)

    def test_a_missing_checkpoint(self, tmp_path):
        with pytest.raises(ValueError, match=r"no checkpoint at .*nowhere\.pt"):
            load_checkpoint(tmp_path / "nowhere.pt")

    def test_a_checkpoint_of_another_network_names_the_keys(self, tmp_path):
        path = tmp_path / "run.pt"
        fit(linear_model(), in_batches(*pictures()), config=PLAIN, checkpoint=path)
        other = nn.Sequential(nn.Flatten(), nn.Linear(32, 5), nn.BatchNorm1d(5))
        with pytest.raises(ValueError, match=r"missing: 2\.bias.*1\.bias is \[3\] there and \[5\]"):
            train(other, in_batches(*pictures()), config=PLAIN, checkpoint=path)

    def test_a_checkpoint_of_another_run_names_the_settings(self, tmp_path):
        path, batches = tmp_path / "run.pt", in_batches(*pictures())
        fit(linear_model(), batches, config=PLAIN, checkpoint=path)
        with pytest.raises(ValueError, match=r"lr was 0\.05, is 0\.1"):
            train(linear_model(), batches, config=replace(PLAIN, lr=0.1), checkpoint=path)
        with pytest.raises(ValueError, match="steps was 3, is 2"):
            train(linear_model(), batches[:2], config=PLAIN, checkpoint=path)

    def test_the_checkpoint_holds_what_it_says(self, tmp_path):
        path, model = tmp_path / "run.pt", linear_model()
        records = fit(model, in_batches(*pictures()), config=PLAIN, checkpoint=path)
        state = load_checkpoint(path)
        assert state["config"] == asdict(PLAIN)
        assert [EpochRecord(**record) for record in state["history"]] == records
        assert torch.equal(state["model"]["1.weight"], model[1].weight)


class TestWeights:
    def test_round_trip(self, tmp_path):
        model, other = linear_model(), linear_model(seed=1)
        save_weights(tmp_path / "w.safetensors", model, {"architecture": "linear"})
        assert load_weights(tmp_path / "w.safetensors", other) == {"architecture": "linear"}
        assert same_weights(model, other)

    def test_refusals_leave_the_model_as_it_was(self, tmp_path):
        path = tmp_path / "w.safetensors"
        save_weights(path, linear_model(), {})
        other, before = linear_model(classes=5), linear_model(classes=5)
        with pytest.raises(ValueError, match="another network"):
            load_weights(path, other)
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(ValueError, match="damaged"):
            load_weights(path, other)
        with pytest.raises(ValueError, match="no weights at"):
            load_weights(tmp_path / "nothing", other)
        assert same_weights(other, before)

    def test_the_fingerprint_follows_names_and_shapes_only(self):
        assert training.fingerprint(linear_model(seed=0)) == training.fingerprint(
            linear_model(3, 1)
        )
        assert training.fingerprint(linear_model(3)) != training.fingerprint(linear_model(4))


def damaged(path, damage):
    """Damage a checkpoint; return its bytes."""
    content = bytearray(path.read_bytes())
    if damage == "bit":
        place = content.find(linear_weights(path))
        assert place > 0
        content[place] ^= 16
    content = {"truncated": content[:-200], "empty": b"", "text": b"hello"}.get(damage, content)
    path.write_bytes(content)
    return content


def linear_weights(path):
    """Return the bytes of the weight as they lie in the checkpoint."""
    return load_checkpoint(path)["model"]["1.weight"].numpy().tobytes()
