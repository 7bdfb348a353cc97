"""Which part of a clip is taken: ``--start`` and ``--end``, by frame number or by time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vcut.errors import InputError, OptionError

Moment = int | Fraction
"""A frame number (int), or seconds since the first frame of the clip (Fraction)."""

# A time that was read off a player is rounded, to a thousandth at best: half of that still means the frame.
_TOLERANCE = Fraction(1, 2000)
_FORMS = "give a frame number (120) or a time (4.5s or 00:01:02.5)"


@dataclass(frozen=True)
class Span:
    """From ``start`` on, until before ``end``: the end is the first frame that is left out.

    ``Span(10, 20)`` are the frames 10 to 19. Frames are numbered from 0; times count from the clip's first frame,
    whatever time stamp that has. A frame whose time is up to half a thousandth of a second before a moment counts as
    at that moment.

    Attributes:
        start: the first frame taken.
        end: the first frame no longer taken; None takes all to the end of the clip.

    Raises:
        OptionError: a moment is negative, or ``end`` is not after ``start``.
    """

    start: Moment = 0
    end: Moment | None = None

    def __post_init__(self) -> None:
        if self.start < 0:
            raise OptionError(f"--start {told(self.start)} is before the first frame", "frames are numbered from 0")
        if self.end is None:
            return
        if self.end <= 0 or (isinstance(self.start, int) == isinstance(self.end, int) and self.end <= self.start):
            raise OptionError(
                f"--end {told(self.end)} is not after --start {told(self.start)}",
                "the end is the first frame that is left out",
            )

    @classmethod
    def parse(cls, start: str | None = None, end: str | None = None) -> Span:
        """The span of two options as they are typed; None where one is not given.

        Raises:
            OptionError: not a moment, or see :class:`Span`.
        """
        return cls(
            parse_moment(start, "--start") if start is not None else 0,
            parse_moment(end, "--end") if end is not None else None,
        )

    def begun(self, index: int, seconds: Fraction) -> bool:
        """Whether the frame of that number and time is at or after the start."""
        return _reached(self.start, index, seconds)

    def ended(self, index: int, seconds: Fraction) -> bool:
        """Whether the frame of that number and time is at or after the end."""
        return self.end is not None and _reached(self.end, index, seconds)

    def length(self, frames: int | None, rate: Fraction | None) -> int | None:
        """About how many frames of a clip of ``frames`` are in the span, for progress; None where it cannot be told."""
        begin, end = _number(self.start, rate), frames if self.end is None else _number(self.end, rate)
        if begin is None or end is None:
            return None
        return max(0, (end if frames is None else min(end, frames)) - begin)

    def seconds(self, rate: Fraction | None) -> Fraction | None:
        """How long the span is; None where it has no end or that cannot be told without a rate."""
        if self.end is None:
            return None
        if isinstance(self.start, int) and isinstance(self.end, int):
            return (self.end - self.start) / rate if rate else None
        if isinstance(self.start, int) and self.start and not rate:
            return None
        if isinstance(self.end, int) and not rate:
            return None
        start = self.start / rate if isinstance(self.start, int) and self.start else Fraction(self.start)
        end = self.end / rate if isinstance(self.end, int) else self.end
        return end - start

    def missed(self, path: Path, frames: int, ended: bool) -> InputError | OptionError:
        """The error of a clip that has no frame in the span.

        Args:
            path: the clip.
            frames: how many it has.
            ended: whether a frame at or after the end was met.
        """
        if ended and self.end is not None:
            return OptionError(f"no frame lies between --start {told(self.start)} and --end {told(self.end)}")
        clip = f"{path} has {frames} frame{'' if frames == 1 else 's'}"
        if isinstance(self.start, int):
            return InputError(f"{clip}, no frame {self.start}", f"they are numbered from 0 to {frames - 1}")
        return InputError(f"{clip}, none at {told(self.start)}", "begin earlier")


WHOLE = Span()
"""All of a clip."""


def parse_moment(text: str, option: str) -> Moment:
    """``120`` as frame 120; ``4.5s``, ``1:02.5`` or ``00:01:02.5`` as seconds, exact.

    Raises:
        OptionError: ``text`` is none of them.
    """
    text = text.strip()
    if re.fullmatch(r"\d+", text, re.ASCII):
        return int(text)
    if seconds := re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*s", text, re.ASCII):
        return Fraction(seconds[1])
    if clock := re.fullmatch(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)", text, re.ASCII):
        hours, minutes, rest = int(clock[1] or 0), int(clock[2]), Fraction(clock[3])
        if rest < 60 and (minutes < 60 or clock[1] is None):
            return 3600 * hours + 60 * minutes + rest
    if re.fullmatch(r"\d+[:;]\d+[:;]\d+[:;]\d+", text, re.ASCII):
        raise OptionError(f"{option} {text!r} is a timecode, which depends on the clip's rate", _FORMS)
    raise OptionError(f"{option} {text!r} is neither a frame number nor a time", _FORMS)


def told(moment: Moment) -> str:
    """A moment as a user writes it."""
    return str(moment) if isinstance(moment, int) else f"{float(moment):g}s"


def _reached(moment: Moment, index: int, seconds: Fraction) -> bool:
    return index >= moment if isinstance(moment, int) else seconds >= moment - _TOLERANCE


def _number(moment: Moment, rate: Fraction | None) -> int | None:
    """About the number of the frame at a moment."""
    if isinstance(moment, int):
        return moment
    return round(moment * rate) if rate else None
