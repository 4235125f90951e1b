"""`PoolingExplorer`: a window pools an input, and the input shifts under it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import traitlets

from cnnlib.arithmetic import output_size
from cnnlib.scratch import avg_pool2d, conv2d, max_pool2d
from cnnlib.widgets import base, still
from cnnlib.widgets.convolution import cat_eye

#: What each control reaches, lowest and highest.
LIMITS = {
    "input": [1, 12],
    "kernel_size": [1, 4],
    "stride": [1, 4],
    "shift_rows": [-3, 3],
    "shift_columns": [-3, 3],
    "repeats": [1, 4],
}
#: The words that a trait may be.
CHOICES = {
    "mode": ("max", "average", "blur", "stride"),
    "reference": ("before", "moved"),
    "view": ("numbers", "photo"),
}
BLUR = (1, 2, 1)  # along each axis
FULL_CHANGE = 64  # grey levels that take the whole of a colour


class PoolingExplorer(base.Widget):
    """Pool a grid of numbers or a photograph, shift it by a pixel, and see what changes.

    There is no padding: a window that does not fit is left out. The blur alone looks one pixel
    beyond its window, and there the edge is repeated. So it is where the input shifts and
    something comes in from outside.

    Every argument but `photo` is a trait as it stands: it can be set later, observed, and joined
    to other widgets by ``ipywidgets.link`` and ``jslink``.

    Parameters
    ----------
    input : array_like, shape (H, W), optional
        Numbers from -999 to 999; 1 to 12 rows and columns. The cat's eye, 8 by 8, by default.
    mode : {"max", "average", "blur", "stride"}
        How a window becomes one number: by its maximum; by its mean; by the maximum of the window
        at every place, blurred by (1, 2, 1) along both axes before the stride skips places (Zhang,
        2019); or by its first pixel alone, which is what a stride does by itself.
    kernel_size : int
        Rows and columns of the window, 1 to 4.
    stride : int, optional
        1 to 4. The window's own size by default.
    shift_rows, shift_columns : int
        Pixels by which the input has moved down and to the right, -3 to 3.
    row, column : int
        The place in the output that the window computes, from 0.
    winners : bool
        Mark the winner of every window, or of the present one alone.
    reference : {"before", "moved"}
        What the output is compared with: the output before the shift, or that output moved along,
        where the shift is a whole number of strides.
    view : {"numbers", "photo"}
        Show the grid of numbers, or the photograph.
    photo : array_like of uint8, shape (H, W), optional
        A grey photograph of at most 256 by 256 pixels. The cat by default. As a trait it is a PNG
        in a data URL.
    repeats : int
        How often the photograph is pooled, 1 to 4.
    speed : float
        Steps a second while it plays, from 0.5 to 30.

    Raises
    ------
    ValueError
        If the grid is not a rectangle of numbers, a setting is out of range, or the window is
        larger than the input.

    References
    ----------
    R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    _esm = base.module("pooling_explorer.js")
    _css = base.style("widgets.css", "pooling_explorer.css")

    input = traitlets.List().tag(sync=True)
    mode = traitlets.Unicode("max").tag(sync=True)
    kernel_size = traitlets.Int(2).tag(sync=True)
    stride = traitlets.Int(2).tag(sync=True)
    shift_rows = traitlets.Int(0).tag(sync=True)
    shift_columns = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    winners = traitlets.Bool(False).tag(sync=True)
    reference = traitlets.Unicode("before").tag(sync=True)
    view = traitlets.Unicode("numbers").tag(sync=True)
    photo = traitlets.Unicode().tag(sync=True)
    repeats = traitlets.Int(1).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(3.0).tag(sync=True)
    crop = traitlets.List().tag(sync=True)  # for the controls: the cat's eye at its largest
    limits = traitlets.Dict().tag(sync=True)  # for the controls: what each one reaches

    def __init__(self, input=None, *, kernel_size: int = 2, stride=None, photo=None, **traits):
        grid = cat_eye(8) if input is None else input
        pixels = base.cat_photo() if photo is None else np.asarray(photo)
        if pixels.ndim != 2:
            raise ValueError(f"photo must be grey, of shape (H, W), got shape {pixels.shape}")
        super().__init__(
            input=base.number_grid("input", grid, LIMITS["input"]),
            kernel_size=kernel_size,
            photo=base.photo_url("photo", pixels),
            crop=[list(row) for row in cat_eye(16)],
            limits=LIMITS,
            **traits,
        )
        self.stride = self.kernel_size if stride is None else stride
        _ = self.output_shape  # refuses a window larger than the input

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        shape = (len(self.input), len(self.input[0]))
        return output_size(shape, (self.kernel_size,) * 2, self.stride, 0)

    def _still_body(self) -> str:
        return _html(self)

    def still_png(self) -> bytes:
        """Return the present state as a picture; `ValueError` where there is no output."""
        boards = _boards(self)
        return still.boards_png([boards["input"], boards["output"]], "→")

    def __repr__(self) -> str:
        return (
            f"PoolingExplorer(input {len(self.input)}x{len(self.input[0])}, mode={self.mode!r}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, "
            f"shift_rows={self.shift_rows}, shift_columns={self.shift_columns})"
        )

    @traitlets.validate("input")
    def _check_grid(self, proposal):
        return base.number_grid("input", proposal["value"], LIMITS["input"])

    @traitlets.validate("kernel_size", "stride", "shift_rows", "shift_columns", "repeats")
    def _check_setting(self, proposal):
        return base.within(proposal, LIMITS)

    @traitlets.validate("row", "column")
    def _check_place(self, proposal):
        return base.counted(proposal)

    @traitlets.validate("mode", "reference", "view")
    def _check_choice(self, proposal):
        name = proposal["trait"].name
        choices = ", ".join(f'"{choice}"' for choice in CHOICES[name])
        return base.one_of(proposal, CHOICES[name], f"{name} must be one of {choices}")

    @traitlets.validate("speed")
    def _check_speed(self, proposal):
        return base.within(proposal, base.SPEED)


