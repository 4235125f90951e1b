"""The kernel lab's still form: for pages without scripts, for print, and until scripts arrive."""

from __future__ import annotations

from functools import cached_property
from html import escape
from io import BytesIO

import numpy as np

from cnnlib.widgets import base, still

#: The diverging map of the plots (RdBu): colours at numbers from -1 to 1.
MAP = {
    -1: (5, 48, 97),
    -0.6: (67, 147, 195),
    0: (247, 247, 247),
    0.6: (214, 96, 77),
    1: (103, 0, 31),
}
BINS = 1024  # of the histogram that finds the full colour


def html(lab) -> str:
    """Return a lab's state as HTML: two pictures and real tables."""
    return Still(lab).html()


def png(lab) -> bytes:
    """Return a lab's photo, kernel and filtered photo as a PNG, side by side on white."""
    from PIL import Image, ImageOps

    now = Still(lab)
    board = Image.open(BytesIO(still.boards_png([now.boards["kernel"]])))
    parts = [
        Image.fromarray(lab.pixels),
        ImageOps.contain(board, (256, 256)),
        Image.fromarray(now.picture),
    ]
    width, height = sum(part.width for part in parts), max(part.height for part in parts)
    whole, left = Image.new("RGB", (width, height), "white"), 0
    for part in parts:
        whole.paste(part, (left, (height - part.height) // 2))
        left += part.width
    return base.encoded(whole)


# --- Numbers and colours, as the ES module has them --------------------------------------------


def best_show(kernel) -> str:
    """Return "signed" for a kernel with negative numbers that add up to less than 1/2, or "photo".

    Parameters
    ----------
    kernel : array_like, shape (kH, kW)
    """
    weights = np.array(kernel)
    return "signed" if weights.sum() < 0.5 and (weights < 0).any() else "photo"


def full_color(values: np.ndarray) -> float:
    """Return what 99 of 100 magnitudes do not exceed, rounded up to two digits.

    Parameters
    ----------
    values : numpy.ndarray
        Any numbers; 1 is the answer where all are 0.
    """
    sizes = np.abs(values).ravel()
    largest = sizes.max()
    if largest <= 1e-9:
        return 1.0
    counts = np.bincount(np.minimum((sizes * (BINS / largest)).astype(int), BINS - 1))
    reached = int(np.argmax(np.cumsum(counts) >= 0.99 * sizes.size))
    value = (reached + 1) / BINS * largest
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / unit - 1e-9) * unit:.2g}")


def diverging(tones: np.ndarray) -> np.ndarray:
    """Return the colours of numbers from -1 to 1: blue, white at 0, red.

    Parameters
    ----------
    tones : numpy.ndarray, shape (H, W)

    Returns
    -------
    numpy.ndarray of uint8, shape (H, W, 3)
    """
    levels = [np.interp(tones, list(MAP), color) for color in zip(*MAP.values(), strict=True)]
    return np.rint(np.stack(levels, axis=-1)).astype(np.uint8)


def is_outside(values: np.ndarray) -> np.ndarray:
    """Tell of each number, rounded, whether it is none of a photo's, which are from 0 to 255."""
    return (values < -0.5) | (values >= 255.5)


# --- The picture --------------------------------------------------------------------------------


