"""Where in a picture a mask is."""

from __future__ import annotations

import numpy as np


def extent(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask, H x W, that is not 0; both empty, 0 to 0, where all is."""
    return span(mask.any(axis=1)), span(mask.any(axis=0))


def span(marks: np.ndarray) -> slice:
    """From the first of a row of marks to the last; 0 to 0 where there is none."""
    hit = np.flatnonzero(marks)
    return slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0)
