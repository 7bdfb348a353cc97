"""Colour tags of a video, and the one decision what untagged material means.

Numbers are those of ffmpeg (ISO/IEC 23091-2): matrix 1 is BT.709, 5 and 6 BT.601, 9 BT.2020; range 1 is
limited ("tv"), 2 full ("pc").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from av.video.reformatter import Colorspace, Interpolation

_UNSPECIFIED = 2
_LIMITED = 1
_HD_HEIGHT = 720
_HD_WIDTH = 1280

# Bilinear chroma at full resolution, rounded exactly: swscale's fast path is up to three levels too dark.
SCALING = int(Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND)


@dataclass(frozen=True)
class ColourTags:
    """What a stream says of its colours, as ffmpeg integers; None where it says nothing."""

    matrix: int | None = None
    primaries: int | None = None
    transfer: int | None = None
    range: int | None = None


_BT709 = ColourTags(matrix=1, primaries=1, transfer=1, range=_LIMITED)
_BT601 = ColourTags(matrix=6, primaries=6, transfer=6, range=_LIMITED)
_BT2020 = ColourTags(matrix=9, primaries=9, transfer=14, range=_LIMITED)

# Matrices that swscale can convert: the tags that belong to each, and its name there.
# 10 (BT.2020 constant luminance) is converted as 9.
_FAMILY = {1: _BT709, 4: _BT601, 5: _BT601, 6: _BT601, 7: _BT709, 9: _BT2020, 10: _BT2020}
_SWSCALE = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}

# Pictures are sRGB: no matrix, full range.
SRGB = ColourTags(matrix=None, primaries=1, transfer=13, range=2)


def tags_of(matrix: int, primaries: int, transfer: int, colour_range: int) -> ColourTags:
    """Tags from the raw integers of a decoded frame, with "unspecified" turned into None."""
    return ColourTags(
        matrix=None if matrix == _UNSPECIFIED else matrix,
        primaries=None if primaries == _UNSPECIFIED else primaries,
        transfer=None if transfer == _UNSPECIFIED else transfer,
        range=colour_range or None,
    )


def decided(tags: ColourTags, height: int, width: int = 0) -> ColourTags:
    """Fill what is missing in ``tags``, so that none of the four is None.

    A matrix that is missing, or that means no YUV material (0, RGB), is BT.709 from 720 lines or 1280 columns
    up (films are cropped to 1280 x 536) and BT.601 below; primaries and transfer follow the matrix, and range is
    limited. The matrix of the result is one that :func:`swscale_matrix` knows. What is there stays: PQ and HLG
    remain what they are.
    """
    is_hd = height >= _HD_HEIGHT or width >= _HD_WIDTH
    family = _FAMILY.get(tags.matrix or 0, _BT709 if is_hd else _BT601)
    return ColourTags(
        matrix=tags.matrix if tags.matrix in _SWSCALE else family.matrix,
        primaries=tags.primaries or family.primaries,
        transfer=tags.transfer or family.transfer,
        range=tags.range or family.range,
    )


def encoding_tags(tags: ColourTags, height: int, width: int = 0) -> ColourTags:
    """The tags to write YUV material with: those of the source, decided, in limited range."""
    return replace(decided(tags, height, width), range=_LIMITED)


def swscale_matrix(tags: ColourTags) -> Colorspace:
    """swscale's name for the matrix of decided tags."""
    return _SWSCALE[tags.matrix or 0]
