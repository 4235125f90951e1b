"""How the networks of the book draw their first weights, where they have no rule of their own.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", arXiv:1502.01852, 2015,
equation 10.
"""

from __future__ import annotations

from torch import nn


def draw_as_he(model: nn.Module, activation: str = "relu", last: nn.Linear | None = None) -> None:
    """Draw every weight from a normal distribution of variance ``gain² / fan_in``, biases zero.

    Parameters
    ----------
    model : torch.nn.Module
        Its convolutions and linear layers are drawn again, in their order; the rest stays.
    activation : str
        What follows the layers, which decides the gain: 2 ** 0.5 for ``"relu"``, 5 / 3 for
        ``"tanh"``, 1 for ``"sigmoid"``.
    last : torch.nn.Linear, optional
        The layer that gives the logits, to be drawn with a standard deviation of 0.01, so that all
        classes begin about as likely. Without BatchNorm a large first loss does lasting harm.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity=activation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if last is not None:
        nn.init.normal_(last.weight, std=0.01)