# --- The arithmetic, by scratch ---------------------------------------------------------------


def shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return a picture moved by whole pixels; what comes in repeats the edge."""
    rows, columns = (
        np.clip(np.arange(size) - by, 0, size - 1)
        for size, by in zip(x.shape, (down, right), strict=True)
    )
    return x[np.ix_(rows, columns)]


def pooled(x: np.ndarray, mode: str, kernel_size: int, stride: int) -> np.ndarray:
    """Return a picture pooled in one of the explorer's ways."""
    batch = x[None, None]
    if mode == "max":
        return max_pool2d(batch, kernel_size, stride)[0, 0]
    if mode == "average":
        return avg_pool2d(batch, kernel_size, stride)[0, 0]
    if mode == "blur":
        weights = np.outer(BLUR, BLUR) / np.sum(BLUR) ** 2
        return conv2d(maxima(x, kernel_size)[None, None], weights[None, None], None, stride)[0, 0]
    rows, columns = output_size(x.shape, (kernel_size,) * 2, stride, 0)
    return x[::stride, ::stride][:rows, :columns]


def maxima(x: np.ndarray, kernel_size: int) -> np.ndarray:
    """Return the maximum of the window at every place, and at one more beyond each edge."""
    return max_pool2d(np.pad(x, 1, "edge")[None, None], kernel_size, 1)[0, 0]


# --- The still picture ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    """Everything that the numbers' picture shows: arrays, and where the window stands."""

    source: np.ndarray  # the input as it was
    x: np.ndarray  # the input, shifted
    before: np.ndarray
    now: np.ndarray
    reference: np.ndarray  # what `now` is compared with; NaN where nothing is known
    row: int
    column: int

    @property
    def change(self) -> np.ndarray:
        return self.now - self.reference


def _scene(explorer: PoolingExplorer) -> _Scene:
    source = np.array(explorer.input, float)
    x = shifted(source, explorer.shift_rows, explorer.shift_columns)
    how = explorer.mode, explorer.kernel_size, explorer.stride
    before, now = pooled(source, *how), pooled(x, *how)
    reference = _moved(explorer, before) if explorer.reference == "moved" else before
    row, column = np.minimum((explorer.row, explorer.column), np.array(now.shape) - 1).tolist()
    return _Scene(source, x, before, now, reference, row, column)


