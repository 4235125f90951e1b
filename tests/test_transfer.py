"""`cnnlib.transfer` against torchvision, torch's own optimisers and numbers worked by hand."""

from __future__ import annotations

import copy
from urllib.error import URLError

import pytest
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.models import WeightsEnum

from cnnlib import create_model, data, list_models
from cnnlib.training import TrainConfig, fit
from cnnlib.transfer import IMAGENET, freeze, param_groups, pretrained, replace_head, unfreeze

CONFIG = TrainConfig(
    epochs=2, lr=0.1, schedule="constant", device="cpu", precision="fp32", weight_decay=0.0
)


def batches(n=12, classes=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, 6, 6, generator=generator)
    return [(images[:6], torch.arange(6) % classes), (images[6:], torch.arange(6) % classes)]


def small_model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


class TestHeads:
    @pytest.mark.parametrize("name", [n for n in list_models() if n != "lenet5_1998"])
    def test_every_network_gets_one(self, name):
        with torch.device("meta"):
            model = create_model(name)
            expected = create_model(name, num_classes=7)
            assert replace_head(model, 7) is model
        shapes = {key: tensor.shape for key, tensor in expected.state_dict().items()}
        assert {key: tensor.shape for key, tensor in model.state_dict().items()} == shapes

    def test_only_the_head_is_new(self):
        model = create_model("resnet20")
        before = copy.deepcopy(model.state_dict())
        after = replace_head(model, 10).state_dict()
        changed = {key for key in before if not torch.equal(before[key], after[key])}
        assert changed == {"fc.weight", "fc.bias"}

    def test_auxiliary_classifiers_get_one_too(self):
        with torch.device("meta"):
            model = replace_head(create_model("googlenet", aux_logits=True), 7)
        ends = (model.fc, model.aux1.fc2, model.aux2.fc2)
        assert [end.out_features for end in ends] == [7, 7, 7]
        assert model.aux1.fc1.out_features == 1024

    def test_a_network_that_ends_otherwise_is_refused(self):
        for model in (
            create_model("lenet5_1998"),
            nn.Sequential(nn.Linear(2, 2), nn.Conv2d(1, 1, 1)),
        ):
            with pytest.raises(ValueError, match="does not end in a fully connected layer"):
                replace_head(model, 2)

    @pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
    def test_a_bad_count_is_named(self, count):
        with pytest.raises(ValueError, match=f"not {count!r}"):
            replace_head(nn.Linear(2, 2), count)


class TestFreezing:
    def test_parts_by_name(self):
        model = freeze(create_model("resnet20"))
        assert not any(p.requires_grad for p in model.parameters())
        unfreeze(model, "fc", "layer3.2")
        learning = {name for name, p in model.named_parameters() if p.requires_grad}
        block = [f"layer3.2.{part}.weight" for part in ("conv1", "conv2", "bn1", "bn2")]
        biases = ["layer3.2.bn1.bias", "layer3.2.bn2.bias"]
        assert learning == {*block, *biases, "fc.weight", "fc.bias"}
        assert all(p.requires_grad for p in unfreeze(model).parameters())

    def test_an_unknown_part_is_named_with_its_neighbours(self):
        with pytest.raises(ValueError, match=r"'layer4'.*layer3"):
            freeze(create_model("resnet20"), "layer4")

    def test_what_is_frozen_does_not_move_in_training(self):
        model = freeze(small_model(), "0", "1")
        before = copy.deepcopy(model.state_dict())
        fit(model, batches(), config=CONFIG)
        moved = {key for key, tensor in model.state_dict().items() if not before[key].equal(tensor)}
        assert moved == {key for key in before if key[0] in "346"}  # not 1.running_mean either

    def test_a_frozen_norm_uses_what_it_has_learned(self):
        # The output in training is that of eval(), for every norm is frozen.
        model = freeze(small_model(), "1", "4")
        for norm in (model[1], model[4]):
            norm.running_mean.fill_(0.3)
            norm.running_var.fill_(2.0)
        seen = []
        model.register_forward_hook(lambda module, x, y: seen.append((x[0], y.detach())))
        before = copy.deepcopy(model).eval()
        fit(model, batches()[:1], config=CONFIG)
        torch.testing.assert_close(seen[0][1], before(seen[0][0]))


