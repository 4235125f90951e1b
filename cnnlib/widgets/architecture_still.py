"""The still picture of `ArchitectureExplorer`: for pages without scripts, and until they arrive.

It is laid out in the measures of the living widget, so that nothing moves when that takes its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from itertools import zip_longest
from math import floor, prod, sqrt

from cnnlib.palette import COLORS
from cnnlib.widgets import base, still

MEASURES = ("parameters", "macs", "memory")
ROOM, LEAST_UNITS, LEAST_HEIGHT, FOOT, BAR = 0.3, 50, 2, 150, 40  # as in architecture.js
KINDS = ("spot", "input", "group", "stripes", "full", "empty", "thin", "bars", "lit")


@dataclass
class Row:
    """One row of a network's table, and where it stands among the others."""

    depth: int
    name: str
    type: str
    kernel: list[int] | None
    stride: list[int] | None
    shape: list[int] | None
    own: list[int]
    sums: list[int]
    end: int
    parent: int
    label: str
    stage: int


@dataclass
class Network:
    """A network as the explorer shows it; `totals` of parameters, MACs and bytes."""

    name: str
    batch: int
    input: list[int]
    rows: list[Row]
    totals: list[int]

    def is_group(self, i: int) -> bool:
        """Whether other rows lie in a row."""
        return self.rows[i].end > i + 1

    def layer_counts(self, first: int, end: int) -> dict[str, str]:
        """Say how many layers there are in some rows, and how many multiply by weights."""
        layers = [i for i in range(first, end) if not self.is_group(i)]
        weighted = sum(self.rows[i].own[1] > 0 for i in layers)
        return {"count": f"{len(layers):,}", "weighted": f"{weighted:,}"}


def network(packed: dict) -> Network:
    """Return a network as the explorer's trait holds it with its sums."""
    rows: list[Row] = []
    path: list[int] = []
    for i, (depth, name, kind, kernel, stride, shape, *counts) in enumerate(packed["rows"]):
        path[depth:] = [i]
        parent = path[-2] if depth else -1
        label = _label(name, rows[parent].name if depth else "", kind)
        stage = sum(row.stage > 0 for row in rows) + 1 if kind == "stage" else 0
        own, sums = list(counts), list(counts)
        rows.append(
            Row(depth, name, kind, kernel, stride, shape, own, sums, i + 1, parent, label, stage)
        )
    totals = list(packed["own"])
    for row in reversed(rows):
        outer = rows[row.parent].sums if row.depth else totals
        outer[:] = [a + b for a, b in zip(outer, row.sums, strict=True)]
        if row.depth:
            rows[row.parent].end = max(rows[row.parent].end, row.end)
    return Network(packed["name"], packed["batch"], packed["input"], rows, totals)


def _label(name: str, outer: str, kind: str) -> str:
    """Return a name without the parts that its parent's name begins with too."""
    parts, others = name.split("."), outer.split(".")
    same = 0
    while same < min(len(parts), len(others)) and parts[same] == others[same]:
        same += 1
    return ".".join(parts[same:]) or kind


def open_groups(now: Network, names: Collection[str], row: int) -> set[int]:
    """Return the groups with these names, and those around a row."""
    found = {i for i, each in enumerate(now.rows) if now.is_group(i) and each.name in names}
    parent = now.rows[row].parent if 0 <= row < len(now.rows) else -1
    while parent >= 0:
        found.add(parent)
        parent = now.rows[parent].parent
    return found


def visible_rows(now: Network, opened: Collection[int]) -> list[int]:
    """Return the rows outside of folded groups."""
    seen, i = [], 0
    while i < len(now.rows):
        seen.append(i)
        i = now.rows[i].end if now.is_group(i) and i not in opened else i + 1
    return seen


def share_in(part: float, whole: float) -> float:
    """Return a part of a whole, from 0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0


# --- The picture ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """One box: the row that it stands for (-1 for the input), and where it lies, in units."""

    row: int
    kind: str
    x: float
    width: float
    shape: list[int] | None
    values: list[int]


@dataclass(frozen=True)
class Layout:
    """The boxes of a network from left to right, the room between them, and where they end."""

    boxes: list[Box]
    room: float
    end: float


@dataclass(frozen=True)
class Scale:
    """What drawn networks share: the picture's units, rows of the tallest box, the tallest bar."""

    units: float
    rows: int
    most: int


