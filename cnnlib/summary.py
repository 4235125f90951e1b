"""A model's table: shapes, parameters, MACs, memory and receptive fields, from one forward pass.

The numbers are read from the real module while it runs on zeros. Hooks tell which layer is
running, and torch's dispatcher tells which operations it runs, inside a layer or between layers.

What is counted
---------------
- **Rows**: one a call of a layer, in the order of the calls, inside the layer that called it.
  The row of a container holds the sum over its layers. A layer that is used twice has two rows.
  A function (``F.relu``, ``torch.cat``, ``+``) is not a layer and has no row.
- **Parameters**: each once, at the first layer that uses it.
- **MACs**: of convolutions, transposed ones too, and of matrix products (`torch.nn.Linear`),
  also where a function computes them. Everything else counts as 0: biases, BatchNorm, pooling,
  activations, as is the custom. Products with padding count. torch's own ``FlopCounterMode``
  counts 2 for every MAC, and fused attention too, which is 0 here.
- **Memory**: the bytes of the outputs of the innermost layers in training, for the given batch
  in the model's own dtype: an estimate of what a step keeps for its backward pass. A layer that
  works in place (``inplace=True``) or passes its input on (`torch.nn.Flatten`,
  `torch.nn.Identity`) adds nothing. Outputs of functions are left out.
- **Receptive field**: how many rows and columns of the input one number of the output sees: of
  parallel paths, all that any of them sees. Near the border a part of it lies in the padding,
  and it may be larger than the picture. It is "all" after a global pooling or a fully connected
  layer, and unknown, "?", after an operation that moves pixels in another way (upsampling, a
  transposed convolution, attention). Other operations are taken to work on each position by
  itself, so that statistics over the whole picture, such as GroupNorm's, are left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from .arithmetic import per_axis
from .fields import PRODUCTS, Axis, Field, after, union

aten = torch.ops.aten

HEADINGS = ("layer", "type", "kernel", "output", "parameters", "MACs", "memory", "field")
LEFT = 4  # columns of words; the others are numbers
STYLE = """<style>
.cnn-summary { border-collapse: collapse; color: inherit; font-variant-numeric: tabular-nums; }
.cnn-summary caption { caption-side: top; color: inherit; padding: .4em 0; text-align: left; }
.cnn-summary :is(th, td) { background: none; border: 0; color: inherit; font-size: 13px;
  font-weight: normal; padding: .2em .5em; text-align: right; white-space: nowrap; }
