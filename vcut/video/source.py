"""What every source of frames has: an information record, warnings, and one pass over upright RGB frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np

from vcut.video.probe import VideoInfo


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        index: its number in the source, from 0, whatever part of it is read; pictures that are missing in a numbered
            sequence, or cannot be read, leave their number out.
        pts: presentation time in ticks of ``time_base``; grows from frame to frame.
        time_base: seconds a tick.
        rgb: H x W x 3, upright, C-contiguous; uint8, or uint16 over its whole range where more than 8 bits were asked
            for and are there. Straight: not multiplied by ``alpha``.
        alpha: H x W opacity in the type of ``rgb``, of a source that has it.
    """

    index: int
    pts: int
    time_base: Fraction
    rgb: np.ndarray
    alpha: np.ndarray | None = None


class Source(ABC):
    """A clip open for reading: a context manager, and an iterable of :class:`Frame` in order, for one pass.

    Attributes:
        info: what is known beforehand.
        warnings: one line each on what went wrong without ending the reading; complete when the pass is.
    """

    info: VideoInfo
    warnings: list[str]

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames not yet read.

        Raises:
            InputError: a frame has another size than the first, or a picture cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
