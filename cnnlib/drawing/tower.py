"""The drawing of a network's plan: a tower of boxes from the input to the answer, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import sqrt
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..palette import COLORS
from . import words
from .reading import Node, Path, Plan, Step
from .words import WORDS

# Pixels.
GAP = 10  # between one box and the next
APART = 14  # between boxes side by side
LINE = 16  # a line of letters
CHARACTER = 0.56  # the width of a letter of the font's size, generously
THINNEST = 3  # of a box, so that it can be seen
THICKEST = 40  # of a drawing's boxes
RADIUS = 8  # of the circle of an addition
BRACKET = 40  # for a bracket, and what stands beside it
BEND = 12  # of a shortcut's corners
TURN = 18  # for a line to go from one column to another
ROLES = {
    "input": "input",
    "convolution": "kernel",
    "pooling": "muted",
    "linear": "highlight",
    "concatenation": "output",
    "addition": "output",
    "reshaping": "muted",
    "other": "text",
}
#: What is filled in another colour than its edge.
FILLS = {"reshaping": "surface", "other": "surface", "pooling": "grid"}


@dataclass(frozen=True)
class Sheet:
    """The measures of one form of a drawing, in pixels.

    Attributes
    ----------
    width, font : int
        Of the whole, and of its letters.
    axis : int
        Where the middle of the tower stands.
    labels : int
        Where the labels begin.
    names : int or None
        Where the layers' names begin; None for no names and no counts of parameters.
    """

    width: int
    font: int
    axis: int
    labels: int
    names: int | None = None


WIDE = Sheet(width=672, font=13, axis=206, labels=354, names=482)
NARROW = Sheet(width=326, font=12, axis=148, labels=228)


def draw(plan: Plan, sheet: Sheet = WIDE) -> str:
    """Return the drawing of a plan.

    Parameters
    ----------
    plan : Plan
        What to draw.
    sheet : Sheet
        `WIDE` for the width of a page's text, `NARROW` for a phone.

    Returns
    -------
    str
        An SVG element, whose colours are those of the palette as CSS variables.
    """
    return _Drawing(plan, sheet).svg()


def _color(role: str) -> str:
    return f"var(--cnn-{role}, {COLORS[role][0].lower()})"


class _Drawing:
    """One drawing in the making: it grows downwards."""

    def __init__(self, plan: Plan, sheet: Sheet):
        self.plan, self.sheet = plan, sheet
        self.times = dict(plan.nodes())
        nodes = list(self.times)
        self.per_channel = min(3.0, THICKEST / sqrt(max(node.channels for node in nodes)))
        self.per_side = self._largest_scale(max(nodes, key=lambda node: node.side))
        self.below, self.above = Element("g"), Element("g")  # lines; boxes and letters
        self.y = 2.0

    # --- Measures ---

    def _largest_scale(self, widest: Node) -> float:
        """Return the pixels for the square root of a map's side, so that every step fits."""
        left = self.sheet.axis - self.text_width(words.size(widest)) - APART
        self.per_side = 2 * min(left, self.sheet.labels - APART - self.sheet.axis)
        self.per_side /= sqrt(widest.side)
        while self.per_side > 1 and not all(map(self._fits, self.plan.path)):
            self.per_side *= 0.97
        return self.per_side

    def _fits(self, step: Step) -> bool:
        if not step.branches:
            return True
        if _is_shortcut(step):
            main, shortcut = self._widths(step)
            bracket = BRACKET if step.times > 1 else 2
            return main / 2 + APART + shortcut + bracket <= self.sheet.axis
        half = sum(map(self.step_width, step.branches)) + APART * (len(step.branches) - 1)
        return half / 2 + 2 <= min(self.sheet.axis, self.sheet.width - self.sheet.axis)

    def step_width(self, path: Path) -> float:
        """Return the width that a path takes side by side with others, its labels included."""
        widths = [APART]
        for step in path:
            widths += [self.box_width(step.node), self.text_width(words.label(step.node))]
            if step.branches:
                inner = sum(map(self.step_width, step.branches))
                widths.append(inner + APART * (len(step.branches) - 1))
        return max(widths)

    def _widths(self, step: Step) -> tuple[float, float]:
        """Return the widths of a block's branch, whose labels stand elsewhere, and its shortcut."""
        main, shortcut = _main_first(step)
        widths = [self.box_width(inner.node) for inner in main]
        return max(widths, default=0), self.step_width(shortcut) if shortcut else 0

    def box_width(self, node: Node) -> float:
        """Return the width of a box."""
        return max(THINNEST, self.per_side * sqrt(node.side))

    def box_height(self, node: Node) -> float:
        """Return the height of a box: the thickness of the pile of maps."""
        if node.kind == "addition":
            return 2 * RADIUS
        return max(THINNEST, self.per_channel * sqrt(node.channels))

    def text_width(self, text: str) -> float:
        """Return about how wide a text is."""
        return len(text) * CHARACTER * self.sheet.font

    # --- The whole ---

    def svg(self) -> str:
        """Return the SVG element."""
        self._heading()
        self._tower()
        self._key()
        height = f"{self.y:.0f}"
        width = str(self.sheet.width)
        root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {width} {height}",
                "width": width,
                "height": height,
                "aria-hidden": "true",
                "font-size": str(self.sheet.font),
                "fill": _color("text"),
                "style": "display: block; margin: auto; min-width: 0; "
                "stroke-linejoin: round; stroke-linecap: round; "
                "font-variant-numeric: tabular-nums; "
                "font-family: var(--pst-font-family-base, system-ui, sans-serif)",
            },
        )
        root.extend([self.below, self.above])
        return ElementTree.tostring(root, encoding="unicode")

    def _heading(self) -> None:
        if self.sheet.names:
            y = self.y + LINE - 4
            self._text(self.sheet.labels, y, WORDS["layer"], muted=True)
            self._text(self.sheet.names, y, WORDS["name"], muted=True)
            self._text(self.sheet.width, y, WORDS["parameters"], muted=True, anchor="end")
            self.y += LINE + 4

    def _tower(self) -> None:
        """Draw the path, with a line across wherever the maps change their size."""
        before, x = None, self.sheet.axis
        for step in self.plan.path:
            node = step.node
            if before:
                self._down(x, GAP)
            if before is None or before.shape[1:] != node.shape[1:]:
                self._stratum(words.size(node), first=before is None)
                if step.branches:  # which begin with lines to the sides, below the words
                    self._down(x, GAP)
            top = self.y
            self._step(step, x, before)
            if step.times > 1:
                self._bracket(step.times, top, self.y)
            before = node

    def _down(self, x: float, pixels: float) -> None:
        """Go down, with a line."""
        self._line([(x, self.y), (x, self.y + pixels)])
        self.y += pixels

    def _stratum(self, text: str, first: bool) -> None:
        """Draw the line below which the maps have another size, and say which."""
        if not first:
            self._line([(0, self.y), (self.sheet.width, self.y)], role="grid", dotted=True)
        self._text(0, self.y + LINE - 1, text, muted=True)
        if not first:
            self._down(self.sheet.axis, GAP)

    def _bracket(self, times: int, top: float, bottom: float) -> None:
        x = 36
        self._line([(x + 5, top + 6), (x, top + 6), (x, bottom), (x + 5, bottom)], role="text")
        self._text(0, (top + bottom) / 2 + 7, f"× {times}", bold=True)

    # --- A step ---

    def _step(self, step: Step, x: float, before: Node | None, captioned: bool = False) -> None:
        """Draw a step: its branches, if it has some, then its box with its label."""
        if step.branches and _is_shortcut(step) and not captioned:
            self._beside(step, x, before)
        elif step.branches:
            self._side_by_side(step, x, before)
        elif captioned:
            self._text(x, self.y + LINE - 4, words.label(step.node), anchor="middle")
            self.y += LINE
        self._row(step, x, before, labelled=not captioned)

    def _row(self, step: Step, x: float, before: Node | None, labelled: bool) -> None:
        """Draw one box, with its label beside it."""
        height = self.box_height(step.node)
        row = max(height, LINE) if labelled else height
        middle = self.y + row / 2
        if before:
            self._line([(x, self.y), (x, middle)])
        self._box(step.node, x, middle - height / 2, before)
        if step is not self.plan.path[-1]:
            self._line([(x, middle), (x, self.y + row)])
        if labelled and step.node.kind != "addition":
            self._label(step, middle + 0.36 * self.sheet.font)
        self.y += row

    def _label(self, step: Step, y: float) -> None:
        self._text(self.sheet.labels, y, words.label(step.node))
        if self.sheet.names:
            room = self.sheet.width - self.sheet.names - self.text_width("100,000,000")
            name = words.shortened(step.node.name, int(room / self.text_width("n")))
            self._text(self.sheet.names, y, name, muted=True)
            if parameters := sum(node.parameters for node, _ in step.nodes()):
                self._text(self.sheet.width, y, f"{parameters:,}", anchor="end")

    def _branch(self, path: Path, x: float, before: Node | None, captioned: bool) -> None:
        """Draw a path from one step to the next."""
        for number, step in enumerate(path):
            if number:
                self._down(x, GAP)
            self._step(step, x, before, captioned)
            before = step.node

    def _height(self, path: Path, captioned: bool) -> float:
        """Return the height of a branch without drawing it."""
        kept = self.y, self.below, self.above
        self.y, self.below, self.above = 0.0, Element("g"), Element("g")
        self._branch(path, 0, None, captioned)
        height = self.y
        self.y, self.below, self.above = kept
        return height

    def _beside(self, step: Step, x: float, before: Node | None) -> None:
        """Draw one branch on the axis, and the shortcut that goes around it."""
        main, shortcut = _main_first(step)
        wide, narrow = self._widths(step)
        place = x - wide / 2 - APART - narrow / 2
        heights = self._height(main, captioned=False), self._height(shortcut, captioned=True)
        parting, top = self.y + 2, self.y + GAP + 2
        bottom = top + max(heights[0], heights[1] + BEND)
        start = (top + BEND + bottom - heights[1]) / 2
        self._dot(x, parting)
        bend = f"Q{place:.1f} {parting:.1f} {place:.1f} {parting + BEND:.1f}"
        self._stroke(f"M{x:.1f} {parting:.1f}H{place + BEND:.1f}{bend}V{start:.1f}")
        self.y = start
        self._branch(shortcut, place, before, captioned=True)
        middle = bottom + GAP + self.box_height(step.node) / 2
        target = x - (RADIUS + 1 if step.node.kind == "addition" else self.box_width(step.node) / 2)
        bend = f"Q{place:.1f} {middle:.1f} {place + BEND:.1f} {middle:.1f}"
        self._stroke(f"M{place:.1f} {self.y:.1f}V{middle - BEND:.1f}{bend}H{target - 1:.1f}")
        self._stroke(f"M{target - 6:.1f} {middle - 4:.1f}l5 4l-5 4")
        self.y = top + (bottom - top - heights[0]) / 2
        self._line([(x, parting - 2), (x, self.y)])
        self._branch(main, x, before, captioned=False)
        self._down(x, bottom + GAP - self.y)

    def _side_by_side(self, step: Step, x: float, before: Node | None) -> None:
        """Draw branches from where they part to where they meet."""
        heights = [self._height(path, captioned=True) for path in step.branches]
        parting, top = self.y, self.y + TURN
        bottom = top + max(heights)
        for path, height, place in zip(step.branches, heights, self._places(step, x), strict=True):
            self.y = bottom - height
            self._curve(x, parting, place, top)
            self._line([(place, top), (place, self.y)])
            self._branch(path, place, before, captioned=True)
            self._curve(place, bottom, x, bottom + TURN)
        self.y = bottom + TURN

    def _places(self, step: Step, x: float) -> Iterator[float]:
        """Yield where the branches stand."""
        widths = [self.step_width(path) for path in step.branches]
        room = 2 * (min(x, self.sheet.width - x) - 4) - sum(widths)
        # Where there is more room than they need, they stand further apart.
        apart = max(APART, min(2 * APART, room / (len(widths) - 1)))
        apart = apart if x == self.sheet.axis else APART
        left = x - (sum(widths) + apart * (len(widths) - 1)) / 2
        for width in widths:
            yield left + width / 2
            left += width + apart

    # --- Marks ---

    def _box(self, node: Node, x: float, top: float, before: Node | None) -> None:
        width, height = self.box_width(node), self.box_height(node)
        group = SubElement(
            self.above,
            "g",
            {
                "data-kind": node.kind,
                "data-name": node.name,
                "data-shape": "x".join(map(str, node.shape)),
                "data-times": str(self.times[node]),
            },
        )
        SubElement(group, "title").text = words.title(node)
        self._mark(group, node.kind, x, top, width, height, self.box_width(before or node))
        if node.kind == "concatenation":
            self._seams(group, node, x, top)

    def _mark(self, group: Element, kind: str, x, top, width, height, upper) -> None:
        """Draw the shape of a kind of layer around `x`; a pooling is `upper` wide at its top."""
        color, fill = _color(ROLES[kind]), _color(FILLS.get(kind, ROLES[kind]))
        if kind == "addition":
            self._sum(group, x, top + height / 2, color)
        elif kind == "pooling":
            bottom = top + height
            corners = (
                (x - upper / 2, top), (x + upper / 2, top),
                (x + width / 2, bottom), (x - width / 2, bottom),
            )  # fmt: skip
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            _shape(group, "polygon", fill, color, points=points)
        else:
            place = {"x": x - width / 2, "y": top, "width": width, "height": height}
            place = {name: f"{value:.1f}" for name, value in place.items()}
            place["rx"] = f"{min(width, height) / 2:.1f}" if kind == "linear" else "1"
            rect = _shape(group, "rect", fill, color, **place)
            if kind == "reshaping":
                rect.set("stroke-dasharray", "3 3")

    def _seams(self, group: Element, node: Node, x: float, top: float) -> None:
        """Divide a concatenation's box as its branches have channels."""
        half, height = self.box_width(node) / 2, self.box_height(node)
        y = top
        for source in node.sources[:-1]:
            y += height * source.channels / node.channels
            d = f"M{x - half:.1f} {y:.1f}H{x + half:.1f}"
            SubElement(group, "path", {"d": d, "stroke": _color("surface"), "stroke-width": "1.5"})

    def _sum(self, group: Element, x: float, y: float, color: str) -> None:
        circle = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": str(RADIUS)}
        SubElement(group, "circle", circle | {"fill": _color("surface"), "stroke": color,
                                              "stroke-width": "2"})  # fmt: skip
        arm = RADIUS - 4
        d = f"M{x - arm:.1f} {y:.1f}h{2 * arm}M{x:.1f} {y - arm:.1f}v{2 * arm}"
        SubElement(group, "path", {"d": d, "stroke": color, "stroke-width": "2"})

    def _dot(self, x: float, y: float) -> None:
        look = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.5", "fill": _color("muted")}
        SubElement(self.below, "circle", look)

    def _stroke(self, d: str, role: str = "muted") -> Element:
        look = {"d": d, "fill": "none", "stroke": _color(role), "stroke-width": "1.5"}
        return SubElement(self.below, "path", look)

    def _line(self, points: Iterable, role: str = "muted", dotted: bool = False) -> None:
        path = self._stroke("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), role)
        if dotted:
            path.set("stroke-dasharray", "1 4")

    def _curve(self, x: float, y: float, to_x: float, to_y: float) -> None:
        middle = (y + to_y) / 2
        self._stroke(
            f"M{x:.1f} {y:.1f}C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        )

    def _text(self, x, y, text: str, *, muted=False, bold=False, anchor="start") -> None:
        if not text:
            return
        look = {"x": f"{x:.1f}", "y": f"{y:.1f}"}
        look |= {"text-anchor": anchor} if anchor != "start" else {}
        look |= {"fill": _color("muted")} if muted else {}
        look |= {"font-weight": "700"} if bold else {}
        SubElement(self.above, "text", look).text = text

    # --- The key ---

    def _key(self) -> None:
        """Say what the boxes and their sizes mean."""
        self.y += 2 * GAP
        self._line([(0, self.y), (self.sheet.width, self.y)], role="grid")
        self.y += GAP
        drawn = {node.kind for node in self.times}
        x = 0.0
        for kind in (kind for kind in ROLES if kind in drawn):
            needed = 26 + self.text_width(WORDS[kind])
            if x + needed > self.sheet.width:
                x, self.y = 0.0, self.y + LINE + 5
            mark = SubElement(self.above, "g")
            width = 8 if kind == "pooling" else 18
            self._mark(mark, kind, x + 9, self.y + 2, width, height=11, upper=18)
            self._text(x + 24, self.y + LINE - 4, WORDS[kind])
            x += needed + APART
        self.y += LINE + GAP
        total = WORDS["total"].format(model=self.plan.model, parameters=self.plan.parameters)
        notes = [f"{total}.", WORDS["scale"], WORDS["label"], WORDS["omitted"]]
        if "reshaping" in drawn:
            notes.append(WORDS["free"])
        if max(self.times.values()) > 1:
            notes.append(WORDS["times"])
        for line in self._wrapped(" ".join(notes)):
            self._text(0, self.y + LINE - 4, line, muted=True)
            self.y += LINE + 2
        self.y += 2

    def _wrapped(self, text: str) -> Iterator[str]:
        line = ""
        for word in text.split():
            if line and self.text_width(f"{line} {word}") > self.sheet.width:
                yield line
                line = word
            else:
                line = f"{line} {word}".strip()
        yield line


def _is_shortcut(step: Step) -> bool:
    """Return whether one path goes around another: then that one stays on the axis."""
    return step.node.kind in ("addition", "other") and len(step.branches) == 2


def _main_first(step: Step) -> tuple[Path, ...]:
    """Return the branches, the one with the most layers first."""
    return tuple(sorted(step.branches, key=lambda path: -sum(len(list(s.nodes())) for s in path)))


def _shape(parent: Element, tag: str, fill: str, stroke: str, **place: str) -> Element:
    look = {"fill": fill, "stroke": stroke}
    return SubElement(parent, tag, place | look | {"stroke-width": "1.2"})
