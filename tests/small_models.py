"""Models for tests of what reads models."""

from __future__ import annotations

from torch import nn


class Apply(nn.Module):
    """A model whose forward is a function of its layers and the batch."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)
