"""Pictures that are written: the cut-out with straight alpha, and objects drawn over the clip."""

from __future__ import annotations

import numpy as np

from vcut.masks.palette import davis_palette

_CONTOUR = (255, 255, 255)


def straight_rgba(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Join colour and opacity without multiplying them.

    The colour is the source's own wherever anything of it is to be seen, and black where alpha is 0: nothing
    shows there, and black compresses better.

    Args:
        rgb: H x W x 3 uint8.
        alpha: H x W uint8.

    Returns:
        H x W x 4 uint8.
    """
    rgba = np.dstack((rgb, alpha))
    rgba[alpha == 0] = 0
    return rgba


def overlay(rgb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tint each object half in its palette colour, with a white line one pixel wide along its inner edge.

    Args:
        rgb: H x W x 3 uint8.
        labels: H x W uint8, 0 background.

    Returns:
        H x W x 3 uint8, a new array.
    """
    picture = rgb.copy()
    inside = labels > 0
    tint = davis_palette()[labels[inside]].astype(np.uint16)
    picture[inside] = ((picture[inside] + tint) // 2).astype(np.uint8)
    picture[inside & _edges(labels)] = _CONTOUR
    return picture


def pad_to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where the height or width is odd."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _edges(labels: np.ndarray) -> np.ndarray:
    """H x W bool: pixels with another label above, below, left or right of them."""
    edge = np.zeros(labels.shape, bool)
    across = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
