"""A network's plan: what it computes, in which order, and where its paths part and meet.

One forward pass on zeros is followed as `cnnlib.summary` follows it. An operation that gives maps
of a new shape, and one at which paths meet, becomes a node. All others (activations, BatchNorm,
dropout, padding, flattening) belong to the node before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

from ..fields import PRODUCTS
from ..summary import Call, Watch, follow, tensors, window

aten = torch.ops.aten

SUMS = {aten.add, aten.add_}
#: How a pooling takes many numbers for one.
POOLINGS = {
    aten.max_pool2d_with_indices: "max",
    aten.avg_pool2d: "average",
    aten._adaptive_avg_pool2d: "average",
    aten.adaptive_max_pool2d: "max",
    aten.mean: "average",
    aten.amax: "max",
}


@dataclass(eq=False)
class Node:
    """One operation that gives maps of a new shape, or brings paths together.

    Attributes
    ----------
    kind : str
        ``"input"``, ``"convolution"``, ``"pooling"``, ``"linear"``, ``"concatenation"``,
        ``"addition"``, ``"reshaping"`` (a shortcut without parameters, option A) or ``"other"``.
    shape : tuple of int
        Of what it gives, without the batch.
    sources : tuple of Node
        What it takes.
    name : str
        Of the layer in which it ran, as in ``model.named_modules()``.
    text : str
        What is to be known of it besides its shape: the kernel, the way of pooling.
    parameters : int
        The layer's own.
    before : Node or None
        The last node through which every path to this one goes.
    """

    kind: str
    shape: tuple[int, ...]
    sources: tuple[Node, ...] = ()
    name: str = ""
    text: str = ""
    parameters: int = 0
    before: Node | None = field(init=False)

    def __post_init__(self):
        self.before = _fork(self.sources) if self.sources else None

    @property
    def channels(self) -> int:
        """How many maps, or numbers, it gives."""
        return self.shape[0] if self.shape else 1

    @property
    def side(self) -> float:
        """The side of a square with as many pixels as a map of it; 1 for a row of numbers."""
        return prod(self.shape[1:]) ** 0.5

    @property
    def look(self) -> tuple:
        """What two nodes share that are drawn alike."""
        return self.kind, self.text, self.shape


@dataclass(frozen=True)
class Step:
    """A node on a path, with the paths that meet in it, and how often this comes in a row."""

    node: Node
    branches: tuple[tuple[Step, ...], ...] = ()
    times: int = 1

    @property
    def look(self) -> tuple:
        """What two steps share that are drawn alike."""
        return self.node.look, tuple(tuple(s.look for s in branch) for branch in self.branches)

    def nodes(self) -> Iterator[tuple[Node, int]]:
        """Yield every node of it, with how often it comes."""
        for branch in self.branches:
            for step in branch:
                for node, times in step.nodes():
                    yield node, times * self.times
        yield self.node, self.times


#: Steps, one after the other.
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Plan:
    """A network as one path, on which some steps have branches.

    Attributes
    ----------
    model : str
        The name of its class.
    path : tuple of Step
        From the input to the answer.
    parameters : int
        Of the whole model.
    """

    model: str
    path: Path
    parameters: int

    def nodes(self) -> Iterator[tuple[Node, int]]:
        """Yield every node, with how often it comes."""
        for step in self.path:
            yield from step.nodes()


#: With more nodes than this, parts that come several times in a row are drawn once.
MOST_NODES = 40


def read(model: nn.Module, input_size: Sequence[int]) -> Plan:
    """Read a network's plan from the real module.

    Parameters
    ----------
    model : torch.nn.Module
        Takes one batch of pictures. It is left as it was.
    input_size : tuple of int
        ``(C, H, W)``, or ``(N, C, H, W)``.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If the model cannot run on such an input, does not give one answer for each picture, or its
        paths cross in such a way that they cannot be drawn side by side.
    """
    trace = follow(model, input_size, Trace)
    path = _path(trace.answer(), None)
    steps = [node for step in path for node, _ in step.nodes()]
    if len(set(steps)) < len(steps):
        raise ValueError(
            f"the paths of {type(model).__name__} cross and cannot be drawn side by side: draw a "
            "part of it, such as one block, by itself"
        )
    if len(steps) > MOST_NODES:
        path = _collapsed(path)
    return Plan(type(model).__name__, path, sum(p.numel() for p in model.parameters()))


class Trace(Watch):
    """Follows a forward pass and notes the node from which every tensor comes."""

    def __init__(self, model: nn.Module):
        super().__init__(model)
        self.origin = WeakTensorKeyDictionary()
        self.given: list[torch.Tensor] = []
        self.batch = 0
        self.known: set[nn.Module] = set()

    def following(self, x: torch.Tensor):
        """Watch what happens to the batch `x`."""
        self.origin[x], self.batch = Node("input", tuple(x.shape[1:]), text="input"), len(x)
        return super().following(x)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation, and note the node of what it gives."""
        taken = [x for x in tensors(args) if x in self.origin]
        sources = [self.origin[x] for x in taken]
        shapes = [tuple(x.shape) for x in taken]
        out = super().__torch_dispatch__(func, types, args, kwargs)
        given = list(tensors(out))
        if sources and given:
            node = self._node(func.overloadpacket, args, sources, shapes, tuple(given[0].shape))
            for x in given:
                self.origin[x] = node
        return out

    def ends(self, call: Call, output: Any) -> None:
        """Note what a layer gave; what it made of its input in another way is a node too."""
        super().ends(call, output)
        given = [x for x in tensors(output) if x in self.origin]
        for x in given if not call.inner or call is self.root else []:
            if _is_reshaped(x, self.origin[x]):
                name = type(call.module).__name__
                self.origin[x] = self._made("other", x.shape[1:], [self.origin[x]], name)
        if call is self.root:
            self.given = given

    def answer(self) -> Node:
        """Return the node from which the model's output comes; raise `ValueError` if none is it."""
        name, ends = type(self.root.module).__name__, {self.origin[x] for x in self.given}
        if not ends:
            raise ValueError(
                f"{name} gives nothing that was made from its input: there is no path to draw. "
                "Give a model whose forward returns what its layers compute"
            )
        if len(ends) > 1:
            raise ValueError(
                f"{name} gives {len(ends)} answers, and a path has one end: draw a model whose "
                "forward returns one of them"
            )
        for x in self.given:
            if len(x.shape) < 2 or len(x) != self.batch:
                raise ValueError(
                    f"{name} gives {tuple(x.shape)} for {self.batch} picture(s): the first axis is "
                    "no longer the batch's. Keep it, as x.flatten(start_dim=1) does"
                )
        return ends.pop()

    def _made(self, kind: str, shape: Sequence[int], sources: Sequence[Node], text: str) -> Node:
        call = self.running[-1]
        own = 0
        if call.module not in self.known and len(sources) == 1:
            own = sum(p.numel() for p in call.module.parameters(recurse=False))
            self.known.add(call.module)
        return Node(kind, tuple(shape), tuple(sources), call.name, text, own)

    def _node(self, operation, args: tuple, sources: list[Node], shapes: list, out: tuple) -> Node:
        """Return the node of an operation's output: a new one, or that of its input."""
        source, shape = sources[0], out[1:]
        if len(set(sources)) > 1:
            kind = {aten.cat: "concatenation"}.get(operation, "other")
            kind = "addition" if operation in SUMS else kind
            return self._made(kind, shape, sources, operation.__name__.strip("_"))
        if operation is aten.convolution:
            text = window(args[1].shape[2:], args[3]) + (" transposed" if args[6] else "")
            return self._made("convolution", shape, sources, text)
        if operation in PRODUCTS:
            return self._made("linear", shape, sources, "linear")
        if _subsamples(operation, args, shapes[0], out):
            ratios = [-(-n // m) for n, m in zip(shapes[0][2:], out[2:], strict=True)]
            return self._reshaping(source, shape, f"/{max(ratios)}")
        if operation is aten.constant_pad_nd and out[1] != shapes[0][1]:
            return self._reshaping(source, shape, f"+{out[1] - shapes[0][1]} zeros")
        text = _pooling(operation, args, shapes[0], out)
        return self._made("pooling", shape, sources, text) if text else source

    def _reshaping(self, source: Node, shape: tuple, text: str) -> Node:
        if source.kind == "reshaping":  # rows, then columns, then channels: one shortcut
            known = source.text.split(", ")
            text = ", ".join(known if text in known else [*known, text])
            return self._made("reshaping", shape, source.sources, text)
        return self._made("reshaping", shape, [source], text)


def _is_reshaped(x: torch.Tensor, node: Node) -> bool:
    """Return whether a tensor has another shape than its node says, and is no mere row of it."""
    is_row = x.ndim == 2 and x.numel() == len(x) * prod(node.shape)
    return tuple(x.shape[1:]) != node.shape and not is_row


def _subsamples(operation, args: tuple, shape: tuple, out: tuple) -> bool:
    """Return whether some rows or columns of the maps are left out, and no more is done."""
    if shape[2:] == out[2:] or len(shape) != 4 or len(out) != 4:
        return False
    if operation is aten.slice:
        return args[4:] != () and args[4] > 1
    return operation is aten.avg_pool2d and set(args[1]) == {1}


def _pooling(operation, args: tuple, shape: tuple, out: tuple) -> str:
    """Say how an operation pools the maps; nothing if it does not."""
    way = POOLINGS.get(operation)
    if way is None or len(shape) != 4:
        return ""
    if operation in (aten.mean, aten.amax):
        over = {dim % 4 for dim in (args[1] if len(args) > 1 and args[1] else range(4))}
        return f"global {way}" if over == {2, 3} else ""
    if operation in (aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d):
        if out[2:] == shape[2:]:
            return ""  # as many pixels as before: nothing is pooled
        return f"global {way}" if set(out[2:]) == {1} else f"{way} to {out[2]}×{out[3]}"
    if args[6:] == (1,):  # divided by 1
        way = "sum"
    kernel_size, stride = args[1], args[2] if len(args) > 2 and args[2] else args[1]
    return f"{way} {window(kernel_size, stride)}"


# --- Where paths part and meet ---------------------------------------------------------------


def _path(end: Node, start: Node | None) -> Path:
    """Return the steps behind `start` (from the input on, if None) up to `end`."""
    steps = []
    while end is not start:
        parallel = end.sources if len(end.sources) > 1 else ()
        steps.append(Step(end, tuple(_path(source, end.before) for source in parallel)))
        end = end.before
    return tuple(reversed(steps))


def _fork(sources: Sequence[Node]) -> Node:
    """Return the last node through which every path to some nodes has gone."""
    first, *others = (list(_trunk(node)) for node in sources)
    common = set(first).intersection(*others)
    return next(node for node in first if node in common)


def _trunk(node: Node | None) -> Iterator[Node]:
    """Yield the nodes through which every path to a node goes, the node first."""
    while node is not None:
        yield node
        node = node.before


def _collapsed(path: Path) -> Path:
    """Return the path with each run of equal steps as one."""
    runs = (list(run) for _, run in groupby(path, key=lambda step: step.look))
    return tuple(Step(run[0].node, run[0].branches, len(run)) for run in runs)
