"""Accidents that a training run may meet: each is made to happen, and what one sees is noted.

`CASES` holds them by name. Each is a function of an empty folder; it returns what one reads. Before
it, a run has trained for one epoch of three (`begun`), or for two where the last checkpoint is to
be spoilt; after it, `goes_on` must go on from the first epoch, and end with the weights of a run
that nothing disturbed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import nn

from cnnlib import data, files
from cnnlib.data import cifar
from cnnlib.training import TrainConfig, fit, train

CONFIG = TrainConfig(epochs=3, lr=0.05, device="cpu", precision="fp32")
NAME = "mine.pt"
NOBODY = 65534  # a user without rights of its own
Case = Callable[[Path], str]

#: what happens -> the function that makes it happen
CASES: dict[str, Case] = {}


def case(what: str) -> Callable[[Case], Case]:
    """Enter a function into `CASES`."""

    def enter(function: Case) -> Case:
        CASES[what] = function
        return function

    return enter


class Batches(list):
    """Five batches of noise; `accident` is called before the given one of the second epoch."""

    def __init__(self, accident: Callable | None = None, before: int = 3):
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(40, 2, 4, 4, generator=generator)
        super().__init__(zip(images.split(8), (torch.arange(40) % 3).split(8), strict=True))
        self.accident, self.before, self.epoch, self.served = accident, before, 0, []

    def set_epoch(self, epoch: int) -> None:
        """Note which epoch is served."""
        self.epoch = epoch
        self.served.append(epoch)

    def __iter__(self) -> Iterator:
        for number, batch in enumerate(list.__iter__(self), 1):
            hit = self.accident and (self.epoch, number) == (2, self.before)
            yield (hit and self.accident(batch)) or batch


def model() -> nn.Module:
    """Return a network with dropout and BatchNorm, always with the same weights."""
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 3))


def begun(folder: Path, epochs: int = 1) -> Path:
    """Train for so many epochs, and return the checkpoint."""
    checkpoint = folder / NAME
    run = train(model(), Batches(), config=CONFIG, checkpoint=checkpoint)
    for _ in range(epochs):
        next(run)
    return checkpoint


def goes_on(folder: Path) -> bool:
    """Train to the end; tell whether all is as it would be without the accident.

    The run must begin after the first epoch, leave nothing half written, and give the weights of a
    run that nothing disturbed.
    """
    found, expected, batches = model(), model(), Batches()
    with warnings.catch_warnings(action="ignore"):  # of a spoilt checkpoint, which is still there
        fit(found, batches, config=CONFIG, checkpoint=folder / NAME)
    fit(expected, Batches(), config=CONFIG)
    pairs = zip(found.state_dict().values(), expected.state_dict().values(), strict=True)
    is_same = all(torch.equal(a, b) for a, b in pairs)
    return is_same and batches.served == [2, 3] and not list(folder.glob("*.tmp"))


def message(work: Callable, *kinds: type[BaseException]) -> str:
    """Return what the error says that ``work()`` raises, and its kind."""
    try:
        work()
    except kinds as error:
        return f"{type(error).__name__}: {error}"
    return "nothing happened"


def warning(work: Callable) -> str:
    """Return the warning that ``work()`` gives, and its kind."""
    with warnings.catch_warnings(record=True, action="always") as found:
        work()
    return "; ".join(f"{each.category.__name__}: {each.message}" for each in found)


def trained(
    folder: Path,
    accident: Callable | None = None,
    before: int = 3,
    network: nn.Module | None = None,
) -> None:
    """Go on from the checkpoint, through an accident."""
    batches = Batches(accident, before)
    fit(network or model(), batches, config=CONFIG, checkpoint=folder / NAME)


def taken_up(folder: Path) -> None:
    """Read the checkpoint, and train no further."""
    train(model(), Batches(), config=CONFIG, checkpoint=folder / NAME)


def command(folder: Path, work: str, signal_number: int) -> str:
    """Go on in a process of its own, as a command does, and send it a signal in the middle."""
    script = f"import faults; faults.{work}({str(folder)!r})"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "here\n"  # in the second epoch, or at its end
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=120)
    status = process.returncode
    return f"{said.strip()} Exit status {status if status > 0 else 128 - status}.".strip()


def wait(*_) -> None:
    """Say that one is there, and wait for a signal."""
    print("here", flush=True)
    signal.pause()


def as_an_experiment(folder: str) -> None:
    """Go on as `python -m experiments` does, and wait in the second epoch."""
    from experiments.__main__ import answer_signals

    answer_signals()
    trained(Path(folder), wait)


def as_a_script(folder: str) -> None:
    """Go on as a script of one's own does, and wait in the second epoch."""
    trained(Path(folder), wait)


def in_a_write(folder: str) -> None:
    """Go on, and wait when half of the next checkpoint is written."""

    def half(state, file):
        file.write(b"half")
        file.flush()
        wait()

    with patch.object(torch, "save", half):
        trained(Path(folder))


@case("The process is killed in the middle of an epoch (SIGKILL)")
def killed(folder: Path) -> str:
    begun(folder)
    return command(folder, "as_an_experiment", signal.SIGKILL)


@case("The process is killed while it writes a checkpoint (SIGKILL)")
def killed_in_a_write(folder: Path) -> str:
    begun(folder)
    said = command(folder, "in_a_write", signal.SIGKILL)
    assert list(folder.glob(f"{NAME}.*.tmp"))  # so there is something to tidy up
    return said


@case("A cluster's scheduler ends an experiment (SIGTERM)")
def ended(folder: Path) -> str:
    begun(folder)
    return command(folder, "as_an_experiment", signal.SIGTERM)


