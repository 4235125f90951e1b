"""Train and evaluate: a generator that yields one record an epoch.

There are no callbacks. Early stopping is ``break``, plotting is the caller's loop::

    for record in train(model, batches, validation, config, checkpoint="runs/mine.pt"):
        print(record)

Everything that an epoch does follows from the configuration, the seed and the epoch's number, so a
run that was killed goes on from its last checkpoint to the same weights, on a CPU to the bit.
"""

from __future__ import annotations

import hashlib
import math
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from cnnlib.files import write_atomically

CHECKPOINT_VERSION = 1
SCHEDULES = ("constant", "step", "cosine", "one_cycle")
OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# A GPU runs ahead of Python; asking it for a number stops it. Losses are looked at this often.
_STEPS_BETWEEN_CHECKS = 50


@dataclass(frozen=True)
class TrainConfig:
    """What a training run does, apart from the model and the data.

    Parameters
    ----------
    epochs
        Passes over the training set.
    lr
        The peak learning rate.
    schedule
        How the learning rate moves over the run, see :func:`lr_at`.
    warmup
        Share of the run, in [0, 1), over which ``one_cycle`` and ``cosine`` rise to the peak.
    optimizer
        ``"sgd"`` (with ``momentum``, Nesterov's if ``nesterov``) or ``"adamw"``.
    weight_decay
        Applied to kernels and matrices only, not to biases and norms.
    label_smoothing
        Probability mass that the target gives to all classes alike [1]_.
    grad_clip
        Largest allowed norm of the gradient, or None.
    device
        ``"auto"`` takes CUDA, then MPS, then the CPU.
    precision
        ``"fp32"``, ``"bf16"``, ``"fp16"`` or ``"auto"``: see :func:`pick_precision`.
    channels_last
        Keep pictures and kernels with the channel as the fastest index: the same numbers, and
        what the fast convolution routines want.
    compile
        Compile the model with ``torch.compile``: slow to begin, faster from then on.
    seed
        Seeds dropout and whatever else draws from torch's generator, anew in each epoch.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.
    """

    epochs: int = 10
    lr: float = 0.1
    schedule: str = "one_cycle"
    warmup: float = 0.2
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    grad_clip: float | None = None
    device: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    seed: int = 0

    def __post_init__(self):
        _require(_is_int(self.epochs) and self.epochs >= 1, "epochs", self.epochs, "1 or more")
        _require(_is_number(self.lr) and self.lr > 0, "lr", self.lr, "a positive number")
        _require(self.schedule in SCHEDULES, "schedule", self.schedule, " or ".join(SCHEDULES))
        _require(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, " or ".join(OPTIMIZERS))
        _require(0 <= self.warmup < 1, "warmup", self.warmup, "a share of the run in [0, 1)")
        _require(0 <= self.momentum < 1, "momentum", self.momentum, "in [0, 1)")
        _require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        _require(
            0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "in [0, 1)"
        )
        _require(
            self.grad_clip is None or self.grad_clip > 0,
            "grad_clip",
            self.grad_clip,
            "a positive norm, or None for no clipping",
        )
        _require(
            self.precision in ("auto", *PRECISIONS),
            "precision",
            self.precision,
            " or ".join(("auto", *PRECISIONS)),
        )


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did; losses and accuracies are means over pictures, each counted once.

    ``train_loss`` and ``train_accuracy`` are measured while the weights move, on augmented
    pictures, so they lag behind what the final weights of the epoch would give. ``lr`` is the rate
    of the epoch's last step; ``seconds`` covers training, not validation.
    """

    epoch: int
    steps: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    images_per_second: float

    def __str__(self):
        text = f"epoch {self.epoch:3d}  train {self.train_accuracy:6.1%} loss {self.train_loss:.3f}"
        if self.validation_accuracy is not None:
            text += f"  validation {self.validation_accuracy:6.1%} loss {self.validation_loss:.3f}"
        return text


@dataclass(frozen=True)
class Evaluation:
    """The result of :func:`evaluate`: ``correct`` of ``n`` pictures, and the mean ``loss``."""

    n: int
    correct: int
    loss: float

    @property
    def accuracy(self) -> float:
        """Share of the pictures that were named correctly, in [0, 1]."""
        return self.correct / self.n


class NonFiniteLossError(RuntimeError):
    """The loss became infinite or not a number; the message says where and what to try."""


def pick_device(device: str = "auto") -> torch.device:
    """Return the device that ``"auto"`` or a name such as ``"cuda:1"`` stands for.

    Raises
    ------
    ValueError
        If the name is unknown, or this machine has no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        picked = torch.device(device)
        torch.empty(0, device=picked)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {device!r} cannot be used here ({error}); "
            "try 'auto', which takes the fastest one that this machine has."
        ) from None
    return picked