class TestParamGroups:
    def test_each_layer_is_slower_than_the_one_after_it(self):
        model = small_model()
        groups = param_groups(model, lr=0.8, decay=0.5)
        assert [group["lr"] for group in groups] == [0.2, 0.4, 0.8]
        names = {id(p): name for name, p in model.named_parameters()}
        assert [[names[id(p)] for p in group["params"]] for group in groups] == [
            ["0.weight", "0.bias", "1.weight", "1.bias"],
            ["3.weight", "3.bias", "4.weight", "4.bias"],
            ["6.weight", "6.bias"],
        ]

    def test_frozen_layers_count_and_are_left_out(self):
        groups = param_groups(freeze(small_model(), "3", "4"), lr=0.8, decay=0.5)
        assert [group["lr"] for group in groups] == [0.2, 0.8]

    @pytest.mark.parametrize(("lr", "decay"), [(0, 0.5), (0.1, 0), (0.1, 1.5), (0.1, -1)])
    def test_bad_rates_are_named(self, lr, decay):
        with pytest.raises(ValueError, match=r"(lr|decay) is"):
            param_groups(small_model(), lr, decay)

    def test_training_moves_each_by_its_own_rate(self):
        model, reference = small_model(), small_model()
        groups = param_groups(model, lr=CONFIG.lr, decay=0.1)
        fit(model, batches(), config=CONFIG, param_groups=groups)
        rates = {"0": 0.001, "1": 0.001, "3": 0.01, "4": 0.01, "6": 0.1}
        parts = [
            {"params": list(reference.get_submodule(name).parameters()), "lr": rate}
            for name, rate in rates.items()
        ]
        optimizer = torch.optim.SGD(parts, momentum=0.9, nesterov=True)
        for _ in range(CONFIG.epochs):
            for images, labels in batches():
                optimizer.zero_grad()
                nn.functional.cross_entropy(reference(images), labels).backward()
                optimizer.step()
        for a, b in zip(model.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(a, b)

    def test_a_schedule_moves_all_of_them(self):
        model, seen = small_model(), []
        groups = param_groups(model, lr=0.1, decay=0.1)
        step = torch.optim.SGD.step

        def recorded(optimizer, *arguments):
            seen.append([group["lr"] for group in optimizer.param_groups])
            return step(optimizer, *arguments)

        config = TrainConfig(epochs=1, lr=0.1, schedule="step", device="cpu", precision="fp32")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.optim.SGD, "step", recorded)
            fit(model, batches(), config=config, param_groups=groups)
        # Kernels and biases apart, so each rate comes twice; the second of two steps has a tenth.
        first = [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]
        assert seen == [pytest.approx(first), pytest.approx([rate / 10 for rate in first])]

    def test_nothing_may_be_left_out_or_come_from_elsewhere(self):
        model = small_model()
        groups = param_groups(model, 0.1, 0.5)
        with pytest.raises(ValueError, match=r"leaves 0\.weight out \(4 in all\)"):
            fit(model, batches(), config=CONFIG, param_groups=groups[1:])
        more = [*groups, {"params": list(nn.Linear(2, 2).parameters()), "lr": 0.1}]
        with pytest.raises(ValueError, match="not this model's"):
            fit(model, batches(), config=CONFIG, param_groups=more)

    def test_a_checkpoint_of_other_rates_is_refused(self, tmp_path):
        for decay, message in ((0.5, None), (0.4, "rates was")):
            model = small_model()
            options = {"checkpoint": tmp_path / "run.pt"}
            options["param_groups"] = param_groups(model, 0.1, decay)
            if message is None:
                fit(model, batches(), config=CONFIG, **options)
                continue
            with pytest.raises(ValueError, match=message):
                fit(model, batches(), config=CONFIG, **options)


class TestPretrained:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["resnet18", "googlenet", "vgg11"])
    def test_answers_as_torchvision_does(self, name, monkeypatch):
        # torchvision's own network with random weights stands for the download.
        torch.manual_seed(0)
        build = getattr(torchvision.models, IMAGENET[name])
        options = {"init_weights": False} if name == "googlenet" else {}
        source = build(**options).eval()
        monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: source.state_dict())
        model = pretrained(name)
        if name == "googlenet":
            source.transform_input = True  # as torchvision sets it together with the weights
        picture = data.cat()
        transforms = torchvision.models.get_model_weights(IMAGENET[name]).DEFAULT.transforms()
        expected = source(transforms(Image.fromarray(picture))[None])
        found = model(model.card.prepare(picture)[None])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert len(model.card.classes) == 1000
        assert "Egyptian cat" in model.card.classes

    def test_without_a_network_it_says_what_to_do(self, monkeypatch):
        def fail(*_, **__):
            raise URLError("no route to host")

        monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
        with pytest.raises(ConnectionError, match=r"resnet18.*no route to host.*load_model"):
            pretrained("resnet18")

    def test_a_network_without_such_weights(self):
        with pytest.raises(ValueError, match=r"'resnet20'; there are for alexnet"):
            pretrained("resnet20")
