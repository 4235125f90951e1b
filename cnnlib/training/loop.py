"""The loop: one step after the other, one record an epoch, one checkpoint after each."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from cnnlib import memory
from cnnlib.files import remove_leftovers, write_atomically
from cnnlib.seeds import seed_of

from . import processes
from .averaging import MovingAverage
from .checkpoints import CHECKPOINT_VERSION, claim, last_sound, previous, require_fitting
from .evaluation import evaluate
from .muon import Muon
from .settings import TrainConfig, autocast, lr_at, pick_device, pick_precision

# A GPU runs ahead of Python; asking it for a number stops it. Losses are looked at this often.
_STEPS_BETWEEN_CHECKS = 50

_CALMER = "try a learning rate ten times smaller, grad_clip=1.0, or precision='fp32'"


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


class NonFiniteLossError(RuntimeError):
    """A loss or a weight became infinite or not a number; the message says where, what to try."""


def train(
    model: nn.Module,
    batches: Iterable,
    validation: Iterable | None = None,
    config: TrainConfig | None = None,
    *,
    checkpoint: str | Path | None = None,
    param_groups: list[dict] | None = None,
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
        If it has ``facts``, as :class:`cnnlib.data.DeviceBatches` has, the checkpoint keeps them.
    validation
        The same for held-out pictures, or None.
    config
        What to do; the default is ``TrainConfig()``.
    checkpoint
        A file that holds the run after every epoch. If it is there already, the run goes on from
        it: the finished epochs are yielded from its history, and only the others are trained. The
        one before it is kept too, ``mine.previous.pt`` beside ``mine.pt``: if the last one cannot
        be read, a warning says so, and the run goes on from there.
    param_groups
        Parts of the model that learn at rates of their own, as
        :func:`cnnlib.transfer.param_groups` gives them: ``{"params": [...], "lr": peak}``. The
        schedule moves all of them alike. Without it everything learns at ``config.lr``.

    Yields
    ------
    EpochRecord
        One an epoch, after its checkpoint is safely on the disk. With ``config.ema`` the model
        holds the average of its weights now, and goes on from the weights themselves.

    Raises
    ------
    ValueError
        If there is nothing to train on, all of the model is frozen, or ``param_groups`` are not
        those of the model; if no checkpoint can be read, the checkpoint belongs to another
        network or configuration, or to batches with other ``facts``, or another process is
        writing it.
    NonFiniteLossError
        If the loss or the weights become infinite or not a number. The last checkpoint stays as
        it was.
    MemoryError
        If a batch does not fit into the memory, with a batch size to try.
    OSError
        If a checkpoint cannot be written. The last one stays as it was.
    """
    config = config or TrainConfig()
    run = _Run(model, batches, config, Path(checkpoint) if checkpoint else None, param_groups)
    run.restore()
    return run.epochs(batches, validation)


def fit(
    model: nn.Module,
    batches: Iterable,
    validation: Iterable | None = None,
    config: TrainConfig | None = None,
    *,
    checkpoint: str | Path | None = None,
    param_groups: list[dict] | None = None,
) -> list[EpochRecord]:
    """Train to the end, with a progress bar on a terminal.

    Parameters and what is raised are those of :func:`train`.

    Returns
    -------
    list of EpochRecord
        One an epoch.
    """
    from tqdm import tqdm

    config = config or TrainConfig()
    options = {"checkpoint": checkpoint, "param_groups": param_groups}
    records = train(model, batches, validation, config, **options)
    # disable=None: a bar on a terminal, silence in a log file or a notebook's stored output.
    return list(tqdm(records, total=config.epochs, unit="epoch", disable=None))


