"""Ask a trained network about your own pictures.

A network alone does not know what its outputs are called, nor how large its pictures are to be. A
`ModelCard` says so; it travels with the weights::

    model = cnnlib.load_model("results/resnet20_cifar10.safetensors")
    for answer in cnnlib.predict(model, ["cat.jpg", "ship.png"]):
        print(answer)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import nn

from cnnlib.data import open_picture
from cnnlib.models import create_model
from cnnlib.training import (
    collect_logits,
    load_checkpoint,
    load_weights,
    read_facts,
    require_fitting,
    save_weights,
)

Picture = str | Path | Image.Image | np.ndarray

_FILTERS = {"lanczos": Image.Resampling.LANCZOS, "bilinear": Image.Resampling.BILINEAR}
_COUNTS = ("num_classes", "in_channels")  # which `classes` and `mean` say
_LARGEST_SIDE = 4096  # of a network's pictures; a card may come from anybody
_LARGEST = 1e30  # of its means and deviations: single precision ends at 3e38
_AT_A_TIME = 64


@dataclass(frozen=True)
class ModelCard:
    """What one has to know of a network to use it.

    Parameters
    ----------
    architecture : str
        Its name in the registry, see `cnnlib.list_models`.
    classes : sequence of str
        What its outputs mean, in their order.
    image_size : (int, int)
        Height and width of its pictures in pixels.
    mean, std : sequence of float, one a channel
        Its pictures are normalised to ``(pixel / 255 - mean) / std``. One channel means grey.
    data : str
        What it was trained on.
    options : dict
        What else `cnnlib.create_model` takes to build it; not the numbers of classes and channels.
    resize : int, optional
        Scale the shorter side of a picture to so many pixels, then cut `image_size` out of its
        centre, as torchvision does. Without it the largest part of the right shape is cut out,
        and scaled.
    filter : {"lanczos", "bilinear"}
        How pictures are scaled.

    Raises
    ------
    ValueError
        If a value is not of that kind; the message names it.
    """

    architecture: str
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: str = ""
    options: dict = field(default_factory=dict)
    resize: int | None = None
    filter: str = "lanczos"

    def __post_init__(self):
        for name in ("architecture", "data"):
            value = getattr(self, name)
            _require(isinstance(value, str), name, value, "text")
        for name in ("classes", "image_size", "mean", "std"):
            value = getattr(self, name)
            _require(isinstance(value, list | tuple), name, value, "a list")
            object.__setattr__(self, name, tuple(value))
        names = all(isinstance(name, str) for name in self.classes)
        _require(names and self.classes, "classes", self.classes, "names, at least one")
        sides = f"whole numbers from 1 to {_LARGEST_SIDE}"
        good = len(self.image_size) == 2 and all(map(_is_side, self.image_size))
        _require(good, "image_size", self.image_size, f"height and width, {sides}")
        _require(self.resize is None or _is_side(self.resize), "resize", self.resize, sides)
        numbers = [isinstance(x, int | float) and abs(x) < _LARGEST for x in self.mean + self.std]
        good = all(numbers) and len(self.mean) == len(self.std) in (1, 3)
        _require(good, "mean, std", (self.mean, self.std), "one number a channel, for 1 or 3")
        _require(all(x > 0 for x in self.std), "std", self.std, "positive")
        good = isinstance(self.options, dict) and not self.options.keys() & set(_COUNTS)
        _require(good, "options", self.options, f"a dictionary, without {' and '.join(_COUNTS)}")
        _require(self.filter in list(_FILTERS), "filter", self.filter, " or ".join(_FILTERS))

    @classmethod
    def from_facts(cls, facts: dict[str, str]) -> ModelCard:
        """Return the card that `facts` wrote, from whatever file it comes.

        Parameters
        ----------
        facts : dict of str
            What `facts` returned; what is no field of a card is passed over.

        Returns
        -------
        ModelCard
            Equal to the one that wrote them.

        Raises
        ------
        ValueError
            If something is missing, is no JSON, or is not what a card holds.
        """
        words = ("architecture", "data", "filter")
        known = [name for name in cls.__dataclass_fields__ if name in facts]
        try:
            values = {n: facts[n] if n in words else json.loads(facts[n]) for n in known}
            return cls(**values)
        except (TypeError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(
                f"These weights do not say how to use them ({error}). Build the network with "
                "create_model, read them with load_weights, and give it a ModelCard."
            ) from None

    def facts(self) -> dict[str, str]:
        """Return the card as strings, to be kept with the weights."""
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in asdict(self).items()}

    def prepare(self, picture: Picture) -> torch.Tensor:
        """Return a picture as the network takes it: upright, scaled, cut, normalised.

        Parameters
        ----------
        picture : str, Path, PIL.Image.Image or numpy.ndarray
            A file, or a picture; an array is of uint8, ``(H, W)`` or ``(H, W, 3)``.

        Returns
        -------
        torch.Tensor, shape (C, H, W)
            Of float32, on the CPU.

        Raises
        ------
        ValueError
            If it is no picture, or cannot be read; the message names it.
        """
        image = self._cut(open_picture(picture))
        pixels = np.asarray(image.convert("L" if len(self.mean) == 1 else "RGB"), dtype=np.float32)
        pixels = pixels.reshape(*self.image_size, len(self.mean)) / 255
        normalised = (pixels - np.float32(self.mean)) / np.float32(self.std)
        return torch.from_numpy(normalised.transpose(2, 0, 1).copy())

    def _cut(self, image):
        (height, width), scaling = self.image_size, _FILTERS[self.filter]
        if self.resize is None:
            return ImageOps.fit(image, (width, height), scaling)
        shorter = min(image.size)
        across, down = (self.resize * side // shorter for side in image.size)
        left, top = round((across - width) / 2), round((down - height) / 2)
        scaled = image.resize((across, down), scaling)
        return scaled.crop((left, top, left + width, top + height))


@dataclass(frozen=True)
class Prediction:
    """What a network says of one picture.

    Parameters
    ----------
    probabilities : dict
        Each class with its probability in [0, 1], the likeliest first.
    """

    probabilities: dict[str, float]

    @property
    def name(self) -> str:
        """The likeliest class."""
        return next(iter(self.probabilities))

    @property
    def probability(self) -> float:
        """Its probability, in [0, 1]."""
        return self.probabilities[self.name]

    def __str__(self):
        best = islice(self.probabilities.items(), 3)
        return ", ".join(f"{name} {probability:.1%}" for name, probability in best)


def predict(
    model: nn.Module,
    images: Picture | Iterable[Picture],
    *,
    device: str = "auto",
    precision: str = "fp32",
) -> list[Prediction]:
    """Name what is in pictures of your own.

    Parameters
    ----------
    model : torch.nn.Module
        From `load_model`, or any network whose attribute ``card`` is a `ModelCard`. It is moved to
        the device, and left in the mode that it was in.
    images : str, Path, PIL.Image.Image, numpy.ndarray, or several of them
        Files, or pictures; arrays are of uint8, ``(H, W)`` or ``(H, W, 3)``.
    device, precision : str
        As in `cnnlib.TrainConfig`.

    Returns
    -------
    list of Prediction
        One a picture, in their order. The probabilities are the softmax of the logits; of a network
        with one output and two classes, the sigmoid.

    Raises
    ------
    ValueError
        If the network has no card, a picture cannot be read (its name is given), or the card has
        another number of classes than the network has outputs.
    """
    card = getattr(model, "card", None)
    if not isinstance(card, ModelCard):
        raise ValueError(
            f"This {type(model).__name__} does not say what its outputs mean: load it with "
            "cnnlib.load_model, or give it a card, model.card = ModelCard(...)."
        )
    pictures = [images] if isinstance(images, Picture) else list(images)
    if not pictures:
        return []
    batches = _batches(card, iter(pictures))
    logits, _ = collect_logits(model, batches, device=device, precision=precision)
    if logits.shape[1] == 1 and len(card.classes) == 2:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)  # softmax is sigmoid then
    if logits.shape[1] != len(card.classes):
        raise ValueError(
            f"The network has {logits.shape[1]} outputs, its card {len(card.classes)} classes: "
            f"{', '.join(card.classes[:10])}. Give each output its name."
        )
    return [_prediction(card.classes, row) for row in logits.softmax(1).tolist()]


class Views(nn.Module):
    """A network that looks at each picture several times, and takes the mean of its logits.

    It sees the picture as it is and mirrored, and both again shifted by `shift` pixels up and to
    the left, down and to the right. That is test-time augmentation; each view costs as much as the
    picture alone. Train the network itself; the views are for what comes after.

    Parameters
    ----------
    model : torch.nn.Module
        Maps pictures ``(N, C, H, W)`` to logits ``(N, classes)``.
    shift : int
        Pixels; the rows and columns at the edge are mirrored outwards. 0 for no shifts.

    Raises
    ------
    ValueError
        If `shift` is negative.
    """

    def __init__(self, model: nn.Module, shift: int = 1):
        super().__init__()
        if shift < 0:
            raise ValueError(f"shift is {shift!r}; it must be a number of pixels, 0 or more")
        self.model, self.shift = model, shift
        self.train(model.training)
        if hasattr(model, "card"):
            self.card = model.card

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean of the logits over all views, ``(N, classes)``."""
        views = [x]
        if self.shift:
            height, width = x.shape[-2:]
            padded = F.pad(x, 4 * [self.shift], mode="reflect")
            views += [padded[..., i : i + height, i : i + width] for i in (0, 2 * self.shift)]
        logits = [self.model(view) + self.model(view.flip(-1)) for view in views]
        return sum(logits) / (2 * len(views))


