"""Muon: steps that move a kernel equally far in all of its directions.

A gradient of a kernel is dominated by a few directions, in which the next steps go as well. What
the others would teach is rare, and lost. Muon keeps the directions of a step and makes all of them
equally long.

References
----------
K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/.
"""

from __future__ import annotations

import math

import torch

#: Of the polynomial a x + b x^3 + c x^5, which draws singular values towards 1.
COEFFICIENTS = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """Muon for the kernels of convolutions, and SGD with Nesterov's momentum for all else.

    A kernel ``(out_channels, in_channels, height, width)`` is taken as a matrix with a row for each
    output channel: `torch.optim.Muon` does the same to matrices, and takes no others.

    Parameters
    ----------
    params : iterable
        Parameters or groups of them.
    lr : float
        Rate of the steps.
    momentum : float
        In [0, 1).
    weight_decay : float
        Each step takes ``lr * weight_decay`` of the weights away, whatever the gradient.
    """

    def __init__(self, params, lr: float, momentum: float = 0.6, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by one step."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._move(weights, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, weights, lr, momentum, weight_decay):
        gradient, state = weights.grad, self.state[weights]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weights)
        buffer = state["momentum_buffer"].mul_(momentum).add_(gradient)
        step = gradient.add(buffer, alpha=momentum)  # Nesterov's
        if weights.ndim == 4:
            rows = orthogonalised(step.flatten(1))
            step = rows.view_as(step) * math.sqrt(max(1, rows.shape[0] / rows.shape[1]))
        weights.mul_(1 - lr * weight_decay).add_(step, alpha=-lr)


def orthogonalised(matrix: torch.Tensor, iterations: int = 3) -> torch.Tensor:
    """Draw all singular values of a matrix towards 1, and keep its directions.

    Exact would be ``U @ V.T`` of its singular value decomposition. A few products of matrices in
    bf16 come near: within a third of 1, but for values that were very small.

    Parameters
    ----------
    matrix : torch.Tensor
        ``(rows, columns)``.
    iterations : int
        How often the polynomial is applied.

    Returns
    -------
    torch.Tensor
        Of the same shape and type.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix.bfloat16() if wide else matrix.bfloat16().T
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)
