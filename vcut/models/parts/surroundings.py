"""Where the surroundings of an object are, and how far it can be a frame later."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import STRIDE

SHOWN = 0.2
"""Share of a cell of 16 x 16 pixels that an object takes where it is said to be there."""

LEAST = 2
"""Cells on each side that count as an object's surroundings, however small it is."""

FAINT = 0.1
"""Probability from which on a pixel may be the object's."""


def surroundings(masks: Tensor, reach: float, at_all: bool = False) -> Tensor:
    """The windows around objects: their bounding boxes, made wider.

    Args:
        masks: M,1,H,W, soft masks in 0..1, H and W multiples of 16.
        reach: how much wider on each side, in lengths of the box.
        at_all: an object is there where it is shown best, even if that is less than ``SHOWN``.

    Returns:
        M,1,H/16,W/16: 1 in the window, else 0; nothing but 0 where there is no object.
    """
    cells = functional.avg_pool2d(masks.float(), STRIDE)
    shown = cells > ((cells.amax((2, 3), keepdim=True) / 2).clamp(max=SHOWN) if at_all else SHOWN)
    return (_span(shown.any(3), reach)[..., None] & _span(shown.any(2), reach)[..., None, :]).float()


def within_reach(masks: Tensor, reach: int) -> Tensor:
    """Where objects can be a frame later: in the cells of 16 x 16 pixels they are in, and so many around.

    Args:
        masks: M,1,H/4,W/4, the last soft masks in 0..1, H and W multiples of 16.
        reach: cells.

    Returns:
        M,1,H,W bool; true everywhere for an object that is nowhere, as it may come back anywhere.
    """
    here = (functional.max_pool2d(masks.float(), STRIDE // 4) > FAINT).float()
    near = functional.max_pool2d(here, 2 * reach + 1, 1, reach) > 0
    near = near | ~here.bool().any(-1, keepdim=True).any(-2, keepdim=True)
    return near.repeat_interleave(STRIDE, -2).repeat_interleave(STRIDE, -1)


def _span(shown: Tensor, reach: float) -> Tensor:
    """M,1,L places with something to the span from the first to the last of them, made wider."""
    places = torch.arange(shown.shape[-1], device=shown.device)
    first = torch.where(shown, places, len(places)).amin(-1, keepdim=True)
    last = torch.where(shown, places, -1).amax(-1, keepdim=True)
    margin = (reach * (last - first + 1)).round().clamp(min=LEAST)
    return (places >= first - margin) & (places <= last + margin) & (last >= 0)