def save_model(path: str | Path, model: nn.Module, card: ModelCard) -> None:
    """Write the weights and the card of a network into one safetensors file.

    Parameters
    ----------
    path : str or Path
        Where the file is to be, ending in ``.safetensors``; whole or not at all.
    model : torch.nn.Module
        The network.
    card : ModelCard
        What `load_model` is to know of it.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    save_weights(path, model, card.facts())


def load_model(path: str | Path) -> nn.Module:
    """Build the network that a file holds, with its weights, in ``eval()`` mode.

    Parameters
    ----------
    path : str or Path
        What `save_model` wrote, or the checkpoint of a run. A run knows the card of its model by
        itself where that comes from `cnnlib.create_model`, and its batches from `cnnlib.data`.

    Returns
    -------
    torch.nn.Module
        On the CPU; its attribute ``card`` is its `ModelCard`.

    Raises
    ------
    ValueError
        If the file is missing, damaged, does not say what it is, or asks for another network than
        it holds the weights of.
    """
    if Path(path).suffix == ".safetensors":
        card = ModelCard.from_facts(read_facts(path))
        model = _built(card, path)
        load_weights(path, model)
    else:
        state = load_checkpoint(path)
        card = _card_of_run(state, path)
        model = _built(card, path)
        require_fitting(model, state["model"], f"The checkpoint {path}")
        model.load_state_dict(state["model"])
    model.card = card
    return model.eval()


def _card_of_run(state, path):
    """Return the card of a checkpoint's model: its own, or what its origin and batches say."""
    if state["card"]:
        return ModelCard.from_facts(state["card"])
    known = state["origin"] | state["batches"]
    names = ("architecture", "classes", "image_size", "mean", "std", "data", "options")
    if not all(name in known for name in names):
        raise ValueError(
            f"{path} does not say how to use its model, which create_model has not built, or "
            "which learned from batches that have no facts(). Build it, put "
            "load_checkpoint(path)['model'] into it by load_state_dict, and give it a ModelCard."
        )
    return ModelCard(**{name: known[name] for name in names})


