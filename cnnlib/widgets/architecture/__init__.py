"""`ArchitectureExplorer`: a network's layers to scale, with their shapes and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import traitlets

from cnnlib.arithmetic import conv_macs, conv_parameters, linear_macs, linear_parameters
from cnnlib.widgets.common import base, checks

MEASURES = ("parameters", "macs", "memory")
STAGE = "stage"  # the type of a row that the explorer itself has put over some layers
MOST_NETWORKS, MOST_ROWS, LARGEST = 20, 3000, 2**53
HOW = 'such as {"LeNet-5": summary(model, (1, 32, 32))}, with summary from cnnlib.summary'


class Line(NamedTuple):
    """One row as the widget's trait holds it, without the batch; `counts` are its own alone."""

    depth: int
    name: str
    type: str
    kernel_size: list[int] | None
    stride: list[int] | None
    shape: list[int] | None
    counts: list[int]  # parameters, MACs, bytes: what is not in the rows that lie in it


class ArchitectureExplorer(base.Widget):
    """Pick a network and a layer: the layers to scale, what each costs, and where most of it is.

    A stage or a block is folded into one row with its sums, and opens on demand. Every argument
    but the networks themselves is a trait, or sets one: it can be changed later, observed, and
    joined to other widgets by ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    networks : mapping, optional
        From a network's name to its table: what `cnnlib.summary.summary` returns, or its
        ``to_dicts()``, a list of dictionaries with ``name``, ``type``, ``depth``,
        ``output_shape``, ``parameters``, ``macs`` and ``memory``, and ``kernel_size`` and
        ``stride`` where there are any. 1 to 20 of them. LeNet-5 by default.

        A long row of layers with several poolings in it (the ``features`` of a VGG) is shown as
        stages, each up to a pooling.
    selected : str, optional
        The name of the network to begin with. The first by default.
    layer : str, optional
        The name of the row to begin with, as in ``model.named_modules()``. None by default.
    measure : {"parameters", "macs", "memory"}
        What the bars and the shares show.
    compare : int
        A second network to draw below, by its place from 0; -1 for none.
    opened : list of str
        The names of the rows whose layers are shown.

    Attributes
    ----------
    network, row : int
        The network and its row that are shown, by their places from 0; -1 for no row.

    Raises
    ------
    ValueError
        If a table is none, or a name or a number is not there.

    Examples
    --------
    >>> ArchitectureExplorer()
    ArchitectureExplorer(['LeNet-5']): LeNet-5, 61,706 parameters
    """

    _esm = base.module("architecture")
    _css = base.style("architecture")

    networks = traitlets.List().tag(sync=True)
    network = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(-1).tag(sync=True)
    compare = traitlets.Int(-1).tag(sync=True)
    measure = traitlets.Unicode("parameters").tag(sync=True)
    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, networks=None, *, selected=None, layer=None, **traits):
        tables = networks_of({"LeNet-5": lenet5_rows()} if networks is None else networks)
        if selected is not None:
            traits["network"] = _place(selected, [each["name"] for each in tables], "selected")
        super().__init__(networks=tables, **traits)
        if layer is not None:
            now = self.networks[self.network]
            names = [name for _, name, *_ in now["rows"]]
            self.row = _place(layer, names, f"a layer of {now['name']}")

    def __repr__(self) -> str:
        names, now = [each["name"] for each in self.networks], self.networks[self.network]
        parameters = now["own"][0] + sum(row[-len(MEASURES)] for row in now["rows"])
        return f"ArchitectureExplorer({names}): {now['name']}, {parameters:,} parameters"

    @traitlets.validate("networks")
    def _check_networks(self, proposal):
        tables = proposal["value"]
        _check_number_of_networks(tables)
        for table in tables:
            _check_table(table)
        return tables

    @traitlets.validate("network", "compare")
    def _check_network(self, proposal):
        name, last = proposal["trait"].name, len(self.networks) - 1
        return checks.within(proposal, {name: (0 if name == "network" else -1, last)})

    @traitlets.validate("row")
    def _check_row(self, proposal):
        return checks.within(proposal, {"row": (-1, MOST_ROWS)})

    @traitlets.validate("measure")
    def _check_measure(self, proposal):
        rule = 'measure must be "parameters", "macs" or "memory"'
        return checks.one_of(proposal, MEASURES, rule)


