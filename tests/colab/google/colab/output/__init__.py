"""What a notebook's outputs may do in Colab: here, show widgets that are not Colab's own."""

from . import _widgets
from ._widgets import enable_custom_widget_manager

__all__ = ["_widgets", "enable_custom_widget_manager"]
