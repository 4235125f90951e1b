"""The average of the weights that a run has passed through."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage:
    """An exponential moving average of a model's weights and running statistics [1]_.

    Two sets of weights belong to a run: those that the steps move, and their average. The model
    holds the one or the other: `show` puts the average into it, `hide` the weights to go on from.

    Parameters
    ----------
    model
        The model that is trained. After the first step its average is its weights.
    decay
        What the average keeps of itself in each step, in (0, 1): 0.999 averages over the last
        thousand steps or so.

    References
    ----------
    .. [1] B. T. Polyak and A. B. Juditsky, "Acceleration of Stochastic Approximation by
       Averaging", 1992; as in S. Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.is_shown = model, False
        self.other = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True
        )

    def update(self) -> None:
        """Take a step's weights into the average."""
        self.other.update_parameters(self.model)

    def show(self) -> None:
        """Put the average into the model, if it is not there."""
        if not self.is_shown:
            self._exchange()

    def hide(self) -> None:
        """Put the weights to go on from into the model, if they are not there."""
        if self.is_shown:
            self._exchange()

    @torch.no_grad()
    def _exchange(self):
        inside, outside = self.model.state_dict(), self.other.module.state_dict()
        for name, tensor in inside.items():
            kept = tensor.clone()
            tensor.copy_(outside[name])
            outside[name].copy_(kept)
        self.is_shown = not self.is_shown

    def state_dict(self) -> dict:
        """Return the set that the model does not hold, and which one that is."""
        return {"is_shown": self.is_shown, "other": self.other.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Take up what `state_dict` returned."""
        self.is_shown = state["is_shown"]
        self.other.load_state_dict(state["other"])
