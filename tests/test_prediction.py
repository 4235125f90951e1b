"""`cnnlib.predict` and the card that travels with the weights, against torchvision and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import chelsea
from torch import nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights

import cnnlib
from cnnlib import data, records
from cnnlib.prediction import ModelCard, load_model, predict, save_model
from cnnlib.training import TrainConfig, fit

CARD = ModelCard("resnet20", ("cat", "dog"), (32, 32), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), "test")


class Brightness(nn.Module):
    """Answers with the mean of each channel, so that one can work its answers out by hand."""

    def __init__(self, card):
        super().__init__()
        self.card, self.weight = card, nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x.mean((2, 3)) + 0 * self.weight


def plain(classes=("red", "green", "blue"), mean=(0.0,) * 3, std=(1.0,) * 3, **options):
    return ModelCard("resnet20", classes, (4, 4), mean, std, **options)


def colored(red, green, blue, size=(8, 6)):
    return Image.new("RGB", size, (red, green, blue))


class TestPrediction:
    def test_by_hand(self):
        (answer,) = predict(Brightness(plain()), colored(255, 0, 51), device="cpu")
        e = np.exp([1.0, 0.0, 0.2])
        expected = dict(zip(("red", "blue", "green"), e[[0, 2, 1]] / e.sum(), strict=True))
        assert list(answer.probabilities) == ["red", "blue", "green"]
        assert answer.probabilities == pytest.approx(expected)
        assert (answer.name, answer.probability) == ("red", pytest.approx(expected["red"]))
        assert str(answer) == "red 55.0%, blue 24.7%, green 20.2%"

    def test_the_answers_come_in_order_however_many_there_are(self):
        pictures = [colored(*(255 * (i % 3 == c) for c in range(3))) for i in range(150)]
        names = [answer.name for answer in predict(Brightness(plain()), pictures, device="cpu")]
        assert names == ["red", "green", "blue"] * 50

    def test_files_pictures_and_arrays_are_one(self, tmp_path):
        picture = colored(200, 30, 90)
        picture.save(tmp_path / "one.png")
        every = [tmp_path / "one.png", str(tmp_path / "one.png"), picture, np.asarray(picture)]
        answers = predict(Brightness(plain()), every, device="cpu")
        assert answers == [answers[0]] * 4
        assert predict(Brightness(plain()), picture, device="cpu") == answers[:1]
        assert predict(Brightness(plain()), [], device="cpu") == []

    def test_one_output_for_two_classes_is_a_sigmoid(self):
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
        nn.init.constant_(model[1].weight, 0.0)
        nn.init.constant_(model[1].bias, 0.7)
        model.card = ModelCard("simple_cnn", ("no", "yes"), (4, 4), (0.5,), (0.5,))
        (answer,) = predict(model, Image.new("L", (4, 4)), device="cpu")
        assert answer.probabilities["yes"] == pytest.approx(1 / (1 + np.exp(-0.7)))

    def test_a_model_without_a_card(self):
        with pytest.raises(ValueError, match=r"Linear does not say.*load_model"):
            predict(nn.Linear(2, 2), colored(0, 0, 0))

    def test_a_card_of_another_length(self):
        with pytest.raises(ValueError, match="3 outputs, its card 2 classes: a, b"):
            predict(Brightness(plain(("a", "b"))), colored(0, 0, 0), device="cpu")

    def test_what_is_no_picture_is_named(self, tmp_path):
        (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n")
        for wrong, message in [
            (tmp_path / "torn.png", r"torn\.png cannot be read"),
            (tmp_path / "none.png", r"none\.png cannot be read.*No such file"),
            (np.zeros((4, 4)), r"float64 of shape \(4, 4\); give uint8"),
            (np.zeros((4, 4, 2), np.uint8), r"uint8 of shape \(4, 4, 2\)"),
        ]:
            with pytest.raises(ValueError, match=message):
                predict(Brightness(plain()), [colored(0, 0, 0), wrong], device="cpu")

    def test_a_picture_of_too_many_pixels_is_refused(self, tmp_path, monkeypatch):
        colored(1, 2, 3, (20, 20)).save(tmp_path / "large.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 399)
        with pytest.raises(ValueError, match="20 x 20 pixels are too many"):
            predict(Brightness(plain()), tmp_path / "large.png", device="cpu")

    def test_what_would_start_a_program_is_refused(self, tmp_path):
        # Pillow hands an EPS file to Ghostscript.
        eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n"
        (tmp_path / "drawing.png").write_bytes(eps)
        with Image.open(tmp_path / "drawing.png") as picture:
            assert picture.format == "EPS"
        with pytest.raises(ValueError, match="cannot be read"):
            predict(Brightness(plain()), tmp_path / "drawing.png", device="cpu")

    def test_a_small_file_of_many_pixels_is_not_decoded(self, tmp_path):
        large = Image.new("1", (8000, 8000))  # a kilobyte or so on the disk
        large.save(tmp_path / "large.png")
        with pytest.raises(ValueError, match="8000 x 8000 pixels are too many"):
            predict(Brightness(plain()), tmp_path / "large.png", device="cpu")


class TestPreparing:
    @pytest.mark.parametrize("weights", [ResNet18_Weights.DEFAULT, ResNet50_Weights.DEFAULT])
    def test_equals_torchvisions_transforms(self, weights):
        transforms = weights.transforms()
        (side,), (resize,) = transforms.crop_size, transforms.resize_size
        options = {"resize": resize, "filter": "bilinear"}
        card = ModelCard("", ("a",), (side, side), transforms.mean, transforms.std, **options)
        cat = Image.fromarray(chelsea())
        for picture in (cat, cat.transpose(Image.Transpose.ROTATE_90), cat.crop((0, 0, 333, 299))):
            torch.testing.assert_close(card.prepare(picture), transforms(picture))

    def test_the_middle_is_cut_out_and_normalised(self):
        # 8 x 4: two pixels fall away on either side, the others are left as they are.
        pixels = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(4, 8, 3)
        x = plain(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)).prepare(pixels)
        middle = pixels[:, 2:6].transpose(2, 0, 1) / 255
        mean, std = np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.0, 2.0])
        expected = (middle - mean[:, None, None]) / std[:, None, None]
        np.testing.assert_allclose(x.numpy(), expected, atol=1e-6)

    def test_one_channel_means_grey(self):
        card = ModelCard("lenet5", ("a",), (4, 4), (0.0,), (1.0,))
        x = card.prepare(colored(255, 0, 0, (4, 4)))
        assert x.shape == (1, 4, 4)
        assert x[0, 0, 0] == pytest.approx(76 / 255)  # 0.299 of red

    def test_a_photograph_is_set_upright(self, tmp_path):
        pixels = np.zeros((4, 4, 3), np.uint8)
        pixels[0] = 255
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
        x = plain().prepare(tmp_path / "turned.png")
        assert torch.equal(x[0].sum(1), torch.tensor([0.0, 0.0, 0.0, 4.0]))


class TestCards:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("classes", ()),
            ("classes", "cat"),
            ("classes", (1, 2)),
            ("image_size", (32,)),
            ("image_size", (0, 32)),
            ("image_size", (10**9, 32)),
            ("image_size", (32.0, 32)),
            ("mean", (0.5,)),
            ("std", (0.2, 0.0, 0.2)),
            ("std", (0.2, float("nan"), 0.2)),
            ("std", (0.2, 10**400, 0.2)),
            ("architecture", ["resnet20"]),
            ("data", 3),
            ("options", [1]),
            ("options", {"num_classes": 10**9}),
            ("options", {"in_channels": 1}),
            ("resize", -1),
            ("filter", "cubic"),
            ("filter", ["lanczos"]),
        ],
    )
    def test_a_bad_value_is_named(self, name, value):
        values = CARD.__dict__ | {name: value}
        with pytest.raises(ValueError, match=f"card's .*{name}"):
            ModelCard(**values)

    def test_facts_are_strings_and_come_back(self):
        card = ModelCard(**CARD.__dict__ | {"options": {"image_size": 32}, "resize": 40})
        facts = card.facts()
        assert all(isinstance(value, str) for value in facts.values())
        assert json.loads(facts["classes"]) == ["cat", "dog"]
        assert ModelCard.from_facts(facts) == card

    @pytest.mark.parametrize(
        "facts",
        [
            {},
            {"architecture": "resnet20"},
            CARD.facts() | {"classes": "cat, dog"},
            CARD.facts() | {"mean": "[" * 100_000},
            CARD.facts() | {"image_size": "null"},
        ],
    )
    def test_facts_that_are_none_are_refused(self, facts):
        with pytest.raises(ValueError, match=r"do not say how|card's"):
            ModelCard.from_facts(facts)


class TestFiles:
    def test_round_trip(self, tmp_path):
        torch.manual_seed(0)
        model = cnnlib.create_model("resnet20", num_classes=2).eval()
        save_model(tmp_path / "a.safetensors", model, CARD)
        found = load_model(tmp_path / "a.safetensors")
        x = CARD.prepare(data.cat())[None]
        assert found.card == CARD
        assert not found.training
        assert torch.equal(found(x), model(x))

    def test_a_checkpoint_of_a_run_carries_the_card(self, tmp_path):
        images = data.stand_in(train=40, test=10)[0].only("circle", "ring")
        batches = data.DeviceBatches(images, 4, mean=CARD.mean, std=CARD.std)
        model = cnnlib.create_model("resnet20", num_classes=2)
        model.card = CARD
        config = TrainConfig(epochs=1, device="cpu", precision="fp32")
        fit(model, batches, config=config, checkpoint=tmp_path / "run.pt")
        found = load_model(tmp_path / "run.pt")
        assert found.card == CARD
        (there,), (here,) = (predict(each, data.cat(), device="cpu") for each in (found, model))
        assert there.probabilities == pytest.approx(here.probabilities, rel=1e-4)

    def test_a_checkpoint_tells_by_itself_how_its_model_is_used(self, tmp_path):
        images = data.stand_in(train=40, test=10)[0].only("circle", "ring")
        batches = data.DeviceBatches(images, 4, crop=2, mean=CARD.mean, std=CARD.std)
        model = cnnlib.create_model("resnet20", 2, shortcut="B")
        config = TrainConfig(epochs=1, device="cpu", precision="fp32")
        fit(model, batches, config=config, checkpoint=tmp_path / "run.pt")
        found = load_model(tmp_path / "run.pt")
        facts = (images.classes, (32, 32), CARD.mean, CARD.std, images.name)
        assert found.card == ModelCard("resnet20", *facts, {"shortcut": "B"})
        x = found.card.prepare(data.cat())[None]
        torch.testing.assert_close(found(x), model.eval()(x))

    def test_a_checkpoint_of_a_model_of_ones_own_says_what_to_do(self, tmp_path):
        batches = data.DeviceBatches(data.stand_in(train=40, test=10)[0], 20)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
        config = TrainConfig(epochs=1, device="cpu", precision="fp32")
        fit(model, batches, config=config, checkpoint=tmp_path / "run.pt")
        with pytest.raises(ValueError, match=r"run\.pt does not say .* a ModelCard"):
            load_model(tmp_path / "run.pt")

    def test_weights_that_say_nothing_of_themselves(self, tmp_path):
        from cnnlib.training import save_weights

        save_weights(tmp_path / "bare.safetensors", nn.Linear(2, 2), {})
        with pytest.raises(ValueError, match="do not say how to use them"):
            load_model(tmp_path / "bare.safetensors")

    def test_weights_of_another_network(self, tmp_path):
        save_model(tmp_path / "a.safetensors", cnnlib.create_model("resnet32", 2), CARD)
        with pytest.raises(ValueError, match="another network"):
            load_model(tmp_path / "a.safetensors")

    @pytest.mark.parametrize(
        ("architecture", "options", "message"),
        [
            ("simple_cnn", {"image_size": 2**15}, "of 549,487,430,978 weights, and has only"),
            (
                "simple_cnn",
                {"image_size": 2**62},
                "built .*'simple_cnn' with .*: 46116860184273879",
            ),
            ("simple_cnn", {"image_size": "large"}, "cannot be built"),
            ("simple_cnn", {"colour": 3}, "cannot be built .*no option 'colour'"),
            ("resnet20", {"shortcut": {}}, "cannot be built"),
            ("vgg16", {"image_size": 224}, r"network of 134,.* weights, and has only [\d,]+ bytes"),
        ],
    )
    def test_a_card_that_asks_for_too_much(self, tmp_path, architecture, options, message):
        card = ModelCard(**CARD.__dict__ | {"architecture": architecture, "options": options})
        save_model(tmp_path / "a.safetensors", nn.Linear(3, 2), card)
        with pytest.raises(ValueError, match=message):
            load_model(tmp_path / "a.safetensors")

    @pytest.mark.parametrize("name", cnnlib.list_models())
    def test_every_network_can_be_planned_without_memory(self, name):
        with torch.device("meta"):
            plan = cnnlib.create_model(name, num_classes=2, in_channels=3)
        assert all(weight.is_meta for weight in plan.parameters())

    def test_the_books_own_network_sees_the_cat(self):
        model = load_model(records.results_folder() / "resnet20_cifar10.safetensors")
        (answer,) = cnnlib.predict(model, data.cat(), device="cpu")
        assert answer.name == "cat"
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert set(answer.probabilities) == set(data.CIFAR10_CLASSES)