def _built(card, path):
    """Build a card's network. It may come from anybody, so count what it asks for before."""
    options = {"num_classes": len(card.classes), "in_channels": len(card.mean)} | card.options
    try:
        with torch.device("meta"):  # where weights have shapes, and take no room
            plan = create_model(card.architecture, **options)
    except Exception as error:  # options of a wrong kind can fail in any way there is
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path} asks for a network that cannot be built ({card.architecture!r} with "
            f"{options}: {reason}). Take the file from where it was made once more."
        ) from error
    needed, there = sum(weight.numel() for weight in plan.parameters()), Path(path).stat().st_size
    if needed > there:
        raise ValueError(
            f"{path} asks for a network of {needed:,} weights, and has only {there:,} bytes. Take "
            "it from where it was made once more."
        )
    return create_model(card.architecture, **options)


def _batches(card: ModelCard, pictures: Iterator[Picture]) -> Iterator[tuple]:
    """Yield prepared pictures, with labels that nobody reads."""
    while some := list(islice(pictures, _AT_A_TIME)):
        images = torch.stack([card.prepare(picture) for picture in some])
        yield images, torch.zeros(len(some), dtype=torch.long)


def _prediction(classes, probabilities):
    pairs = zip(classes, probabilities, strict=True)
    return Prediction(dict(sorted(pairs, key=lambda pair: -pair[1])))


def _is_side(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_SIDE


def _require(holds, name, value, wanted):
    if not holds:
        raise ValueError(f"A model card's {name} is {value!r}; it must be {wanted}.")
