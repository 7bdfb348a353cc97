"""What is done to an edge on request: moved, made crisp, feathered. Lengths are pixels of the source."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CRISP_WIDTH = 1.5
"""Pixels that a crisp edge takes from outside to inside: enough not to look like stairs."""

STEEPEST = 0.04
"""Smallest slope of alpha a pixel that counts as an edge when it is made crisp; flatter parts keep some softness."""

BELL = 2.563
"""Width from 10 to 90 % of a step that was blurred by a Gaussian, in standard deviations."""


def shape_edges(alpha: Tensor, crisp: bool = False, grow: float = 0.0, feather: float = 0.0) -> Tensor:
    """Moves, sharpens and feathers, in this order.

    Args:
        alpha: K,H,W in 0..1.
        crisp: see :func:`sharpen`.
        grow: see :func:`move`.
        feather: see :func:`soften`.

    Returns:
        K,H,W in 0..1; the same tensor when nothing is asked for.
    """
    if grow:
        alpha = move(alpha, grow)
    if crisp:
        alpha = sharpen(alpha)
    if feather:
        alpha = soften(alpha, feather)
    return alpha


def reach(crisp: bool, grow: float, feather: float) -> int:
    """Pixels around an object that :func:`shape_edges` can change."""
    return math.ceil(abs(grow)) + 2 * crisp + math.ceil(3 * feather / BELL)


def move(alpha: Tensor, distance: float) -> Tensor:
    """Grows (or, below 0, shrinks) what alpha shows: a grey dilation (erosion) by a disc of this radius.

    Fractions of a pixel blend the two nearest whole radii.
    """
    if distance < 0:
        return 1 - move(1 - alpha, -distance)
    low = math.floor(distance)
    share = distance - low
    near = _dilate(alpha, low)
    return torch.lerp(near, _dilate(alpha, low + 1), share) if share else near


def sharpen(alpha: Tensor) -> Tensor:
    """A step along the contour where alpha is one half, anti-aliased: the distance to it, as alpha and its slope tell,
    over :data:`CRISP_WIDTH`."""
    padded = functional.pad(alpha[None], [1, 1, 1, 1], mode="replicate")[0]
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    slope = torch.hypot(across, down).div_(2).clamp_(min=STEEPEST)
    return ((alpha - 0.5) / (slope * CRISP_WIDTH)).add_(0.5).clamp_(0, 1)


def soften(alpha: Tensor, width: float) -> Tensor:
    """Blurs by a Gaussian, so that a sharp edge takes ``width`` pixels from 10 to 90 %."""
    sigma = width / BELL
    half = max(1, math.ceil(3 * sigma))
    x = torch.arange(-half, half + 1, dtype=torch.float32, device=alpha.device)
    bell = torch.exp(-x.square() / (2 * sigma**2))
    bell /= bell.sum()
    planes = functional.pad(alpha[:, None], [half, half, half, half], mode="replicate")
    planes = functional.conv2d(planes, bell.view(1, 1, 1, -1))
    return functional.conv2d(planes, bell.view(1, 1, -1, 1))[:, 0].clamp_(0, 1)


def _dilate(alpha: Tensor, radius: int) -> Tensor:
    """Maximum over a disc: growing pieces of rows, each shifted up and down."""
    result = alpha.clone()
    row = alpha
    height = alpha.shape[-2]
    widths = [round(math.sqrt(radius**2 - dy**2)) for dy in range(radius, -1, -1)]  # from the top row to the middle
    grown = 0
    for dy, width in zip(range(radius, -1, -1), widths, strict=True):
        while grown < width:
            row, grown = _widen(row), grown + 1
        if dy == 0:
            torch.maximum(result, row, out=result)
        elif dy < height:
            torch.maximum(result[..., dy:, :], row[..., :-dy, :], out=result[..., dy:, :])
            torch.maximum(result[..., :-dy, :], row[..., dy:, :], out=result[..., :-dy, :])
    return result


def _widen(alpha: Tensor) -> Tensor:
    """Maximum of each pixel and those left and right of it."""
    row = alpha.clone()
    torch.maximum(row[..., 1:], alpha[..., :-1], out=row[..., 1:])
    torch.maximum(row[..., :-1], alpha[..., 1:], out=row[..., :-1])
    return row
