"""A network drawn to scale from the real module."""

from .drawing import NARROW, WIDE, draw
from .reading import Node, Plan, Step, read
from .words import describe

__all__ = ["NARROW", "WIDE", "Node", "Plan", "Step", "describe", "draw", "read"]
