"""A network drawn to scale from the real module."""

from .forms import NetworkDrawing, network

__all__ = ["NetworkDrawing", "network"]