def _moved(explorer: PoolingExplorer, before: np.ndarray) -> np.ndarray:
    """Return the old output moved along with the input; NaN where nothing is known."""
    moved = np.full(before.shape, np.nan)
    shifts = explorer.shift_rows, explorer.shift_columns
    if any(shift % explorer.stride for shift in shifts):
        return moved
    by = [shift // explorer.stride for shift in shifts]
    sizes = len(explorer.input), len(explorer.input[0])
    reach = 1 if explorer.mode == "blur" else 0

    def is_within(place: int, size: int) -> bool:
        start = place * explorer.stride
        return start >= reach and start + explorer.kernel_size + reach <= size

    for place in np.ndindex(moved.shape):
        old = tuple(np.subtract(place, by).tolist())
        is_there = all(0 <= at < count for at, count in zip(old, before.shape, strict=True))
        pairs = [*zip(place, sizes, strict=True), *zip(old, sizes, strict=True)]
        if is_there and all(is_within(*pair) for pair in pairs):
            moved[place] = before[old]
    return moved


def _looked_at(explorer: PoolingExplorer, place: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns that an output looks at, within the input."""
    sizes = len(explorer.input), len(explorer.input[0])
    reach = 1 if explorer.mode == "blur" else 0
    starts = (at * explorer.stride for at in place)
    return tuple(
        slice(max(start - reach, 0), min(start + explorer.kernel_size + reach, size))
        for start, size in zip(starts, sizes, strict=True)
    )


def _boards(explorer: PoolingExplorer) -> dict[str, still.Board]:
    """Return the boards of numbers by role; `ValueError` where there is no output."""
    t, scene = base.words("pooling_explorer"), _scene(explorer)
    rows, columns = _looked_at(explorer, (scene.row, scene.column))
    lens = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    texts = [[still.decimal(value) for value in line] for line in scene.x]
    looks = _input_looks(explorer, scene)
    window = [[line[columns] for line in grid[rows]] for grid in (texts, looks)]
    is_shifted = bool(explorer.shift_rows or explorer.shift_columns)
    label = t["inputGridShifted" if is_shifted else "inputGrid"]
    now = (
        _shaded(scene.now, scene.before),
        [[_mark(value) for value in line] for line in scene.change],
    )
    boards = [
        still.Board("input", still.sized(label, scene.x), texts, looks, lens),
        still.Board("window", t["windowLabel"], *window),
        still.Board(
            "output",
            still.sized(t["outputGrid"], scene.now),
            still.aligned(scene.now),
            _marked(*now),
            (scene.column, scene.row, 1, 1),
        ),
        still.Board(
            "before",
            t["referenceLabels"][explorer.reference],
            _texts(scene.reference),
            _shaded(scene.reference, np.concatenate([scene.now, scene.before])),
        ),
        still.Board(
            "change",
            t["changeLabel"],
            _texts(scene.change, plus="+"),
            _known(scene.change, still.shades(np.nan_to_num(scene.change), signed=True)),
        ),
    ]
    return {board.role: board for board in boards}


def _texts(values: np.ndarray, plus: str = "") -> still.Texts:
    """Write the numbers of a grid, with a sign before those that grew; nothing for NaN."""
    texts = still.aligned(np.nan_to_num(values))
    for place, value in np.ndenumerate(values):
        text = texts[place[0]][place[1]]
        texts[place[0]][place[1]] = "" if np.isnan(value) else f"{plus if value > 0 else ''}{text}"
    return texts


def _shaded(values: np.ndarray, scale: np.ndarray) -> still.Looks:
    """Return the shades of a grid on the scale of its own numbers and of others."""
    looks = still.shades(np.concatenate([np.nan_to_num(values), scale]))
    return _known(values, looks[: len(values)])


def _known(values: np.ndarray, looks: still.Looks) -> still.Looks:
    return [
        [("padding", 0.0) if np.isnan(value) else look for value, look in zip(*line, strict=True)]
        for line in zip(values, looks, strict=True)
    ]


def _marked(looks: still.Looks, marks: list[list[str]]) -> still.Looks:
    return [
        [(*look, mark) for look, mark in zip(*line, strict=True)]
        for line in zip(looks, marks, strict=True)
    ]


def _mark(change: float) -> str:
    if np.isnan(change) or abs(change) < 1e-9:
        return ""
    return "cnn-rose" if change > 0 else "cnn-fell"


def _input_looks(explorer: PoolingExplorer, scene: _Scene) -> still.Looks:
    """Return the look of each pixel: its shade, and whether it won, came in, has no say."""
    looks = _shaded(scene.x, scene.source)
    seen, won = np.zeros(scene.x.shape, bool), np.zeros(scene.x.shape, bool)
    for place in np.ndindex(scene.now.shape):
        reached, winners = _reached(explorer, scene.x, place)
        seen[reached] = True
        if explorer.winners or place == (scene.row, scene.column):
            won[winners] = True
    rows, columns = (
        ~np.isin(np.arange(size) - by, np.arange(size))
        for size, by in zip(
            scene.x.shape, (explorer.shift_rows, explorer.shift_columns), strict=True
        )
    )
    came = rows[:, None] | columns
    mark = "cnn-wins" if explorer.mode in ("max", "stride") else "cnn-shares"
    for r, c in np.ndindex(scene.x.shape):
        marks = {"cnn-came": came[r, c], mark: won[r, c]}
        name = " ".join(mark for mark, is_so in marks.items() if is_so)
        looks[r][c] = (*looks[r][c], name) if seen[r, c] else ("unseen", 0.0, name)
    return looks


def _reached(explorer: PoolingExplorer, x: np.ndarray, place: tuple[int, int]):
    """Return the pixels that have a say in an output, and those that win it, as indices."""
    window = _looked_at(explorer, place)
    top, left = window[0].start, window[1].start
    if explorer.mode == "stride":
        return (top, left), (top, left)
    if explorer.mode != "max":
        return window, window
    row, column = divmod(int(x[window].argmax()), explorer.kernel_size)
    return window, (top + row, left + column)


def _html(explorer: PoolingExplorer) -> str:
    """Return the picture as HTML: real tables or pictures, in the measures of the living widget."""
    is_photo = explorer.view == "photo"
    panels = _photo_panels(explorer) if is_photo else _number_panels(explorer)
    t = base.words("pooling_explorer")
    sentence = "" if is_photo else f"{panels['window']}{_reading(explorer)}"
    words = f"<p>{_effect_text(explorer)}</p>" if not is_photo else ""
    parts = {
        "pool-stage": f'<div class="cnn-touch">{panels["input"]}<div class="cnn-shift"></div></div>'
        + panels["output"],
        "pool-effect": panels["before"]
        + panels["change"]
        + f'<div class="cnn-effect">{words}</div>',
        "pool-strip": f'<div class="cnn-pool-window">{sentence}</div>',
    }
    board = "".join(f'<div class="cnn-{name}">{part}</div>' for name, part in parts.items())
    body = (
        f'<div class="cnn-pool-header"></div><div class="cnn-pool-ways"></div>'
        f'<div class="cnn-pool-board">{board}</div>'
        f'<div class="cnn-pool-settings"><p>{t["stillPooling"]}</p></div>'
    )
    return f'<div class="cnn-pooling" data-window="{explorer.kernel_size}">{body}</div>'


def _number_panels(explorer: PoolingExplorer) -> dict[str, str]:
    return {role: still.panel(board) for role, board in _boards(explorer).items()}


def _reading(explorer: PoolingExplorer) -> str:
    """Return the present output in words: "max(20, 5, 3, 15) = 20"."""
    t, scene, k = base.words("pooling_explorer"), _scene(explorer), explorer.kernel_size
    top, left = scene.row * explorer.stride, scene.column * explorer.stride
    is_blur = explorer.mode == "blur"
    source, size = (maxima(scene.x, k), len(BLUR)) if is_blur else (scene.x, k)
    values = source[top : top + size, left : left + size].ravel()
    value = scene.now[scene.row, scene.column]
    sign = "=" if all(_is_exact(each) for each in (*values, value)) else "≈"
    place = t["place"].format(row=scene.row + 1, column=scene.column + 1)
    return (
        f'<div class="cnn-pool-reading"><p class="cnn-sum"><span>{place}</span> '
        f'<span class="cnn-terms">{_terms(explorer.mode, values)} {sign}</span> '
        f'<strong class="cnn-total">{still.decimal(value)}</strong></p></div>'
    )


def _is_exact(value: float) -> bool:
    return abs(value * 100 - round(value * 100)) < 1e-7


def _terms(mode: str, values: np.ndarray) -> str:
    templates = base.words("pooling_explorer")["terms"]
    if mode in ("average", "blur"):
        text = _mean(values, np.outer(BLUR, BLUR).ravel() if mode == "blur" else values**0)
    else:
        text = ", ".join(map(still.decimal, values))
    return templates.get(mode, "{terms}").format(terms=text)


def _mean(values: np.ndarray, weights: np.ndarray) -> str:
    if len(values) == 1:
        return still.decimal(values[0])
    text = ""
    for weight, value in zip(weights.astype(int), values, strict=True):
        size = still.decimal(abs(value))
        sign = still.MINUS if value < 0 else "+"
        first = still.MINUS if value < 0 else ""
        text += f" {sign} " if text else first
        text += size if weight == 1 else f"{weight} × {size}"
    return f"({text}) / {int(weights.sum())}"


def _effect_text(explorer: PoolingExplorer) -> str:
    """Say how many outputs the shift changed."""
    t, scene = base.words("pooling_explorer"), _scene(explorer)
    shifts = {
        "down": explorer.shift_rows,
        "up": -explorer.shift_rows,
        "right": explorer.shift_columns,
        "left": -explorer.shift_columns,
    }
    parts = [t["directions"][name].format(n=by) for name, by in shifts.items() if by > 0]
    if not parts:
        return t["unshifted"]
    where = t["both"].format(one=parts[0], other=parts[1]) if len(parts) == 2 else parts[0]
    sizes = np.abs(scene.now - scene.before)
    changed = int(np.sum(sizes > 1e-9))
    facts = {"where": where, "known": sizes.size, "changed": changed}
    return t["changed" if changed else "unchanged"].format(
        **facts, largest=still.decimal(sizes.max())
    )


def _photo_panels(explorer: PoolingExplorer) -> dict[str, str]:
    """Return the photograph's boards as pictures; `ValueError` where nothing is left to pool."""
    t = base.words("pooling_explorer")
    photo = _photo_pixels(explorer)
    x = shifted(photo, explorer.shift_rows, explorer.shift_columns)
    now, before = x, photo
    for _ in range(explorer.repeats):
        now, before = (
            pooled(each, explorer.mode, explorer.kernel_size, explorer.stride)
            for each in (now, before)
        )
    pictures = {
        "input": (still.sized(t["inputGrid"], x), x),
        "output": (still.sized(t["outputGrid"], now), now),
        "before": (t["referenceLabels"]["before"], before),
    }
    names = {
        "input": t["photoNameStill"],
        "output": still.sized(t["pooledName"], now),
        "before": t["referenceName"],
    }
    panels = {
        role: _picture(role, label, names[role], np.rint(values).astype(np.uint8))
        for role, (label, values) in pictures.items()
    }
    tone = np.clip((now - before) / FULL_CHANGE, -1, 1)[..., None]
    hue = np.where(tone < 0, still.HUES["negative"], still.HUES["positive"])
    colors = np.rint(255 + np.abs(tone) * (hue - 255)).astype(np.uint8)
    panels["change"] = _picture("change", t["changeLabel"], t["changeName"], colors)
    return panels


def _photo_pixels(explorer: PoolingExplorer) -> np.ndarray:
    return np.asarray(base.photo_of(explorer.photo).convert("L")).astype(float)


def _picture(role: str, label: str, name: str, pixels: np.ndarray) -> str:
    return (
        f'<div class="cnn-panel cnn-{role}"><div class="cnn-label">{label}</div>'
        f'<div class="cnn-frame"><img alt="{escape(name)}" src="{base.photo_url(role, pixels)}">'
        "</div></div>"
    )
