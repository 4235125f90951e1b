"""The still picture of `ReceptiveFieldExplorer`: for pages without scripts, and until they arrive.

It is laid out in the measures of the living widget, so that nothing moves when that takes its
place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnlib.arithmetic import Layer, ReceptiveField, receptive_field
from cnnlib.palette import COLORS
from cnnlib.widgets import base, still

TOP, BOTTOM, BUMP = 5, 76, 20  # rows of the side view, in per cent of its height
MOST_UNITS, MOST_LINES = 96, 1500
HEADINGS = ("layer", "kernel", "stride", "padding", "dilation", "output", "jump", "field", "start")


@dataclass(frozen=True)
class Scene:
    """What the picture shows: fields and sizes from the input on, the chosen pixel, its paths."""

    layers: list[Layer]
    sizes: list[int]
    fields: list[ReceptiveField]
    chosen: tuple[int, int]
    paths: tuple[list[np.ndarray], list[np.ndarray]]  # rows, columns: a count a unit, each layer

    @property
    def reach(self) -> tuple[int, int]:
        """How far the fields of all the output pixels reach beyond the input."""
        field, size = self.fields[-1], self.sizes[0]
        last = field.start + (self.sizes[-1] - 1) * field.jump + field.size - 1
        return max(0, -field.start), max(0, last + 1 - size)


def scene(explorer) -> Scene:
    """Compute the picture of an explorer's present state; `ValueError` where it has no output."""
    layers, sizes = explorer.stack, explorer.output_sizes
    chosen = tuple(min(place, sizes[-1] - 1) for place in (explorer.row, explorer.column))
    fields = [receptive_field(layers[:depth]) for depth in range(len(layers) + 1)]
    paths = tuple(paths_to(layers, sizes, index) for index in chosen)
    return Scene(layers, sizes, fields, chosen, paths)


def paths_to(layers: list[Layer], sizes: list[int], index: int) -> list[np.ndarray]:
    """Return how many paths lead from each unit of each layer to one output unit, along one axis.

    Parameters
    ----------
    layers : list of Layer
    sizes : list of int
        Units of the input and of each layer's output.
    index : int
        The output unit.

    Returns
    -------
    list of ndarray
        From the input to the output.
    """
    counts = [np.eye(sizes[-1], dtype=int)[index]]
    for layer, size, output in zip(layers[::-1], sizes[-2::-1], sizes[:0:-1], strict=True):
        counts.insert(0, counts[0] @ window_matrix(layer, size, output))
    return counts


def window_matrix(layer: Layer, size: int, output: int) -> np.ndarray:
    """Return a layer whose weights are all 1 as a matrix, of shape (output, size)."""
    matrix = np.zeros((output, size), int)
    first = np.arange(output) * layer.stride - layer.padding
    for tap in range(layer.kernel_size):
        places = first + tap * layer.dilation
        inside = np.flatnonzero((places >= 0) & (places < size))
        matrix[inside, places[inside]] += 1
    return matrix


