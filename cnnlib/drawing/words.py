"""What a drawing of a network says: its labels, its key, and the text that stands for it."""

from __future__ import annotations

from collections import Counter

from .reading import Node, Plan

#: Every word that a drawing may say by itself, for an edition in another language.
WORDS = {
    "input": "input",
    "convolution": "convolution",
    "pooling": "pooling",
    "linear": "linear, fully connected",
    "concatenation": "concatenation",
    "addition": "addition",
    "reshaping": "shortcut without parameters",
    "other": "other layer",
    "join": "joined",
    "numbers": "numbers",
    "layer": "layer",
    "name": "name",
    "parameters": "parameters",
    "scale": "A box is as wide as the maps' side and as thick as they are many, "
    "both by their square roots.",
    "label": "“3×3 /2, 64” is a kernel of 3×3, a stride of 2, and 64 channels.",
    "omitted": "Layers that keep the shape, such as activations and normalisation, are left out.",
    "free": "“/2, +16 zeros” takes every second row and column, and adds 16 channels of zeros.",
    "times": "A part marked “× 3” comes three times in a row.",
    "total": "{model}: {parameters:,} parameters",
}
#: One and many of each kind, for the alternative text.
COUNTED = {
    "convolution": ("convolution", "convolutions"),
    "pooling": ("pooling", "poolings"),
    "linear": ("fully connected layer", "fully connected layers"),
    "concatenation": ("concatenation of branches", "concatenations of branches"),
    "addition": ("addition of a shortcut", "additions of a shortcut"),
    "reshaping": ("shortcut without parameters", "shortcuts without parameters"),
    "other": ("other layer", "other layers"),
}


def label(node: Node) -> str:
    """Return what stands beside a box: the kernel, and the channels.

    Parameters
    ----------
    node : Node
        What the box shows.
    """
    texts = {
        "concatenation": f"{WORDS['join']}, {node.channels:,}",
        "addition": "",
        "pooling": node.text,
        "reshaping": node.text,
    }
    return texts.get(node.kind, f"{node.text}, {node.channels:,}")


def size(node: Node) -> str:
    """Return the size of a node's maps; a row of numbers has none.

    Parameters
    ----------
    node : Node
        What gives the maps.
    """
    return " × ".join(map(str, node.shape[1:])) or WORDS["numbers"]


def shape(node: Node) -> str:
    """Return the shape of what a node gives.

    Parameters
    ----------
    node : Node
        What gives it.
    """
    return " × ".join(map(str, node.shape))


def title(node: Node) -> str:
    """Return what a box says when one points at it.

    Parameters
    ----------
    node : Node
        What the box shows.
    """
    word = WORDS[node.kind]
    parts = [f"{word} {node.text}" if node.kind in ("convolution", "pooling", "other") else word]
    parts.append(shape(node))
    if node.parameters:
        parts.append(f"{node.parameters:,} {WORDS['parameters']}")
    return (f"{node.name}: " if node.name else "") + ", ".join(parts)


def shortened(name: str, most: int) -> str:
    """Return a name with as many letters as fit: of a long one, the end.

    Parameters
    ----------
    name : str
        Of a layer.
    most : int
        How many letters fit.
    """
    return name if len(name) <= most else "…" + name[1 - most :]


def describe(plan: Plan) -> str:
    """Return the text that stands for a drawing where it cannot be seen.

    Parameters
    ----------
    plan : Plan
        What is drawn.
    """
    counts = Counter()
    for node, times in plan.nodes():
        counts[node.kind] += times
    parts = [
        f"{counts[kind]} {many if counts[kind] > 1 else one}"
        for kind, (one, many) in COUNTED.items()
        if counts[kind]
    ]
    first, last = plan.path[0].node, plan.path[-1].node
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
    return (
        f"{plan.model}, drawn to scale from {shape(first)} at the top to {shape(last)} at the "
        f"bottom: {listed or 'no layer'}. {plan.parameters:,} parameters."
    )
