"""From arrays to frames that an encoder takes: pixel format, matrix and range, alpha exact, colours tagged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

from vcut.video.colour import SCALING, ColourTags, encoding_tags, swscale_matrix
from vcut.video.depth import is_deep, levels
from vcut.video.formats import Format
from vcut.video.probe import VideoInfo

_RGB_MATRIX = 0
_FULL = 2
_NAMES = {1: ("gray", "gray16le"), 3: ("rgb24", "rgb48le"), 4: ("rgba", "rgba64le")}
_NEUTRAL_10 = 512
_BLACK_10, _WHITE_10 = 64, 940
_NOTHING = (16, 128, 128, 0)
"""Black, in which nothing is to be seen: luma, chroma and opacity in 8 bits, limited range."""

_MOST = 0.5
"""Share of a picture from which on all of it is converted at once."""


class Converter:
    """Turns the pictures of one output into frames for its encoder.

    Args:
        fmt: a row of :mod:`vcut.video.formats`.
        info: the source, whose colours are kept.

    Attributes:
        tags: what the output says of its colours.
    """

    def __init__(self, fmt: Format, info: VideoInfo) -> None:
        self._format = fmt
        self._is_yuv = fmt.pixel_format.startswith("yuv")
        tags = encoding_tags(info.colour, info.height, info.width)
        self.tags = tags if self._is_yuv else replace(tags, matrix=_RGB_MATRIX, range=_FULL)
        self._reformatter = VideoReformatter()

    def frame(self, picture: np.ndarray, shown: tuple[slice, slice] | None = None) -> VideoFrame:
        """A picture in the format's pixels, tagged.

        Args:
            picture: H x W (grey) or H x W x 3 or 4 in uint8 or uint16.
            shown: rows and columns outside of which one with opacity is 0, where that is known
                (:meth:`vcut.video.compose.Composer.shown`).
        """
        if picture.ndim == 2 and self._format.pixel_format == "yuv422p10le":
            frame = _grey_10(picture)
        elif shown is not None and self._pays(picture, shown):
            frame = self._set_in(picture, shown)
        else:
            frame = self._converted(picture)
        tag(frame, self.tags)
        return frame

    def _pays(self, picture: np.ndarray, shown: tuple[slice, slice]) -> bool:
        """Whether to convert a part alone: a small one, where that gives the same. With half as much chroma, swscale
        places that of an odd number of pixels elsewhere."""
        even = picture.shape[0] % 2 == picture.shape[1] % 2 == 0
        return self._is_yuv and even and picture[shown].size < _MOST * picture.size

    def _set_in(self, picture: np.ndarray, shown: tuple[slice, slice]) -> VideoFrame:
        """The same as all of it converted, in the time of the part that shows something."""
        height, width = picture.shape[:2]
        frame = VideoFrame(width, height, self._format.pixel_format)
        part = self._converted(picture[shown]) if picture[shown].size else None
        for number, nothing in enumerate(_NOTHING):
            _fill(frame, number, nothing << (frame.format.components[number].bits - 8))
            if part is not None:
                rows, source = _rows(frame, number), _rows(part, number)
                top, left = shown[0].start * len(rows) // height, shown[1].start * rows.shape[1] // width
                rows[top : top + len(source), left : left + source.shape[1]] = source
        return frame

    def _converted(self, picture: np.ndarray) -> VideoFrame:
        channels = picture.shape[2] if picture.ndim == 3 else 1
        name = _NAMES[channels][is_deep(picture)]
        if not self._is_yuv:
            plain = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=name)
            return self._reformatter.reformat(plain, format=self._format.pixel_format)
        # For swscale, white among 16 bits is 255 with 8 zeros behind.
        values = picture - (picture >> 8) if is_deep(picture) else np.ascontiguousarray(picture)
        plain = VideoFrame.from_ndarray(values, format=name)
        frame = self._reformatter.reformat(
            plain,
            format=self._format.pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=swscale_matrix(self.tags),
            dst_color_range=ColorRange.MPEG,
            interpolation=SCALING,
        )
        if channels == 4:  # swscale is up to one level off
            deepest = (1 << frame.format.components[3].bits) - 1
            _fill(frame, 3, levels(picture[..., 3], 0, deepest))
        return frame


def tag(target: VideoFrame | VideoCodecContext, tags: ColourTags) -> None:
    """Write colour tags on a frame or an encoder: some formats take them from the one, some the other."""
    target.colorspace = tags.matrix
    target.color_primaries = tags.primaries
    target.color_trc = tags.transfer
    target.color_range = tags.range


def _grey_10(picture: np.ndarray) -> VideoFrame:
    """A grey picture as luma in limited range, its chroma neutral to the last bit."""
    height, width = picture.shape
    frame = VideoFrame(width, height, "yuv422p10le")
    _fill(frame, 0, levels(picture, _BLACK_10, _WHITE_10))
    _fill(frame, 1, _NEUTRAL_10)
    _fill(frame, 2, _NEUTRAL_10)
    return frame


def _fill(frame: VideoFrame, plane: int, values: np.ndarray | int) -> None:
    _rows(frame, plane)[...] = values


def _rows(frame: VideoFrame, plane: int) -> np.ndarray:
    """The samples of a plane, to be read or written."""
    target = frame.planes[plane]
    sample = np.uint8 if frame.format.components[plane].bits == 8 else np.uint16
    return np.frombuffer(target, sample).reshape(target.height, -1)[:, : target.width]
