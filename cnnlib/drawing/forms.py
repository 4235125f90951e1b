"""A network's drawing in its two forms, of which a page shows the one that fits."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ..page import on_page
from .reading import read
from .tower import NARROW, draw
from .words import describe

#: Of the two forms, the one that fits is shown.
NETWORK = (
    ".cnn-network { container-type: inline-size; width: 100%; }"
    ".cnn-network .cnn-narrow { display: none; }"
    "@container (max-width: 671px) { .cnn-network .cnn-wide { display: none; }"
    " .cnn-network .cnn-narrow { display: block; } }"
)


class NetworkDrawing:
    """A network drawn to scale, as inline SVG that follows the page's theme and its width.

    Made by :func:`network`.

    Attributes
    ----------
    alt : str
        The alternative text.
    svg, narrow : str
        The drawing as wide as a page's text, and the one for a phone.
    """

    def __init__(self, alt: str, svg: str, narrow: str):
        self.alt, self.svg, self.narrow = alt, svg, narrow

    def __repr__(self) -> str:
        return f"<picture: {self.alt}>"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        forms = f'<div class="cnn-wide">{self.svg}</div><div class="cnn-narrow">{self.narrow}</div>'
        label = f' role="img" aria-label="{escape(self.alt)}"'
        content = f'<div class="cnn-network"{label}>{forms}</div>'
        return {"text/html": on_page(content, NETWORK), "text/plain": repr(self)}


def network(model: Any, input_size: Sequence[int]) -> NetworkDrawing:
    """Draw a network, or a part of one, to scale from the real module.

    The boxes are the maps that each layer gives, from the top to the bottom: as wide as the square
    root of the maps' side, and as thick as the square root of their channels. Branches stand side
    by side, a shortcut beside the layers that it goes around. Layers that keep the shape
    (activations, normalisation, dropout) are left out. Blocks that come several times in a row are
    drawn once if the network is deep, with their number beside them. What runs in training alone,
    such as GoogLeNet's auxiliary heads, is not drawn: draw it by itself.

    Parameters
    ----------
    model : torch.nn.Module
        A network or one of its blocks. It runs once, on zeros, and is left as it was; on the
        ``meta`` device nothing is computed.
    input_size : tuple of int
        ``(C, H, W)`` of what it takes.

    Returns
    -------
    NetworkDrawing
        A notebook shows it.

    Raises
    ------
    ValueError
        If the model cannot take such an input, or its paths cross in a way that cannot be drawn
        side by side.

    Examples
    --------
    >>> network(create_model("lenet5"), (1, 32, 32))  # doctest: +SKIP
    """
    plan = read(model, input_size)
    return NetworkDrawing(alt=describe(plan), svg=draw(plan), narrow=draw(plan, NARROW))
