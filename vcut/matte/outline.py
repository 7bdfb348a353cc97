"""Label maps whose edges follow the picture's, at the source's resolution.

What the network gives is soft at its own resolution; which side of an edge a pixel lies on, its colour often tells
better (:mod:`vcut.matte.refine`). A pixel belongs to the object with the greatest alpha, or to none where all of them
leave more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vcut.engine.preprocess import shrunk
from vcut.matte.field import find_field, lay_out
from vcut.matte.refine import CERTAIN, colour_line, openness, refine_band


def outline(
    rgb: np.ndarray | Tensor, probabilities: Tensor, ids: Sequence[int], picture: Tensor | None = None
) -> Tensor:
    """The map of a frame.

    Args:
        rgb: H,W,3 uint8, the source's frame.
        probabilities: N+1,h,w in 0..1 at the model's resolution (without padding), background first. Everything is
            computed where they are.
        ids: the N objects' ids, 1 to 255.
        picture: the frame as :func:`vcut.engine.preprocess.shrunk` gives it for the model, if it is at hand.

    Returns:
        H,W uint8 of ids, 0 background.
    """
    frame = (torch.from_numpy(rgb) if isinstance(rgb, np.ndarray) else rgb).to(probabilities.device).contiguous()
    height, width = frame.shape[:2]
    picture = shrunk(frame, (probabilities.shape[1], probabilities.shape[2])) if picture is None else picture
    labels = torch.zeros(height, width, dtype=torch.uint8, device=frame.device)
    planes = probabilities[1:].float()
    fields = {i: find_field(picture, plane, (height, width)) for i, plane in zip(ids, planes, strict=True)}
    fields = {i: field for i, field in fields.items() if field is not None}
    if not fields:
        return labels
    around = _hull([field.covers for field in fields.values()])
    best, total, whole = planes.new_empty(3, height, width)  # of the last, alpha of one object after another
    for plane in (best, total):
        plane[around] = 0
    for i, field in fields.items():
        open_ = openness(field.probability)
        pixels = lay_out(field, open_ > CERTAIN, frame, whole)
        whole.view(-1).index_copy_(0, pixels.index, refine_band(field, colour_line(field), open_, pixels))
        alpha, highest = whole[field.covers], best[field.covers]
        labels[field.covers].masked_fill_(alpha > highest, i)
        torch.maximum(highest, alpha, out=highest)
        total[field.covers] += alpha
    labels[around].masked_fill_(best[around] <= 1 - total[around], 0)
    return labels


def _hull(windows: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """The rows and columns that hold all windows."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*windows, strict=True)
    )
    return rows, columns
