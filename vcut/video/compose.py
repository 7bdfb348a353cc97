"""Pictures that are written: the cut-out with straight alpha or over a background, drawings over the clip, panels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from PIL import Image

from vcut.errors import OptionError
from vcut.masks.extent import extent
from vcut.masks.palette import davis_palette
from vcut.video.background import Background, open_background
from vcut.video.cutout import Cutout
from vcut.video.depth import at_depth, is_deep
from vcut.video.formats import Format

_CONTOUR = (255, 255, 255)
_BLOCK = 16
_SQUARE = 16
_CHECKS = (102, 153)
_WIDEST = 3840
_PANELS = 3


def straight_rgba(rgb: np.ndarray, alpha: np.ndarray, spread: bool = False) -> np.ndarray:
    """Join colour and opacity without multiplying them.

    The colour is the objects' own wherever anything of it is to be seen, and black where alpha is 0: nothing
    shows there, and black compresses better.

    Args:
        rgb: H x W x 3, uint8 or uint16.
        alpha: H x W in the same type.
        spread: for encoders that lose something, fill the blocks that the edge goes through with the mean colour of
            what they show, instead of black: else black bleeds into the edge.

    Returns:
        H x W x 4 in the same type.
    """
    height, width = alpha.shape
    whole = np.zeros((_blocks(height) * _BLOCK, _blocks(width) * _BLOCK, 4), alpha.dtype)
    rgba = whole[:height, :width]
    box = extent(alpha)
    target, colour, shown = rgba[box], rgb[box], alpha[box] > 0
    for channel in range(3):  # numpy takes seven times as long for all at once
        np.multiply(colour[..., channel], shown, out=target[..., channel])
    target[..., 3] = alpha[box]
    if spread:
        _fill_hidden(whole, box)
    return rgba


def over(rgb: np.ndarray, alpha: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """Lay a cut-out over a background, in the values as they are, as editors do.

    Args:
        rgb: H x W x 3, uint8 or uint16.
        alpha: H x W in the same type.
        backdrop: H x W x 3 in the same type.

    Returns:
        H x W x 3 in the same type, a new array.
    """
    top = np.iinfo(alpha.dtype).max
    picture = backdrop.copy()
    box = extent(alpha)
    target, colour, weight = picture[box], rgb[box], alpha[box]
    opaque = weight == top
    np.copyto(target, colour, where=opaque[..., None])
    soft = (weight > 0) & ~opaque
    weight = weight[soft].astype(np.uint32)[:, None]  # top * top + top // 2 just fits
    target[soft] = (colour[soft] * weight + target[soft] * (top - weight) + top // 2) // top
    return picture


def overlay(rgb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tint each object half in its palette colour, with a white line one pixel wide along its inner edge.

    Args:
        rgb: H x W x 3 uint8.
        labels: H x W uint8, 0 background.

    Returns:
        H x W x 3 uint8, a new array.
    """
    picture = rgb.copy()
    box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in extent(labels))
    target, labels = picture[box], labels[box]  # an edge of the box is one of the picture, or has background at it
    inside = labels > 0
    tint = davis_palette()[labels[inside]]
    target[inside] = (target[inside] & tint) + ((target[inside] ^ tint) >> 1)  # half of both, without carry
    target[inside & _edges(labels)] = _CONTOUR
    return picture