@case("A cluster's scheduler ends a script of one's own (SIGTERM)")
def script_ended(folder: Path) -> str:
    begun(folder)
    return command(folder, "as_a_script", signal.SIGTERM)


@case("Somebody presses Ctrl-C in an experiment (SIGINT)")
def interrupted(folder: Path) -> str:
    begun(folder)
    return command(folder, "as_an_experiment", signal.SIGINT)


@case("The disk is full when a checkpoint is written")
def disk_full(folder: Path) -> str:
    begun(folder)

    def full(path, mode):  # the system's own device that has no room
        return open("/dev/full", mode, buffering=0)

    def work():
        with patch.object(files, "open", full, create=True):
            trained(folder)

    return message(work, OSError)


@case("The folder cannot be written to")
def read_only(folder: Path) -> str:
    checkpoint = begun(folder)
    with tempfile.TemporaryDirectory() as place, closed(Path(place)):
        shutil.copy(checkpoint, place)
        with nobody():
            said = message(lambda: trained(Path(place)), OSError)
    return said.replace(place, str(folder))


@contextlib.contextmanager
def closed(place: Path) -> Iterator[None]:
    """Take away the permission to write into a folder, from its owner too."""
    if os.geteuid() == 0:
        os.chown(place, NOBODY, -1)
    place.chmod(0o555)
    try:
        yield
    finally:
        place.chmod(0o755)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user whom permissions bind: the superuser may write everywhere."""
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(NOBODY)
        yield
    finally:
        if is_root:
            os.seteuid(0)


@case("The checkpoint was cut short")
def cut_short(folder: Path) -> str:
    whole = begun(folder, epochs=2).read_bytes()
    (folder / NAME).write_bytes(whole[: len(whole) // 2])
    return warning(lambda: taken_up(folder))


@case("A bit of the checkpoint has turned over")
def bit_turned(folder: Path) -> str:
    whole = begun(folder, epochs=2).read_bytes()
    place = whole.index(torch.load(folder / NAME)["model"]["3.weight"].numpy().tobytes())
    (folder / NAME).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    return warning(lambda: taken_up(folder))


@case("A checkpoint of another version of cnnlib lies in its place")
def other_version(folder: Path) -> str:
    torch.save({"cnnlib_checkpoint": 1}, begun(folder, epochs=2))
    return warning(lambda: taken_up(folder))


@case("A picture holds a value that is not a number")
def not_a_number(folder: Path) -> str:
    begun(folder)
    return message(lambda: trained(folder, lambda x: (x[0] * float("nan"), x[1])), RuntimeError)


@case("Pictures are so bright that the loss explodes")
def explosion(folder: Path) -> str:
    begun(folder)
    return message(lambda: trained(folder, lambda x: (x[0] * 1e38, x[1])), RuntimeError)


@case("Pictures are so bright that the weights explode in the last batch of an epoch")
def late_explosion(folder: Path) -> str:
    begun(folder)
    return message(lambda: trained(folder, lambda x: (x[0] * 1e20, x[1]), before=5), RuntimeError)


@case("A batch does not fit into the memory")
def out_of_memory(folder: Path) -> str:
    begun(folder)

    class Large(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x) + torch.empty(2**60)[0]  # torch's own error

    network = model()
    network[0] = Large(2)
    return message(lambda: trained(folder, network=network), MemoryError)


@case("A picture is damaged, and it is met in the middle of an epoch")
def damaged_picture(folder: Path) -> str:
    begun(folder)
    path = folder / "cat.jpg"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:100])
    return message(lambda: trained(folder, lambda batch: data.open_picture(path)), ValueError)


@case("Two runs are given one checkpoint")
def two_runs(folder: Path) -> str:
    begun(folder)
    script = f"import faults, sys; faults.hold({str(folder)!r}); print('held', flush=True); input()"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes)
    try:
        assert other.stdout.readline() == "held\n"
        return message(lambda: trained(folder), ValueError)
    finally:
        other.communicate("\n", timeout=60)


def hold(folder: str) -> None:
    """Begin a run, and keep it."""
    hold.run = train(model(), Batches(), config=CONFIG, checkpoint=Path(folder) / NAME)


def outcome(what: str, folder: Path) -> str:
    """Let it happen, and return what one reads, with names that stay the same."""
    said = CASES[what](folder).replace(f"{folder}/", "runs/")
    return re.sub(r"http://127\.0\.0\.1:\d+/", "https://mirror/", said)


@contextlib.contextmanager
def mirror(content: bytes | None) -> Iterator[None]:
    """Let the only mirror of CIFAR-10 serve this, or be a port at which nobody listens."""

    class Serves(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def __getattr__(self, name):
            if name == "do_HEAD":
                return self.do_GET
            raise AttributeError(name)

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Serves)
    url = f"http://127.0.0.1:{server.server_port}/{cifar.FILE_NAME}"
    if content is None:
        server.server_close()
    else:
        Thread(target=server.serve_forever, daemon=True).start()
    named = {"CNNLIB_DATA": "", "CNNLIB_CIFAR10_URL": url}
    try:
        with patch.object(cifar, "MIRRORS", ()), patch.dict(os.environ, named):
            yield
    finally:
        if content is not None:
            server.shutdown()
            server.server_close()


def fetched(folder: Path) -> None:
    """Fetch CIFAR-10, and take no stand-in for it."""
    data.cifar10(cache_dir=folder / "cache", fallback=False)


@case("The pictures are to be downloaded, and there is no network")
def no_network(folder: Path) -> str:
    begun(folder)
    with mirror(None):
        return message(lambda: fetched(folder), ConnectionError)


@case("A mirror serves something else")
def wrong_bytes(folder: Path) -> str:
    begun(folder)
    with mirror(b"not the pictures" * 1000):
        return message(lambda: fetched(folder), ConnectionError)
