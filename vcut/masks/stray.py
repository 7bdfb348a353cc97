"""Ids that nobody meant: left by anti-aliasing, dithering or a photograph saved as a mask.

A painted label map is made of regions. An id is a **region** when it fills a 3 x 3 block somewhere; it is
**compact** when it fills a 2 x 2 block and at least 40 % of its bounding box (a ball a few pixels wide). An
id that is neither, has at most 2 % of the pixels, and has 90 % of its own pixels within 3 pixels of two
different regions, is **stray**: it lies on the seam between them. So a thin line across one region stays an
object, and the blend colours along an outline do not. With more than 16 ids that are neither, all of them are
stray: so many hairlines are never meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vcut.errors import MaskError
from vcut.masks.extent import extent
from vcut.masks.palette import VOID

ADVICE = "save the mask without anti-aliasing, as an indexed PNG whose pixels are object ids"
MOST_NAMED = 8

_REACH = 3
_SEAM_SHARE = 0.9
_MOST_PIXELS = 0.02
_FILL = 0.4
_MOST_HAIRLINES = 16
_MOST_IDS_OF_A_PICTURE = 32
_LEAST_CALM_SHARE = 0.5


def uniform_blocks(labels: np.ndarray, side: int) -> np.ndarray:
    """Where a ``side`` x ``side`` block of one value begins: bool, (H - side + 1) x (W - side + 1)."""
    height, width = (max(0, length - side + 1) for length in labels.shape)
    first = labels[:height, :width]
    uniform = np.ones((height, width), bool)
    for row in range(side):
        for column in range(side):
            uniform &= labels[row : row + height, column : column + width] == first
    return uniform


def _ids_with_block(labels: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The ids that own a block: bool, one flag for each of 256 ids."""
    height, width = blocks.shape
    return np.bincount(labels[:height, :width][blocks], minlength=256) > 0


def _is_compact(labels: np.ndarray, identifier: int, count: int) -> bool:
    rows, columns = extent(labels == identifier)
    return count >= _FILL * (rows.stop - rows.start) * (columns.stop - columns.start)


def _seam_share(labels: np.ndarray, identifier: int, regions: np.ndarray) -> float:
    """The share of an id's pixels that have two different regions within reach."""
    height, width = labels.shape
    rows, columns = np.nonzero(labels == identifier)
    lowest, highest = np.full(rows.size, 256), np.full(rows.size, -1)
    for down in range(-_REACH, _REACH + 1):
        for right in range(-_REACH, _REACH + 1):
            near = labels[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)].astype(int)
            known = regions[near]
            np.minimum(lowest, near, out=lowest, where=known)
            np.maximum(highest, near, out=highest, where=known)
    return float(np.mean(lowest < highest))


def find_stray(labels: np.ndarray) -> list[int]:
    """The stray ids of a uint8 H x W label map, the most frequent first. Background and void are none."""
    counts = np.bincount(labels.ravel(), minlength=256)
    regions = _ids_with_block(labels, uniform_blocks(labels, 3))
    blocky = _ids_with_block(labels, uniform_blocks(labels, 2))
    thin = [
        int(identifier)
        for identifier in np.flatnonzero((counts > 0) & ~regions)
        if identifier not in (0, VOID)
        and not (blocky[identifier] and _is_compact(labels, identifier, counts[identifier]))
    ]
    if len(thin) <= _MOST_HAIRLINES:
        rare = [identifier for identifier in thin if counts[identifier] <= _MOST_PIXELS * labels.size]
        thin = [identifier for identifier in rare if _seam_share(labels, identifier, regions) >= _SEAM_SHARE]
    return sorted(thin, key=lambda identifier: (-counts[identifier], identifier))


def list_some(items: Sequence[str]) -> str:
    """The first items of a list in words: ``a, b and 3 more``."""
    named = ", ".join(items[:MOST_NAMED])
    return f"{named} and {len(items) - MOST_NAMED} more" if len(items) > MOST_NAMED else named


def refuse_stray(labels: np.ndarray, source: str, kind: str, name: Callable[[int], str] = str) -> None:
    """Check that a label map is made of regions.

    Args:
        labels: H x W uint8.
        source: the file, for the error.
        kind: what the user sees in the file, ``ids`` or ``colours``.
        name: how the user knows an id.

    Raises:
        MaskError: there are stray ids, named with their pixel counts; or the map is a picture: more than 32
            ids, and under half of its pixels begin a 3 x 3 block of one id.
    """
    counts = np.bincount(labels.ravel(), minlength=256)
    stray = find_stray(labels)
    if stray:
        named = list_some([f"{name(identifier)} ({counts[identifier]} pixels)" for identifier in stray])
        raise MaskError(f"mask {source} has stray {kind} on the edges of its regions: {named}", ADVICE)
    used = np.count_nonzero(counts)
    calm = uniform_blocks(labels, 3)
    if used > _MOST_IDS_OF_A_PICTURE and calm.size and calm.mean() < _LEAST_CALM_SHARE:
        raise MaskError(f"mask {source} looks like a photograph, with {used} {kind}", ADVICE)
