"""The fixed-size global context (GC Eq. 1-3, GAM Eq. 1-3).

Both papers sum ``k^T v`` over all locations of a frame, so the magnitude of the context grows with resolution. Here the
sum is divided by the number of locations where it is built: upsample a frame and what is read stays the same.

Two ways to weigh locations:

``raw``
    the papers' own: ``C = k^T v``, ``G_t = (t-1)/t G_{t-1} + C/t``, ``D = q G``.
``softmax``
    keys and queries are softmaxed over the C_N channels, so that every location is shared out among C_N
    prototypes, and a
    prototype is the mean of the values it was given: ``D = softmax(q) (sum k v / sum k)``. All frames still count
    equally.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vcut.models.base import TensorRecord
from vcut.models.maps import Map
from vcut.models.parts.order import in_order

ContextKind = Literal["raw", "softmax"]
EPS = 1e-4


@dataclass(frozen=True)
class Context(TensorRecord):
    """Means over all frames seen, float32.

    Shapes: ``product``: B*N,C_N,C_M (``k^T v``); ``mass``: B*N,C_N,1 (``k``); ``frames``: B*N,1,1, how many frames
    are in.
    """

    product: Tensor
    mass: Tensor
    frames: Tensor


@in_order
def summarise(key: Tensor, value: Tensor, kind: ContextKind, weights: Tensor | None = None) -> Context:
    """The context of one frame (GC Eq. 1).

    Args:
        key: B*N,C_N,H,W.
        value: B*N,C_M,H,W.
        kind: how locations are weighed.
        weights: B*N,1,H,W, how much each location counts; all the same when left out.
    """
    locations = key.shape[2] * key.shape[3]
    if kind == "softmax":
        key = shares(key)
    if weights is not None:
        key = key * weights
    key, value = key.flatten(2).to(value.dtype), value.flatten(2)
    product = torch.matmul(key, value.transpose(1, 2)).float() / locations
    mass = key.float().mean(2, keepdim=True)
    return Context(product, mass, product.new_ones(product.shape[0], 1, 1))


@in_order
def shares(key: Tensor) -> Tensor:
    """How every location is shared out among the prototypes of the normalised context: B*N,C_N,... to the same,
    float32, whose channels sum to 1."""
    return key.float().softmax(1)


def key_map(key: Tensor, kind: ContextKind, each: bool = False) -> Map:
    """How much every location contributes to each of the C_N prototypes (GC 4.5, Figure 6), to be looked at.

    Of the normalised context these are the shares. A raw key has a sign and no unit: it is its magnitude, over the
    channel's mean.

    Args:
        key: 1,C_N,H,W of the frame, or N,C_N,H,W of each object.
        kind: how locations are weighed.
        each: whether there is one of each object.
    """
    if kind == "softmax":
        weights = shares(key)
    else:
        weights = key.float().abs()
        weights = weights / weights.mean((2, 3), keepdim=True).clamp(min=EPS)
    return Map("key", weights, each, low=0)


def merge(past: Context, new: Context) -> Context:
    """Running mean in which every frame counts the same (GC Eq. 2)."""
    frames = past.frames + new.frames
    old, fresh = past.frames / frames, new.frames / frames
    return Context(past.product * old + new.product * fresh, past.mass * old + new.mass * fresh, frames)


@in_order
def distribute(query: Tensor, context: Context, kind: ContextKind) -> Tensor:
    """Reads the context at every location (GC Eq. 3): ``query`` B*N,C_N,H,W -> B*N,C_M,H,W."""
    n, _, h, w = query.shape
    table = context.product
    if kind == "softmax":
        query = shares(query)
        table = table / (context.mass + EPS)
    read = torch.matmul(table.transpose(1, 2).to(query.dtype), query.flatten(2))
    return read.view(n, -1, h, w)