def pictures(explorer, now: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return the photograph at the input's size, and what equal weights make of it."""
    from PIL import Image

    photo = base.photo_of(explorer.photo).convert("L")
    small = photo.resize((explorer.input_size,) * 2, Image.Resampling.BOX)
    values = np.asarray(small, float)
    for layer, size, output in zip(now.layers, now.sizes, now.sizes[1:], strict=False):
        mean = window_matrix(layer, size, output) / layer.kernel_size
        values = mean @ values @ mean.T
    return np.asarray(small), np.rint(values).astype(np.uint8)


# --- The side view ----------------------------------------------------------------------------


def side_view(now: Scene) -> tuple[tuple[float, float], dict[str, str]]:
    """Return the drawn part of the input's axis, and the side view as SVG path data."""
    paths, depth = now.paths[1], len(now.layers)
    view = _view(now)
    heights = [_short(BOTTOM - (BOTTOM - TOP) * depth_ / depth) for depth_ in range(depth + 1)]
    parts = dict.fromkeys(("cone", "lost", "lines", "units", "beyond", "seen", "bump"), "")
    for level, (field, size) in enumerate(zip(now.fields, now.sizes, strict=True)):
        middles = _middle(np.arange(size), field)
        shown = middles[(middles > view[0]) & (middles < view[1])]
        parts["units"] += _dots(shown, heights[level])
        parts["seen"] += _dots(middles[np.flatnonzero(paths[level])], heights[level])
        if level:
            _add_links(parts, now, level, heights)
    seen = [np.count_nonzero(counts) for counts in paths[1:]]
    count = sum(layer.kernel_size * n for layer, n in zip(now.layers, seen, strict=True))
    if count > MOST_LINES:  # the cone says enough
        parts |= {"lines": "", "lost": ""}
    most = max(paths[0].max(), 1)
    parts["bump"] = "".join(
        f"M{_short(i - 0.5)} 100V{_short(100 - BUMP * count / most)}h1V100Z"
        for i, count in enumerate(paths[0])
        if count
    )
    return view, parts


def _view(now: Scene) -> tuple[float, float]:
    (before, after), size, field = now.reach, now.sizes[0], now.fields[-1]
    low, high = -before, size + after
    width = max(64, -(-5 * field.size // 4))
    if high - low <= max(MOST_UNITS, width):
        return low - 0.5, high - 0.5
    wanted = int(np.floor(_middle(now.chosen[1], field) - width / 2 + 0.5))
    start = min(max(wanted, low), high - width)
    return start - 0.5, start + width - 0.5


def _add_links(parts: dict[str, str], now: Scene, level: int, heights: list[str]) -> None:
    """Add what the seen units of a layer see of the layer below."""
    layer, paths = now.layers[level - 1], now.paths[1]
    seen, size = np.flatnonzero(paths[level]), now.sizes[level - 1]
    places: list[int] = []
    for unit in seen:
        for tap in range(layer.kernel_size):
            place = int(unit * layer.stride - layer.padding + tap * layer.dilation)
            x, x_below = _middle(unit, now.fields[level]), _middle(place, now.fields[level - 1])
            is_there = 0 <= place < size
            link = f"M{_short(x)} {heights[level]}L{_short(x_below)} {heights[level - 1]}"
            parts["lines" if is_there else "lost"] += link
            if not is_there and place not in places:
                parts["beyond"] += _dots([x_below], heights[level - 1])
            places.append(place)
    if places:
        a, b = (_short(_middle(unit, now.fields[level])) for unit in (seen[0], seen[-1]))
        ends = (min(places), max(places))
        c, d = (_short(_middle(place, now.fields[level - 1])) for place in ends)
        y, y_below = heights[level], heights[level - 1]
        parts["cone"] += f"M{a} {y}L{b} {y}L{d} {y_below}L{c} {y_below}Z"


def _middle(index, field: ReceptiveField):
    """Return where the middle of a unit's field lies, in input pixels."""
    return field.start + index * field.jump + (field.size - 1) / 2


def _short(value: float) -> str:
    return f"{np.floor(value * 100 + 0.5) / 100:g}"


def _dots(places, height: str) -> str:
    return "".join(f"M{_short(x)} {height}h0" for x in places)


# --- HTML -------------------------------------------------------------------------------------


def html(explorer) -> str:
    """Return an explorer's picture as HTML; `ValueError` where there is no output."""
    now, t = scene(explorer), base.words("receptive_field_explorer")
    reading = f'<p class="cnn-rf-sentences">{sentences(now)}</p><p class="cnn-rf-hint">'
    parts = {
        "header": "",
        "stage": _stage(explorer, now),
        "reading": f'{reading}{t["fieldStill"]}</p><div class="cnn-rf-sliders"></div>',
        "side cnn-highlight": _side(now),
        "layers": f'{_table(now)}<div class="cnn-rf-actions"></div>',
        "formula": _formula(now),
        "foot": "",
    }
    body = "".join(f'<div class="cnn-rf-{name}">{part}</div>' for name, part in parts.items())
    return f'<div class="cnn-rf">{body}</div>'


def sentences(now: Scene) -> str:
    """Say what the chosen pixel sees."""
    t, field = base.words("receptive_field_explorer"), now.fields[-1]
    starts = [field.start + place * field.jump for place in now.chosen]
    ends = [start + field.size - 1 for start in starts]
    rows, columns = (
        t["interval"].format(first=still.decimal(start + 1), last=still.decimal(end + 1))
        for start, end in zip(starts, ends, strict=True)
    )
    row, column = (place + 1 for place in now.chosen)
    said = [t["sees"].format(row=row, column=column, size=field.size, rows=rows, columns=columns)]
    height, width = (
        max(0, min(end, now.sizes[0] - 1) - max(start, 0) + 1)
        for start, end in zip(starts, ends, strict=True)
    )
    counts = [paths[0][paths[0] > 0] for paths in now.paths]
    if not all(map(len, counts)):
        return " ".join([*said, t["nothingSeen"]])
    inside = height == width == field.size
    said.append(t["inside"] if inside else t["beyondEdge"].format(height=height, width=width))
    used = [len(each) for each in counts]
    if used != [height, width]:
        said.append(t["gaps"].format(height=used[0], width=used[1]))
    least, most = (int(np.prod([of(each) for each in counts])) for of in (np.min, np.max))
    said.append(t["pathCount" if least == most else "pathCounts"].format(
        least=f"{least:,}", most=f"{most:,}"
    ))  # fmt: skip
    return " ".join(said)


def _stage(explorer, now: Scene) -> str:
    t, field = base.words("receptive_field_explorer"), now.fields[-1]
    (before, after), (size, output) = now.reach, (now.sizes[0], now.sizes[-1])
    length = before + size + after
    corner = [before + field.start + place * field.jump for place in now.chosen]
    heat = f'<img class="cnn-rf-heat" alt="" src="{base.picture_url(_heat(now))}">'
    small, result = pictures(explorer, now)
    return _panel(
        "input", t["fieldInput"].format(size=size), t["inputPicture"].format(size=size), small,
        _laid((before, before), size, length), _laid(corner, field.size, length),
        heat if explorer.show == "paths" else "",
    ) + _panel(
        "output", t["fieldOutput"].format(size=output),
        t["outputPicture"].format(size=output), result,
        _laid((0, 0), output, output), _laid(now.chosen, 1, output), "",
    )  # fmt: skip


def _panel(
    role: str, label: str, alt: str, image: np.ndarray, place: str, mark: str, inner: str
) -> str:
    return (
        f'<div class="cnn-rf-panel cnn-{role}"><div class="cnn-label">{label}</div>'
        f'<div class="cnn-rf-frame"><div class="cnn-rf-plane"><img alt="{alt}" style="{place}" '
        f'src="{base.picture_url(image)}"><div class="cnn-rf-mark" style="{mark}">{inner}</div>'
        "</div></div></div>"
    )


def _laid(corner, size: int, whole: int) -> str:
    top, left, side = (f"{100 * part / whole:.6g}%" for part in (*corner, size))
    return f"top:{top};left:{left};width:{side};height:{side}"


def _heat(now: Scene) -> np.ndarray:
    """Return the number of paths from each pixel of the field: amber, and no colour in padding."""
    field, padded, there = now.fields[-1], [], []
    for place, paths in zip(now.chosen, now.paths, strict=True):
        start = field.start + place * field.jump
        places = np.arange(start, start + field.size)
        inside = (places >= 0) & (places < now.sizes[0])
        padded.append(np.where(inside, paths[0][np.where(inside, places, 0)], 0))
        there.append(inside)
    counts = np.outer(*padded)
    amber = [int(COLORS["highlight"][0][i : i + 2], 16) for i in (1, 3, 5)]
    shades = np.rint(counts[..., None] / max(counts.max(), 1) * amber)
    return np.dstack([shades, 255 * np.outer(*there)]).astype(np.uint8)


def _side(now: Scene) -> str:
    t = base.words("receptive_field_explorer")
    (low, high), parts = side_view(now)
    before, after = now.reach
    label = t["sideLabel"]
    if high - low < before + now.sizes[0] + after:
        ends = {"first": max(int(low + 0.5), 0) + 1, "last": min(int(high + 0.5), now.sizes[0])}
        label = t["sidePart"].format(**ends)
    depth, paths = len(now.layers), now.paths[1]
    names = [(92.0, t["sidePaths"])]
    for level in range(depth + 1):
        name = t["sideLayer"].format(layer=level) if level else t["sideInput"]
        text = t["sideCount"].format(name=name, count=np.count_nonzero(paths[level]))
        names.append((BOTTOM - (BOTTOM - TOP) * level / depth, text))
    spans = "".join(f'<span style="top:{top:.6g}%">{text}</span>' for top, text in names)
    units = ", ".join(text for _, text in names[1:])
    shapes = "".join(f'<path class="cnn-rf-{name}" d="{d}"/>' for name, d in parts.items())
    told = t["sideName"].format(column=now.chosen[1] + 1, units=units)
    return (
        f'<div class="cnn-label">{label}</div><div class="cnn-rf-box"><div class="cnn-rf-names">'
        f'{spans}</div><svg role="img" aria-label="{told}" preserveAspectRatio="none" '
        f'viewBox="{low:g} 0 {high - low:g} 100" style="--units:{high - low:g}">{shapes}</svg>'
        "</div>"
    )


def _table(now: Scene) -> str:
    t = base.words("receptive_field_explorer")
    headings = [t[f"{name}Column"] for name in HEADINGS if name != "output"]
    headings.insert(HEADINGS.index("output"), t["outputColumnHead"])
    head = "".join(f'<th scope="col"><span>{heading}</span></th>' for heading in headings)
    head += f'<th scope="col"><span class="cnn-hidden">{t["removeColumn"]}</span></th>'
    rows = ""
    for level, (size, field) in enumerate(zip(now.sizes, now.fields, strict=True)):
        layer = now.layers[level - 1]
        settings = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        cells = [*(settings if level else [""] * 4), size, field.jump, field.size]
        texts = [*map(str, cells), still.decimal(field.start), ""]
        body = "".join(f"<td>{text}</td>" for text in texts)
        rows += f'<tr><th scope="row">{level or t["sideInput"]}</th>{body}</tr>'
    return (
        f'<table class="cnn-rf-table" aria-label="{t["tableName"]}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _formula(now: Scene) -> str:
    t, layer = base.words("receptive_field_explorer"), now.layers[-1]
    before, after = now.fields[-2:]
    values = {
        "kernel": layer.kernel_size, "stride": layer.stride, "padding": layer.padding,
        "dilation": layer.dilation, "input": now.sizes[-2], "output": now.sizes[-1],
        "jump": after.jump, "jumpBefore": before.jump, "field": after.size,
        "fieldBefore": before.size, "start": still.decimal(after.start),
        "startBefore": still.decimal(before.start),
    }  # fmt: skip
    spans = still.terms(values)
    lines = "".join(
        f'<div class="cnn-rf-equation"><p class="cnn-rf-words">{said}</p>'
        f'<p class="cnn-rf-numbers">{t["numbers"][name].format(**spans)}</p></div>'
        for name, said in t["formulas"].items()
    )
    return f'<p class="cnn-rf-heading">{t["lastLayer"]}</p>{lines}'


# --- PNG --------------------------------------------------------------------------------------

SIDE, GAP = 384, 24  # pixels


def png(explorer) -> bytes:
    """Return a PNG of the input with the field and the output with its pixel, on white.

    Raises `ValueError` where there is no output.
    """
    from PIL import Image

    now = scene(explorer)
    field, (before, after) = now.fields[-1], now.reach
    small, result = pictures(explorer, now)
    padded = np.pad(small, ((before, after), (before, after)), constant_values=255)
    corner = [before + field.start + place * field.jump for place in now.chosen]
    image = Image.new("RGB", (2 * SIDE + 3 * GAP, SIDE + 2 * GAP), "white")
    _paste(image, GAP, padded, corner, field.size, COLORS["highlight"][0])
    _paste(image, SIDE + 2 * GAP, result, now.chosen, 1, COLORS["output"][0])
    return base.encoded(image)


def _paste(image, left: int, pixels: np.ndarray, corner, size: int, color: str) -> None:
    from PIL import Image, ImageDraw

    whole = len(pixels)
    enlarged = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    image.paste(enlarged, (left, GAP))
    top_left, bottom_right = (
        (left + SIDE * (corner[1] + more) / whole, GAP + SIDE * (corner[0] + more) / whole)
        for more in (0, size)
    )
    frame = [(x - 4, y - 4) for x, y in [top_left]] + [(x + 4, y + 4) for x, y in [bottom_right]]
    ImageDraw.Draw(image).rectangle(frame, outline=color, width=4)
