"""Pictures as a source of frames: a folder, a numbered sequence, or a single one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from vcut.errors import InputError
from vcut.video.colour import SRGB
from vcut.video.picture import Header, read_header, read_picture
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame, Source
from vcut.video.span import Span

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".exr"})


class PictureSource(Source):
    """Pictures in order; the time stamp of each is its index.

    Numbers that are missing in a numbered sequence leave a gap: the frames after it keep their number and time, and a
    warning tells. So does a picture that turns out damaged when its turn comes. A sequence with a regular step (every
    fifth frame) has no gaps.

    Args:
        path: what the user named.
        pictures: number and file of each, growing.
        rate: frames a second.
        deep: give uint16 where one has more than 8 bits.
        span: the part to read.

    Raises:
        InputError: one cannot be read, or their sizes differ.
    """

    def __init__(
        self,
        path: Path,
        pictures: Sequence[tuple[int, Path]],
        rate: Fraction,
        *,
        deep: bool = False,
        span: Span | None = None,
    ) -> None:
        self.warnings = []
        self._span = span or Span()
        self._files = _placed(pictures)
        first = read_picture(pictures[0][1])[0]
        height, width = first.shape[:2]
        headers = [_checked_header(file, width, height) for _, file in pictures]
        depth = max(header.depth for header in headers)
        self._deep = deep and depth > 8
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
            duration=float((self._files[-1][0] + 1) / rate),
            colour=SRGB,
            depth=depth,
            has_alpha=any(header.has_alpha for header in headers),
        )
        wanted = [place for place, (index, _) in zip(pictures, self._files, strict=True) if self._holds(index)]
        missing = _missing(wanted, _step([number for number, _ in pictures]))
        if missing:
            self.warnings.append(f"{path.name}: {missing}, their time stays empty")
        self._frames = self._read_all()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()

    def _holds(self, index: int) -> bool:
        seconds = index * self._time_base
        return self._span.begun(index, seconds) and not self._span.ended(index, seconds)

    def _read_all(self) -> Iterator[Frame]:
        read = 0
        damaged: list[InputError] = []
        for index, file in self._files:
            if not self._holds(index):
                continue
            try:
                rgb, alpha = read_picture(file, self._deep, self.info.has_alpha)
            except InputError as error:
                damaged.append(error)
                continue
            if rgb.shape[:2] != (self.info.height, self.info.width):
                raise _other_size(file, (rgb.shape[1], rgb.shape[0]), (self.info.width, self.info.height))
            read += 1
            yield Frame(index, index, self._time_base, rgb, alpha)
        if not read:
            last = self._files[-1][0]
            ended = self._span.ended(last, last * self._time_base)
            raise damaged[0] if damaged else self._span.missed(self.info.path, last + 1, ended)
        if damaged:
            others = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            self.warnings.append(f"{read} pictures kept; {damaged[0].what}{others}")


def folder_pictures(folder: Path) -> list[tuple[int, Path]]:
    """The pictures of a folder in natural order, counted from 0.

    Raises:
        InputError: there are none, or the folder cannot be read.
    """
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}", "check its permissions") from error
    kept = [name for name in names if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES]
    if not kept:
        kinds = " ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES - {".exr"}))
        raise InputError(f"the folder {folder} holds no pictures", f"give a video, or a folder of {kinds}")
    return [(number, folder / name) for number, name in enumerate(sorted(kept, key=natural_key))]


def single_picture(file: Path) -> list[tuple[int, Path]]:
    """A picture as a clip of one frame.

    Raises:
        InputError: it cannot be read, or is an animation.
    """
    pictures = read_header(file).pictures
    if pictures > 1:
        raise InputError(
            f"{file} is an animation of {pictures} pictures", "convert it to a video, or to a folder of PNG"
        )
    return [(0, file)]


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A sort key under which numbers in names compare as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _step(numbers: Sequence[int]) -> int:
    return math.gcd(*(later - numbers[0] for later in numbers[1:])) or 1


def _placed(pictures: Sequence[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """The pictures with their index: counted from the first in steps of the sequence."""
    numbers = [number for number, _ in pictures]
    step = _step(numbers)
    return [((number - numbers[0]) // step, file) for number, file in pictures]


def _missing(pictures: Sequence[tuple[int, Path]], step: int) -> str | None:
    """Which numbers between the first and the last have no picture, in words; None when all are there."""
    numbers = [number for number, _ in pictures]
    gaps = [(a + step, b - step) for a, b in pairwise(numbers) if b - a > step]
    if not gaps:
        return None
    count = sum((last - first) // step + 1 for first, last in gaps)
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in gaps[:5]]
    more = ", ..." if len(gaps) > 5 else ""
    return f"{count} picture{' is' if count == 1 else 's are'} missing ({', '.join(shown)}{more})"


def _checked_header(file: Path, width: int, height: int) -> Header:
    """The header of a picture, its size compared with the first one's, either way up."""
    header = read_header(file)
    if sorted(header.size) != sorted((width, height)):
        raise _other_size(file, header.size, (width, height))
    return header


def _other_size(file: Path, size: tuple[int, int], expected: tuple[int, int]) -> InputError:
    return InputError(
        f"{file} is {size[0]}x{size[1]}, but the first picture is {expected[0]}x{expected[1]}",
        "all frames must have one size",
    )
