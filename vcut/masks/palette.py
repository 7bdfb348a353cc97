"""The DAVIS colour map, and indexed PNG files in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from vcut.errors import OutputError

VOID = 255
"""The id that DAVIS and PASCAL VOC give to pixels of no object and no background."""


@cache
def davis_palette() -> np.ndarray:
    """The PASCAL VOC / DAVIS colour of each id: 256 x 3 uint8 RGB, read-only.

    The bits of an id are dealt out in turn to red, green and blue, the lowest three to the top bit of each
    channel: 0 is black, 1 dark red (128, 0, 0), 2 dark green, 3 olive.
    """
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    palette.setflags(write=False)
    return palette


def save_indexed(target: str | Path | BinaryIO, labels: np.ndarray) -> None:
    """Write a label map as an indexed PNG: the pixel is the id, the palette is the whole DAVIS one.

    Args:
        target: a path, or a file opened for binary writing.
        labels: H x W uint8, 0 background.

    Raises:
        OutputError: the path cannot be written.
        ValueError: ``labels`` is not a uint8 H x W array.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"labels must be uint8 H x W, not {labels.dtype} of shape {labels.shape}")
    picture = Image.fromarray(np.ascontiguousarray(labels))
    picture.putpalette(davis_palette().tobytes())
    try:
        picture.save(target, format="PNG")
    except OSError as error:
        if not isinstance(target, str | Path):
            raise
        reason = error.strerror or error
        raise OutputError(f"cannot write {target}: {reason}", "choose another output folder") from error
