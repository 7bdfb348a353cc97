"""Where in a picture a mask is."""

from __future__ import annotations

import numpy as np


def extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask, H x W, that is not 0; both empty, 0 to 0, where all is."""
    sides = []
    for axis in (1, 0):
        hit = np.flatnonzero(mask.any(axis=axis))
        sides.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0))
    return sides[0], sides[1]
