"""Which way up a stored picture is meant: the display matrix of a video, the EXIF tag of a picture."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

# By EXIF orientation: degrees counter-clockwise, and whether mirrored before.
_EXIF = {2: (0, True), 3: (180, False), 4: (180, True), 5: (90, True), 6: (270, False), 7: (270, True), 8: (90, False)}


@dataclass(frozen=True)
class Orientation:
    """What turns a stored picture upright: first mirrored left to right, then turned.

    Attributes:
        rotation: degrees counter-clockwise: 0, 90, 180 or 270.
        mirrored: whether left and right change places before that.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def sideways(self) -> bool:
        """Whether width and height change places."""
        return self.rotation % 180 != 0

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """``picture``, H x W or H x W x C, upright and C-contiguous."""
        if self.mirrored:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(np.rot90(picture, k=self.rotation // 90))


def frame_orientation(frame: VideoFrame) -> Orientation:
    """The orientation that the display matrix of a decoded frame asks for; angles between go to the nearest quarter."""
    try:
        matrices = [bytes(data) for data in frame.side_data if data.type is Type.DISPLAYMATRIX]
    except ValueError:  # side data of a kind that PyAV has no name for: it still tells the angle
        return Orientation(round(frame.rotation / 90) * 90 % 360)
    return matrix_orientation(matrices[0]) if matrices else Orientation()


def matrix_orientation(raw: bytes) -> Orientation:
    """The orientation of a display matrix: nine native 32-bit integers a b u, c d v, x y w of ISO/IEC 14496-12.

    It takes the stored point (p, q) to (a p + c q, b p + d q), with q growing downwards.
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", raw)
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return Orientation(round(math.degrees(math.atan2(-b, a)) / 90) * 90 % 360, mirrored)


def exif_orientation(value: int | None) -> Orientation:
    """The orientation of EXIF tag 0x0112; none of 1 to 8 is upright."""
    return Orientation(*_EXIF.get(value or 1, (0, False)))