class _Run:
    """One training run: the model and all that has to survive with it."""

    def __init__(self, model, batches, config, checkpoint, param_groups):
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
        with memory.enough(f"The network does not fit into the memory of {self.device}."):
            self.model = model.to(self.device, memory_format=self.layout)
        self.optimizer = _optimizer(self.model, config, param_groups)
        self.average = MovingAverage(self.model, config.ema) if config.ema else None
        if config.compile:
            self.model.compile()  # in place: the names of the parameters stay clean
        self.network = processes.side_by_side(self.model, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.history = []
        self.facts = _plain(batches.facts()) if hasattr(batches, "facts") else {}
        self.claim = None  # on the checkpoint, while this run writes it
        self.is_sound = True  # the checkpoint: it may take the place of the one before it

    def epochs(self, batches, validation):
        """Yield the epochs that are done, then train the others."""
        if self.device.type == "cpu":
            memory.keep()
        try:
            yield from list(self.history)
            for epoch in range(len(self.history) + 1, self.config.epochs + 1):
                record = self.epoch(epoch, batches, validation)
                self.history.append(record)
                self.save()
                yield record
        finally:
            memory.give_back()
            if self.claim:
                self.claim.release(force=True)

    def epoch(self, epoch, batches, validation):
        """Train for one epoch and measure it."""
        torch.manual_seed(_epoch_seed(self.config.seed, epoch, processes.rank()))
        if hasattr(batches, "set_epoch"):
            batches.set_epoch(epoch)
        if self.average:
            self.average.hide()
        _learn(self.network)
        started = time.perf_counter()
        n, loss, accuracy, lr = self._steps(epoch, batches)
        seconds = time.perf_counter() - started
        processes.take_first_buffers(self.model)
        if self.average:
            self.average.show()
            processes.take_first_buffers(self.model)
        held_out = validation is not None and evaluate(
            self.model, validation, device=str(self.device), precision=self.precision
        )
        self._require_sound(epoch, held_out.loss if held_out else 0.0)
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
            sizes[i] = len(labels)
            _require_shares(len(labels))
            with memory.enough_for(len(labels), ", and halve the learning rate too"):
                losses[i], right = self._step(images, labels, lr, check_labels=epoch == 1)
                correct += right
            if i + 1 - checked == _STEPS_BETWEEN_CHECKS or i + 1 == self.steps:
                losses[checked : i + 1] = processes.summed(losses[checked : i + 1])
                self._require_finite(losses[checked : i + 1], first + checked, total)
                checked = i + 1
        n = int(sizes.sum())
        return n, float(losses.cpu() @ sizes) / n, int(processes.summed(correct)) / n, lr

    def _step(self, images, labels, lr, check_labels):
        """Learn from a batch; return this process's part of the loss, and how many were right."""
        n = len(labels)
        images = processes.share(images).to(self.device, memory_format=self.layout)
        labels = processes.share(labels).to(self.device)
        part = len(labels) / n  # of the batch: the loss is a mean over all of it
        logits, loss = self._forward_backward(images, labels, part, check_labels)
        self._update(lr)
        return loss * part, (logits.argmax(1) == labels).sum()

    def _forward_backward(self, images, labels, part, check_labels):
        """Compute logits, loss and gradients of a batch, or of this process's part of it."""
        with autocast(self.device, self.precision):
            logits = self.network(images).float()
        if check_labels:  # once over the data: a GPU's own message would be unreadable
            _require_labels(labels, logits.shape[1])
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        # The gradients of the processes are averaged, and are to be summed.
        self.scaler.scale(loss * (part * processes.count())).backward()
        return logits.detach(), loss.detach()

    def _update(self, lr):
        """Move the weights by one step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr * (group["peak"] / self.config.lr)
        if self.config.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update()

    def _require_finite(self, losses, first, total):
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad) == 0:
            return
        step = first + int(bad[0])
        epoch, batch = step // self.steps + 1, step % self.steps + 1
        lr = lr_at(step, total, self.config)
        raise NonFiniteLossError(
            f"The loss is {float(losses[bad[0]])} at step {step + 1} of {total} (epoch {epoch}, "
            f"batch {batch} of {self.steps}, learning rate {lr:.3g}). Look at the pictures of "
            f"that batch, and {_CALMER}."
        )

    def _require_sound(self, epoch, validation_loss):
        """Refuse what an epoch has led to, if no run could go on from it."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        norms = torch._foreach_norm([t.detach() for t in tensors if t.is_floating_point()])
        if not torch.stack([norm.float() for norm in norms]).isfinite().all():
            raise NonFiniteLossError(
                f"After epoch {epoch} the weights, or a BatchNorm's statistics, are too large or "
                "not a number, though every loss was finite. Look at the pictures of its last "
                f"batches, and {_CALMER}."
            )
        if not math.isfinite(validation_loss):
            raise NonFiniteLossError(
                f"After epoch {epoch} the validation loss is {validation_loss}. Look at the "
                f"pictures for validation, and {_CALMER}."
            )

    def save(self):
        """Write the whole run to the checkpoint, whole or not at all."""
        if self.checkpoint is None or not processes.is_first():
            return
        state = {
            "cnnlib_checkpoint": CHECKPOINT_VERSION,
            "config": asdict(self.config),
            "steps": self.steps,
            "batches": self.facts,
            "history": [asdict(record) for record in self.history],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "origin": _plain(getattr(self.model, "origin", {})),
            "card": self.model.card.facts() if hasattr(self.model, "card") else {},
        }
        if self.claim and not self.claim.is_locked:
            raise RuntimeError(
                f"A later call of train() has taken {self.checkpoint} over; this one cannot go on."
            )
        earlier = previous(self.checkpoint) if self.is_sound else None
        try:
            write_atomically(self.checkpoint, lambda file: torch.save(state, file), earlier)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError where the disk is full
            kept = f"It holds epoch {len(self.history) - 1}." if self.checkpoint.exists() else ""
            raise OSError(
                f"The checkpoint {self.checkpoint} cannot be written ({error}). {kept} Make room, "
                "or choose a folder that you may write to; the same call then goes on."
            ) from error
        self.is_sound = True

    def restore(self):
        """Go on from the checkpoint if there is one, and write the first one if not."""
        if self.checkpoint is None:
            return
        state = processes.from_first(self._found)
        if state is None:
            return
        require_fitting(self.model, state["model"], f"The checkpoint {self.checkpoint}")
        self._require_same_run(state)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty where the run was not in fp16 until now
            self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.history = [EpochRecord(**record) for record in state["history"]]

    def _found(self):
        """Return what the checkpoint holds; where there is none, write the first one."""
        self.claim = claim(self.checkpoint)
        earlier = previous(self.checkpoint)
        if self.claim:  # so no other process is writing them now
            remove_leftovers(self.checkpoint)
            remove_leftovers(earlier)
        if self.checkpoint.exists():
            state, source = last_sound(self.checkpoint)
            self.is_sound = source == self.checkpoint
            return state
        earlier.unlink(missing_ok=True)  # of a run that somebody has deleted
        self.save()
        return None

    def _require_same_run(self, state):
        now = {**asdict(self.config), "steps": self.steps, "rates": _peaks(self.optimizer)}
        then = {**state["config"], "steps": state["steps"], "rates": _peaks(state["optimizer"])}
        now |= {f"batches.{name}": fact for name, fact in self.facts.items()}
        then |= {f"batches.{name}": fact for name, fact in state["batches"].items()}
        names = [name for name in now | then if then.get(name) != now.get(name)]
        changed = [f"{name} was {then.get(name)!r}, is {now.get(name)!r}" for name in names]
        if changed:
            raise ValueError(
                f"The checkpoint {self.checkpoint} is of another run ({'; '.join(changed)}). "
                "Delete it to begin anew, or use the settings and the data that it began with."
            )


def _learn(model):
    """Put the model into training mode, but for a BatchNorm whose weights are frozen.

    It goes on with the mean and variance that it has: its weights were learned for them.
    """
    model.train()
    for module in model.modules():
        weights = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and weights:
            module.train(any(weight.requires_grad for weight in weights))


def _optimizer(model, config, param_groups):
    """Build the optimiser; kernels and matrices decay, biases and norms do not."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise ValueError("No parameter of the model can be trained: all of them are frozen.")
    whole = [{"params": list(parameters.values()), "lr": config.lr}]
    groups = []
    for group in param_groups or whole:
        learning = [p for p in group["params"] if p.requires_grad]
        for members, share, decay in _kinds(learning, config):
            if members:
                rates = {"lr": share * group["lr"], "peak": share * group["lr"]}
                groups.append({"params": members, "weight_decay": decay, **rates})
    _require_all(parameters, groups)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)
    if config.optimizer == "muon":
        return Muon(groups, lr=config.lr, momentum=config.momentum)
    momentum = config.momentum
    return torch.optim.SGD(groups, lr=config.lr, momentum=momentum, nesterov=momentum > 0)


def _kinds(parameters, config):
    """Sort parameters by what they learn at: yield them, their share of the rate, their decay."""
    norms = [p for p in parameters if p.ndim <= 1]
    matrices = [p for p in parameters if p.ndim > 1]
    if config.optimizer == "muon":
        kernels = [p for p in matrices if p.ndim == 4]
        matrices = [p for p in matrices if p.ndim != 4]
        yield kernels, config.kernel_lr / config.lr, config.weight_decay
    yield matrices, 1.0, config.weight_decay
    yield norms, 1.0, 0.0


def _require_all(parameters, groups):
    """Refuse groups that leave a parameter out, or that are another model's."""
    grouped = {id(p) for group in groups for p in group["params"]}
    left_out = [name for name, p in parameters.items() if id(p) not in grouped]
    if left_out:
        raise ValueError(
            f"param_groups leaves {left_out[0]} out ({len(left_out)} in all), which is not frozen. "
            "Put it into a group, or freeze it."
        )
    if len(grouped) > len(parameters):
        raise ValueError("param_groups holds parameters that are not this model's.")


def _peaks(optimizer):
    """Return the peak rate of each group of an optimiser, or of its state."""
    groups = optimizer["param_groups"] if isinstance(optimizer, dict) else optimizer.param_groups
    return [group["peak"] for group in groups]


def _require_shares(pictures):
    """Refuse a batch of fewer pictures than there are processes."""
    if pictures < processes.count():
        raise ValueError(
            f"A batch of {pictures} cannot be shared by {processes.count()} processes. Leave a "
            "smaller last batch out with drop_last=True, or use fewer processes."
        )


def _epoch_seed(seed, epoch, rank=0):
    """Mix them, so that epoch 2 of seed 0 is not epoch 1 of seed 1, nor of another process."""
    return seed_of(f"{seed} {epoch}" + (f" {rank}" if rank else ""))


def _require_labels(labels, classes):
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise ValueError(
            f"A label is {int(outside[0])}, but the model tells {classes} classes apart, numbered "
            f"0 to {classes - 1}. Create the model with the data's number of classes."
        )


def _plain(facts):
    """Return facts as JSON holds them, numpy's numbers too; nothing, where it cannot."""
    try:
        return json.loads(json.dumps(facts, default=float))
    except (TypeError, ValueError):
        return {}