def layout(now: Network, opened: Collection[int]) -> Layout:
    """Return the boxes of the input and of all rows that are seen and not open."""
    parts = [(-1, "input", now.input, [0, 0, 0])] if now.input else []
    for i in visible_rows(now, opened):
        if not (now.is_group(i) and i in opened):
            row = now.rows[i]
            before = parts[-1][2] if parts else None
            parts.append((i, _kind(now, i, before), row.shape, row.sums))
    widths = [0.0 if kind == "thin" else sqrt(_size(shape, 0)) for _, kind, shape, _ in parts]
    count = max(1, sum(width > 0 for width in widths))
    room = ROOM * sum(widths) / count or ROOM
    boxes, end = [], 0.0
    for (row, kind, shape, values), width in zip(parts, widths, strict=True):
        x = end + (0.4 * room if kind == "thin" else room)
        box = Box(row, kind, x, 0.2 * room if kind == "thin" else width, shape, values)
        boxes.append(box)
        end = x + box.width
    return Layout(boxes, room, end + room)


def _size(shape: list[int] | None, axis: int) -> int:
    return shape[axis] if shape and len(shape) > axis else 1


def _kind(now: Network, i: int, before: list[int] | None) -> str:
    row = now.rows[i]
    if not row.shape:
        return "thin"
    if now.is_group(i):
        return "group"
    if row.own[1] > 0:
        return "full"
    keeps = before is not None and _is_same_shape(row.shape, before)
    return "thin" if keeps and not row.kernel else "empty"


def _is_same_shape(a: list[int], b: list[int]) -> bool:
    """Whether one shape is the other, but for sizes of 1 at the end: 512 x 1 x 1 is 512."""
    return all(x == y for x, y in zip_longest(a, b, fillvalue=1))


def scale_of(layouts: list[Layout], k: int) -> Scale:
    """Return what the drawn networks share, for measure `k`."""
    boxes = [box for each in layouts for box in each.boxes]
    return Scale(
        max(LEAST_UNITS, *(each.end for each in layouts)),
        max(_size(box.shape, 1) for box in boxes),
        max(box.values[k] for box in boxes),
    )


def box_height(shape: list[int] | None, rows: int) -> float:
    """Return a box's height, in per cent of the tallest."""
    return max(LEAST_HEIGHT, 100 * sqrt(_size(shape, 1) / rows))


def paths(now: Layout, scale: Scale, k: int, lit: Callable[[int], bool]) -> dict[str, str]:
    """Return the picture as SVG path data, by kind."""
    found = dict.fromkeys(KINDS, "")
    for kind, x, y, width, height in _rectangles(now, scale, k, lit):
        found[kind] += f"M{_short(x)} {_short(y)}"
        if kind == "stripes":
            found[kind] += f"v{_short(height)}"
        else:
            found[kind] += f"h{_short(width)}v{_short(height)}h{_short(-width)}Z"
    return found


def _rectangles(now: Layout, scale: Scale, k: int, lit: Callable[[int], bool]):
    """Yield kind, x, y, width and height of everything that is drawn; a stripe has no width."""
    full = [box.width for box in now.boxes if box.kind != "thin" and box.row >= 0]
    bar = min([*full, scale.units])
    for box in now.boxes:
        height = box_height(box.shape, scale.rows)
        place = (box.x, 50 - height / 2, box.width, height)
        yield box.kind, *place
        if box.kind == "group":
            for part in (0.25, 0.5, 0.75):
                yield "stripes", box.x + part * box.width, place[1], 0, height
        high = BAR * share_in(box.values[k], scale.most)
        broad = 0.4 * now.room if box.kind == "thin" else bar
        if high > 0:
            yield "bars", box.x + box.width / 2 - broad / 2, FOOT - high, broad, high
        if box.row >= 0 and lit(box.row):
            yield "lit", *place
            yield "spot", box.x - 0.3 * now.room, 0, box.width + 0.6 * now.room, FOOT


def _short(value: float) -> str:
    text = f"{floor(value * 100 + 0.5) / 100:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tags(now: Layout, units: float, name_of: Callable[[int], str]) -> dict[str, list[dict]]:
    """Return the texts above and below the boxes, each with its room in per cent of the width."""
    sizes: list[list] = []
    names: list[list] = []
    for box in now.boxes:
        if box.kind == "thin":
            continue
        start, stop = box.x - now.room / 2, box.x + box.width + now.room / 2
        text = _size_text(box.shape)
        if sizes and sizes[-1][0] == text:
            sizes[-1][2] = stop
        else:
            sizes.append([text, start, stop])
        names.append([name_of(box.row), start, stop])
    return {
        key: [
            {
                "text": text,
                "left": _short(100 * start / units),
                "width": _short(100 * (stop - start) / units),
            }
            for text, start, stop in each
        ]
        for key, each in (("sizes", sizes), ("names", names))
    }


