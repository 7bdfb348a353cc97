"""A folder of pictures, or one picture, as a source of frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vcut.errors import InputError
from vcut.video.colour import SRGB
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame, Source

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


class FolderSource(Source):
    """Pictures in natural order (frame2 before frame10); the time stamp of each is its index.

    Args:
        path: a folder, or one picture.
        rate: frames a second.

    Raises:
        InputError: there are no pictures, one cannot be read, or their sizes differ.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        self.warnings = []
        self._files = _pictures(path)
        height, width = _read(self._files[0]).shape[:2]
        for file in self._files[1:]:
            _check_sides(file, width, height)
        self._time_base = 1 / rate
        self.info = VideoInfo(
            path=path,
            kind="frames",
            width=width,
            height=height,
            rotation=0,
            rate=rate,
            time_base=self._time_base,
            frames_estimate=len(self._files),
            duration=float(len(self._files) / rate),
            colour=SRGB,
        )
        self._frames = self._read_all()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()

    def _read_all(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            rgb = _read(file)
            if rgb.shape[:2] != (self.info.height, self.info.width):
                raise _other_size(file, (rgb.shape[1], rgb.shape[0]), (self.info.width, self.info.height))
            yield Frame(index, index, self._time_base, rgb)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A sort key under which numbers in names compare as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _pictures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        names = [entry.name for entry in path.iterdir() if entry.is_file()]
    except OSError as error:
        raise InputError(f"cannot read the folder {path}: {error.strerror}", "check its permissions") from error
    kept = [name for name in names if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES]
    if not kept:
        kinds = " ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        raise InputError(f"the folder {path} holds no pictures", f"give a video, or a folder of {kinds}")
    return [path / name for name in sorted(kept, key=natural_key)]


def _read(file: Path) -> np.ndarray:
    """The picture upright, H x W x 3 uint8; greys become RGB, 16 bits are cut to 8, alpha is dropped."""
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode == "I" or upright.mode.startswith("I;16"):
                grey = np.clip(np.asarray(upright) >> 8, 0, 255).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from error


def _check_sides(file: Path, width: int, height: int) -> None:
    """Compare the size in a picture's header with the first one's, either way up: EXIF is read later."""
    try:
        with Image.open(file) as image:
            size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from error
    if sorted(size) != sorted((width, height)):
        raise _other_size(file, size, (width, height))


def _unreadable(file: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or "not a picture, or damaged"
    return InputError(f"cannot read the picture {file}: {reason}", "replace it or take it out")


def _other_size(file: Path, size: tuple[int, int], expected: tuple[int, int]) -> InputError:
    return InputError(
        f"{file} is {size[0]}x{size[1]}, but the first picture is {expected[0]}x{expected[1]}",
        "all frames must have one size",
    )
