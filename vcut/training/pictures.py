"""Pictures with the masks of what they show, pixel after pixel in one piece of memory."""

from __future__ import annotations

import numpy as np


class Pictures:
    """Some pictures and their masks.

    Args:
        pixels: P,4 uint8, R, G, B and object id (0 none) of all pixels, picture after picture, row after row.
        offsets: where each picture begins, in pixels.
        sizes: height and width of each.
    """

    def __init__(self, pixels: np.ndarray, offsets: np.ndarray, sizes: np.ndarray) -> None:
        self.pixels = pixels
        self.offsets = offsets
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.offsets)

    def both(self, index: int) -> np.ndarray:
        """H,W,4 uint8 view of picture and mask."""
        h, w = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + h * w].reshape(h, w, 4)

    def image(self, index: int) -> np.ndarray:
        """H,W,3 uint8 view."""
        return self.both(index)[..., :3]

    def mask(self, index: int) -> np.ndarray:
        """H,W uint8 view of object ids."""
        return self.both(index)[..., 3]


def stack(rgb: np.ndarray, ids: np.ndarray) -> Pictures:
    """N pictures of one size, N,H,W,3 uint8, and their masks, N,H,W uint8."""
    count, height, width = ids.shape
    pixels = np.concatenate([rgb, ids[..., None]], 3).reshape(-1, 4)
    return Pictures(pixels, height * width * np.arange(count), np.tile((height, width), (count, 1)))
