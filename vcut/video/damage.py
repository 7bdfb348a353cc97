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
        kept: frames decoded.
        bad_packets: packets that gave an error instead of a frame.
        flawed: frames that were decoded from damaged data, and may show it.
        cut_packet: whether the file ends inside its last packet.
        reading_error: the error that ended the reading before the end of the file.
    """

    kept: int = 0
    bad_packets: int = 0
    flawed: int = 0
    cut_packet: bool = False
    reading_error: str | None = None

    def __bool__(self) -> bool:
        return bool(self.bad_packets or self.flawed or self.cut_packet or self.reading_error)

    def report(self, path: Path, container: InputContainer, stream: VideoStream, clock: Clock) -> str | None:
        """One line on what was kept and what was lost, or None for a sound file read to its end."""
        early = _early_end(path, container, stream, clock)
        losses = [early] if early else ["it ends inside a frame"] if self.cut_packet else []
        if self.bad_packets:
            losses.append(f"{_count(self.bad_packets, 'packet')} could not be decoded")
        if self.flawed:
            losses.append(f"{self.flawed} of them may look damaged")
        if self.reading_error:
            losses.append(f"reading stopped early ({self.reading_error})")
        if not losses:
            return None
        return f"{path.name} is damaged or cut off: {_count(self.kept, 'frame')} kept, {', '.join(losses)}"


def is_cut_mp4(path: Path) -> bool:
    """Whether a file is of the MP4/MOV family and has no index: a recording or a copy that was cut off."""
    boxes: list[bytes] = []
    with path.open("rb") as file:
        end = file.seek(0, 2)
        at = 0
        while at + 8 <= end:
            file.seek(at)
            length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            boxes.append(kind)
            if length < 8:
                break
            at += length
    return boxes[:1] == [b"ftyp"] and b"moov" not in boxes


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