def _size_text(shape: list[int]) -> str:
    rows = _size(shape, 1)
    columns = shape[2] if len(shape) > 2 else rows
    return str(rows) if rows == columns else f"{rows}×{columns}"


# --- Texts ------------------------------------------------------------------------------------


def significant(value: float, digits: int) -> Decimal:
    """Return a number rounded to so many digits, halves up as JavaScript does."""
    exact = Decimal(value)
    if not exact:
        return Decimal(0)
    return exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_UP)


def plain(value: Decimal) -> str:
    """Write a number without needless zeros: 2.50 is "2.5", 1E+2 is "100"."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_words(t: dict, value: int) -> str:
    """Return a count as one says it: exactly up to a million, then "925 million"."""
    if value < 1e6:
        return f"{value:,}"
    rounded = significant(value, 3)
    units = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
    unit = [name for name, size in units.items() if rounded >= size][-1]
    return t[unit].format(number=plain(rounded / units[unit]))


def in_bytes(value: int) -> str:
    """Return bytes in the unit that leaves one to four digits before the point."""
    if value < 1024:
        return f"{value} B"
    size, unit = value / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"


def in_percent(share: float) -> str:
    """Return a share as "74.3 %", "5.98 %", "0.05 %", "< 0.01 %"."""
    value = 100 * share
    if 0 < value < 0.005:
        return "< 0.01 %"
    return f"{still.decimal(value, 2 if value < 9.995 else 1)} %"


def in_times(part: float, whole: float) -> str:
    """Return how many times as much, in two digits that count."""
    if whole and 0 < part / whole < 0.001:
        return "< 0.001"
    return plain(significant(part / whole, 2)).replace(",", "") if whole else "–"


def value_text(value: int, k: int) -> str:
    """Return a measure's value in its own unit."""
    return in_bytes(value) if k == 2 else f"{value:,}"


def shape_text(shape: list[int], sign: str = " × ") -> str:
    """Return sizes as "128 × 112 × 112"."""
    return sign.join(f"{size:,}" for size in shape)


def kind_text(t: dict, row: Row) -> str:
    """Return "Conv2d 3×3 /2" or "Stage 3"."""
    if row.stage:
        return t["stage"].format(number=row.stage)
    if not row.kernel:
        return row.type
    stride = row.stride or []
    steps = "×".join(map(str, stride if len(set(stride)) > 1 else stride[:1]))
    suffix = f" /{steps}" if any(step != 1 for step in stride) else ""
    return f"{row.type} {'×'.join(map(str, row.kernel))}{suffix}"


def _made_of(t: dict, now: Network, i: int) -> str:
    row = now.rows[i]
    kind = kind_text(t, row)
    if now.is_group(i):
        return t["groupOf"].format(kind=kind, **now.layer_counts(i, row.end))
    if not row.shape or not row.own[1]:
        return kind
    weights, rest = divmod(row.own[1], now.batch * prod(row.shape))  # for each number of the output
    if rest:
        return kind
    if row.type == "Linear":
        return t["units"].format(kind=kind, units=f"{row.shape[-1]:,}", weights=f"{weights:,}")
    channels, uneven = divmod(weights, prod(row.kernel or [1]))
    if not row.kernel or "Transpose" in row.type or uneven:
        return kind
    size = shape_text([*row.kernel, channels])
    return t["filters"].format(kind=kind, filters=f"{row.shape[0]:,}", size=size)


def _counts(t: dict, sums: list[int]) -> dict[str, str]:
    parameters, macs, memory = sums
    return {
        "parameters": f"{parameters:,}",
        "macs": in_words(t, macs),
        "memory": in_bytes(memory),
    }


def sentence(t: dict, now: Network, i: int, k: int) -> str:
    """Say what there is to say about a row, or about the whole network at row -1."""
    measure = t["shareOf"][MEASURES[k]]
    if i < 0:
        return _network_sentence(t, now, k, measure)
    row = now.rows[i]
    shape = row.shape
    output = t["outputSays"].format(shape=shape_text(shape)) if shape else t["notRunSays"]
    share = in_percent(share_in(row.sums[k], now.totals[k]))
    return t["layerSays"].format(
        name=row.name, kind=_made_of(t, now, i), output=output, **_counts(t, row.sums),
        share=share, measure=measure,
    )  # fmt: skip


