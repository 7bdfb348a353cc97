"""What a damaged or cut-off video file has lost: counted while it is read, told in one line at the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vcut.video.timing import Clock


@dataclass
class Damage:
    """Counts of one pass over a stream.

    Attributes:
        kept: frames given out.
        bad_packets: packets that gave an error instead of a frame.
        torn_packets: gaps in the stream: packets that were decoded although a part of them or before them is missing.
        flawed: frames given out that were decoded from damaged data, and may show it.
        cut_packet: whether the file ends inside its last packet.
        cut_file: whether the file is shorter than its format says.
        reading_error: the error that ended the reading before the end of the file.
    """

    kept: int = 0
    bad_packets: int = 0
    torn_packets: int = 0
    flawed: int = 0
    cut_packet: bool = False
    cut_file: bool = False
    reading_error: str | None = None

    def __bool__(self) -> bool:
        lost = self.bad_packets or self.torn_packets or self.flawed
        return bool(lost or self.cut_packet or self.cut_file or self.reading_error)

    def report(
        self, path: Path, container: InputContainer, stream: VideoStream, clock: Clock, whole: bool = True
    ) -> str | None:
        """One line on what was kept and what was lost, or None for a sound file.

        ``whole`` is False when the reading ended where it was told to: what comes later is then nobody's loss.
        """
        early = _early_end(path, container, stream, clock) if whole else None
        losses = [early] if early else []
        if whole and not early and (self.cut_packet or self.cut_file):
            losses.append("it ends inside a frame" if self.cut_packet else "the end of the file is missing")
        if self.bad_packets:
            losses.append(f"{_count(self.bad_packets, 'packet')} could not be decoded")
        if self.flawed:
            losses.append(f"{self.flawed} of them may look damaged")
        if self.torn_packets:
            losses.append(f"{_count(self.torn_packets, 'gap')} in the stream")
        if self.reading_error and whole:
            losses.append(f"reading stopped early ({self.reading_error})")
        if not losses:
            return None
        return f"{path.name} is damaged or cut off: {_count(self.kept, 'frame')} kept, {', '.join(losses)}"


def _early_end(path: Path, container: InputContainer, stream: VideoStream, clock: Clock) -> str | None:
    """By how much the file ends before what its header announces; None when it does not, or none can tell."""
    if "mov" in container.format.name.split(","):
        size = path.stat().st_size
        entries = [entry for entry in stream.index_entries if not entry.is_discard]
        beyond = sum(entry.pos + entry.size > size for entry in entries)
        return f"{beyond} of {len(entries)} lost at the end" if beyond else None
    announced = _announced_end(container, stream)
    if announced is None or clock.last is None:
        return None
    reached = (clock.last + clock.frame_ticks) * clock.time_base
    slack = max(3 * clock.frame_ticks, 2 * clock.largest_step) * clock.time_base
    if announced - reached <= slack:
        return None
    return f"it ends at {float(reached):.2f} s of {float(announced):.2f} s"


def _announced_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds at which the header lets the pictures end; the length of the file only counts without sound."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = tag.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if container.duration and not container.streams.audio:
        return Fraction(container.duration, av.time_base)
    return None


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
