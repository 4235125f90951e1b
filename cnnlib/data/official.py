"""The official CIFAR-10 batches: Python 2 pickles, read without trusting them."""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path

import numpy as np

TRAIN = tuple(f"data_batch_{k}" for k in range(1, 6))
TEST = ("test_batch",)
PIXELS = 3 * 32 * 32


def read_official(path: Path, batches: dict[str, bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the training and the test set from their batches.

    Parameters
    ----------
    path : Path
        Where the batches come from; for the messages.
    batches : dict
        The content of each batch by its name, such as ``"data_batch_1"``.

    Returns
    -------
    list of (images, labels)
        The training set, then the test set: images ``(N, 3, 32, 32)`` of uint8, labels ``(N,)``.

    Raises
    ------
    ValueError
        If a batch is missing, or holds anything but pictures and labels.
    """
    missing = [name for name in TRAIN + TEST if name not in batches]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; fetch the data set again")
    parts = []
    for names in (TRAIN, TEST):
        images, labels = zip(*(read_batch(batches[name], name) for name in names), strict=True)
        parts.append((np.concatenate(images), np.concatenate(labels)))
    return parts


def read_batch(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one batch.

    Parameters
    ----------
    content : bytes
        The pickle, as its file holds it.
    name : str
        What to call it in the messages.

    Returns
    -------
    images : ndarray of uint8, shape (N, 3, 32, 32)
        Pixels from 0 to 255.
    labels : ndarray of int64, shape (N,)
        Whatever numbers the batch holds.

    Raises
    ------
    ValueError
        If it is torn, or holds anything but pictures and labels.
    """
    try:
        _require_modest(content)
        batch = _BatchUnpickler(io.BytesIO(content), encoding="latin1").load()
        labels = batch["labels"]  # checked one by one: lists in lists could unfold without end
        if not (isinstance(labels, list) and all(type(label) is int for label in labels)):
            raise ValueError("labels are no whole numbers in a list")
        if not isinstance(batch["batch_label"], str):
            raise ValueError("batch_label is no text")
        rows, labels = batch["data"].pixels(), np.array(labels, dtype=np.int64)
        if rows.shape != (len(labels), PIXELS):
            raise ValueError(f"data of shape {rows.shape} for {len(labels)} labels")
    except ForbiddenError as error:
        raise ValueError(f"{name} asks for {error}, which no batch of pictures needs") from None
    except Exception as error:  # a forged pickle can fail in any way there is
        raise ValueError(f"{name} is not a CIFAR-10 batch ({error!r}); fetch it again") from error
    # One row is one picture: the red plane first, then green, then blue, each row by row.
    return rows.reshape(-1, 3, 32, 32), labels


def _require_modest(content: bytes) -> None:
    """Refuse a pickle that asks for more memory than its own size can need.

    The unpickler makes room for every number under which a value is to be remembered, however
    large, and for every length that is announced. Reading the codes one by one finds both.
    """
    for code, argument, _ in pickletools.genops(content):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(content):
            raise ValueError(f"it remembers a value under the number {argument:,}")


class ForbiddenError(Exception):
    """A pickle names what is not on the list."""


class _Dtype:
    """Stands in for numpy.dtype: remembers what was asked for, and builds nothing."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        pass


class _Array:
    """Stands in for numpy.ndarray: keeps the pickled state until it has been checked."""

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.fortran, self.content = state

    def pixels(self) -> np.ndarray:
        if self.dtype.code not in ("u1", "uint8") or self.fortran:
            raise ValueError(f"pixels of type {self.dtype.code!r}, not 'u1' in row order")
        # Python 2's str arrives as text, one character a byte.
        content = self.content.encode("latin1") if isinstance(self.content, str) else self.content
        return np.frombuffer(content, dtype=np.uint8).reshape(self.shape)


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in protocol 2; no other codec is let in."""
    if encoding != "latin1":
        raise ForbiddenError(f"the codec {encoding!r}")
    return text.encode("latin1")


class _BatchUnpickler(pickle.Unpickler):
    """Admits an array of bytes, and puts harmless things of our own in NumPy's place."""

    def find_class(self, module, name):
        match module, name:
            case ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct"):
                return _Array
            case ("numpy", "ndarray"):
                return _Array
            case ("numpy", "dtype"):
                return _Dtype
            case ("_codecs", "encode"):
                return _encode
        raise ForbiddenError(f"{module}.{name}")
