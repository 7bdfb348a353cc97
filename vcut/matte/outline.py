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

from vcut.engine.preprocess import resized
from vcut.matte.field import find_field, lay_out
from vcut.matte.refine import CERTAIN, colour_line, openness, refine_band


def outline(rgb: np.ndarray | Tensor, probabilities: Tensor, ids: Sequence[int]) -> Tensor:
    """The map of a frame.

    Args:
        rgb: H,W,3 uint8, the source's frame.
        probabilities: N+1,h,w in 0..1 at the model's resolution (without padding), background first. Everything is
            computed where they are.
        ids: the N objects' ids, 1 to 255.

    Returns:
        H,W uint8 of ids, 0 background.
    """
    frame = (torch.from_numpy(rgb) if isinstance(rgb, np.ndarray) else rgb).to(probabilities.device).contiguous()
    size = (frame.shape[0], frame.shape[1])
    picture = resized(frame, (probabilities.shape[1], probabilities.shape[2]))
    labels = torch.zeros(size, dtype=torch.uint8, device=frame.device)
    best, total = torch.zeros(2, *size, device=frame.device)
    whole = torch.empty_like(best)  # alpha of one object after another, each in its window
    for i, plane in zip(ids, probabilities[1:].float(), strict=True):
        field = find_field(picture, plane, size)
        if field is None:
            continue
        open_ = openness(field.probability)
        rows, columns, pixels = lay_out(field, open_ > CERTAIN, frame, whole)
        whole.view(-1)[pixels.index] = refine_band(field, colour_line(field), open_, pixels)
        alpha = whole[rows, columns]
        highest = best[rows, columns]
        labels[rows, columns].masked_fill_(alpha > highest, i)
        torch.maximum(highest, alpha, out=highest)
        total[rows, columns] += alpha
    return labels.masked_fill_(best <= 1 - total, 0)
