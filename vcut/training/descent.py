"""One step of an optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GRADIENT = 5.0
"""Gradients are shortened to this norm."""


def descend(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Takes a step down the loss, a scalar, with the gradients of the model shortened to :data:`GRADIENT`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), GRADIENT)
    optimizer.step()
