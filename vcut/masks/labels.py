"""Read a user's mask file, check that it makes sense, and fit it to the clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vcut.errors import MaskError
from vcut.masks.kinds import picture_to_labels
from vcut.masks.pictures import open_picture

_ASPECT_TOLERANCE = 0.01
_TINY = 4


@dataclass(frozen=True, eq=False)
class Labels:
    """A mask of one frame.

    Attributes:
        labels: H x W uint8, 0 background, else the object's id.
        ids: the ids that occur, ascending, as the user gave them (not renumbered).
        notices: sentences for the user about what was guessed or changed.
    """

    labels: np.ndarray
    ids: tuple[int, ...]
    notices: tuple[str, ...] = ()


def object_ids(labels: np.ndarray) -> tuple[int, ...]:
    """The ids in a uint8 label map, ascending, without background."""
    return tuple(int(identifier) for identifier in np.flatnonzero(np.bincount(labels.ravel())) if identifier)


def same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes (width, height) have the same aspect, within 1 %."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) <= _ASPECT_TOLERANCE


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map at another size (width, height), by the nearest pixel."""
    return np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))


def read_mask(path: str | Path, size: tuple[int, int] | None = None) -> Labels:
    """Read a mask picture of any usual kind (the table in :mod:`vcut.masks.kinds` lists them).

    Args:
        path: the picture. EXIF is ignored.
        size: width and height of the clip. A mask of another size and the same aspect (within 1 %) is resized
            by the nearest pixel, with a notice.

    Raises:
        MaskError: the file cannot be read, is no kind of mask, has stray ids (see :mod:`vcut.masks.stray`),
            more than 255 objects, no object, one object and no background, or another aspect than the clip.
    """
    labels, notices = picture_to_labels(open_picture(path), str(path))
    ids = object_ids(labels)
    if not ids:
        raise MaskError(f"mask {path} has no object: every pixel is background", "paint the object in white or an id")
    if labels.all():
        if len(ids) == 1:
            raise MaskError(f"mask {path} has no background: every pixel is object {ids[0]}", "leave the rest black")
        notices.append(f"{path}: no pixel is background.")
    if size is not None and (own := (labels.shape[1], labels.shape[0])) != size:
        labels, ids = _fit(labels, ids, size, path, notices)
        notices.append(f"{path}: resized from {own[0]} x {own[1]} to the clip's {size[0]} x {size[1]}.")
    counts = np.bincount(labels.ravel())
    notices += [f"{path}: object {i} has only {counts[i]} pixels." for i in ids if counts[i] < _TINY]
    return Labels(labels, ids, tuple(notices))


def keep_objects(mask: Labels, ids: tuple[int, ...]) -> Labels:
    """A mask with some of its objects, the others made background.

    Raises:
        MaskError: it has no object of one of these ids.
    """
    missing = [i for i in ids if i not in mask.ids]
    if missing:
        raise MaskError(f"the mask has no object {missing[0]}", f"it has {', '.join(map(str, mask.ids))}")
    kept = np.where(np.isin(mask.labels, ids), mask.labels, 0).astype(np.uint8)
    return Labels(kept, tuple(sorted(set(ids))), mask.notices)


def _fit(
    labels: np.ndarray, ids: tuple[int, ...], size: tuple[int, int], path: str | Path, notices: list[str]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Resize a mask to the clip; objects that get lost are named in ``notices``."""
    own = (labels.shape[1], labels.shape[0])
    if not same_aspect(own, size):
        raise MaskError(
            f"mask {path} is {own[0]} x {own[1]}, of another aspect than the clip's {size[0]} x {size[1]}",
            "draw the mask on a frame of the clip",
        )
    labels = resize_labels(labels, size)
    left = object_ids(labels)
    if not left:
        raise MaskError(
            f"mask {path} has no object left when resized from {own[0]} x {own[1]} to {size[0]} x {size[1]}",
            "draw the mask at the size of the clip",
        )
    notices += [f"{path}: object {i} is too small to survive resizing." for i in ids if i not in left]
    return labels, left