def lenet5_rows() -> list[dict[str, Any]]:
    """Return the table of LeNet-5 as taught, on one picture of 1 x 32 x 32."""
    rows = []
    for name, channels, filters, size in (("conv1", 1, 6, 28), ("conv2", 6, 16, 10)):
        counts = conv_parameters(channels, filters, 5), conv_macs(channels, filters, 5, size)
        shape = (1, filters, size, size)
        rows.append(_example(name, "Conv2d", shape, counts, kernel_size=(5, 5), stride=(1, 1)))
    for name, inputs, outputs in (("fc1", 400, 120), ("fc2", 120, 84), ("fc3", 84, 10)):
        counts = linear_parameters(inputs, outputs), linear_macs(inputs, outputs)
        rows.append(_example(name, "Linear", (1, outputs), counts))
    return rows


def _example(name: str, kind: str, shape: tuple, counts: tuple, **kernel) -> dict[str, Any]:
    parameters, macs = counts
    memory = 4 * int(np.prod(shape))
    row = {"name": name, "type": kind, "depth": 0, "output_shape": shape}
    return row | {"parameters": parameters, "macs": macs, "memory": memory} | kernel


# --- From a summary to the trait --------------------------------------------------------------


def networks_of(networks: Mapping) -> list[dict[str, Any]]:
    """Return networks in the form in which the widget's trait holds them.

    Parameters
    ----------
    networks : mapping
        As for `ArchitectureExplorer`.

    Returns
    -------
    list of dict
        Of each its ``name``, the ``batch``, the ``input``'s shape (empty if not known), what the
        model has of its ``own`` beside its layers, and its ``rows``, one list a row.

    Raises
    ------
    ValueError
        If it is no such mapping, or a table does not hold together.
    """
    if not isinstance(networks, Mapping):
        raise ValueError(f"networks must be a dictionary, {HOW}; got {networks!r:.80}")
    _check_number_of_networks(networks)
    return [_table(name, summary) for name, summary in networks.items()]


def _check_number_of_networks(networks) -> None:
    if not 1 <= len(networks) <= MOST_NETWORKS:
        raise ValueError(
            f"networks must hold 1 to {MOST_NETWORKS} networks, {HOW}; got {len(networks)}"
        )


def _table(name: str, summary) -> dict[str, Any]:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a network's name must be a text such as 'VGG-16', got {name!r}")
    rows = _dictionaries(name, summary)
    lines = [_line(f"row {i} of {name}", row) for i, row in enumerate(rows)]
    _check_depths(name, lines)
    lines = _with_own_counts(name, lines)
    batches = [row["output_shape"][0] for row in rows if row.get("output_shape")]
    shape = getattr(summary, "input_shape", None) or ()
    tops = np.array([line.counts for line in lines], object).sum(axis=0)
    totals = [getattr(summary, measure, tops[k]) for k, measure in enumerate(MEASURES)]
    return {
        "name": name,
        "batch": int((list(shape) or batches or [1])[0]),
        "input": [int(size) for size in shape[1:]],
        "own": [max(0, int(total - top)) for total, top in zip(totals, tops, strict=True)],
        "rows": [_packed(line) for line in _in_stages(lines)],
    }


def _dictionaries(name: str, summary) -> list[Mapping]:
    """Return a table's rows, each a mapping."""
    rows = summary.to_dicts() if hasattr(summary, "to_dicts") else summary
    is_list = isinstance(rows, Sequence) and not isinstance(rows, str)
    if not is_list or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(
            f"{name} must be a network's summary or a list of dictionaries, got {summary!r:.80}: "
            "of a model, give summary(model, input_size), with summary from cnnlib.summary"
        )
    if len(rows) > MOST_ROWS:
        raise ValueError(f"{name} must have at most {MOST_ROWS} rows, got {len(rows)}")
    return rows


def _line(where: str, row: Mapping) -> Line:
    for key in ("name", "type", "output_shape", *MEASURES):
        if key not in row:
            raise ValueError(f"{where} has no {key!r}: it must have what Summary.to_dicts() gives")
    for key in ("name", "type"):
        if not isinstance(row[key], str):
            raise ValueError(f"{key} of {where} must be a text, got {row[key]!r}")
    shape = _sizes(where, row, "output_shape")
    return Line(
        _count(where, "depth", row.get("depth", 0)),
        row["name"],
        row["type"],
        _sizes(where, row, "kernel_size"),
        _sizes(where, row, "stride"),
        shape and shape[1:],
        [_count(where, measure, row[measure]) for measure in MEASURES],
    )


