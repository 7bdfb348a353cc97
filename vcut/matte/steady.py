"""Alpha that stays put where the picture does, so that edges of a static shot do not boil.

A recursive mean of alpha, but only where the frame shows the same as before, up to noise. It is compared with the
frames that the mean was made of, averaged just as alpha was, not with the last frame alone: motion too slow to be seen
from one frame to the next adds up and ends the mean before alpha lags visibly. Where alpha itself wants to change much,
it may.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import TensorRecord

KEEP = 0.85
"""Share of the past in alpha where nothing moves."""

LEAST_NOISE, MOST_NOISE = 0.4 / 255, 2.5 / 255
"""Bounds of what is taken for noise: the change from frame to frame that a quarter of the picture stays below. The
upper one keeps a moving camera from passing for noise."""

STILL, MOVED = 2.5, 5.0
"""Changes, in noises, up to which a place is still and from which on it moved."""

SQUARE = 4
"""Side of the squares that a change is averaged over, pixels of the model's picture; it also moves the eight around."""


@dataclass(frozen=True)
class Past(TensorRecord):
    """What is remembered from frame to frame; of one size however long the clip.

    Shapes: ``picture``: 3,h,w half, the mean picture; ``alpha``: K,H,W half, before edges are shaped; ``band``: K,h,w
    bool, where it is not 0 or 1.
    """

    picture: Tensor
    alpha: Tensor
    band: Tensor


def stillness(picture: Tensor, before: Tensor) -> Tensor:
    """h,w: 1 where a picture (3,h,w in 0..1) shows what the one before did, 0 where something moved."""
    change = (picture - before).abs_().mean(0)[None, None]
    squares = functional.avg_pool2d(change, SQUARE, ceil_mode=True)
    values = squares.flatten()
    noise = values.kthvalue(max(1, len(values) // 4)).values.clamp(LEAST_NOISE, MOST_NOISE)
    widest = functional.max_pool2d(squares, 3, 1, 1)
    still = ((MOVED - widest / noise) / (MOVED - STILL)).clamp_(0, 1)
    size = (still.shape[2] * SQUARE, still.shape[3] * SQUARE)
    still = functional.interpolate(still, size, mode="bilinear", align_corners=False)
    return still[0, 0, : change.shape[2], : change.shape[3]]


def blend(alpha: Tensor, before: Tensor, still: Tensor) -> Tensor:
    """Alpha with its share of the past; all of one shape. The more they differ, the less is kept."""
    change = before - alpha
    return alpha + KEEP * still * (1 - change.abs()).square() * change


def blend_picture(picture: Tensor, before: Tensor, still: Tensor) -> Tensor:
    """The mean picture after this one."""
    return torch.addcmul(picture, before - picture, still, value=KEEP)
