"""From a picture of any kind to a label map: which kind of mask is it, and what does each pixel mean.

==========================================  ================================================================
picture                                     read as
==========================================  ================================================================
indexed (mode P)                            pixel = id; the colours of its palette do not matter
1 bit                                       white = object 1
grey with white (247 and up)                black and white: one object, cut at 50 %; in-between pixels pass
                                            when they are at most 2 %, or only a thin outline
grey, a few small values besides 255        pixel = id (at most 16 values, none above 32)
grey, no white at all                       pixel = id
grey, 16 bit                                ids up to 255, or black and white
RGB, red = green = blue everywhere          as grey
RGB                                         black = background, a DAVIS colour = its id, any other colour =
                                            the next free id in order of first appearance, row by row
with alpha, flat (16 colours are 90 %)      transparent = background, the rest as above; if all of the rest
                                            is black, it is object 1
with alpha, many colours                    a cut-out picture: object 1 where alpha is 128 or more
==========================================  ================================================================

Id 255, or its DAVIS colour, is void beside other ids (background, with a notice); alone it becomes object 1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from vcut.errors import MaskError
from vcut.masks.palette import VOID, davis_palette
from vcut.masks.stray import ADVICE, refuse_stray, uniform_blocks

_NEAR_BLACK, _NEAR_WHITE = 8, 247
_MOST_BETWEEN = 0.02
_MOST_SMALL_IDS, _LARGEST_SMALL_ID = 16, 32
_OPAQUE = 250
_FLAT_COLOURS, _FLAT_SHARE = 16, 0.9
_WIDE_MODES = {"I", "I;16", "I;16B", "I;16L", "I;16N"}


def picture_to_labels(picture: Image.Image, source: str) -> tuple[np.ndarray, list[str]]:
    """Read a decoded picture as a mask, by the table above.

    Args:
        picture: the picture in its own mode.
        source: the file, for errors and notices.

    Returns:
        Labels H x W uint8, 0 background, and sentences that tell the user what was taken for what.

    Raises:
        MaskError: stray ids or colours, more than 255 objects, or a picture that is no kind of mask.
    """
    if picture.mode == "P":
        return _ids(np.array(picture), source)
    if picture.mode == "1":
        return np.array(picture).astype(np.uint8), []
    if picture.mode == "L":
        return _grey(np.array(picture), source)
    if picture.mode in _WIDE_MODES:
        return _wide_grey(np.array(picture), source)
    if picture.mode == "F":
        raise MaskError(f"mask {source} has floating-point pixels", "save it as an 8-bit PNG")
    if picture.has_transparency_data:
        pixels = np.array(picture.convert("RGBA"))
        if pixels[..., 3].min() < _OPAQUE:
            return _with_alpha(pixels[..., :3], pixels[..., 3] >= 128, source)
    return _colours(np.array(picture.convert("RGB")), source)


def _settle_void(labels: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    """Void (255) beside other ids is background; 255 alone is object 1. Changes ``labels``."""
    counts = np.bincount(labels.ravel(), minlength=256)
    if not counts[VOID]:
        return labels, []
    if not counts[1:VOID].any():
        labels[labels == VOID] = 1
        return labels, []
    labels[labels == VOID] = 0
    return labels, [f"{source}: {counts[VOID]} pixels of id 255 (void) are taken as background."]


def _ids(values: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    refuse_stray(values, source, "ids")
    return _settle_void(values, source)


def _grey(values: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    counts = np.bincount(values.ravel(), minlength=256)
    if not counts[_NEAR_WHITE:].any():
        return _ids(values, source)
    dark = 1 + np.flatnonzero(counts[1:_NEAR_WHITE])
    only_void_is_bright = not counts[_NEAR_WHITE:VOID].any()
    if 0 < dark.size <= _MOST_SMALL_IDS and dark[-1] <= _LARGEST_SMALL_ID and only_void_is_bright:
        blocks = uniform_blocks(values, 3)
        in_blocks = values[: blocks.shape[0], : blocks.shape[1]][blocks]
        if np.isin(in_blocks, dark).any():
            return _ids(values, source)
    return _black_and_white(values, source)


def _black_and_white(values: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    between = (values > _NEAR_BLACK) & (values < _NEAR_WHITE)
    count = int(np.count_nonzero(between))
    share = f"{count} in-between grey pixels ({100 * count / values.size:.2g} %)"
    blocks = uniform_blocks(between, 3)
    only_outline = not between[: blocks.shape[0], : blocks.shape[1]][blocks].any()
    if count > _MOST_BETWEEN * values.size and not only_outline:
        raise MaskError(
            f"mask {source} is neither black and white nor object ids: it has {share}",
            "cut it to pure black and white, or save an indexed PNG whose pixels are object ids",
        )
    notices = [f"{source}: {share} are cut at 50 %."] if count else []
    return (values >= 128).astype(np.uint8), notices


def _wide_grey(values: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    if values.min() >= 0 and values.max() <= 255:
        return _grey(values.astype(np.uint8), source)
    if values.min() >= 0 and _NEAR_WHITE * 257 <= values.max() <= 65535:
        return _black_and_white((values // 257).astype(np.uint8), source)
    raise MaskError(
        f"mask {source} has ids from {values.min()} to {values.max()}, more than 255 objects",
        "number the objects from 1 to 255",
    )


def _pack(colours: np.ndarray) -> np.ndarray:
    """RGB as one number, 0xRRGGBB: ... x 3 uint8 -> ... int32."""
    return colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _colours(rgb: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    """Labels of a colour-coded picture, H x W x 3 uint8."""
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all():
        return _grey(rgb[..., 0].copy(), source)
    pixels = _pack(rgb)
    present = np.zeros(1 << 24, bool)
    present[pixels.ravel()] = True
    colours = np.flatnonzero(present)
    objects = colours.size - int(present[0])
    if objects > 255:
        raise MaskError(f"mask {source} has {objects} colours, more than 255 objects", ADVICE)

    id_of_colour = np.zeros(1 << 24, np.uint8)
    id_of_colour[_pack(davis_palette())] = np.arange(256)
    palette = set(_pack(davis_palette()).tolist())
    own = [colour for colour in colours.tolist() if colour not in palette]
    flat = pixels.ravel()
    own.sort(key=lambda colour: int(np.argmax(flat == colour)))
    taken = set(id_of_colour[[colour for colour in colours.tolist() if colour in palette]].tolist())
    free = [identifier for identifier in range(1, VOID) if identifier not in taken]
    if len(own) > len(free):
        raise MaskError(f"mask {source} has {objects} colours, more than the 254 that can be numbered", ADVICE)
    id_of_colour[own] = free[: len(own)]

    colour_of_id = {int(id_of_colour[colour]): f"#{colour:06x}" for colour in colours.tolist()}
    labels = id_of_colour[pixels]
    refuse_stray(labels, source, "colours", lambda identifier: colour_of_id[identifier])
    return _settle_void(labels, source)


def _with_alpha(rgb: np.ndarray, visible: np.ndarray, source: str) -> tuple[np.ndarray, list[str]]:
    """Labels of a picture with transparency: colours H x W x 3 uint8, and where it can be seen, H x W
    bool."""
    shown = _pack(rgb[visible])
    if not shown.any():
        return visible.astype(np.uint8), []
    areas = np.sort(np.unique(shown, return_counts=True)[1])
    if areas[-_FLAT_COLOURS:].sum() < _FLAT_SHARE * shown.size:
        return visible.astype(np.uint8), [f"{source}: read as a cut-out picture, the object is what its alpha shows."]
    return _colours(np.where(visible[..., None], rgb, np.uint8(0)), source)
