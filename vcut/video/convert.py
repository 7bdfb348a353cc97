"""Decoded video frames to RGB and alpha: matrix, range and bit depth undone, to within rounding.

Measured against exact arithmetic (tests/video/test_convert.py): 8-bit results are within 0.52 of a level of 255, deep
ones within 0.02. swscale alone does not reach that: its 16-bit output of limited-range video is 1/256 too dark, its
``rgb48le`` of 4:2:0 has wrong colours with the flags we need, and its alpha of 10 and 12 bits never gets fully opaque.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

from vcut.video.colour import SCALING, ColourTags, swscale_matrix

_LIMITED, _FULL = 1, 2


def depth_of(form: VideoFormat) -> int:
    """Bits of the deepest channel, at least 8; 32 for floating point."""
    return max(8, *(component.bits for component in form.components))


def carries_alpha(form: VideoFormat) -> bool:
    """Whether frames of this pixel format have opacity of their own."""
    return form.has_palette or any(component.is_alpha for component in form.components)


class Converter:
    """Turns frames of one stream into RGB and alpha, as they are stored (not yet upright).

    Args:
        tags: decided colour tags of the stream.
        deep: give uint16 over its whole range instead of uint8.
        alpha: give alpha with every frame, fully opaque where a frame has none.
    """

    def __init__(self, tags: ColourTags, *, deep: bool, alpha: bool) -> None:
        self._tags = tags
        self._matrix = swscale_matrix(tags)
        self._maximum = 65535 if deep else 255
        self._alpha = alpha
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """H x W x 3 and, where asked for, H x W; uint8 or uint16.

        Raises:
            av.FFmpegError, ValueError: the pixel format cannot be converted.
        """
        form = frame.format
        alpha = None
        if form.name.startswith("gray"):
            rgb = self._grey(frame)
        elif form.is_rgb or form.has_palette or form.name.startswith(("ya8", "ya16", "xyz", "mono")):
            rgb, alpha = self._direct(frame)
        else:
            rgb = self._yuv(frame)
            if self._alpha and carries_alpha(form):
                alpha = self._alpha_of_yuv(frame)
        if self._alpha and alpha is None:
            alpha = np.full(rgb.shape[:2], self._maximum, self._dtype)
        return rgb, alpha if self._alpha else None

    @property
    def _dtype(self) -> type[np.unsignedinteger]:
        return np.uint16 if self._maximum > 255 else np.uint8

    def _grey(self, frame: VideoFrame) -> np.ndarray:
        """Grey is full range, as in ffmpeg, unless it is tagged otherwise."""
        bits = depth_of(frame.format)
        low, high = 0, 2**bits - 1
        if frame.color_range == _LIMITED:
            low, high = 16 << bits - 8, 235 << bits - 8
        grey = _levels(frame.to_ndarray(), 2**bits - 1, self._maximum, low, high)
        return np.repeat(grey[:, :, None], 3, axis=2)

    def _direct(self, frame: VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """RGB, palettes and grey with alpha: nothing but channels to be put in order, and scaled."""
        wide = depth_of(frame.format) > 8
        alpha = carries_alpha(frame.format)
        deepest = "rgba64le" if alpha else "rgb48le"
        picture = self._reformat(frame, deepest if wide else "rgba" if alpha else "rgb24")
        picture = _levels(picture, 65535 if wide else 255, self._maximum)
        return np.ascontiguousarray(picture[:, :, :3]), picture[:, :, 3] if alpha else None

    def _yuv(self, frame: VideoFrame) -> np.ndarray:
        bits = depth_of(frame.format)
        full = self._tags.range == _FULL or frame.format.name.startswith("yuvj")
        if bits == 8 or (not full and self._maximum == 255):
            return _levels(self._reformat(frame, "gbrp", full), 255, self._maximum)
        # Of N bits at full range swscale makes 16 by appending zeros, of limited range by 8 zeros to its 8-bit result.
        filled = bits if full else 8
        peak = ((1 << filled) - 1) << (16 - filled)
        picture = np.minimum(self._reformat(frame, "gbrp16le", full), np.uint16(peak))
        picture += picture >> filled
        return _levels(picture, 65535, self._maximum)

    def _alpha_of_yuv(self, frame: VideoFrame) -> np.ndarray:
        bits = depth_of(frame.format)
        if len(frame.planes) < 4:  # packed
            picture = self._reformat(frame, "rgba64le" if bits > 8 else "rgba")
            return _levels(picture[:, :, 3], 65535 if bits > 8 else 255, self._maximum)
        plane = frame.planes[3]
        sample = np.dtype("u1" if bits == 8 else ">u2" if frame.format.is_big_endian else "<u2")
        lines = np.frombuffer(plane, sample).reshape(-1, plane.line_size // sample.itemsize)
        return _levels(lines[: plane.height, : plane.width], 2**bits - 1, self._maximum)

    def _reformat(self, frame: VideoFrame, target: str, full: bool = True) -> np.ndarray:
        return self._reformatter.reformat(
            frame,
            format=target,
            src_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=SCALING,
            threads=1,  # less work than waking others for it
        ).to_ndarray()


def _levels(values: np.ndarray, top: int, maximum: int, low: int = 0, high: int | None = None) -> np.ndarray:
    """``values`` of 0..``top`` with ``low``..``high`` stretched to 0..``maximum``, rounded; an array of its own."""
    high = top if high is None else high
    if (low, high) == (0, maximum):
        return values.astype(np.uint16 if maximum > 255 else np.uint8)
    return _table(top, maximum, low, high)[np.minimum(values, top)]


@lru_cache(maxsize=16)
def _table(top: int, maximum: int, low: int, high: int) -> np.ndarray:
    exact = (np.arange(top + 1) - low) * (maximum / (high - low))
    return np.clip(np.rint(exact), 0, maximum).astype(np.uint16 if maximum > 255 else np.uint8)