class Still:
    """Everything that the still form of a lab shows."""

    def __init__(self, lab):
        self.lab = lab
        self.t = base.words("kernel_lab")
        self.is_colored = lab.pixels.ndim == 3
        self.kernel = lab.applied()
        self.output = lab.filtered()
        sizes = np.atleast_3d(lab.pixels).shape
        wanted = (lab.row, lab.column, lab.channel)
        self.row, self.column, self.channel = np.minimum(wanted, np.array(sizes) - 1).tolist()
        self.way = best_show(lab.kernel) if lab.show == "auto" else lab.show

    @cached_property
    def values(self) -> np.ndarray:
        """The numbers that are shown: of a coloured photo's signed output, one channel's."""
        return self.output[..., self.channel] if self._is_one_channel else self.output

    @property
    def _is_one_channel(self) -> bool:
        return self.is_colored and self.way == "signed"

    @cached_property
    def full(self) -> float:
        """The number that gets the full colour."""
        return 255.0 if self.way == "photo" else full_color(self.values)

    @cached_property
    def picture(self) -> np.ndarray:
        """The filtered photo in colours: uint8, of shape (H, W) or (H, W, 3)."""
        if self.way == "signed":
            return diverging(self.values / self.full)
        levels = self.values if self.way == "photo" else np.abs(self.values) * (255 / self.full)
        return np.clip(np.floor(levels + 0.5), 0, 255).astype(np.uint8)

    @cached_property
    def boards(self) -> dict[str, still.Board]:
        """The grids at the pixel that is looked at: window, kernel and products."""
        rows, columns = (
            place + np.arange(size)
            for place, size in zip((self.row, self.column), self.kernel.shape, strict=True)
        )
        padded = np.atleast_3d(self.lab.padded())[..., self.channel]
        window = padded[np.ix_(rows, columns)].astype(int)
        products = window * self.kernel
        (height, width), (top, left) = (
            self.lab.pixels.shape[:2],
            [(size - 1) // 2 for size in self.kernel.shape],
        )
        is_met = np.logical_and.outer(
            (rows >= top) & (rows < top + height), (columns >= left) & (columns < left + width)
        )
        most = 0 if np.abs(products).max() >= 99.95 else 1  # a product has few letters
        looks = [
            [("grey", v / 255) if met else ("padding", 0.0) for v, met in zip(*line, strict=True)]
            for line in zip(window, is_met, strict=True)
        ]
        t, label = self.t, "kernelLabelFlipped" if self.lab.flip else "kernelLabel"
        texts = [[str(value) for value in line] for line in window]
        weights = [[still.short(value) for value in line] for line in self.kernel]
        shades = [still.shades(values, signed=True) for values in (self.kernel, products)]
        return {
            "window": still.Board("window", t["windowLabel"], texts, looks),
            "kernel": still.Board("kernel", t[label], weights, shades[0]),
            "products": still.Board(
                "products", t["productsLabel"], still.aligned(products, most), shades[1]
            ),
        }

    # Words

    @property
    def total(self) -> str:
        """The sum at the pixel that is looked at."""
        return still.decimal(np.atleast_3d(self.output)[self.row, self.column, self.channel], 1)

    @property
    def sum_sentence(self) -> str:
        """What the kernel's numbers add up to, and what that does to an even region."""
        total = float(self.kernel.sum())
        known = [
            name for value, name in ((0, "sumZero"), (1, "sumOne")) if abs(total - value) < 1e-9
        ]
        if known:
            return self.t[known[0]]
        return self.t["sumOther"].format(sum=still.decimal(total))

    @property
    def numbers_sentence(self) -> str:
        """Between which numbers the output lies."""
        values = {"low": self.values.min(), "high": self.values.max(), "mean": self.values.mean()}
        texts = {name: still.decimal(value, 1) for name, value in values.items()}
        return self.t["numbers"].format(**texts)

    @property
    def key(self) -> str:
        """How the numbers became colours; and how much of the output a photo cannot show."""
        t = self.t
        if self._is_one_channel:
            channel = list(t["channelNames"].values())[self.channel]
            return t["legendSignedChannel"].format(channel=channel)
        if self.way != "photo":
            return t["legendSigned" if self.way == "signed" else "legendMagnitude"]
        out = np.atleast_3d(is_outside(self.output)).any(axis=2)
        count = int(out.sum())
        if count < 2:
            return t["clippedOne" if count else "clippedNone"]
        share = still.decimal(100 * count / out.size, 1)
        return t["clipped"].format(count=f"{count:,}", share=share)

    @property
    def seen(self) -> str:
        """What one should see in the filtered photo, for those who cannot."""
        weights = self.kernel[self.kernel != 0]
        total, is_even = weights.sum(), abs(weights.sum()) < 1e-9
        if self.way == "signed" or is_even:
            return self.t["seen"]["even" if self.way == "signed" else "dark"]
        if abs(total - 1) > 1e-9:
            return self.t["seen"]["other"]
        names = {len(weights) == 1: "same", (weights < 0).any(): "sharp"}
        return self.t["seen"][names.get(True, "soft")]

    # HTML

    def html(self) -> str:
        """Return the whole, laid out in the measures of the living widget."""
        t = self.t
        parts = {
            "header": "",
            "stage": self._photo() + self._result(),
            "strip": self._strip(),
            "reading": self._reading(),
            "settings": f"<p>{t['stillCaption']}</p>",
        }
        body = "".join(f'<div class="cnn-lab-{name}">{part}</div>' for name, part in parts.items())
        names = ["cnn-lab"]
        names += ["cnn-lab-large"] * (max(self.kernel.shape) > 3)
        names += ["cnn-lab-color"] * self.is_colored
        return f'<div class="{" ".join(names)}">{body}</div>'

    def _photo(self) -> str:
        cat = base.photo_url("photo", base.cat_photo(gray=not self.is_colored))
        alt = self.t["catAlt"] if self.lab.photo == cat else self._sized("photoAlt")
        hint = f'<p class="cnn-lab-hint cnn-lab-key">{self.t["pixelHint"]}</p>'
        return _panel("input", self._sized("photoLabel"), alt, self.lab.pixels, hint)

    def _result(self) -> str:
        label = self._sized("filteredLabel")
        alt = f"{label}. {self.seen} {self.numbers_sentence}"
        return _panel("output", label, alt, self.picture, self._legend())

    def _sized(self, name: str) -> str:
        rows, columns = self.lab.pixels.shape[:2]
        return self.t[name].format(rows=rows, columns=columns)

    def _legend(self) -> str:
        is_signed = self.way == "signed"
        is_cut = self.way != "photo" and np.abs(self.values).max() > self.full
        least, most = ("≤ ", "≥ ") if is_cut else ("", "")
        high = most + still.decimal(self.full)
        low, middle = (least + still.decimal(-self.full), "0") if is_signed else ("0", "")
        ends = {"low": low, "middle": middle, "high": high}
        spans = "".join(
            f'<span class="cnn-lab-{name}">{text}</span>' for name, text in ends.items()
        )
        return (
            f'<div class="cnn-lab-legend"><div class="cnn-lab-bar cnn-lab-bar-'
            f'{"signed" if is_signed else "grey"}"></div><div class="cnn-lab-ends-of-bar">{spans}'
            f'</div><p class="cnn-lab-key">{self.key}</p></div>'
        )

    def _strip(self) -> str:
        signs = {"window": ("×", ""), "kernel": ("=", ""), "products": ("→", " cnn-lab-sum-sign")}
        grids = "".join(
            f'{still.panel(self.boards[role])}<span class="cnn-lab-sign{name}">{sign}</span>'
            for role, (sign, name) in signs.items()
        )
        return (
            f'{grids}<div class="cnn-panel cnn-output cnn-lab-sum"><div class="cnn-label">'
            f'{self.t["sumLabel"]}</div><div class="cnn-lab-sum-value">{self.total}</div></div>'
        )

    def _reading(self) -> str:
        t = self.t
        where = t["placeChannel" if self.is_colored else "place"].format(
            row=self.row + 1,
            column=self.column + 1,
            channel=list(t["channelNames"].values())[self.channel],
        )
        terms = t["addUp"].format(count=self.kernel.size)
        return (
            f'<div class="cnn-lab-weight"></div><p class="cnn-lab-line">{where} {terms} '
            f'<strong class="cnn-lab-total">{self.total}</strong></p>'
            f'<div class="cnn-lab-links"></div><div class="cnn-lab-facts">'
            f"<p>{self.sum_sentence}</p><p>{self.numbers_sentence}</p></div>"
        )


def _panel(role: str, label: str, alt: str, pixels: np.ndarray, below: str) -> str:
    """Return a picture under its label. It is compressed: it is looked at, not computed with."""
    url = base.picture_url(pixels, "WEBP", quality=80, method=6)
    height, width = pixels.shape[:2]
    return (
        f'<div class="cnn-panel cnn-{role} cnn-lab-picture"><div class="cnn-label">{label}</div>'
        f'<div class="cnn-lab-area"><img src="{url}" alt="{escape(alt)}" width="{width}" '
        f'height="{height}"></div>{below}</div>'
    )
