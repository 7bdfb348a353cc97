"""Bits a channel: 8 as uint8, 16 as uint16, both over their whole range (white is 255 or 65535)."""

from __future__ import annotations

import numpy as np


def is_deep(*arrays: np.ndarray) -> bool:
    """Whether any of ``arrays`` has 16 bits."""
    return any(array.dtype == np.uint16 for array in arrays)


def at_depth(array: np.ndarray, deep: bool) -> np.ndarray:
    """``array`` as uint16 where ``deep``, else as uint8: exact upwards, rounded downwards; itself if it is that.

    Raises:
        ValueError: it is neither uint8 nor uint16.
    """
    if array.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pictures are uint8 or uint16, not {array.dtype}")
    if is_deep(array) == deep:
        return array
    if deep:
        return array * np.uint16(257)
    return ((array * np.uint32(255) + 32768) >> 16).astype(np.uint8)


def levels(array: np.ndarray, low: int, high: int) -> np.ndarray:
    """uint8 or uint16 as uint16 from ``low`` (nothing) to ``high`` (all), rounded to nearest.

    Tabled, for it runs on every frame: 8-bit values have 256 answers.
    """
    top = np.iinfo(array.dtype).max
    table = (np.arange(top + 1, dtype=np.uint64) * (high - low) + top // 2) // top + low
    return table.astype(np.uint16)[array]
