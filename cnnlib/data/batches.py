"""Batches that are cut, augmented and normalised on the device that trains."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnlib import memory
from cnnlib.seeds import seed_of

from .imageset import ImageSet

if TYPE_CHECKING:
    import torch


class Draws(NamedTuple):
    """What chance decides for one epoch; row i belongs to the i-th picture that is served."""

    order: torch.Tensor  # (n,) indices of the pictures
    shift: torch.Tensor  # (n, 2) row and column of the crop in the padded picture
    flip: torch.Tensor  # (n,) true where left and right change places
    centre: torch.Tensor  # (n, 2) row and column of the cut-out square's centre


class DeviceBatches:
    """One epoch of batches, from uint8 pixels that live on the device.

    Crop and flip are one gather for the whole batch, so no picture is touched alone and no worker
    process is needed. Order and augmentation are a pure function of (`seed`, epoch), drawn on the
    CPU by a generator of their own, and the same on every device. Iterating serves the epoch last
    set by `set_epoch`, 0 at first; **it does not advance by itself**.

    Parameters
    ----------
    data : ImageSet
        N pictures ``(N, C, H, W)``.
    batch_size : int
        Pictures a step; the last batch of an epoch may be smaller.
    shuffle : bool
        A new order every epoch; otherwise the set's own order.
    drop_last : bool
        Leave a smaller last batch out.
    seed : int
        Seed of order and augmentation.
    crop : int
        Pad by so many pixels on every side, then cut the picture's size out at random.
    padding_mode : {"zeros", "reflect"}
        What the padding holds: black, or the picture's own edge mirrored.
    size : int or dict of int, optional
        Cut out a square of this side instead, from anywhere in the padded picture. A dict gives the
        side from some epochs on: ``{0: 24, 7: 32}``. Small pictures are quick to learn from, and a
        network that sees larger ones afterwards does better on those than on small ones (Touvron
        et al., "Fixing the train-test resolution discrepancy", arXiv:1906.06423).
    flip : bool or "alternating"
        Swap left and right in half of the pictures, drawn anew in each epoch; or of each picture in
        every other epoch, so that two epochs in a row show both of its sides (K. Jordan, "94% on
        CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498, section 3.6).
    cutout : int
        Side of a square that is set to 0 after normalisation (to `mean`, that is). Its centre may
        be any pixel, so the border may clip it (DeVries and Taylor, arXiv:1708.04552).
    mean, std : sequence of float, length C, optional
        Normalise to ``(pixel / 255 - mean) / std``; without them values lie in [0, 1].
    device : str or torch.device
        Where the pixels are kept and the batches are made.
    channels_last : bool
        Memory format of the images; the shape is ``(n, C, H, W)`` either way.

    Yields
    ------
    images : torch.Tensor of float32, shape (n, C, H, W)
        On `device`.
    labels : torch.Tensor of int64, shape (n,)
        On `device`.

    Attributes
    ----------
    n : int
        Pictures an epoch.
    classes : tuple of str
        The set's classes.
    mean, std : tuple of float, length C
        What the pictures are normalised by; 0 and 1 where nothing was given.
    epoch : int
        The epoch that iterating serves.

    Raises
    ------
    ValueError
        If the set is empty; `batch_size` is not positive, or with `drop_last` more than there are
        pictures; `crop` is negative, or with reflected padding as large as the picture; `cutout`
        is negative or larger than the picture; `size` is not positive, larger than the picture, or
        does not say what epoch 0 has; `padding_mode` or `flip` is none of the above; or `mean` and
        `std` are not one number a channel, each `std` above 0.
    MemoryError
        If the pixels do not fit onto the device.
    """

    def __init__(
        self,
        data: ImageSet,
        batch_size: int = 128,
        *,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
        crop: int = 0,
        padding_mode: str = "zeros",
        size: int | dict[int, int] | None = None,
        flip: bool | str = False,
        cutout: int = 0,
        mean=None,
        std=None,
        device: str | torch.device = "cpu",
        channels_last: bool = True,
    ):
        # Here, so that `cnnlib.data` itself is quick to import.
        import torch

        _check(data, batch_size, crop, padding_mode, cutout, drop_last)
        self.size = _sides(size, data)
        if flip not in (True, False, "alternating"):
            raise ValueError(f'flip={flip!r}: choose True, False or "alternating"')
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.crop, self.padding_mode, self.flip, self.cutout = crop, padding_mode, flip, cutout
        self.device, self.channels_last = torch.device(device), channels_last
        self.classes, self.epoch = data.classes, 0
        self._name, self._digest = data.name, _digest(data)
        self._pictures, self._channels, self._height, self._width = data.images.shape
        self.n = self._pictures // batch_size * batch_size if drop_last else self._pictures

        self._pixels = self._padded(data.images)
        self._labels = torch.tensor(data.labels).to(self.device)
        self.mean, self.std = self._statistics(mean, std)
        self._scale, self._offset = self._normalisation()

    def __len__(self):
        return math.ceil(self.n / self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and augmentation iterating serves."""
        self.epoch = epoch

    def facts(self) -> dict:
        """Return what decides which batches are served, in plain values.

        A training run keeps them in its checkpoint: with others it does not go on. ``digest`` is a
        hash of the labels and of some of the pictures.
        """
        return {
            "data": self._name,
            "digest": self._digest,
            "pictures": self._pictures,
            "classes": list(self.classes),
            "image_size": [self._height, self._width],
            "batch_size": self.batch_size,
            "drop_last": self.n < self._pictures,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "crop": self.crop,
            "padding_mode": self.padding_mode,
            "size": list(self.size.items()),
            "flip": self.flip,
            "cutout": self.cutout,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def __iter__(self):
        shown = self._shown()  # now: `set_epoch` may be called before the last batch
        draws = Draws(*(drawn.to(self.device) for drawn in self._draw()))
        for start in range(0, self.n, self.batch_size):
            stop = min(start + self.batch_size, self.n)
            step = Draws(*(drawn[start:stop] for drawn in draws))
            yield self._images(step, *shown), self._labels[step.order]

    def _padded(self, images: np.ndarray) -> torch.Tensor:
        """Pad pictures and return one row a pixel, (N * H * W, C): a batch is a gather of rows."""
        import torch

        height, width = self._height + 2 * self.crop, self._width + 2 * self.crop
        size = len(images) * self._channels * height * width
        edge = ((0, 0), (self.crop, self.crop), (self.crop, self.crop), (0, 0))
        mode = "reflect" if self.padding_mode == "reflect" else "constant"
        with memory.enough(
            f"{len(images):,} pictures, padded by {self.crop}, take {size / 2**20:,.0f} MiB, more "
            f"than {self.device} has left. Take fewer, or smaller ones."
        ):
            padded = np.pad(images.transpose(0, 2, 3, 1), edge, mode=mode)
            pixels = np.ascontiguousarray(padded).reshape(-1, self._channels)
            return torch.from_numpy(pixels).to(self.device)

    def _draw(self) -> Draws:
        """Draw one epoch on the CPU, everything always, so that options do not shift the rest."""
        import torch

        generator = _generator(f"{self.seed} {self.epoch}")
        n, size = self._pictures, torch.tensor(self._shown())
        order = torch.randperm(n, generator=generator)
        shift = torch.randint(0, 2 * self.crop + 1, (n, 2), generator=generator)
        flip = torch.rand(n, generator=generator) < 0.5
        centre = (torch.rand(n, 2, generator=generator, dtype=torch.float64) * size).long()
        order = order if self.shuffle else torch.arange(n)
        if self.size:
            places = torch.tensor([self._height, self._width]) + 2 * self.crop - size + 1
            generator = _generator(f"{self.seed} {self.epoch} size")
            shift = (torch.rand(n, 2, generator=generator, dtype=torch.float64) * places).long()
        if self.flip == "alternating":
            first = torch.rand(n, generator=_generator(f"{self.seed} flip")) < 0.5
            flip = first[order] ^ bool(self.epoch % 2)
        return Draws(order, shift, flip & bool(self.flip), centre)

    def _shown(self) -> tuple[int, int]:
        """Return height and width of what is cut out in this epoch."""
        if not self.size:
            return self._height, self._width
        side = self.size[max(first for first in self.size if first <= self.epoch)]
        return side, side

    def _images(self, step: Draws, height: int, width: int) -> torch.Tensor:
        """Crop and flip by one gather, normalise, cut out."""
        import torch

        n = len(step.order)
        padded_height, padded_width = self._height + 2 * self.crop, self._width + 2 * self.crop
        row = torch.arange(height, device=self.device)
        column = torch.arange(width, device=self.device)
        rows = (step.order * padded_height + step.shift[:, 0])[:, None] + row
        columns = torch.where(step.flip[:, None], width - 1 - column, column)
        columns = columns + step.shift[:, 1:]
        index = rows[:, :, None] * padded_width + columns[:, None, :]  # (n, H, W)
        pixels = self._pixels.index_select(0, index.view(-1)).view(n, -1)  # (n, H * W * C)
        values = pixels.shape[1]
        images = torch.addcmul(self._offset[:values], pixels.float(), self._scale[:values])
        images = images.view(n, height, width, self._channels)
        if self.cutout:
            top = step.centre - self.cutout // 2
            rows, columns = row - top[:, :1], column - top[:, 1:]
            rows = (rows >= 0) & (rows < self.cutout)
            columns = (columns >= 0) & (columns < self.cutout)
            images.masked_fill_((rows[:, :, None] & columns[:, None, :])[..., None], 0.0)
        images = images.permute(0, 3, 1, 2)
        return images if self.channels_last else images.contiguous()

    def _statistics(self, mean, std) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of each channel: 0 and 1 where none are given."""
        if (mean is None) != (std is None):
            raise ValueError(f"mean={mean} and std={std}: give both, or neither")
        mean = np.asarray([0.0] * self._channels if mean is None else mean, dtype=np.float64)
        std = np.asarray([1.0] * self._channels if std is None else std, dtype=np.float64)
        if mean.shape != (self._channels,) or std.shape != (self._channels,) or not (std > 0).all():
            raise ValueError(
                f"mean={mean.tolist()} and std={std.tolist()}: give one number for each of the "
                f"{self._channels} channels, std above 0 (see channel_statistics)"
            )
        return tuple(mean.tolist()), tuple(std.tolist())

    def _normalisation(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and offset of each of the H * W * C values, as one long row."""
        import torch

        mean, std = np.array(self.mean), np.array(self.std)
        # A row as long as a picture keeps the inner loop long; C values alone make it 7x slower.
        positions = self._height * self._width
        scale = torch.tensor(np.tile(1 / (255 * std), positions), dtype=torch.float32)
        offset = torch.tensor(np.tile(-mean / std, positions), dtype=torch.float32)
        return scale.to(self.device), offset.to(self.device)


def _sides(size: int | dict[int, int] | None, data: ImageSet) -> dict[int, int]:
    """Return the side from each epoch on; nothing, if the picture's own height and width stay."""
    sides = {} if size is None else {0: size} if isinstance(size, int) else dict(size)
    largest = min(data.images.shape[2:])
    good = all(isinstance(side, int) and 1 <= side <= largest for side in sides.values())
    if sides and not (good and min(sides) == 0):
        raise ValueError(
            f"size={size}: choose a side from 1 to {largest} pixels, or a dict of them that begins "
            f"with epoch 0, such as {{0: {max(1, largest // 2)}, 5: {largest}}}"
        )
    return dict(sorted(sides.items()))


def _digest(data: ImageSet) -> str:
    """Hash the labels, and about a hundred pictures."""
    some = data.images[:: max(1, len(data) // 100)]
    digest = hashlib.sha256(np.ascontiguousarray(some))
    digest.update(np.ascontiguousarray(data.labels, dtype="<i8"))
    return digest.hexdigest()


def _generator(text: str) -> torch.Generator:
    """Return a generator on the CPU that is seeded by a text."""
    import torch

    return torch.Generator().manual_seed(seed_of(text))


def _check(data, batch_size, crop, padding_mode, cutout, drop_last) -> None:
    """Refuse settings that cannot be meant."""
    height, width = data.images.shape[2:]
    if len(data) == 0:
        raise ValueError("an empty set makes no batches; give at least one picture")
    if batch_size < 1 or (drop_last and batch_size > len(data)):
        raise ValueError(f"batch_size={batch_size}: choose from 1 to {len(data)} pictures")
    if padding_mode not in ("zeros", "reflect"):
        raise ValueError(f'padding_mode={padding_mode!r}: choose "zeros" or "reflect"')
    if crop < 0 or (padding_mode == "reflect" and crop >= min(height, width)):
        raise ValueError(f"crop={crop}: choose from 0 to {min(height, width) - 1} pixels")
    if not 0 <= cutout <= max(height, width):
        raise ValueError(f"cutout={cutout}: choose a side from 0 to {max(height, width)} pixels")
