"""One picture file as RGB and alpha, upright, in its own depth.

Pillow reads them, except colours of 16 bits, which it cuts to 8: those go through ffmpeg's PNG and TIFF decoders.
Alpha is given straight: colours of a TIFF that are stored premultiplied are divided by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from vcut.errors import InputError
from vcut.video.colour import SRGB, decided
from vcut.video.convert import Converter
from vcut.video.depth import at_depth
from vcut.video.orientation import exif_orientation

_ORIENTATION = 0x0112
_BITS, _TILES, _EXTRA = 258, 322, 338
_PREMULTIPLIED, _STRAIGHT = 1, 2


@dataclass(frozen=True)
class Header:
    """What a picture says before it is decoded.

    Attributes:
        size: width and height, upright or not: EXIF is read later.
        depth: bits a channel, 8 or 16.
        has_alpha: whether it has transparency.
        pictures: how many there are in the file: more than one in an animation.
    """

    size: tuple[int, int]
    depth: int
    has_alpha: bool
    pictures: int


def read_header(file: Path) -> Header:
    """Looks into a picture without decoding it.

    Raises:
        InputError: not a picture, or of a kind that cannot be read.
    """
    with _opened(file) as image:
        depth = 16 if image.mode.startswith("I") or _wide_format(file, image) else 8
        animated = image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1)
        return Header(image.size, depth, image.has_transparency_data, animated or 1)


def read_picture(file: Path, deep: bool = False, alpha: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture upright: H x W x 3, and where asked for its opacity, H x W; uint8, or uint16 when ``deep``.

    Greys become RGB; a picture without transparency is opaque.

    Raises:
        InputError: it cannot be read.
    """
    with _opened(file) as image:
        wide = _wide_format(file, image)
        rgb, opacity = _by_ffmpeg(file, image, wide) if wide else _by_pillow(image)
    if opacity is None:
        opacity = np.full(rgb.shape[:2], np.iinfo(rgb.dtype).max, rgb.dtype)
    rgb = np.ascontiguousarray(at_depth(rgb, deep))
    return rgb, np.ascontiguousarray(at_depth(opacity, deep)) if alpha else None


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """A picture open in Pillow; its errors, and those of ffmpeg, as one line, and its grumbling not at all."""
    if file.suffix.lower() == ".exr":
        raise InputError(f"cannot read the picture {file}: EXR is not read here", "convert it to 16-bit TIFF or PNG")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file) as image:
            if image.mode == "F":
                raise InputError(f"{file} has colours in floating point", "convert it to 16-bit TIFF or PNG")
            yield image
    except (
        av.FFmpegError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        MemoryError,
        OverflowError,
        Image.DecompressionBombError,
    ) as error:
        reason = getattr(error, "strerror", None) if isinstance(error, OSError) else None
        raise InputError(
            f"cannot read the picture {file}: {reason or 'not a picture, or damaged'}", "replace it or take it out"
        ) from error


def _by_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        grey = np.clip(np.asarray(upright), 0, 65535).astype(np.uint16)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    if upright.has_transparency_data:
        rgba = np.asarray(upright.convert("RGBA"))
        return rgba[:, :, :3], rgba[:, :, 3]
    return np.array(upright.convert("RGB")), None


def _wide_format(file: Path, image: Image.Image) -> str | None:
    """ffmpeg's demuxer for 16-bit colours that Pillow would cut to 8 bits; None for all else."""
    if image.mode not in ("RGB", "RGBA"):
        return None
    if image.format == "PNG":
        with file.open("rb") as data:
            return "png_pipe" if data.read(25)[24:] == b"\x10" else None
    if image.format == "TIFF":
        tags = image.tag_v2
        # ffmpeg takes no tiles: there Pillow's 8 bits remain.
        return "tiff_pipe" if set(tags.get(_BITS, ())) == {16} and _TILES not in tags else None
    return None


def _by_ffmpeg(file: Path, image: Image.Image, demuxer: str) -> tuple[np.ndarray, np.ndarray | None]:
    extra = getattr(image, "tag_v2", {}).get(_EXTRA, (_STRAIGHT,))[0]
    # Opened here: ffmpeg would take a name like a%03d.png for many files.
    with file.open("rb") as data, av.open(data, format=demuxer) as container:
        frame = next(container.decode(video=0))
        rgb, opacity = Converter(decided(SRGB, frame.height, frame.width), deep=True, alpha=True)(frame)
    if extra == _PREMULTIPLIED:
        rgb = _straight(rgb, opacity)
    turn = exif_orientation(image.getexif().get(_ORIENTATION))
    return turn.upright(rgb), turn.upright(opacity) if image.has_transparency_data else None


def _straight(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours divided by their opacity, uint16; where that is nothing, they stay."""
    divisor = np.where(alpha > 0, alpha, 65535).astype(np.float32) / 65535
    return np.minimum(np.rint(rgb / divisor[:, :, None]), 65535).astype(np.uint16)
