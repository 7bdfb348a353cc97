"""Alpha that stays put where the picture does, so that edges of a static shot do not boil.

A recursive mean of alpha, but only where the frame shows the same as before, up to noise. It is compared with the
frames that the mean was made of, averaged just as alpha was, not with the last frame alone: motion too slow to be seen
from one frame to the next adds up and ends the mean before alpha lags visibly. Where alpha itself wants to change much,
it may.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from vcut.matte.field import CELL, Field, shrink, widest
from vcut.models.base import TensorRecord

KEEP = 0.85
"""Share of the past in alpha where nothing moves."""

LEAST_NOISE, MOST_NOISE = 0.4 / 255, 2.5 / 255
"""Bounds of what is taken for noise: the change from frame to frame that a quarter of an object's window stays below.
The upper one keeps a moving camera from passing for noise."""

STILL, MOVED = 2.5, 5.0
"""Changes, in noises, up to which a place is still and from which on it moved."""

SQUARE = CELL
"""Side of the squares that a change is averaged over, pixels of the model's picture; it also moves the eight around."""


@dataclass(frozen=True)
class Past(TensorRecord):
    """What is remembered from frame to frame; of one size however long the clip.

    Shapes: ``picture``: 3,h,w half, the mean picture where an object's window is, what it was there last where none is;
    ``alpha``: K,H,W half, before edges are shaped; ``band``: K,h,w bool, where it is not 0 or 1.
    """

    picture: Tensor
    alpha: Tensor
    band: Tensor

    @classmethod
    def begin(cls, planes: Tensor, source: tuple[int, int], before: Past | None = None) -> Past:
        """To be filled, window by window.

        Args:
            planes: K,h,w, of the model's picture, on the device.
            source: height and width of the source.
            before: what was remembered of the frame before, if anything.
        """
        count, height, width = planes.shape
        empty = partial(torch.zeros, device=planes.device)
        picture = empty(3, height, width, dtype=torch.half) if before is None else before.picture.clone()
        return cls(picture, empty(count, *source, dtype=torch.half), empty(count, height, width, dtype=torch.bool))


def compare(field: Field, before: Tensor) -> tuple[Tensor, Tensor]:
    """What an object's window shows, and the mean picture 3,h,w half of the frame before.

    Returns:
        h,w: where the past still holds (:func:`stillness`); 3,h,w: the mean picture there after this one.
    """
    mean = field.cut(before).float()
    still = stillness(field.picture, mean)
    return still, torch.addcmul(field.picture, mean - field.picture, still, value=KEEP)


def stillness(picture: Tensor, before: Tensor) -> Tensor:
    """h,w: 1 where a picture shows what the one before did, 0 where something moved.

    Args:
        picture, before: 3,h,w in 0..1; h and w are multiples of :data:`SQUARE`.
    """
    change = shrink((picture - before).abs_(), SQUARE).mean(0)
    values = change.flatten()
    noise = values.kthvalue(max(1, len(values) // 4)).values.clamp(LEAST_NOISE, MOST_NOISE)
    still = ((MOVED - widest(change, 1) / noise) / (MOVED - STILL)).clamp_(0, 1)
    return functional.interpolate(still[None, None], scale_factor=SQUARE, mode="bilinear", align_corners=False)[0, 0]


def blend(alpha: Tensor, before: Tensor, still: Tensor) -> Tensor:
    """Alpha with its share of the past; all of one shape. The more they differ, the less is kept."""
    change = before - alpha
    share = (1 - change.abs()).square_().mul_(still)
    return torch.addcmul(alpha, share, change, value=KEEP)
