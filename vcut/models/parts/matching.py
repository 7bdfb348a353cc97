"""Pixel matching with one remembered frame: the first (reference), or the one just past within a window.

Both hold the features of a single frame, so their size does not grow with time. Similarity is the negative squared
distance of keys (STCN, Cheng et al. 2021), softmaxed over the remembered locations; it depends on frames only, so it is
computed once and shared by all objects.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=4)
def _outside(height: int, width: int, radius: int, device: torch.device) -> Tensor:
    """HW,HW: true where two locations are further apart than ``radius`` in either direction."""
    ys = torch.arange(height, device=device).repeat_interleave(width)
    xs = torch.arange(width, device=device).repeat(height)
    return ((ys[:, None] - ys).abs() > radius) | ((xs[:, None] - xs).abs() > radius)


def affinity(query: Tensor, key: Tensor, radius: int | None = None) -> Tensor:
    """Weights of remembered locations for each location of the current frame.

    Args:
        query, key: B,C,H,W of the current and the remembered frame.
        radius: locations further away than this (in locations) are left out.

    Returns:
        B,HW remembered,HW current; columns sum to 1.
    """
    height, width = query.shape[-2:]
    with torch.autocast(query.device.type, enabled=False):
        q, k = query.flatten(2).float(), key.flatten(2).float()
        scores = torch.matmul(k.transpose(1, 2), q).mul_(2).sub_(k.square().sum(1).unsqueeze(2))
        scores = scores / math.sqrt(q.shape[1])
    if radius is not None:
        scores = scores.masked_fill(_outside(height, width, radius, query.device), float("-inf"))
    return scores.softmax(1)


def gather(weights: Tensor, value: Tensor, objects: int) -> Tensor:
    """Carries values over: ``weights`` B,HW,HW and ``value`` B*N,C,H,W -> B*N,C,H,W."""
    _, channels, height, width = value.shape
    value = value.reshape(-1, objects * channels, height * width)
    read = torch.matmul(value, weights.to(value.dtype))
    return read.view(-1, channels, height, width)