def _sizes(where: str, row: Mapping, key: str) -> list[int] | None:
    sizes = row.get(key)
    if sizes is None:
        return None
    if not isinstance(sizes, list | tuple) or not sizes:
        raise ValueError(f"{key} of {where} must be sizes such as (3, 3), or None, got {sizes!r}")
    return [_count(where, key, size) for size in sizes]


def _count(where: str, key: str, value) -> int:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or not 0 <= value <= LARGEST:
        raise ValueError(f"{key} of {where} must be a whole number, 0 or more, got {value!r}")
    return int(value)


def _check_depths(name: str, lines: Iterable[Line]) -> None:
    allowed = 0
    for i, line in enumerate(lines):
        if line.depth > allowed:
            raise ValueError(
                f"depth of row {i} of {name} is {line.depth}, but the row before it allows "
                f"{allowed} at most: a row stands right after the row that it lies in"
            )
        allowed = line.depth + 1


def _with_own_counts(name: str, lines: list[Line]) -> list[Line]:
    """Take from each row's sums what the rows in it have."""
    own = [np.array(line.counts, object) for line in lines]
    path: list[int] = []
    for i, line in enumerate(lines):
        path[line.depth :] = [i]
        if line.depth:
            own[path[-2]] = own[path[-2]] - np.array(line.counts, object)
    for i, counts in enumerate(own):
        for measure, count in zip(MEASURES, counts, strict=True):
            if count < 0:
                raise ValueError(
                    f"row {i} of {name}, {lines[i].name!r}, has fewer {measure} than the rows in "
                    "it have together: a row that holds others must hold their sum"
                )
    return [
        line._replace(counts=[int(count) for count in counts])
        for line, counts in zip(lines, own, strict=True)
    ]


def _in_stages(lines: list[Line]) -> list[Line]:
    """Replace each outermost row of many layers with several poolings by rows for its stages."""
    tops = [i for i, line in enumerate(lines) if line.depth == 0]
    blocks = [lines[i:end] for i, end in zip(tops, [*tops[1:], len(lines)], strict=True)]
    return [line for block in blocks for line in _stages(block)]


def _stages(block: list[Line]) -> list[Line]:
    head, *layers = block
    pools = [_is_pooling(line) for line in layers]
    if sum(pools) < 2 or any(head.counts) or any(line.depth > 1 for line in layers):
        return block
    number_of_stage = accumulate(pools[:-1], initial=0)  # a pooling ends its stage
    stages: dict[int, list[Line]] = {}
    for number, line in zip(number_of_stage, layers, strict=True):
        stages.setdefault(number, []).append(line)
    return [line for stage in stages.values() for line in (_stage(stage), *stage)]


def _is_pooling(line: Line) -> bool:
    return "Pool" in line.type and line.kernel_size is not None


def _stage(layers: list[Line]) -> Line:
    first, last = layers[0].name, layers[-1].name.rpartition(".")[2]
    name = f"{first}–{last}" if len(layers) > 1 else first
    return Line(0, name, STAGE, None, None, layers[-1].shape, [0, 0, 0])


def _packed(line: Line) -> list:
    return [*line[:-1], *line.counts]


# --- What the trait may hold ------------------------------------------------------------------


def _check_table(table) -> None:
    """Refuse what `networks_of` would not have made: the trait may be set from outside."""
    keys = {"name", "batch", "input", "own", "rows"}
    if not isinstance(table, Mapping) or set(table) != keys or not table["rows"]:
        raise ValueError(
            f"networks must be made by a new ArchitectureExplorer(networks), got {table!r:.80}"
        )
    name = table["name"]
    lines = []
    for i, packed in enumerate(table["rows"]):
        fields = dict(zip(("depth", *Line._fields[1:-1], *MEASURES), packed, strict=True))
        shape = fields.pop("shape")
        whole = None if shape is None else [table["batch"], *shape]
        lines.append(_line(f"row {i} of {name}", fields | {"output_shape": whole}))
    _check_depths(name, lines)
    for key in ("input", "own"):
        for count in table[key]:
            _count(name, key, count)


def _place(name: str, names: list[str], what: str) -> int:
    if name not in names:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, names))}; got {name!r}")
    return names.index(name)