def pick_precision(precision: str, device: torch.device) -> str:
    """Return ``"fp32"``, ``"bf16"`` or ``"fp16"`` for ``precision`` on ``device``.

    ``"auto"`` takes bf16 where the hardware computes in it (CUDA capability 8.0 and up, CPUs with
    avx512_bf16 or amx), fp16 with a gradient scaler on older GPUs, and fp32 elsewhere.

    Raises
    ------
    ValueError
        If fp16 is asked for on a device that has no fast fp16.
    """
    if precision == "auto":
        if device.type == "cuda":
            return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
        return "bf16" if device.type == "cpu" and _cpu_computes_bf16() else "fp32"
    _require(precision in PRECISIONS, "precision", precision, " or ".join(("auto", *PRECISIONS)))
    return precision


def lr_at(step: int, total_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of one step: a pure function, so one can plot it and resume it.

    Parameters
    ----------
    step
        Number of the step, from 0.
    total_steps
        Steps in the whole run.
    config
        Its ``schedule`` is one of

        - ``"constant"``: the peak throughout;
        - ``"step"``: the peak, a tenth of it from half of the run, a hundredth from three quarters,
          as in He et al. 2016, section 4.2;
        - ``"cosine"``: a straight rise over the warm-up, then half a cosine wave to zero [1]_;
        - ``"one_cycle"``: a straight rise over the warm-up, then a straight fall to zero [2]_.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR", 2017.
    .. [2] L. N. Smith and N. Topin, "Super-Convergence", 2019.
    """
    _require(0 <= step < total_steps, "step", step, f"in 0..{total_steps - 1}")
    done = step / total_steps
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * (1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01)
    warmup_steps = config.warmup * total_steps
    if step + 1 <= warmup_steps:
        return config.lr * (step + 1) / warmup_steps
    left = (total_steps - step) / (total_steps - warmup_steps)
    left = min(left, 1.0)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 - math.cos(math.pi * left))
    return config.lr * left


def train(
    model: nn.Module,
    batches: Iterable,
    validation: Iterable | None = None,
    config: TrainConfig | None = None,
    *,
    checkpoint: str | Path | None = None,
) -> Iterator[EpochRecord]:
    """Train ``model`` in place, yielding an :class:`EpochRecord` after each epoch.

    The arguments are checked at once; the training happens as the records are asked for.

    Parameters
    ----------
    model
        Maps pictures ``(N, C, H, W)`` to logits ``(N, classes)``.
    batches
        Yields ``(images, labels)``, and has a length. If it has ``set_epoch``, that is called
        before each epoch, so that the order and the augmentation follow from the epoch's number.
    validation
        The same for held-out pictures, or None.
    config
        What to do; the default is ``TrainConfig()``.
    checkpoint
        A file that holds the run after every epoch. If it is there already, the run goes on from
        it: the finished epochs are yielded from its history, and only the others are trained.

    Yields
    ------
    EpochRecord
        One an epoch, after its checkpoint is safely on the disk.

    Raises
    ------
    ValueError
        If there is nothing to train on, or the checkpoint is damaged, or belongs to another
        architecture, configuration or data set.
    NonFiniteLossError
        If the loss becomes infinite or not a number. The last checkpoint stays as it was.
    MemoryError
        If a batch does not fit into the memory, with a batch size to try.
    """
    config = config or TrainConfig()
    run = _Run(model, batches, config, Path(checkpoint) if checkpoint else None)
    run.restore()
    return run.epochs(batches, validation)


def fit(
    model: nn.Module,
    batches: Iterable,
    validation: Iterable | None = None,
    config: TrainConfig | None = None,
    *,
    checkpoint: str | Path | None = None,
) -> list[EpochRecord]:
    """Train as :func:`train` does, with a progress bar on a terminal, and return all records."""
    from tqdm import tqdm

    config = config or TrainConfig()
    records = train(model, batches, validation, config, checkpoint=checkpoint)
    # disable=None: a bar on a terminal, silence in a log file or a notebook's stored output.
    return list(tqdm(records, total=config.epochs, unit="epoch", disable=None))


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Iterable, *, device: str = "auto", precision: str = "auto"
) -> Evaluation:
    """Measure the model on held-out pictures, in ``eval()`` mode, and leave its mode as it was.

    Returns
    -------
    Evaluation
        The loss is the plain cross-entropy, whatever the training used.

    Raises
    ------
    ValueError
        If ``batches`` holds no picture.
    """
    loss_sum, correct, n = 0.0, 0, 0
    for logits, labels in _predictions(model, batches, device, precision):
        # Sums stay on the device: reading each one would make a GPU wait for Python.
        loss_sum = loss_sum + F.cross_entropy(logits, labels, reduction="sum")
        correct = correct + (logits.argmax(1) == labels).sum()
        n += len(labels)
    if n == 0:
        raise ValueError("There is no picture to evaluate on: the batches are empty.")
    return Evaluation(n=n, correct=int(correct), loss=float(loss_sum) / n)


@torch.no_grad()
def collect_logits(
    model: nn.Module, batches: Iterable, *, device: str = "auto", precision: str = "auto"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits ``(N, classes)`` and labels ``(N,)`` of all pictures, on the CPU, in fp32."""
    pairs = list(_predictions(model, batches, device, precision))
    if not pairs:
        raise ValueError("There is no picture to predict on: the batches are empty.")
    logits, labels = zip(*pairs, strict=True)
    return torch.cat(logits).cpu(), torch.cat(labels).cpu()


def architecture(model: nn.Module) -> dict[str, list[int]]:
    """Return the shape of every parameter and buffer by name: what a checkpoint must match."""
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def fingerprint(model: nn.Module) -> str:
    """Return a hash of :func:`architecture`, equal where weights can be exchanged."""
    lines = [f"{name} {shape}" for name, shape in sorted(architecture(model).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def require_same_architecture(expected: dict, found: dict, source: str) -> None:
    """Compare two results of :func:`architecture`.

    Raises
    ------
    ValueError
        If they differ; the message lists the keys that are missing, extra, or of another shape.
    """
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    shapes = [
        f"{k} is {found[k]} there and {expected[k]} here"
        for k in expected
        if k in found and list(found[k]) != list(expected[k])
    ]
    parts = [
        f"{what}: {', '.join(names[:6])}{' …' if len(names) > 6 else ''}"
        for what, names in (("missing", missing), ("extra", extra), ("other shapes", shapes))
        if names
    ]
    if parts:
        raise ValueError(
            f"{source} belongs to another architecture ({'; '.join(parts)}). "
            "Create the model that it was saved from, with the same number of classes."
        )


class _Run:
    """One training run: the model and all that has to survive with it."""

    def __init__(self, model, batches, config, checkpoint):
        self.config, self.checkpoint = config, checkpoint
        self.steps = len(batches)
        if self.steps == 0:
            raise ValueError(
                "There is nothing to train on: an epoch has no step. Use more pictures, or a "
                "smaller batch size."
            )
        self.device = pick_device(config.device)
        self.precision = pick_precision(config.precision, self.device)
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.model = model.to(self.device, memory_format=self.layout)
        if config.compile:
            self.model.compile()  # in place: the names of the parameters stay clean
        self.optimizer = _optimizer(model, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.history = []

    def epochs(self, batches, validation):
        """Yield the epochs that are done, then train the others."""
        yield from list(self.history)
        for epoch in range(len(self.history) + 1, self.config.epochs + 1):
            record = self.epoch(epoch, batches, validation)
            self.history.append(record)
            self.save()
            yield record

    def epoch(self, epoch, batches, validation):
        """Train for one epoch and measure it."""
        torch.manual_seed(_epoch_seed(self.config.seed, epoch))
        if hasattr(batches, "set_epoch"):
            batches.set_epoch(epoch)
        self.model.train()
        started = time.perf_counter()
        n, loss, accuracy, lr = self._steps(epoch, batches)
        seconds = time.perf_counter() - started
        held_out = validation is not None and evaluate(
            self.model, validation, device=str(self.device), precision=self.precision
        )
        return EpochRecord(
            epoch=epoch,
            steps=self.steps,
            lr=lr,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=held_out.loss if held_out else None,
            validation_accuracy=held_out.accuracy if held_out else None,
            seconds=seconds,
            images_per_second=n / seconds,
        )

    def _steps(self, epoch, batches):
        """Take every step of the epoch; return n, mean loss, accuracy and the last step's lr."""
        first = (epoch - 1) * self.steps
        total = self.config.epochs * self.steps
        losses = torch.zeros(self.steps, device=self.device)
        sizes = torch.zeros(self.steps)
        correct = torch.zeros((), dtype=torch.long, device=self.device)
        checked = 0
        for i, (images, labels) in enumerate(batches):
            lr = lr_at(first + i, total, self.config)
            images = images.to(self.device, memory_format=self.layout)
            labels = labels.to(self.device)
            logits, loss = self._forward_backward(images, labels, check_labels=epoch == 1)
            self._update(lr)
            losses[i] = loss
            correct += (logits.argmax(1) == labels).sum()
            sizes[i] = len(labels)
            if i + 1 - checked == _STEPS_BETWEEN_CHECKS or i + 1 == self.steps:
                self._require_finite(losses[checked : i + 1], first + checked, total)
                checked = i + 1
        n = int(sizes.sum())
        return n, float(losses.cpu() @ sizes) / n, int(correct) / n, lr

    def _forward_backward(self, images, labels, check_labels):
        """Compute logits, loss and gradients of one batch."""
        try:
            with _autocast(self.device, self.precision):
                logits = self.model(images).float()
            if check_labels:  # once over the data: a GPU's own message would be unreadable
                _require_labels(labels, logits.shape[1])
            loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            raise MemoryError(
                f"A batch of {len(labels)} pictures does not fit into the memory of this device. "
                f"Try a batch size of {max(1, len(labels) // 2)}, and halve the learning rate too."
            ) from error
        return logits.detach(), loss.detach()

    def _update(self, lr):
        """Move the weights by one step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if self.config.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _require_finite(self, losses, first, total):
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad) == 0:
            return
        step = first + int(bad[0])
        lr = lr_at(step, total, self.config)
        raise NonFiniteLossError(
            f"The loss is {float(losses[bad[0]])} at step {step} of {total} (epoch "
            f"{step // self.steps + 1}, learning rate {lr:.3g}). Try a learning rate ten times "
            "smaller, grad_clip=1.0, or precision='fp32', and look at the pictures of that batch."
        )

    def save(self):
        """Write the whole run to the checkpoint, whole or not at all."""
        if self.checkpoint is None:
            return
        state = {
            "cnnlib_checkpoint": CHECKPOINT_VERSION,
            "config": asdict(self.config),
            "steps": self.steps,
            "history": [asdict(record) for record in self.history],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        write_atomically(self.checkpoint, lambda file: torch.save(state, file))

    def restore(self):
        """Go on from the checkpoint if there is one, and write the first one if not."""
        if self.checkpoint is None:
            return
        if not self.checkpoint.exists():
            self.save()
            return
        state = load_checkpoint(self.checkpoint)
        require_same_architecture(
            architecture(self.model),
            {name: list(tensor.shape) for name, tensor in state["model"].items()},
            f"The checkpoint {self.checkpoint}",
        )
        self._require_same_run(state)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.history = [EpochRecord(**record) for record in state["history"]]

    def _require_same_run(self, state):
        now = {**asdict(self.config), "steps": self.steps}
        then = {**state["config"], "steps": state["steps"]}
        changed = [f"{k} was {then.get(k)!r}, is {now[k]!r}" for k in now if then.get(k) != now[k]]
        if changed:
            raise ValueError(
                f"The checkpoint {self.checkpoint} is of another run ({'; '.join(changed)}). "
                "Delete it to begin anew, or use the settings that it began with."
            )


def save_weights(path: str | Path, model: nn.Module, facts: dict[str, str]) -> None:
    """Write the weights alone, as safetensors, with ``facts`` that their user will need.

    Parameters
    ----------
    facts
        Strings such as the architecture's name, the class names and the normalisation.
    """
    from safetensors.torch import save

    state = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    payload = save(state, metadata=facts)
    write_atomically(path, lambda file: file.write(payload))


def load_weights(path: str | Path, model: nn.Module) -> dict[str, str]:
    """Read weights that :func:`save_weights` wrote into ``model``, and return their facts.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or of another architecture; the model is left as it was.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).exists():
        raise ValueError(f"There are no weights at {path}.")
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or holds no weights ({error}).") from None
    found = {name: list(tensor.shape) for name, tensor in state.items()}
    require_same_architecture(architecture(model), found, f"The file {path}")
    model.load_state_dict(state)
    return facts


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint that :func:`train` wrote; only tensors and plain values are admitted.

    Raises
    ------
    ValueError
        If the file is damaged, is no checkpoint of ours, or is of another version.
    """
    if not Path(path).exists():
        raise ValueError(f"There is no checkpoint at {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            if (member := archive.testzip()) is not None:  # torch itself checks no checksum
                raise ValueError(f"{member} is not what was written")
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["cnnlib_checkpoint"]
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise ValueError(
            f"{path} is damaged or is no checkpoint of a training run ({type(error).__name__}). "
            "Delete it to begin anew."
        ) from error
    if version != CHECKPOINT_VERSION:
        raise ValueError(
            f"{path} is a checkpoint of version {version}; this cnnlib reads version "
            f"{CHECKPOINT_VERSION}. Delete it to begin anew, or use the cnnlib that wrote it."
        )
    return state


def _predictions(model, batches, device, precision):
    """Yield fp32 logits and labels of each batch, in ``eval()`` mode."""
    device = pick_device(device)
    precision = pick_precision(precision, device)
    was_training = model.training
    model.to(device).eval()
    try:
        for images, labels in batches:
            with _autocast(device, precision):
                logits = model(images.to(device))
            yield logits.float(), labels.to(device)
    finally:
        model.train(was_training)


def _optimizer(model, config):
    """Build the optimiser; kernels and matrices decay, biases and norms do not."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("No parameter of the model can be trained: all of them are frozen.")
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    nesterov = config.nesterov and config.momentum > 0
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov)


def _autocast(device, precision):
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, PRECISIONS[precision])


def _epoch_seed(seed, epoch):
    """Mix the two, so that epoch 2 of seed 0 is not epoch 1 of seed 1."""
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch}".encode()).digest()[:7], "big")


def _require_labels(labels, classes):
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise ValueError(
            f"A label is {int(outside[0])}, but the model tells {classes} classes apart, numbered "
            f"0 to {classes - 1}. Create the model with the data's number of classes."
        )


def _is_out_of_memory(error):
    message = str(error).lower()
    return "out of memory" in message or "can't allocate memory" in message


def _cpu_computes_bf16():
    # Older torch cannot tell; then fp32 is the safe answer.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds, name, value, wanted):
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {wanted}.")