.cnn-summary :is(th, td):nth-child(-n + 4) { text-align: left; }
.cnn-summary :is(thead, tfoot, .cnn-group) th { font-weight: bold; }
.cnn-summary thead th { border-bottom: 1px solid; }
.cnn-summary tfoot :is(th, td) { border-top: 1px solid; }
</style>"""


@dataclass(frozen=True)
class Row:
    """One call of a layer.

    Attributes
    ----------
    name : str
        As in ``model.named_modules()``; empty for the model itself.
    type : str
        The name of the layer's class.
    depth : int
        How many layers it lies in.
    kernel_size, stride : tuple of int or None
        Of a layer with a kernel.
    output_shape : tuple of int or None
        With the batch. None if the layer did not run.
    parameters, macs, memory : int
        `memory` in bytes. Of a container: what it and the layers in it have together.
    receptive_field : tuple of int, "all" or None
        Rows and columns of the input that one number of the output sees; None if not known.
    jump : tuple of int or None
        Rows and columns of the input between the fields of two neighbours.
    container : bool
        Whether other rows lie in it.
    """

    name: str
    type: str
    depth: int
    kernel_size: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    output_shape: tuple[int, ...] | None
    parameters: int
    macs: int
    memory: int
    receptive_field: tuple[int, int] | str | None
    jump: tuple[int, int] | None
    container: bool


@dataclass(frozen=True)
class Summary:
    """A model's table, made by `summary`: ``print`` it, or let a notebook show it.

    Attributes
    ----------
    model : str
        The name of the model's class.
    input_shape : tuple of int
        ``(N, C, H, W)``.
    rows : tuple of Row
        One a call of a layer, a container before what lies in it.
    parameters, trainable_parameters : int
        Each parameter once, those of layers that did not run included.
    macs, memory : int
        Of the whole batch; `memory` in bytes.
    """

    model: str
    input_shape: tuple[int, ...]
    rows: tuple[Row, ...]
    parameters: int
    trainable_parameters: int
    macs: int
    memory: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary a row, with the fields of `Row`."""
        return [asdict(row) for row in self.rows]

    def __repr__(self) -> str:
        table = [HEADINGS, *self._cells(), self._total()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        head, *body, total = (_line(cells, widths) for cells in table)
        rule = "-" * len(head)
        return "\n".join([self._title(), head, rule, *body, rule, total])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
        body = "".join(map(_html_row, self._cells(), self.rows))
        title = escape(self._title())
        # pandas' class `dataframe` keeps the book's theme from a light ground on dark pages.
        return (
            f'{STYLE}<div style="overflow-x: auto" role="region" tabindex="0" aria-label="{title}">'
            f'<table class="dataframe cnn-summary"><caption>{title}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            f"<tfoot>{_html_row(self._total())}</tfoot></table></div>"
        )

    def _title(self) -> str:
        return f"{self.model} on an input of {_shape(self.input_shape)}"

    def _cells(self) -> list[tuple[str, ...]]:
        return list(map(_cells, self.rows, _labels(self.rows)))

    def _total(self) -> tuple[str, ...]:
        counts = (f"{self.parameters:,}", f"{self.macs:,}", _bytes(self.memory))
        return ("total", "", "", "", *counts, "")


def summary(model: nn.Module, input_size: Sequence[int]) -> Summary:
    """Read a model's table of layers from one forward pass on zeros.

    The model runs in eval mode, without gradients, on its own device and in its own dtype. On the
    ``meta`` device nothing is computed, and the largest network takes a moment. The model is left
    as it was: mode, buffers, gradients, hooks, and the state of the random generators.

    Parameters
    ----------
    model : torch.nn.Module
        Takes one batch of pictures.
    input_size : tuple of int
        ``(C, H, W)`` for a batch of one picture, or ``(N, C, H, W)``.

    Returns
    -------
    Summary
        What the numbers mean, and what is not counted, is said at the head of this module.

    Raises
    ------
    ValueError
        If `model` is not a module that is ready to run, `input_size` is not made of 3 or 4
        positive whole numbers, or the model cannot take such an input: the error names the layer
        that failed and the shape that it received.

    Examples
    --------
    >>> summary(nn.Conv2d(1, 6, 5), (1, 32, 32)).macs
    117600
    """
    watch = follow(model, input_size)
    rows = _rows(watch.root, depth=-1, counted=set())
    root = rows[0]
    parameters = list(model.parameters())
    return Summary(
        model=type(model).__name__,
        input_shape=watch.input_shape,
        rows=tuple(rows[1:] or [replace(root, depth=0)]),  # the model's own row is the totals
        parameters=sum(p.numel() for p in parameters),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        macs=root.macs,
        memory=root.memory,
    )


def follow(model: nn.Module, input_size: Sequence[int], kind: type[Watch] | None = None) -> Watch:
    """Run a model on zeros as `summary` does, and return what was seen.

    Parameters
    ----------
    model : torch.nn.Module
        Takes one batch of pictures.
    input_size : tuple of int
        ``(C, H, W)`` for a batch of one picture, or ``(N, C, H, W)``.
    kind : type, optional
        `Watch`, or a subclass that sees more.

    Returns
    -------
    Watch
        Its ``root`` is the call of the model.

    Raises
    ------
    ValueError
        As `summary` does.
    """
    _check_model(model)
    shape = _input_shape(input_size)
    watch = (kind or Watch)(model)
    with _left_as_it_was(model), torch.inference_mode(False), torch.no_grad():
        x = torch.zeros(shape, **_device_and_dtype(model))
        # The forward pass gets copies of the buffers, so that nothing it does can change them.
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        with watch.following(x):
            watch.ends(watch.root, torch.func.functional_call(model, buffers, (x,)))
    return watch


# --- The model, left as it was ---------------------------------------------------------------


def _check_model(model: nn.Module) -> None:
    """Refuse what cannot be run."""
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"a torch.nn.Module is read here, not {model!r}: build the model first, and give the "
            "model, not its class, its name or its weights"
        )
    if any(map(nn.parameter.is_lazy, (*model.parameters(), *model.buffers()))):
        raise ValueError(
            "the model has lazy layers, whose shapes are not known yet: run it once on a batch, "
            "then read it"
        )


def _input_shape(input_size: Sequence[int]) -> tuple[int, ...]:
    """Return ``(N, C, H, W)``."""
    if not isinstance(input_size, tuple | list) or len(input_size) not in (3, 4):
        raise ValueError(
            f"input_size must be (C, H, W) or (N, C, H, W), such as (3, 32, 32), got {input_size!r}"
        )
    sizes = per_axis(input_size, len(input_size), "input_size", minimum=1)
    return sizes if len(sizes) == 4 else (1, *sizes)


