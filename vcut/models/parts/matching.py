"""Pixel matching with remembered frames: the first (reference) and a later one, or the one just past within a window.

They are of a fixed number, so their size does not grow with time. Similarity is the negative squared distance of keys
(STCN, Cheng et al. 2021), softmaxed over the remembered locations; it depends on frames only, so it is computed once
and shared by all objects. A frame is worked through in bands of rows, so that what is needed meanwhile
stays bounded, and with a window only the rows within reach are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vcut.models.base import per_object
from vcut.models.parts.constant import constant
from vcut.models.parts.order import in_order

MOST = {"cpu": 1 << 21, "cuda": 1 << 25}
"""Weights of locations that there may be at once, where a row does not have more: on a CPU what stays in its caches, on
a GPU (and elsewhere) what keeps it busy."""


@dataclass(frozen=True)
class Later:
    """The last of the remembered locations that are of a later frame than the first.

    What has changed since the first frame, a later one alone knows; but its mask is a guess. So where both look alike
    the first is to count, and what is later is taken to be less alike than it is.

    Attributes:
        count: of locations.
        handicap: what is taken off its similarity; one of 4 leaves it 2 % of the weight of what is as alike.
    """

    count: int
    handicap: float


@in_order
def read(
    query: Tensor, key: Tensor, value: Tensor, objects: int, radius: int | None = None, later: Later | None = None
) -> Tensor:
    """Carries the values of remembered frames over to what looks alike in the current one.

    Args:
        query: B,C,h,w of the current frame.
        key: B,C,H,W of the remembered one, or of several, one below the other; of the same size, where there is a
            radius.
        value: B*N,D,H,W of each object there.
        objects: N.
        radius: locations further away than this (in locations) are left out.
        later: which locations are of a later frame; only without a radius.

    Returns:
        B*N,D,h,w: at each location the mean of all values, weighed by :func:`affinity`.
    """
    height, width = query.shape[-2:]
    queries, keys, values = _locations(query), _locations(key), _locations(value)
    found = []
    for top, bottom in _bands(height, width * keys.shape[1], radius, query.device.type):
        first, last = 0, key.shape[-2]
        outside = None
        if radius is not None:
            first, last = max(0, top - radius), min(height, bottom + radius)
            outside = _outside(top - first, bottom - top, last - first, width, radius, query.device)
        band = slice(first * key.shape[-1], last * key.shape[-1])
        weights = affinity(queries[:, top * width : bottom * width], keys[:, band], outside, later)
        found.append(torch.matmul(per_object(weights.to(value.dtype), objects), values[:, band]))
    whole = found[0] if len(found) == 1 else torch.cat(found, 1)
    return whole.unflatten(1, (height, width)).permute(0, 3, 1, 2)


def affinity(queries: Tensor, keys: Tensor, outside: Tensor | None = None, later: Later | None = None) -> Tensor:
    """Weights of remembered locations for each location of the current frame.

    Args:
        queries: B,q,C of so many locations of the current frame.
        keys: B,k,C of the remembered ones.
        outside: q,k, true where a location is not to be looked at.
        later: which locations are of a later frame.

    Returns:
        B,q,k in the queries' number format; rows sum to 1.
    """
    with torch.autocast(queries.device.type, enabled=False):
        q, k = queries.float(), keys.float()
        scale = 1 / math.sqrt(q.shape[2])
        # |q - k|^2 without |q|^2, which is the same for all remembered locations and drops out of the softmax
        norms = k.square().sum(2).unsqueeze(1)
        if later is not None:
            norms[..., -later.count :] += later.handicap / scale
        scores = torch.baddbmm(norms, q, k.transpose(1, 2), beta=-scale, alpha=2 * scale)
        if outside is not None:
            scores.masked_fill_(outside, float("-inf"))
        return scores.softmax(2).to(queries.dtype)


def _bands(height: int, weights: int, radius: int | None, device: str) -> Iterator[tuple[int, int]]:
    """Rows that are worked through together, from the first up to the last; a row has so many weights at most."""
    rows = max(1, MOST.get(device, MOST["cuda"]) // weights)
    if radius is not None:
        rows = min(rows, radius + 1)
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


@constant
def _outside(offset: int, rows: int, others: int, width: int, radius: int, device: torch.device) -> Tensor:
    """Which of some rows' locations are further apart than ``radius``, in either direction, from those of other rows,
    of which the first lies ``offset`` above: rows*width,others*width."""
    down = torch.arange(offset, offset + rows, device=device)[:, None] - torch.arange(others, device=device)
    across = torch.arange(width, device=device)
    across = across[:, None] - across
    apart = (down.abs() > radius)[:, None, :, None] | (across.abs() > radius)[None, :, None, :]
    return apart.reshape(rows * width, others * width)


def _locations(x: Tensor) -> Tensor:
    """B,C,H,W to B,HW,C: a view when channels are last in memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)