def checkerboard(height: int, width: int) -> np.ndarray:
    """H x W x 3 uint8: grey squares, the sign for transparency."""
    rows, columns = np.indices((height, width), sparse=True)
    squares = (rows // _SQUARE + columns // _SQUARE) % 2
    return np.repeat(np.array(_CHECKS, np.uint8)[squares][..., None], 3, axis=2)


def panels(pictures: list[np.ndarray]) -> np.ndarray:
    """Put pictures of one size (H x W x 3 uint8) side by side; smaller where players would not take the width."""
    height, width = pictures[0].shape[:2]
    size = _panel_size(height, width, len(pictures))
    if size != (height, width):
        small = (size[1], size[0])
        pictures = [np.asarray(Image.fromarray(picture).resize(small, Image.Resampling.BOX)) for picture in pictures]
    return np.hstack(pictures)


def pad_to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where the height or width is odd."""
    height, width = rgb.shape[:2]
    if not (height % 2 or width % 2):
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class Composer:
    """Makes the picture that a format shows of a cut-out.

    Args:
        fmt: a row of :mod:`vcut.video.formats`.
        background: what to lay composites over; ignored by rows with a backdrop of their own.
        pixel_aspect: width of a pixel of the clip over its height.

    Raises:
        OptionError: the format needs a background, and there is none.
    """

    def __init__(self, fmt: Format, background: Background | None = None, pixel_aspect: Fraction = Fraction(1)) -> None:
        self.format = fmt
        if fmt.backdrop:
            background = open_background(fmt.backdrop)  # a colour
        if fmt.content == "composite" and background is None:
            raise OptionError(f"{fmt.name} lays the objects over a background, and none is given", "give --background")
        self._background = background
        self._aspect = pixel_aspect

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the pictures made of frames of this size."""
        if self.format.content == "split":
            height, width = _panel_size(height, width, _PANELS)
            width *= _PANELS
        return (height + height % 2, width + width % 2) if self.format.even_size else (height, width)

    def picture(self, cutout: Cutout, seconds: Fraction) -> np.ndarray:
        """The picture of one frame; ``seconds`` since the first one.

        Returns:
            H x W x 4 for cut-outs, H x W for mattes and labels, else H x W x 3, in the size of :meth:`size`. uint16 in
            formats of 16 bits, and in those of 10 where anything of the cut-out has more than 8; else uint8.
        """
        deep = self.format.depth > 8 and (self.format.depth == 16 or is_deep(cutout.frame.rgb, cutout.alpha))
        match self.format.content:
            case "cutout":
                lossy = self.format.pixel_format.startswith("yuv")
                return straight_rgba(at_depth(cutout.rgb, deep), at_depth(cutout.alpha, deep), spread=lossy)
            case "matte":
                return at_depth(cutout.alpha, deep)
            case "labels":
                return cutout.labels
            case "composite":
                drawn = self._composite(cutout, seconds, deep)
            case "overlay":
                drawn = overlay(at_depth(cutout.frame.rgb, False), cutout.labels)
            case "split":
                matte = np.repeat(at_depth(cutout.alpha, False)[..., None], 3, axis=2)
                drawn = panels([at_depth(cutout.frame.rgb, False), matte, self._composite(cutout, seconds, False)])
            case content:
                raise ValueError(f"there is no picture of {content}")
        return pad_to_even(drawn) if self.format.even_size else drawn

    def shown(self, cutout: Cutout) -> tuple[slice, slice] | None:
        """Rows and columns outside of which the picture of a frame is 0 in all channels, with a block of such pixels
        around what is not; ``None`` for others than cut-outs."""
        if self.format.content != "cutout":
            return None
        rows, columns = (
            slice(max(0, (side.start // _BLOCK - 1) * _BLOCK), min(length, (_blocks(side.stop) + 1) * _BLOCK))
            for side, length in zip(extent(cutout.alpha), cutout.alpha.shape, strict=True)
        )
        return rows, columns

    def _composite(self, cutout: Cutout, seconds: Fraction, deep: bool) -> np.ndarray:
        height, width = cutout.alpha.shape
        if self._background is None:
            backdrop = checkerboard(height, width)
        else:
            backdrop = self._background.at(cutout.frame.index, seconds, (width, height), self._aspect)
        return over(at_depth(cutout.rgb, deep), at_depth(cutout.alpha, deep), at_depth(backdrop, deep))


def _fill_hidden(rgba: np.ndarray, box: tuple[slice, slice]) -> None:
    """Give invisible pixels the mean colour of the visible ones of their block of 16 x 16; empty blocks are left.

    Args:
        rgba: whole blocks, 0 where nothing is to be seen.
        box: the rows and columns that hold all that is.
    """
    rows, columns = (slice(side.start // _BLOCK, _blocks(side.stop)) for side in box)
    blocks = rgba.reshape(len(rgba) // _BLOCK, _BLOCK, -1, _BLOCK, 4).swapaxes(1, 2)[rows, columns]
    shown = blocks[..., 3] > 0
    some = np.nonzero(shown.any((2, 3)) & ~shown.all((2, 3)))
    mixed, seen = blocks[some], shown[some][..., None]
    mean = mixed[..., :3].sum((1, 2), keepdims=True) / seen.sum((1, 2), keepdims=True) + 0.5
    np.copyto(mixed[..., :3], mean.astype(rgba.dtype), where=~seen)
    blocks[some] = mixed


def _blocks(length: int) -> int:
    """How many blocks so many pixels take."""
    return -(-length // _BLOCK)


def _panel_size(height: int, width: int, count: int) -> tuple[int, int]:
    """Height and width of each of ``count`` panels."""
    room = _WIDEST // count
    return (height, width) if width <= room else (max(1, round(height * room / width)), room)


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