def _device_and_dtype(model: nn.Module) -> dict[str, Any]:
    """Return where and in what the model computes, for a new tensor."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            return {"device": tensor.device, "dtype": tensor.dtype}
    return {}


@contextlib.contextmanager
def _left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode; afterwards restore each layer's mode and the generators."""
    modes = [(module, module.training) for module in model.modules()]
    tensors = (*model.parameters(), *model.buffers())
    gpus = {tensor.device.index for tensor in tensors if tensor.is_cuda}
    with torch.random.fork_rng(devices=sorted(gpus)):
        try:
            for module, _ in modes:
                module.training = False  # eval() may be overridden, and change more than this
            yield
        finally:
            for module, training in modes:
                module.training = training


# --- The forward pass, followed --------------------------------------------------------------


@dataclass
class Call:
    """One call of a layer, while it runs and after."""

    name: str
    module: nn.Module
    received: list[tuple[int, ...]] = field(default_factory=list)
    inner: list[Call] = field(default_factory=list)
    first: bool = True
    output_shape: tuple[int, ...] | None = None
    macs: int = 0  # of its own operations
    memory: int = 0  # of its own output
    seen: Field | str | None = None


class Watch(TorchDispatchMode):
    """Follows one forward pass: hooks say which layer runs, the dispatcher which operations."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.names = {module: name for name, module in model.named_modules()}
        self.root = Call("", model)
        self.running = [self.root]
        self.ran = {model}
        self.fields = WeakTensorKeyDictionary()

    @contextlib.contextmanager
    def following(self, x: torch.Tensor) -> Iterator[None]:
        """Watch what happens to the batch `x`, and take every hook away again."""
        self.batch, self.input_shape = len(x), tuple(x.shape)
        self.root.received = [tuple(x.shape)]
        self.fields[x] = Field((Axis(start=0, size=1, jump=1),) * 2, tuple(x.shape[2:]))
        with contextlib.ExitStack() as hooks:
            for module in self.names.keys() - {self.root.module}:
                enter = module.register_forward_pre_hook(self._enter, with_kwargs=True)
                hooks.callback(enter.remove)
                hooks.callback(module.register_forward_hook(self._leave).remove)
            try:
                with self:
                    yield
            except Exception as error:
                raise ValueError(self._complaint(error, x)) from error
        self._add_idle(self.root)

    def _enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        received = [tuple(x.shape) for x in tensors((args, kwargs))]
        call = Call(self.names[module], module, received, first=module not in self.ran)
        self.running[-1].inner.append(call)
        self.running.append(call)
        self.ran.add(module)

    def _leave(self, module: nn.Module, args: tuple, output: Any) -> None:
        call = self.running.pop()
        while call.module is not module:  # layers that failed, and the model went on
            call = self.running.pop()
        self.ends(call, output)

    def ends(self, call: Call, output: Any) -> None:
        """Note what a layer gave."""
        outputs = list(tensors(output))
        if outputs:
            call.output_shape = tuple(outputs[0].shape)
            call.seen = self.fields.get(outputs[0])
            if not _adds_nothing(call.module):
                call.memory = sum(x.numel() * x.element_size() for x in outputs)

    def _complaint(self, error: Exception, x: torch.Tensor) -> str:
        call = self.running[-1]
        layer = f"layer {call.name!r} ({type(call.module).__name__})" if call.name else "the model"
        return (
            f"{layer} received {', '.join(map(_shape, call.received))} and failed: {error}. "
            f"The input was {_shape(x.shape)}: change input_size, or the layers, so that they fit"
        )

    def _add_idle(self, call: Call) -> None:
        """Add the layers that were not called to the layers that hold them."""
        for inner in call.inner:
            self._add_idle(inner)
        if call.first:
            call.inner += self._idle(call.module)

    def _idle(self, module: nn.Module) -> Iterator[Call]:
        for child in module.children():
            if self.ran.isdisjoint(child.modules()):
                yield Call(self.names[child], child)
            elif child not in self.ran:  # a ModuleList has no forward, but its layers may run
                yield from self._idle(child)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation; count its MACs and note what its output sees."""
        out = func(*args, **(kwargs or {}))
        operation = func.overloadpacket
        self.running[-1].macs += _macs(operation, args, out)
        known = [self.fields[x] for x in tensors(args) if x in self.fields]
        if known:
            for x in tensors(out):
                self.fields[x] = after(operation, args, x, union(known), self.batch)
        return out


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested tuples, lists and dictionaries."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))
    elif isinstance(values, tuple | list):
        for value in values:
            yield from tensors(value)


