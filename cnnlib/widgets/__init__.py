"""Widgets: one Python class each, its arithmetic and its drawing in a dependency-free ES module.

A widget's traits are its whole state, so ``ipywidgets`` controls drive it by ``link`` and
``jslink``, and a page without Python runs the same module.
"""

from __future__ import annotations

from cnnlib.widgets.architecture_explorer import ArchitectureExplorer
from cnnlib.widgets.channel_explorer import ChannelExplorer
from cnnlib.widgets.convolution import ConvolutionExplorer
from cnnlib.widgets.kernel_lab import KernelLab
from cnnlib.widgets.pooling_explorer import PoolingExplorer
from cnnlib.widgets.receptive_field_explorer import ReceptiveFieldExplorer

__all__ = [
    "ArchitectureExplorer",
    "ChannelExplorer",
    "ConvolutionExplorer",
    "KernelLab",
    "PoolingExplorer",
    "ReceptiveFieldExplorer",
]
