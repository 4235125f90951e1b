"""Weights and whole runs in files: whole or not there, and none of them can run code."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from filelock import FileLock, Timeout
from torch import nn

from cnnlib.files import remove_leftovers, write_atomically

CHECKPOINT_VERSION = 4

# What every checkpoint holds, and of what kind it is.
_PARTS = {
    "config": dict,
    "steps": int,
    "batches": dict,
    "history": list,
    "model": dict,
    "optimizer": dict,
    "scaler": dict,
    "origin": dict,
    "card": dict,
}

# The claims of this process: a new call may take over what an interrupted one has left.
_claims: WeakValueDictionary[Path, FileLock] = WeakValueDictionary()


def claim(checkpoint: Path) -> FileLock | None:
    """Keep other processes from writing a checkpoint for as long as the result lives.

    Returns None where the file system knows no locks.

    Raises
    ------
    ValueError
        If another process is writing it.
    OSError
        If nothing can be written there.
    """
    checkpoint = checkpoint.absolute()
    if (earlier := _claims.get(checkpoint)) is not None:
        earlier.release(force=True)
    try:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_lock(checkpoint), timeout=0)
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"Another process is writing the checkpoint {checkpoint}. Wait for it, or give this "
            "run a checkpoint of its own."
        ) from None
    except NotImplementedError:
        return None
    except OSError as error:
        raise OSError(
            f"The checkpoint {checkpoint} cannot be written ({error.strerror}). Choose a folder "
            "that you may write to."
        ) from error
    _claims[checkpoint] = lock
    return lock


def _lock(checkpoint):
    return checkpoint.with_name(f".{checkpoint.name}.lock")


def shapes_of(model: nn.Module) -> dict[str, list[int]]:
    """Return the shape of every parameter and buffer by name: what a checkpoint must match."""
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def fingerprint(model: nn.Module) -> str:
    """Return a hash of :func:`shapes_of`, equal where weights can be exchanged."""
    lines = [f"{name} {shape}" for name, shape in sorted(shapes_of(model).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def require_fitting(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Check that weights from a file belong to ``model``, before any of them is put into it.

    Raises
    ------
    ValueError
        If they do not; the message lists the keys that are missing, extra, or of another shape.
    """
    expected = shapes_of(model)
    found = {name: list(tensor.shape) for name, tensor in state.items()}
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    shapes = [
        f"{k} is {found[k]} there and {expected[k]} here"
        for k in expected
        if k in found and found[k] != expected[k]
    ]
    parts = [
        f"{what}: {', '.join(names[:6])}{' …' if len(names) > 6 else ''}"
        for what, names in (("missing", missing), ("extra", extra), ("other shapes", shapes))
        if names
    ]
    if parts:
        raise ValueError(
            f"{source} belongs to another network ({'; '.join(parts)}). "
            "Create the model that it was saved from, with the same number of classes."
        )


def save_weights(path: str | Path, model: nn.Module, facts: dict[str, str]) -> None:
    """Write the weights alone, as safetensors, with ``facts`` that their user will need.

    Parameters
    ----------
    facts
        Strings such as the network's name, the class names and the normalisation.
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
        If the file is missing, damaged, or of another network; the model is left as it was.
    """
    facts, state = _read(path, _tensors)
    require_fitting(model, state, f"The file {path}")
    model.load_state_dict(state)
    return facts


def read_facts(path: str | Path) -> dict[str, str]:
    """Read nothing but the facts that :func:`save_weights` wrote.

    Raises
    ------
    ValueError
        If the file is missing or damaged.
    """
    facts, _ = _read(path, lambda file: None)
    return facts


def _tensors(file):
    names = file.keys()
    return {name: file.get_tensor(name) for name in names}


def _read(path, get):
    """Return a safetensors file's facts, and what `get` takes out of it."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).exists():
        raise ValueError(f"There are no weights at {path}.")
    try:
        with safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}, get(file)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or holds no weights ({error}).") from None


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
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed, which no checkpoint of ours is")
            if (member := archive.testzip()) is not None:  # torch itself checks no checksum
                raise ValueError(f"{member} is not what was written")
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["cnnlib_checkpoint"]
        if version == CHECKPOINT_VERSION:
            _require_parts(state)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise ValueError(
            f"{path} is damaged or is no checkpoint of a training run "
            f"({str(error).partition('. ')[0]})."
        ) from error
    if version != CHECKPOINT_VERSION:
        raise ValueError(
            f"{path} is a checkpoint of version {version}, for the cnnlib that wrote it; this one "
            f"reads version {CHECKPOINT_VERSION}."
        )
    return state


def _require_parts(state):
    """Refuse a checkpoint in which something is missing, or is of another kind."""
    for name, kind in _PARTS.items():
        if not isinstance(state.get(name), kind):
            raise ValueError(f"its {name} is missing, or is no {kind.__name__}")
    if not all(isinstance(tensor, torch.Tensor) for tensor in state["model"].values()):
        raise ValueError("its model holds something that is no tensor")


def previous(checkpoint: Path) -> Path:
    """Return where the checkpoint before the last one is kept: ``mine.previous.pt``."""
    return checkpoint.with_name(f"{checkpoint.stem}.previous{checkpoint.suffix}")


def last_sound(checkpoint: Path) -> tuple[dict, Path]:
    """Read a checkpoint or, with a warning, the one before it; return which of the two it was.

    Raises
    ------
    ValueError
        If neither can be read.
    """
    try:
        return load_checkpoint(checkpoint), checkpoint
    except ValueError as error:
        earlier = previous(checkpoint)
        try:
            state = load_checkpoint(earlier)
        except ValueError:
            raise ValueError(f"{error} Delete it to begin anew.") from error
        warnings.warn(
            f"{error} The run goes on from {earlier}, which holds epoch {len(state['history'])}.",
            stacklevel=2,
        )
        return state, earlier


def remove_checkpoint(checkpoint: str | Path) -> None:
    """Remove the checkpoint of a run that is over, and all that lies beside it."""
    checkpoint = Path(checkpoint)
    for path in (checkpoint, previous(checkpoint)):
        path.unlink(missing_ok=True)
        remove_leftovers(path)
    _lock(checkpoint).unlink(missing_ok=True)
