"""Time stamps of decoded frames: passed through, filled in where the file has none."""

from __future__ import annotations

from fractions import Fraction


class Clock:
    """Gives each frame of a stream a time stamp that is larger than the one before.

    Args:
        time_base: seconds a tick.
        rate: frames a second, for frames without a time stamp of their own.

    Attributes:
        last: the last stamp given, None before the first.
        largest_step: the longest time between two frames so far, in ticks.
    """

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        self.time_base = time_base
        self.rate = rate
        self.last: int | None = None
        self.largest_step = 0
        self._anchor = 0
        self._since_anchor = -1

    def stamp(self, pts: int | None) -> int:
        """The stamp of the next frame, in ticks.

        ``pts`` itself where there is one and it grows; one tick after the last frame where it does not; with
        None the last stamp of the file's own (at the start 0) plus the frames since then at the average rate.
        """
        self._since_anchor += 1
        if pts is None:
            pts = self._anchor + round(self._since_anchor / (self.rate * self.time_base))
        else:
            self._anchor, self._since_anchor = pts, 0
        if self.last is not None:
            pts = max(pts, self.last + 1)
            self.largest_step = max(self.largest_step, pts - self.last)
        self.last = pts
        return pts

    @property
    def frame_ticks(self) -> int:
        """The usual length of a frame, in ticks."""
        return max(1, round(1 / (self.rate * self.time_base)))
