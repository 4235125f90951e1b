"""What a run does: the configuration, the schedules, the device and the precision."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch

SCHEDULES = ("constant", "step", "cosine", "one_cycle")
OPTIMIZERS = ("sgd", "adamw", "muon")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
        ``"sgd"``, ``"adamw"`` or ``"muon"``, see :class:`Muon`.
    momentum
        Of ``"sgd"`` and ``"muon"``, in [0, 1): always Nesterov's.
    kernel_lr
        Of ``"muon"``: the peak rate of the convolutions' kernels. All else learns at ``lr``.
    weight_decay
        0 or more. Applied to kernels and matrices only, not to biases and norms. ``"sgd"`` adds it
        to the gradient; the others take it from the weights, times the rate.
    label_smoothing
        Probability mass, in [0, 1), that the target gives to all classes alike [1]_.
    grad_clip
        Largest allowed norm of the gradient, or None.
    ema
        Decay of a moving average of the weights, in (0, 1), or None. With it, validation sees the
        average, and so does the caller after each epoch; the steps go on from the weights.
    device
        ``"auto"`` takes CUDA, then MPS, then the CPU.
    precision
        ``"fp32"``, ``"bf16"``, ``"fp16"`` or ``"auto"``: see :func:`pick_precision`.
    channels_last
        Keep pictures and kernels with the channel as the fastest index: the same numbers, and
        what the fast convolution routines want.
    compile
        Compile the model with ``torch.compile``: slow to begin. Whether it is faster from then on
        depends on the network and the machine, so measure it.
    seed
        An int. Seeds dropout and whatever else draws from torch's generator, anew in each
        epoch.

    Raises
    ------
    ValueError
        If a value is of another kind, or outside its range; the message names it.

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
    kernel_lr: float = 0.05
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    grad_clip: float | None = None
    ema: float | None = None
    device: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    seed: int = 0

    def __post_init__(self):
        share, positive = "a number in [0, 1)", "a positive number"
        self._check("epochs", _is_int(self.epochs) and self.epochs >= 1, "an int, 1 or more")
        self._check("lr", _is_number(self.lr) and self.lr > 0, positive)
        self._check_choice("schedule", SCHEDULES)
        self._check("warmup", _is_share(self.warmup), share)
        self._check_choice("optimizer", OPTIMIZERS)
        good = _is_number(self.kernel_lr) and self.kernel_lr > 0
        self._check("kernel_lr", good, positive)
        self._check("momentum", _is_share(self.momentum), share)
        decay = self.weight_decay
        self._check("weight_decay", _is_number(decay) and decay >= 0, "a number, 0 or more")
        self._check("label_smoothing", _is_share(self.label_smoothing), share)
        clip, ema = self.grad_clip, self.ema
        good = clip is None or (_is_number(clip) and clip > 0)
        self._check("grad_clip", good, f"{positive}, or None for no clipping")
        good = ema is None or (_is_share(ema) and ema > 0)
        self._check("ema", good, "a number in (0, 1), or None for no average")
        self._check("device", isinstance(self.device, str), "a name such as 'auto' or 'cpu'")
        self._check_choice("precision", ("auto", *PRECISIONS))
        self._check("seed", _is_int(self.seed), "an int")
        for name in ("channels_last", "compile"):
            self._check(name, isinstance(getattr(self, name), bool), "True or False")

    def _check(self, name, is_good, wanted):
        _require(is_good, name, getattr(self, name), wanted)

    def _check_choice(self, name, choices):
        self._check(name, getattr(self, name) in choices, " or ".join(choices))


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
        If the name is unknown.
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

    Returns
    -------
    float
        In [0, ``config.lr``].

    Raises
    ------
    ValueError
        If there is no such step.

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


def autocast(device: torch.device, precision: str):
    """Return the context in which a model computes in ``precision``."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, PRECISIONS[precision])


def _cpu_computes_bf16():
    # Older torch cannot tell; then fp32 is the safe answer.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value):
    return _is_number(value) and 0 <= value < 1


def _require(holds, name, value, wanted):
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {wanted}.")
