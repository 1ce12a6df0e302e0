"""An exponential moving average of a network's weights, which draws better than the weights of the last step."""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import nn


class Average:
    """Averages the weights of `model`. Each step keeps the fraction `keep` of the average, and less in the first
    steps."""

    def __init__(self, model: nn.Module, keep: float):
        self._weights = dict(model.named_parameters())
        self.values = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._keep, self._steps = keep, 0

    @torch.no_grad()
    def update(self) -> None:
        self._steps += 1
        keep = min(self._keep, self._steps / (self._steps + 9))
        weights = [weight.detach() for weight in self._weights.values()]
        torch._foreach_lerp_(list(self.values.values()), weights, 1 - keep)

    def load(self, values: dict[str, torch.Tensor]) -> None:
        """Continues from saved `values`."""
        self.values = {name: values[name].clone() for name in self.values}
        self._steps = 10**6

    def apply(self):
        """Copies the average weights into the model."""
        self._set(self.values)

    @contextmanager
    def applied(self):
        """A context in which the model has the average weights."""
        kept = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._set(self.values)
        try:
            yield
        finally:
            self._set(kept)

    @torch.no_grad()
    def _set(self, values: dict[str, torch.Tensor]) -> None:
        for name, weight in self._weights.items():
            weight.copy_(values[name])