def _network_sentence(t: dict, now: Network, k: int, measure: str) -> str:
    most = max(now.rows, key=lambda row: row.own[k])
    told = {"shape": shape_text(now.input), "batch": now.batch}
    known = t["one" if now.batch == 1 else "batch"].format(**told)
    return t["networkSays"].format(
        name=now.name, **_counts(t, now.totals), input=known if now.input else t["unknownInput"],
        **now.layer_counts(0, len(now.rows)), layer=most.name, type=most.type, measure=measure,
        share=in_percent(share_in(most.own[k], now.totals[k])),
    )  # fmt: skip


def comparison(t: dict, one: Network, other: Network) -> str:
    """Say how a second network compares with the first."""
    times = (in_times(b, a) for a, b in zip(one.totals, other.totals, strict=True))
    values = dict(zip(MEASURES, times, strict=True))
    return t["comparison"].format(name=one.name, other=other.name, **values)


# --- HTML -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """What is shown: the network, the one beside it or None, the row, the groups, the measure."""

    now: Network
    other: Network | None
    row: int
    opened: set[int]
    k: int
    layouts: list[Layout]
    scale: Scale


def scene(explorer) -> Scene:
    """Compute the picture of an explorer's present state."""
    now, compare = explorer.shown, explorer.compare
    other = network(explorer.networks[compare]) if compare >= 0 else None
    row = min(explorer.row, len(now.rows) - 1)
    opened = open_groups(now, explorer.opened, row)
    k = MEASURES.index(explorer.measure)
    layouts = [layout(now, opened)] + ([layout(other, ())] if other else [])
    return Scene(now, other, row, opened, k, layouts, scale_of(layouts, k))


def html(explorer) -> str:
    """Return an explorer's picture and its table as HTML."""
    here, t = scene(explorer), base.words("architecture_explorer")
    said = escape(sentence(t, here.now, here.row, here.k))
    reading = f'<p class="cnn-arch-sentence">{said}</p>'
    if here.other:
        compared = escape(comparison(t, here.now, here.other))
        reading += f'<p class="cnn-arch-comparison">{compared}</p>'
    parts = {
        "header": "",
        "stage": _stage(t, here),
        "reading": f'{reading}<p class="cnn-arch-hint">{t["layersStill"]}</p>',
        "actions": "",
        "box": _table(t, here),
        "notes": f"<p>{t['scale']}</p><p>{t['order']}</p>",
        "foot": "",
    }
    # The box scrolls where a network is long, so that a keyboard must reach it.
    name = escape(t["tableStill"].format(name=here.now.name))
    reach = {"box": f' tabindex="0" role="region" aria-label="{name}"'}
    body = "".join(
        f'<div class="cnn-arch-{name}"{reach.get(name, "")}>{part}</div>'
        for name, part in parts.items()
    )
    return f'<div class="cnn-arch" data-measure="{explorer.measure}">{body}</div>'


def _stage(t: dict, here: Scene) -> str:
    most = value_text(here.scale.most, here.k)
    whole = max(network.totals[here.k] for network in (here.now, here.other) if network)
    share = in_percent(share_in(here.scale.most, whole))
    bars = t["bars"].format(measure=t["measures"][MEASURES[here.k]], most=most, share=share)
    shown = [here.now] + ([here.other] if here.other else [])
    pictures = "".join(
        _picture(t, here, each, laid) for each, laid in zip(shown, here.layouts, strict=True)
    )
    count = max(sum(box.kind != "thin" for box in each.boxes) for each in here.layouts)
    return (
        f'<div class="cnn-arch-labels"><div class="cnn-label cnn-output">'
        f"{escape(t['outputs'].format(name=here.now.name))}</div>"
        f'<div class="cnn-label cnn-measure">{bars}</div></div>'
        f'<div class="cnn-arch-scroll" tabindex="0" role="group" '
        f'aria-label="{t["pictureRegion"]}"><div class="cnn-arch-canvas" '
        f'style="--boxes:{count}">{pictures}</div></div>'
    )


def _picture(t: dict, here: Scene, shown: Network, laid: Layout) -> str:
    is_first = shown is here.now

    def lit(row: int) -> bool:
        return is_first and here.row >= 0 and here.row <= row < here.now.rows[here.row].end

    def name_of(row: int) -> str:
        if row < 0:
            return t["inputBox"]
        return kind_text(t, shown.rows[row]) if shown.rows[row].stage else shown.rows[row].label

    drawn = paths(laid, here.scale, here.k, lit)
    shapes = "".join(f'<path class="cnn-arch-{kind}" d="{d}"/>' for kind, d in drawn.items())
    name = escape(t["pictureName"].format(name=shown.name, count=len(laid.boxes)))
    lines = "".join(
        f'<div class="cnn-arch-{key}" aria-hidden="true">{"".join(map(_tag, each))}</div>'
        for key, each in tags(laid, here.scale.units, name_of).items()
    )
    units = _short(here.scale.units)
    title = "" if is_first else f'<p class="cnn-arch-title">{escape(shown.name)}</p>'
    return (
        f'<div class="cnn-arch-picture">{title}<svg role="img" aria-label="{name}" '
        f'preserveAspectRatio="none" viewBox="0 -1 {units} {FOOT + 1}">{shapes}</svg>{lines}</div>'
    )


