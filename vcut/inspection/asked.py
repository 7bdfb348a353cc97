"""Which frames of a clip are shown."""

from __future__ import annotations

import numpy as np

from vcut.errors import InputError, OptionError
from vcut.video.pipe import PIPE
from vcut.video.reader import open_source
from vcut.video.source import Source
from vcut.video.span import Span

ROWS = 5
"""Frames of a sheet when none are asked for."""

MOST_ROWS = 40


def parse_frames(text: str) -> tuple[int, ...]:
    """``0,20,40`` as frame numbers, ascending, each once.

    Raises:
        OptionError: something else, or more than :data:`MOST_ROWS`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise OptionError(f"--frames '{text}' are not frame numbers", "give numbers from 0, e.g. 0,20,40")
    numbers = tuple(sorted({int(part) for part in parts}))
    if len(numbers) > MOST_ROWS:
        raise OptionError(f"--frames names {len(numbers)} frames", f"a sheet has {MOST_ROWS} at most")
    return numbers


def check_there(source: Source, span: Span, numbers: tuple[int, ...]) -> None:
    """Raises InputError where a clip ends before the last of the frames, as far as that can be told beforehand: a pipe
    cannot be asked."""
    path, length = source.info.path, span.length(source.info.frames_estimate, source.info.rate)
    if path == PIPE or (length is not None and isinstance(span.start, int) and numbers[-1] < span.start + length):
        return
    with open_source(path, span=Span(numbers[-1], numbers[-1] + 1), deinterlace=False) as clip:
        next(iter(clip))


def spread(source: Source, span: Span, first: int) -> tuple[int, ...]:
    """:data:`ROWS` numbers from ``first`` to about the last frame of the span, evenly spaced.

    Raises:
        OptionError: how long the clip is cannot be told.
    """
    length = span.length(source.info.frames_estimate, source.info.rate)
    if not length:
        raise OptionError(
            f"how long {source.info.path} is cannot be told", "say which frames to show with --frames, e.g. 0,20,40"
        )
    return tuple(sorted({first + round(place) for place in np.linspace(0, length - 1, min(ROWS, length))}))


class Asked:
    """The frames that are still to come of those asked for.

    Args:
        numbers: ascending.
        exact: whether a number stands for that very frame; else for the first that is there from it on.
    """

    def __init__(self, numbers: tuple[int, ...], exact: bool) -> None:
        self.left = list(numbers)
        self.last = numbers[-1]
        self._exact = exact

    def due(self, index: int) -> bool:
        """Whether the frame of that number is to be shown.

        Raises:
            InputError: one before it is asked for and is not there.
        """
        due = False
        while self.left and self.left[0] <= index:
            if self._exact and self.left[0] < index:
                raise self._missed(f"the next one is {index}")
            self.left.pop(0)
            due = True
        return due

    def _missed(self, why: str) -> InputError:
        return InputError(f"the clip has no frame {self.left[0]}: {why}", "give other numbers to --frames")

    def end(self, last: int) -> None:
        """Raises InputError where a clip has ended at frame ``last`` before all frames of an exact list have come."""
        if self._exact and self.left:
            raise self._missed(f"it ends with {last}")
