"""Pixel matching with one remembered frame: the first (reference), or the one just past within a window.

Both hold the features of a single frame, so their size does not grow with time. Similarity is the negative squared
distance of keys (STCN, Cheng et al. 2021), softmaxed over the remembered locations; it depends on frames only, so it is
computed once and shared by all objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vcut.models.base import per_object
from vcut.models.parts.constant import constant


@constant
def _outside(height: int, width: int, radius: int, device: torch.device) -> Tensor:
    """HW,HW, symmetric: true where two locations are further apart than ``radius`` in either direction."""
    ys = torch.arange(height, device=device).repeat_interleave(width)
    xs = torch.arange(width, device=device).repeat(height)
    return ((ys[:, None] - ys).abs() > radius) | ((xs[:, None] - xs).abs() > radius)


def affinity(query: Tensor, key: Tensor, radius: int | None = None) -> Tensor:
    """Weights of remembered locations for each location of the current frame.

    Args:
        query, key: B,C,H,W of the current and the remembered frame; of the same size, where there is a radius.
        radius: locations further away than this (in locations) are left out.

    Returns:
        B,HW current,HW remembered, in the query's number format; rows sum to 1.
    """
    height, width = query.shape[-2:]
    with torch.autocast(query.device.type, enabled=False):
        q, k = _locations(query).float(), _locations(key).float()
        scale = 1 / math.sqrt(q.shape[2])
        # |q - k|^2 without |q|^2, which is the same for all remembered locations and drops out of the softmax
        norms = k.square().sum(2).unsqueeze(1)
        scores = torch.baddbmm(norms, q, k.transpose(1, 2), beta=-scale, alpha=2 * scale)
        if radius is not None:
            scores.masked_fill_(_outside(height, width, radius, query.device), float("-inf"))
        return scores.softmax(2).to(query.dtype)


def gather(weights: Tensor, value: Tensor, objects: int, size: Sequence[int]) -> Tensor:
    """Carries values over to a frame of ``size``, h,w: ``weights`` B,hw,HW and ``value`` B*N,C,H,W -> B*N,C,h,w."""
    read = torch.matmul(per_object(weights.to(value.dtype), objects), _locations(value))
    return read.unflatten(1, tuple(size)).permute(0, 3, 1, 2)


def _locations(x: Tensor) -> Tensor:
    """B,C,H,W to B,HW,C: a view when channels are last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)