def _tag(tag: dict[str, str]) -> str:
    style = f"left:{tag['left']}%;width:{tag['width']}%"
    return f'<span style="{style}"><i></i><b>{escape(tag["text"])}</b></span>'


def _table(t: dict, here: Scene) -> str:
    columns = [t["layerColumn"], t["kindColumn"], t["outputColumn"], *t["measures"].values()]
    head = "".join(
        f'<th role="columnheader" scope="col"{_column(i)}>{text}</th>'
        for i, text in enumerate([*columns, t["shareColumn"]])
    )
    rows = "".join(_line(t, here, i) for i in visible_rows(here.now, here.opened))
    name = escape(t["tableStill"].format(name=here.now.name))
    whole = here.now.totals
    cells = ["", "", *map(value_text, whole, range(3)), "100 %"]
    foot = f'<th role="rowheader" scope="row">{t["total"]}</th>' + "".join(
        f'<td role="cell"{_column(i)}>{text}</td>' for i, text in enumerate(cells, 1)
    )
    return (
        f'<table class="cnn-arch-table" role="table" aria-label="{name}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody>'
        f'<tfoot role="rowgroup"><tr role="row">{foot}</tr></tfoot></table>'
    )


def _column(i: int) -> str:
    return f' data-column="{MEASURES[i - 3]}"' if 3 <= i < 6 else ""


def _line(t: dict, here: Scene, i: int) -> str:
    row, k = here.now.rows[i], here.k
    output = shape_text(row.shape, "×") if row.shape else t["notRun"]
    shares = [share_in(row.sums[m], here.now.totals[m]) for m in range(3)]
    texts = [kind_text(t, row), output, *map(value_text, row.sums, range(3)), in_percent(shares[k])]
    cells = ""
    for column, text in enumerate(texts, 1):
        m = column - 3
        zero = ' class="cnn-arch-none"' if 0 <= m < 3 and not row.sums[m] else ""
        strip = f' style="--share:{_short(100 * shares[m])}%"' if 0 <= m < 3 else ""
        cells += f'<td role="cell"{_column(column)}{zero}{strip}>{escape(text)}</td>'
    sign = ""
    if here.now.is_group(i):
        mark = "cnn-arch-sign cnn-arch-open" if i in here.opened else "cnn-arch-sign"
        sign = f'<span class="{mark}"></span>'
    names = " ".join(
        name
        for name, holds in (("cnn-arch-group", sign), ("cnn-arch-chosen", i == here.row))
        if holds
    )
    return (
        f'<tr role="row" class="{names}" style="--depth:{row.depth}"><th role="rowheader" '
        f'scope="row">{sign}<span>{escape(row.label)}</span></th>{cells}</tr>'
    )


# --- PNG --------------------------------------------------------------------------------------

WIDE, HIGH, MARGIN = 1200, 360, 24  # pixels of a picture


def png(explorer) -> bytes:
    """Return the boxes and bars of the shown networks as a PNG, on white and without words."""
    from PIL import Image, ImageDraw

    here = scene(explorer)
    size = (WIDE + 2 * MARGIN, len(here.layouts) * (HIGH + MARGIN) + MARGIN)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for i, laid in enumerate(here.layouts):
        _draw(draw, here, laid, MARGIN + i * (HIGH + MARGIN))
    return base.encoded(image)


def _draw(draw, here: Scene, laid: Layout, top: int) -> None:
    green, grey = COLORS["output"][0], COLORS["muted"][0]
    looks = {  # fill and outline
        "input": ("#FFFFFF", COLORS["input"][0]),
        "group": ("#BFE7DC", green),
        "full": ("#BFE7DC", green),
        "empty": ("#FFFFFF", green),
        "thin": (grey, grey),
        "stripes": (green, green),
        "bars": (COLORS["kernel"][0],) * 2,
    }
    for kind, x, y, width, height in _rectangles(laid, here.scale, here.k, lambda _: False):
        corner = MARGIN + WIDE * x / here.scale.units, top + HIGH * y / FOOT
        other = corner[0] + WIDE * width / here.scale.units, corner[1] + HIGH * height / FOOT
        fill, outline = looks[kind]
        draw.rectangle([*corner, *other], fill, outline)
