"""Widgets: one Python class each, its arithmetic and its drawing in a dependency-free ES module.

A widget's traits are its whole state, so ``ipywidgets`` controls drive it by ``link`` and
``jslink``, and a page without Python runs the same module.
"""

from __future__ import annotations

from cnnlib.widgets.convolution import ConvolutionExplorer

__all__ = ["ConvolutionExplorer"]
