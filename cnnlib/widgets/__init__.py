"""Widgets, a folder each: its Python class, and its model, view, style and words for a browser.

A widget's traits are its whole state, so ``ipywidgets`` controls drive it by ``link`` and
``jslink``, and a page without Python runs the same module.
"""

from __future__ import annotations

from cnnlib.widgets.architecture import ArchitectureExplorer
from cnnlib.widgets.channels import ChannelExplorer
from cnnlib.widgets.convolution import ConvolutionExplorer
from cnnlib.widgets.kernel_lab import KernelLab
from cnnlib.widgets.pooling import PoolingExplorer
from cnnlib.widgets.receptive_field import ReceptiveFieldExplorer

__all__ = [
    "ArchitectureExplorer",
    "ChannelExplorer",
    "ConvolutionExplorer",
    "KernelLab",
    "PoolingExplorer",
    "ReceptiveFieldExplorer",
]
