"""Which of a map's many channels are shown."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.maps import Map

SHOWN = 2
"""Channels that stand for the object, and as many for what is around it."""


def choose(found: Map, masks: Tensor) -> Tensor:
    """The channels that a mask tells best from the rest of the frame: G,C of their numbers.

    A channel is as much the object's as its mean inside the mask is above its mean outside. The :data:`SHOWN` highest
    of these differences come first, then as many lowest ones, the lowest first; of equals the lower number. A map of
    up to twice so many channels is shown whole.

    Args:
        found: the map; of all objects together it is held against all their masks.
        masks: N,H,W in 0..1, over the same frame.
    """
    values = found.values
    count = values.shape[1]
    if count <= 2 * SHOWN:
        return torch.arange(count).expand(len(values), count)
    if not found.each:
        masks = masks.sum(0, keepdim=True).clamp(0, 1)
    inside = functional.adaptive_avg_pool2d(masks.float().cpu()[:, None], values.shape[-2:])
    outside = 1 - inside
    difference = _mean(values, inside) - _mean(values, outside)
    objects = difference.argsort(dim=1, descending=True, stable=True)[:, :SHOWN]
    others = difference.argsort(dim=1, stable=True)[:, :SHOWN]
    return torch.cat([objects, others], 1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """G,C: the mean of G,C,h,w with weights G,1,h,w."""
    return (values * weights).sum((2, 3)) / weights.sum((2, 3)).clamp(min=1e-6)
