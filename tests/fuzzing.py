"""What the readers of files make of damaged and forged ones.

A reader takes bytes from anywhere. It returns, or raises a ``ValueError``; it raises nothing else,
ends within `SECONDS`, and never asks for `MEMORY` more than there was. `tools/fuzz.py` looks for
inputs for which that is not so, by damaging sound ones, and keeps them in `corpus/`.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import resource
import signal
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from PIL import Image
from torch import nn

from cnnlib import records
from cnnlib.data import cifar, image_folder, official, open_picture
from cnnlib.models import create_model
from cnnlib.prediction import ModelCard, load_model, save_model
from cnnlib.training import CHECKPOINT_VERSION, load_checkpoint, load_weights, save_weights

CORPUS = Path(__file__).with_name("corpus")
RECORD = CORPUS / "fuzzed.json"  # what `tools/fuzz.py --record` has given the readers
SECONDS = 10
MEMORY = 2**30


@dataclass(frozen=True)
class Reader:
    """A reader of files: ``read(path)``, sound inputs to damage, and how such a file is called."""

    read: Callable[[Path], object]
    sound: Callable[[], list[bytes]]
    file_name: str


class BrokenPromiseError(AssertionError):
    """A reader did what no reader may do."""


def check(reader: Reader, content: bytes, folder: Path) -> bool:
    """Let the reader read; return whether it found the content sound.

    Raises
    ------
    BrokenPromiseError
        If it raises anything but a ``ValueError``, takes too long, or wants too much memory.
    """
    path = folder / reader.file_name
    path.write_bytes(content)
    try:
        with time_limit():
            reader.read(path)
        return True
    except ValueError as error:
        if any(isinstance(cause, MemoryError | TimeoutError) for cause in causes(error)):
            raise BrokenPromiseError(f"it wanted too much: {error!r}") from error
        return False
    except BaseException as error:
        raise BrokenPromiseError(f"it raised {error!r}") from error


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it came from, what that came from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise a ``TimeoutError`` in what takes longer than `SECONDS`."""

    def stop(number, frame):
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def limit_memory() -> None:
    """Let this process have no more than `MEMORY` beyond what it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def begin(*names: str) -> None:
    """Read the sound inputs of these readers, which loads what they need; then limit memory.

    To be called in a process of its own, which stays limited.
    """
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for content in READERS[name].sound():
                check(READERS[name], content, Path(folder))
    limit_memory()


def check_kept(name: str, content: bytes) -> bool:
    """Let a reader of that name read, see `check`."""
    with tempfile.TemporaryDirectory() as folder:
        return check(READERS[name], content, Path(folder))


@dataclass
class Fuzzed:
    """How many inputs a reader was given, how many it found sound, and what broke it."""

    inputs: int = 0
    sound: int = 0
    broken_by: bytes | None = None
    said: str = ""


def fuzz(name: str, examples: int, start: int) -> Fuzzed:
    """Give a reader damaged inputs, until one of them breaks its promise.

    Parameters
    ----------
    name : str
        The reader's.
    examples : int
        How many inputs.
    start : int
        The seed: the same inputs again with the same version of Hypothesis.
    """
    found = Fuzzed()

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(READERS[name].sound()))
    def once(content):
        found.inputs += 1
        try:
            found.sound += check_kept(name, content)
        except BrokenPromiseError:
            found.broken_by = content
            raise

    try:
        once()
    except (BrokenPromiseError, Flaky) as error:
        found.said = repr(error)
    return found


@st.composite
def damaged(draw, sound: list[bytes]) -> bytes:
    """Draw a sound input and damage it in up to eight places."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 8))):
        # Heads and tails of files say how to read the rest.
        start = draw(st.sampled_from((0, 0, len(content) // 2, max(0, len(content) - 1000))))
        place = min(start + draw(st.integers(0, 2000)), len(content))
        kind = draw(st.sampled_from(("change", "number", "insert", "remove", "repeat", "cut")))
        if kind == "change" and place < len(content):
            content[place] = draw(st.integers(0, 255))
        elif kind == "number":  # sizes and places in a file are such numbers
            number = draw(st.sampled_from((0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32 - 1)))
            content[place : place + 4] = number.to_bytes(
                4, draw(st.sampled_from(("big", "little")))
            )
        elif kind == "insert":
            content[place:place] = draw(st.binary(max_size=16))
        elif kind == "remove":
            del content[place : place + draw(st.integers(1, 64))]
        elif kind == "repeat":
            piece = bytes(content[place : place + draw(st.integers(1, 64))])
            content[place:place] = piece * draw(st.sampled_from((1, 2, 100)))
        elif kind == "cut":
            del content[place:]
    return bytes(content)


# --- Sound inputs -----------------------------------------------------------------------------


def in_memory(write: Callable) -> bytes:
    """Return what ``write(file)`` writes."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def from_file(name: str, write: Callable[[Path], object]) -> bytes:
    """Return what ``write(path)`` writes to a file of that name."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


@cache
def pictures() -> list[bytes]:
    """Return a small picture in each format."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    formats = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
    return [in_memory(lambda file, f=f: picture.save(file, f)) for f in formats]


@cache
def archives() -> list[bytes]:
    """Return small archives of pictures, laid out as the book reads them."""
    names = [
        f"{part}/{label}/{i}.png" for part in ("train", "test") for label in "ab" for i in "12"
    ]

    def tar(file, mode):
        with tarfile.open(fileobj=file, mode=mode) as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(pictures()[0])
                archive.addfile(member, io.BytesIO(pictures()[0]))

    def packed(file, compression):
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name in names:
                archive.writestr(name, pictures()[0])

    tars = [in_memory(lambda file, m=mode: tar(file, m)) for mode in ("w", "w:gz")]
    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return tars + [in_memory(lambda file, c=kind: packed(file, c)) for kind in kinds]


@cache
def batches() -> list[bytes]:
    """Return small batches in CIFAR-10's format."""
    data = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    batch = {"batch_label": "b", "labels": [3, 7], "data": data, "filenames": ["a", "b"]}
    return [pickle.dumps(batch, protocol) for protocol in (0, 1, 2, 4)]


@cache
def small_weights() -> list[bytes]:
    """Return the weights of a small layer."""
    facts = {"architecture": "none"}
    return [from_file("a", lambda path: save_weights(path, nn.Linear(3, 2), facts))]


@cache
def models() -> list[bytes]:
    """Return a LeNet-5 with its card."""
    card = ModelCard("lenet5", ("a", "b"), (28, 28), (0.1,), (0.3,))
    model = create_model("lenet5", num_classes=2)
    return [from_file("a", lambda path: save_model(path, model, card))]


def checkpoint_of(model: nn.Module, **parts) -> bytes:
    """Return a checkpoint as `train` writes them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = {
        "cnnlib_checkpoint": CHECKPOINT_VERSION,
        "config": {},
        "steps": 1,
        "batches": {},
        "history": [],
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        "origin": {},
        "card": {},
    }
    return in_memory(lambda file: torch.save(state | parts, file))


@cache
def checkpoints() -> list[bytes]:
    """Return the checkpoint of a small layer."""
    return [checkpoint_of(nn.Linear(3, 2))]


@cache
def runs() -> list[bytes]:
    """Return checkpoints of a LeNet-5: one has a card, the other says where all came from."""
    model = create_model("lenet5", num_classes=2)
    card = ModelCard("lenet5", ("a", "b"), (28, 28), (0.1,), (0.3,))
    known = {name: getattr(card, name) for name in ("classes", "image_size", "mean", "std", "data")}
    return [
        checkpoint_of(model, card=card.facts()),
        checkpoint_of(model, origin=model.origin, batches=known),
    ]


@cache
def small_records() -> list[bytes]:
    """Return a record of a run."""
    folder = records.results_folder()
    return [min((path.read_bytes() for path in folder.glob("*.json")), key=len)]


@cache
def cards() -> list[bytes]:
    """Return the facts of a card."""
    card = ModelCard("resnet20", ("a", "b"), (32, 32), (0.5,) * 3, (0.2,) * 3, resize=40)
    return [json.dumps(card.facts()).encode()]


def read_card(path: Path) -> ModelCard:
    """Read facts as they stand in a safetensors file: strings by name."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(facts, dict) or not all(isinstance(v, str) for v in facts.values()):
        raise ValueError("not what safetensors would have given")
    return ModelCard.from_facts(facts)


#: by name; the corpus has a folder for each
READERS = {
    "pictures": Reader(open_picture, pictures, "a.png"),
    "archives": Reader(image_folder, archives, "a.tar"),
    "data sets": Reader(cifar._read, archives, "a.tar"),
    "batches": Reader(lambda path: official.read_batch(path.read_bytes(), "a"), batches, "a"),
    "weights": Reader(
        lambda path: load_weights(path, nn.Linear(3, 2)), small_weights, "a.safetensors"
    ),
    "models": Reader(load_model, models, "a.safetensors"),
    "checkpoints": Reader(load_checkpoint, checkpoints, "a.pt"),
    "models from checkpoints": Reader(load_model, runs, "a.pt"),
    "records": Reader(lambda path: records.load("a", path.parent), small_records, "a.json"),
    "cards": Reader(read_card, cards, "a.json"),
}


def kept(name: str) -> list[Path]:
    """Return the inputs that once broke a reader's promise."""
    return sorted((CORPUS / name.replace(" ", "-")).glob("*"))


def keep(name: str, content: bytes) -> Path:
    """Keep an input that breaks a reader's promise."""
    path = CORPUS / name.replace(" ", "-") / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