def _adds_nothing(module: nn.Module) -> bool:
    """Return whether a layer's output lies where its input lay; an empty Sequential's does."""
    passing = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Sequential)
    return getattr(module, "inplace", False) or isinstance(module, passing)


def _macs(operation, args: tuple, out: Any) -> int:
    """Return the MACs of one operation, on the whole batch."""
    if operation is aten.convolution:
        x, weight, transposed = args[0], args[1], args[6]
        # Every weight is used once at each position: of the output, or of what is spread over it.
        return len(x) * prod((x if transposed else out).shape[2:]) * weight.numel()
    if operation in PRODUCTS:
        return out.numel() * args[PRODUCTS[operation]].shape[-1]
    return 0


def _rows(call: Call, depth: int, counted: set[int]) -> list[Row]:
    """Return the row of a call, with its sums, and behind it the rows of the calls in it."""
    inner = [_rows(part, depth + 1, counted) for part in call.inner]
    parts = [rows[0] for rows in inner]
    new = {id(p): p.numel() for p in call.module.parameters() if id(p) not in counted}
    counted.update(new)
    kernel_size = _setting(call, "kernel_size")
    seen, placed = call.seen, isinstance(call.seen, Field)
    row = Row(
        name=call.name,
        type=type(call.module).__name__,
        depth=depth,
        kernel_size=kernel_size,
        stride=kernel_size and (_setting(call, "stride") or kernel_size),
        output_shape=call.output_shape,
        parameters=sum(new.values()) + sum(part.parameters for part in parts),
        macs=call.macs + sum(part.macs for part in parts),
        memory=sum(part.memory for part in parts) if parts else call.memory,
        receptive_field=tuple(axis.size for axis in seen.axes) if placed else seen,
        jump=tuple(axis.jump for axis in seen.axes) if placed else None,
        container=bool(parts),
    )
    return [row, *(row for rows in inner for row in rows)]


def _setting(call: Call, name: str) -> tuple[int, ...] | None:
    """Return a layer's kernel size or stride, an axis a number."""
    value = getattr(call.module, name, None)
    if isinstance(value, int):
        return (value,) * (len(call.output_shape) - 2 if call.output_shape else 2)
    return tuple(value) if isinstance(value, tuple | list) else None


# --- Words -----------------------------------------------------------------------------------


def _cells(row: Row, label: str) -> tuple[str, ...]:
    """Return a row's texts, one a heading."""
    ran = row.output_shape is not None
    seen = row.receptive_field
    return (
        "  " * row.depth + label,
        row.type,
        window(row.kernel_size, row.stride) if row.kernel_size else "",
        _shape(row.output_shape) if ran else "not run",
        f"{row.parameters:,}",
        f"{row.macs:,}",
        _bytes(row.memory),
        _square(seen) if isinstance(seen, tuple) else seen or ("?" if ran else ""),
    )


def _labels(rows: Sequence[Row]) -> list[str]:
    """Return the rows' names, each without the name of the row that it lies in."""
    labels, path = [], []
    for row in rows:
        path[row.depth :] = [row.name]
        outer = path[-2] + "." if row.depth else ""
        labels.append(row.name.removeprefix(outer) or row.type)
    return labels


def window(kernel_size: Sequence[int], stride: Sequence[int]) -> str:
    """Write 3×3, and 3×3 /2 with a stride of 2."""
    step = f" /{_square(stride)}" if set(stride) != {1} else ""
    return "×".join(map(str, kernel_size)) + step


def _square(sizes: Sequence[int]) -> str:
    """Write 3 for a square, else 3×5."""
    return "×".join(map(str, sizes if len(set(sizes)) > 1 else sizes[:1]))


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _bytes(number: int) -> str:
    """Write a number of bytes in the unit that leaves one to four digits before the point."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.1f} {unit}" if unit != "B" else f"{number} B"
        number /= 1024
    return f"{number:.1f} GiB"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of the text: words to the left, numbers to the right."""
    columns = list(zip(cells, widths, strict=True))
    words = [cell.ljust(width) for cell, width in columns[:LEFT]]
    numbers = [cell.rjust(width) for cell, width in columns[LEFT:]]
    return "  ".join(words + numbers).rstrip()


def _html_row(cells: Sequence[str], row: Row | None = None) -> str:
    """Return one row; the name heads it, indented as deep as the layer lies."""
    name, *others = map(escape, cells)
    group = ' class="cnn-group"' if row and row.container else ""
    indent = f' style="padding-left: {0.5 + row.depth:.1f}em"' if row else ""
    data = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr{group}><th scope="row"{indent}>{name.strip()}</th>{data}</tr>'
