"""Alpha at the source's resolution, from a soft map at the model's and the colours of the frame.

In every neighbourhood the colours of what is surely the object and of what is surely not are taken as two Gaussians of
one covariance C, with means F and B. A pixel's colour I is then ``alpha * F + (1 - alpha) * B`` and noise, its alpha by
the colours alone the projection on the axis between the means (Bayesian matting, Chuang et al., CVPR 2001, with one
covariance; Fisher's linear discriminant)::

    alpha_I = (I - B)' C^-1 (F - B) / m,    m = (F - B)' C^-1 (F - B)

``m``, the squared distance of the means, says how far to trust it. The network's probability P is the prior, and the
most probable alpha is the mean of both, ``(m * alpha_I + l * P) / (m + l)``. That is linear in I, so, as in the *Fast
Guided Filter* (He and Sun, 2015), the coefficients are found at low resolution and applied at full resolution. Unlike a
guided filter, which regresses P on I, it does not blur where colours say nothing: there m is small and P stays.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vcut.matte.field import CELL, Band, Field, box, gather, pool, widest

SURE = (0.86, 0.94)
"""Probabilities between which a pixel's say in its side's colours rises from none to full."""

LEVELS = ((1, 1.0), (4, 2e-2), (16, 1e-4))
"""Neighbourhoods that colours come from, cells a side of their own cells, and their weight: the wider ones count where
the nearer have nothing."""

NOISE = 2e-4
"""Variance added to the colours' (0..1): the camera's noise, and what a mean over few pixels misses."""

PRIOR = 6.0
"""Weight l of the probability where it is least certain, as a squared distance of means."""

CERTAIN = 0.02
"""A pixel that is less open than this is not in the band, and its alpha 0 or 1."""

WINDOW = (0.05, 0.95)
"""Alpha outside is 0 or 1: no haze over the background, no holes inside."""


def openness(probability: Tensor) -> Tensor:
    """h,w in 0..1: how little a pixel's probability, and those around it, decide its alpha.

    ``4 p (1 - p)``, and 1 along the contour at one half, so that a hard mask has an open edge too; carried on to the
    next pixel and a bit beyond.
    """
    inside = (probability > 0.5).to(torch.uint8)
    contour = widest(inside, 1) & widest(1 - inside, 1)  # 1 where the eight around a pixel are not all on its side
    open_ = torch.maximum(widest(4 * probability * (1 - probability), 1), contour.to(probability.dtype))
    return box(open_[None], "replicate")[0]


def colour_line(field: Field) -> Tensor:
    """5,h/CELL,w/CELL: ``m * alpha_I`` is ``planes[:3] . I - planes[3]``, and ``planes[4]`` is m."""
    picture, p = field.picture, field.probability
    values = picture.new_empty(10, *p.shape)
    values[0], values[1:4], values[4:] = 1, picture, _products(picture)
    low, high = SURE
    sides = torch.stack([p - low, (1 - low) - p]).div_(high - low).clamp_(0, 1)
    mass, (mean_f, mean_b), (square_f, square_b) = _gather(values, sides)
    spread_f, spread_b = square_f - _products(mean_f), square_b - _products(mean_b)
    axis = mean_f - mean_b
    normal = _solve((spread_f + spread_b) / 2, axis)
    known = mass.amin(0)
    normal *= known / (known + 1e-6)
    return torch.cat([normal, (normal * mean_b).sum(0, keepdim=True), (normal * axis).sum(0, keepdim=True)])


def weigh(line: Tensor, colours: Tensor, probability: Tensor, open_: Tensor) -> Tensor:
    """Alpha of pixels: colours and probability, each by its weight.

    Args:
        line: 5,*: of :func:`colour_line`, at the pixels.
        colours: 3,*.
        probability, open_: *.
    """
    prior = PRIOR / (open_ - CERTAIN).clamp_(min=0).add_(1e-4)
    both = torch.addcmul(-line[3], prior, probability)
    for normal, colour in zip(line[:3], colours, strict=True):
        both.addcmul_(normal, colour)
    low, high = WINDOW
    return both.div_(prior.add_(line[4])).sub_(low).div_(high - low).clamp_(0, 1)


def refine_band(field: Field, line: Tensor, open_: Tensor, band: Band) -> Tensor:
    """n: alpha of the band's pixels."""
    soft = band.sample(torch.stack([field.probability, open_]))
    return weigh(band.sample(line), band.rgb, soft[0], soft[1])


def refine_field(field: Field, line: Tensor, open_: Tensor) -> Tensor:
    """h,w: alpha of the field's own pixels."""
    line = functional.interpolate(line[None], scale_factor=CELL, mode="bilinear", align_corners=False)[0]
    return weigh(line, field.picture, field.probability, open_)


def _products(planes: Tensor) -> Tensor:
    """6,*: products of planes 3,* with each other, in the order of an upper triangle."""
    products = planes.new_empty(6, *planes.shape[1:])
    for i, (first, count) in enumerate(((0, 3), (3, 2), (5, 1))):
        torch.mul(planes[i], planes[i:], out=products[first : first + count])
    return products


def _gather(values: Tensor, sides: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means in every cell by the weights S,h,w of each side: their own, those of colours (3) and their products (6)."""
    cells = pool(values, sides, CELL)
    total = gather(cells, LEVELS)
    mass = total[:, :1] + 1e-9
    return total[:, :1], total[:, 1:4] / mass, total[:, 4:] / mass


def _solve(spread: Tensor, axis: Tensor) -> Tensor:
    """3,*: the solution of ``(C + NOISE) x = axis``; C symmetric, its upper triangle 6,*."""
    xx, xy, xz, yy, yz, zz = spread
    xx, yy, zz = xx + NOISE, yy + NOISE, zz + NOISE
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = (xx * a + xy * b + xz * c).clamp_(min=NOISE**3)
    x, y, z = axis
    return torch.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z]) / determinant
