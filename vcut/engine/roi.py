"""Region of interest: where the objects of the next frame are looked for, told from the masks of the last one.

A network sees that part of the frame alone (:func:`find_region`), or all of it and may find objects there alone
(:func:`bounded`), where parts of changing sizes cost more than they save. What looks like the object elsewhere is not
it: J&F of ``gam-s`` on dev, bf16, was 0.858 in full without bounds, and 0.870 both ways (2026-11-25's weights).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vcut.models.base import STRIDE
from vcut.models.parts.surroundings import FAINT
from vcut.models.region import NOWHERE, Region, Window

MARGIN = 3
"""Cells of 16 pixels around an object that are looked at, too."""

WHOLE_EVERY = 2
"""Of so many frames to be remembered one is looked at in full, even by networks that can remember a region: a global
context is of whole frames, and what has left the region is found again.

J&F of ``gam-s`` on dev (every fifth frame is remembered), and on ``rollerblade`` looped to 300 frames: 0.8529 and
0.8705 with all of them in full, 0.8542 and 0.8711 with every fourth, 0.8542 and 0.8725 with none; 0.8539 and 0.8675
with every fourth and a context that takes in regions, too. With the weights of 2026-11-27 (every tenth is remembered)
it is 0.8841 on dev with all, 0.8837 with every second, 0.8828 with every fourth, and 0.885 where no frame is looked at
in regions; ``gam`` has 0.871 with every second as with every fourth.
"""

LARGE = 0.6
"""Share of the frame from which on a window is the whole of it."""

RIM = STRIDE // 2
"""Pixels; an object that comes so near to the rim of its window may go on beyond it."""


def find_region(masks: Tensor) -> Region | None:
    """Where the objects can be a frame later.

    Args:
        masks: N,H,W soft masks, H and W multiples of 16.

    Returns:
        ``None`` where an object is not to be seen, and may come back anywhere.
    """
    cells = occupied(masks).cpu()
    if not cells.flatten(1).any(1).all():
        return None
    windows = [Window(*edges) for edges in torch.stack(_windows(cells), 1).tolist()]
    return joined(windows, *cells.shape[-2:])


def occupied(masks: Tensor) -> Tensor:
    """N,H/16,W/16 bool: the cells where there is anything of objects, of soft masks N,H,W."""
    height, width = (length // STRIDE for length in masks.shape[-2:])
    return masks.unflatten(2, (width, STRIDE)).amax(3).unflatten(1, (height, STRIDE)).amax(2) > FAINT


def bounded(logits: Tensor, cells: Tensor) -> Tensor:
    """Leaves objects nowhere but in their windows, as in a region that a network sees alone; on a GPU nothing is waited
    for.

    Args:
        logits: 1,N,H,W of the objects, anywhere in a frame.
        cells: N,H/16,W/16 bool, the cells that they occupied a frame before.

    Returns:
        The same where they are in the windows that :func:`find_region` gives them, ``NOWHERE`` around these; all of the
        frame as it is where one of them was not to be seen, or has moved further than thought (:func:`goes_beyond`).
    """
    _, height, width = cells.shape
    top, bottom, left, right = _windows(cells)
    rows, upper = _pixels(top, bottom, height)
    columns, outer = _pixels(left, right, width)
    inside = rows[:, :, None] & columns[:, None, :]
    rims = inside & (upper[:, :, None] | outer[:, None, :])
    free = (rims & (logits[0] > 0)).any() | ~cells.flatten(1).any(1).all()
    return logits.masked_fill(~(inside | free), NOWHERE)


def joined(windows: Sequence[Window], height: int, width: int) -> Region:
    """The region of such windows in a frame of so many cells."""
    edges = [(w.top, w.bottom, w.left, w.right) for w in windows]
    tops, bottoms, lefts, rights = zip(*edges, strict=True)
    around = _large(Window(min(tops), max(bottoms), min(lefts), max(rights)), height, width)
    return Region(tuple(windows), around, height, width)


def goes_beyond(logits: Tensor, region: Region) -> bool:
    """Whether an object touches the rim of its window where that is not the frame's: it has moved further than thought.

    Args:
        logits: N,H,W of the objects.
        region: where they were looked for.
    """
    for plane, window in zip(logits, region.each, strict=True):
        inside = window.cut(plane[None, None], 1)[0, 0] > 0
        rims = (
            (window.top > 0, inside[:RIM]),
            (window.bottom < region.height, inside[-RIM:]),
            (window.left > 0, inside[:, :RIM]),
            (window.right < region.width, inside[:, -RIM:]),
        )
        if any(free and bool(rim.any()) for free, rim in rims):
            return True
    return False


def _windows(cells: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Edges of each object's :class:`Window`, N each, of the cells N,h,w that they occupy; of no meaning for one that
    occupies none."""
    _, height, width = cells.shape
    (top, bottom), (left, right) = _wider(cells.any(2)), _wider(cells.any(1))
    large = (bottom - top) * (right - left) > int(LARGE * height * width)  # as _large has it, to the cell
    top, left = (edge.masked_fill(large, 0) for edge in (top, left))
    return top, bottom.masked_fill(large, height), left, right.masked_fill(large, width)


def _wider(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """From ``MARGIN`` before the first place of N,L that is occupied up to as far behind the last, end left out."""
    places, marks = occupied.shape[1], occupied.int()
    first, last = marks.argmax(1), places - 1 - marks.flip(1).argmax(1)
    return (first - MARGIN).clamp(min=0), (last + 1 + MARGIN).clamp(max=places)


def _pixels(begin: Tensor, end: Tensor, places: int) -> tuple[Tensor, Tensor]:
    """Which pixels are from one place, N, up to another; and which are at a rim there, or beyond it, where that is not
    the frame's: two N,16*places bool."""
    begin, end, length = STRIDE * begin[:, None], STRIDE * end[:, None], STRIDE * places
    pixels = torch.arange(length, device=begin.device)
    rims = ((begin > 0) & (pixels < begin + RIM)) | ((end < length) & (pixels >= end - RIM))
    return (pixels >= begin) & (pixels < end), rims


def _large(window: Window, height: int, width: int) -> Window:
    return Window(0, height, 0, width) if window.area > LARGE * height * width else window
