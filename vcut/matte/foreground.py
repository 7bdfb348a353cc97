"""Colours of an object in its soft zone, free of what is behind it.

After *Approximate Fast Foreground Colour Estimation* (Forte, ICIP 2021): smooth estimates F and B of both sides, means
of the frame's colours weighted by alpha, are corrected so that the frame is met, ``I = alpha * F + (1 - alpha) * B``.
The smooth estimates are found at the model's resolution, from near and wide neighbourhoods at once instead of in two
passes. The correction gives the object the share of the rest that is most probable when both sides vary alike,
``alpha / (alpha^2 + (1 - alpha)^2)`` (Forte: ``alpha``), and alpha is first pulled towards what the colours of the
nearest neighbourhood say: an error of alpha would else colour the object. Where both sides look alike, colours say
nothing of alpha, and it may be far too low; the frame's own colour is then nearly right, and gets its full share.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vcut.matte.field import Band, Field, gather, pool, widest

POOL = 2
"""Side of the finest cells, pixels of the model's picture."""

LEVELS = ((1, 1.0), (2, 1e-4), (4, 1e-6), (16, 1e-9))
"""Neighbourhoods, as in :mod:`vcut.matte.refine`; here the near ones count more, for objects have small detail."""

INWARDS = 0.4
"""How much a pixel's say depends on the least sure of the nine around it: the rim of what looks opaque often is not."""

DOUBT = 1.0
"""Added to the divisor of the correction where alpha is 0, less towards 1; larger ones correct less."""

PRIOR = 0.2
"""Weight of alpha against the nearest colours, as a squared distance of the sides' means."""


def colour_sides(field: Field, alpha: Tensor) -> Tensor:
    """6,h/POOL,w/POOL: smooth colours of the object (3) and of what is behind it (3); alpha is h,w."""
    shares = torch.stack([alpha, 1 - alpha])
    inner = -widest(-shares, 1)
    weights = torch.lerp(shares, inner, INWARDS).square() + 1e-4 * shares.square()
    return _smooth(field.picture, weights).flatten(0, 1)


def foreground_band(sides: Tensor, band: Band, alpha: Tensor) -> Tensor:
    """3,n in 0..1: the object's colours at the band's pixels; the frame's own where alpha (n) is 1."""
    own, behind = band.sample(sides).split(3)
    a, apart = alpha * PRIOR, torch.full_like(alpha, PRIOR)
    for colour, f, b in zip(band.rgb, own, behind, strict=True):
        axis = f - b
        a.addcmul_(colour - b, axis)
        apart.addcmul_(axis, axis)
    unsure = PRIOR / apart
    a = a.mul_(unsure / PRIOR).clamp_(0, 1)
    rest = band.rgb - torch.lerp(behind, own, a)
    a = torch.lerp(a, torch.ones_like(a), unsure)
    b = 1 - a
    share = a / (a.square() + b.square() + DOUBT * b)
    return torch.where(alpha < 1, rest.mul_(share).add_(own).clamp_(0, 1), band.rgb)


def _smooth(picture: Tensor, weights: Tensor) -> Tensor:
    """S,3,h/POOL,w/POOL: means by weights S,h,w; the nearest neighbourhood that has any counts."""
    total = gather(pool(torch.cat([picture, torch.ones_like(picture[:1])]), weights, POOL), LEVELS)
    return total[:, :3] / (total[:, 3:] + 1e-18)
