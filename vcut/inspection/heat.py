"""Heat maps: numbers to colours, from black over purple, red and orange to pale yellow."""

from __future__ import annotations

import numpy as np

_STOPS = np.array([(0, 0, 0), (62, 12, 108), (170, 32, 96), (236, 96, 36), (250, 180, 50), (255, 255, 190)], np.float32)
"""RGB at even distances; each is brighter than the one before."""


def heat(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """H,W numbers to H,W,3 uint8 RGB: ``low`` is black, ``high`` pale yellow. All black where they are the same."""
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    places = np.linspace(0, 1, len(_STOPS))
    return np.stack([np.interp(share, places, stop) for stop in _STOPS.T], -1).round().astype(np.uint8)
