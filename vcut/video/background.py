"""What composites are laid over: a colour, a picture, or a video that plays along and begins again at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import ImageColor

from vcut.errors import InputError, OptionError
from vcut.video.reader import open_source
from vcut.video.source import Frame, Source

# What a keyer expects of "green" is not the dark green that HTML means.
_SCREENS = {"green": (0, 255, 0), "blue": (0, 0, 255)}
_SCALING = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
_NOMINAL_RATE = Fraction(25)


class Background(ABC):
    """A picture for every moment of a clip; a context manager, for some keep a file open.

    Several writers may share one as long as they ask in the same order.
    """

    @abstractmethod
    def at(
        self, index: int, seconds: Fraction, size: tuple[int, int], pixel_aspect: Fraction = Fraction(1)
    ) -> np.ndarray:
        """The background of one frame, scaled to fill it and cut evenly where it sticks out.

        Args:
            index: number of the frame in its clip.
            seconds: since the first frame written.
            size: width and height of the frame.
            pixel_aspect: width of one of its pixels over the height.

        Returns:
            H x W x 3, uint8 or uint16, not to be written to.

        Raises:
            InputError: the file behind it cannot be read.
        """

    def close(self) -> None:  # noqa: B027 - a colour has nothing to let go of
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Colour(Background):
    """One colour: red, green and blue from 0 to 255."""

    def __init__(self, rgb: tuple[int, int, int]) -> None:
        self.rgb = rgb
        self._plain = np.zeros((0, 0, 3), np.uint8)

    def at(
        self, index: int, seconds: Fraction, size: tuple[int, int], pixel_aspect: Fraction = Fraction(1)
    ) -> np.ndarray:
        width, height = size
        if self._plain.shape[:2] != (height, width):
            self._plain = np.full((height, width, 3), self.rgb, np.uint8)
        return self._plain


class Clip(Background):
    """A video, a folder of pictures or one picture; its first frame lies under the clip's first.

    Each moment shows the frame whose time has come; after the last frame has had its time the first follows again.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scaler = VideoReformatter()
        self._scaled: tuple[object, np.ndarray] | None = None
        self._open(Fraction(0))

    def at(
        self, index: int, seconds: Fraction, size: tuple[int, int], pixel_aspect: Fraction = Fraction(1)
    ) -> np.ndarray:
        self._play_to(Fraction(seconds))
        key = (self._begins, size, pixel_aspect)
        if self._scaled is None or self._scaled[0] != key:
            self._scaled = key, self._fill(self._shown.rgb, size, pixel_aspect)
        return self._scaled[1]

    def close(self) -> None:
        self._source.close()

    def _open(self, origin: Fraction) -> None:
        """Open the file with its first frame at ``origin`` seconds of the clip."""
        self._source: Source = open_source(self._path)
        self._frames: Iterator[Frame] = iter(self._source)
        first = next(self._frames, None)
        if first is None:
            self._source.close()
            raise InputError(f"the background {self._path} has no frames", "choose another")
        self._first_pts = first.pts
        self._origin = origin
        self._shown, self._begins = first, origin
        self._next = next(self._frames, None)
        self._still = self._next is None

    def _play_to(self, seconds: Fraction) -> None:
        """Make the frame of that moment the one that is shown; going back begins the file again."""
        if self._still:
            return
        if seconds < self._begins:
            self._source.close()
            self._open(Fraction(0))
        while True:
            if self._next is None:
                end = self._begins + self._last_length
                if seconds < end:
                    return
                self._source.close()
                self._open(end)
                continue
            begins = self._origin + (self._next.pts - self._first_pts) * self._next.time_base
            if seconds < begins:
                return
            self._last_length = begins - self._begins
            self._shown, self._begins = self._next, begins
            self._next = next(self._frames, None)

    def _fill(self, rgb: np.ndarray, size: tuple[int, int], pixel_aspect: Fraction) -> np.ndarray:
        """Cut the middle of the wanted shape out of a picture, and scale it to ``size``."""
        shape = Fraction(size[0], size[1]) * pixel_aspect / self._source.info.pixel_aspect
        height, width = rgb.shape[:2]
        wide, tall = min(width, max(1, round(height * shape))), min(height, max(1, round(width / shape)))
        left, above = (width - wide) // 2, (height - tall) // 2
        cut = np.ascontiguousarray(rgb[above : above + tall, left : left + wide])
        if (wide, tall) == size:
            return cut
        name = "rgb24" if cut.dtype == np.uint8 else "rgb48le"
        frame = VideoFrame.from_ndarray(cut, format=name)
        return self._scaler.reformat(frame, width=size[0], height=size[1], interpolation=_SCALING).to_ndarray()


def open_background(text: str) -> Background:
    """A background as a user writes it: a colour, else a file or folder.

    Colours are names (``white``, ``salmon``), ``#rgb`` or ``#rrggbb``, ``rgb(10, 20, 30)``; ``green`` and ``blue``
    are those of a screen, (0, 255, 0) and (0, 0, 255). A file that is called like a colour is ``./green``.

    Raises:
        OptionError: it is neither.
        InputError: the file cannot be read.
    """
    if text.lower() in _SCREENS:
        return Colour(_SCREENS[text.lower()])
    try:
        return Colour(ImageColor.getrgb(text)[:3])
    except ValueError:
        path = Path(text)
    if text and path.exists():
        return Clip(path)
    raise OptionError(
        f"--background {text!r} is neither a colour nor a file",
        "give a colour such as white or #00b140, a picture or a video",
    )
