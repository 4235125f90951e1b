"""A network drawn to scale from the real module."""

from .reading import Node, Plan, Step, read
from .tower import NARROW, WIDE, draw
from .words import describe

__all__ = ["NARROW", "WIDE", "Node", "Plan", "Step", "describe", "draw", "read"]
