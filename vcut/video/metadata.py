"""Tags, timecode and chapters of a clip: which belong to its content and go into the result, moved by a cut."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

# Tags that tell of a file and not of what it shows, in lower case; the muxer and the encoder write their own.
_TECHNICAL = re.compile(
    r"encoder|major_brand|minor_version|compatible_brands"  # of the file
    r"|handler_name|vendor_id|duration|rotate|alpha_mode|stereo_mode|bps(-.*)?|number_of_.*|_statistics_.*|source_id"
    r"|wmfsdk.*|isvbr|deviceconformancetemplate|asf_.*"
    r"|timecode"  # moved by the cut, see Metadata.write
)

# What the MP4 family holds in its own boxes. Beyond it, all tags go into a list of free keys, where ffmpeg finds them
# and Apple's players only those that begin with com.apple.quicktime.
_PLAIN = {
    "mov": re.compile("title|artist|album|comment|date|creation_time|location|copyright|genre|make|model"),
    "mp4": re.compile(
        "title|artist|album|album_artist|comment|date|creation_time|location|copyright|genre|description|keywords"
        "|synopsis|show|composer|lyrics|network|episode_id|grouping"
    ),
}

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_CHAPTER_TICK = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class Chapter:
    """A named part of a clip, in seconds of the source."""

    start: Fraction
    end: Fraction
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Metadata:
    """What a file says of its content.

    Attributes:
        tags: of the whole file.
        video_tags: of the video stream.
        timecode: of the first frame, as HH:MM:SS:FF, or HH:MM:SS;FF where numbers are dropped.
        video_start: seconds at which the pictures begin, on the clock of the time stamps.
        chapters: in order.
        notices: sentences on what is in the file and does not go into a result.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    video_tags: Mapping[str, str] = field(default_factory=dict)
    timecode: str | None = None
    video_start: Fraction = Fraction(0)
    chapters: tuple[Chapter, ...] = ()
    notices: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the header of a video file; empty for anything else (a folder, a picture, what cannot be opened)."""
        if not path.is_file():
            return cls()
        try:
            container = av.open(os.path.abspath(path), metadata_errors="ignore")
        except (av.FFmpegError, OSError):
            return cls()
        with container:
            video = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
            if video is None:
                return cls()
            start = video.start_time * video.time_base if video.start_time is not None else Fraction(0)
            return cls(
                tags=content_tags(container.metadata),
                video_tags=content_tags(video.metadata),
                timecode=_timecode(container, video),
                video_start=start,
                chapters=tuple(_chapters(container)),
                notices=tuple(_left_out(container, video)),
            )

    def write(
        self,
        container: OutputContainer,
        stream: VideoStream,
        begin: Fraction,
        end: Fraction | None = None,
        rate: Fraction | None = None,
    ) -> None:
        """Give it all to a result whose header is not yet written.

        Args:
            container: the result.
            stream: its video stream.
            begin: time stamp of the source's frame that is the result's first, seconds.
            end: where the cut ends, seconds of the source; None for no cut.
            rate: frames a second, to move the timecode by; without it a timecode that would have to move is left out.
        """
        container.metadata.update(self.tags)
        stream.metadata.update(self.video_tags)
        timecode = self.timecode and moved_timecode(self.timecode, begin - self.video_start, rate)
        if timecode:
            stream.metadata["timecode"] = timecode
        plain = _PLAIN.get(container.format.name)
        if plain and not all(plain.fullmatch(key.lower()) for key in self.tags):
            _add_flag(container, "movflags", "use_metadata_tags")
        chapters = []
        for chapter in self.chapters:
            first = max(chapter.start, begin) - begin
            last = (chapter.end if end is None else min(chapter.end, end)) - begin
            if last > first:
                times = {"start": round(first / _CHAPTER_TICK), "end": round(last / _CHAPTER_TICK)}
                tags = dict(chapter.tags)
                chapters.append({"id": len(chapters) + 1, **times, "time_base": _CHAPTER_TICK, "metadata": tags})
        if chapters:
            container.set_chapters(chapters)


def content_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of ``tags`` that belong to the content: without technical ones, and without a language of "und"."""
    kept = {}
    for key, value in tags.items():
        name = key.lower()
        if _TECHNICAL.fullmatch(name) or not value or (name == "language" and value == "und"):
            continue
        if re.search(r"-[a-z]{3}$", key) and tags.get(key[:-4]) == value:  # ffmpeg's second copy, by language
            continue
        kept[key] = value
    if "name" in kept:  # what the MP4 family calls the title of a track
        kept.setdefault("title", kept.pop("name"))
    return kept


def moved_timecode(timecode: str, seconds: Fraction, rate: Fraction | None) -> str | None:
    """The timecode ``seconds`` later, or None when it makes no sense or the rate to count by is missing."""
    match = _TIMECODE.fullmatch(timecode)
    if not match:
        return None
    if not seconds:
        return timecode
    if not rate:
        return None
    hours, minutes, whole, mark, frames = match.groups()
    nominal = round(rate)
    # Drop-frame: two numbers a minute are left out (four at 60), but not in minutes 0, 10, 20, ...
    dropped = round(Fraction(nominal, 15)) if mark != ":" else 0
    total_minutes = 60 * int(hours) + int(minutes)
    count = (60 * total_minutes + int(whole)) * nominal + int(frames)
    count += round(seconds * rate) - dropped * (total_minutes - total_minutes // 10)
    per_minute, per_ten = 60 * nominal - dropped, 600 * nominal - 9 * dropped
    count %= 144 * per_ten
    tens, rest = divmod(count, per_ten)
    late = max(0, rest - dropped) // per_minute if dropped else 0
    count += dropped * (9 * tens + late)
    seconds_of_day, frame = divmod(count, nominal)
    return f"{seconds_of_day // 3600:02}:{seconds_of_day // 60 % 60:02}:{seconds_of_day % 60:02}{mark}{frame:02}"


def _timecode(container: InputContainer, video: VideoStream) -> str | None:
    """The timecode of the video stream, else of the file, else of a timecode track."""
    for owner in (video, container, *container.streams.data):
        for key, value in owner.metadata.items():
            if key.lower() == "timecode":
                return value
    return None


def _chapters(container: InputContainer) -> list[Chapter]:
    return [
        Chapter(entry["start"] * entry["time_base"], entry["end"] * entry["time_base"], entry["metadata"])
        for entry in container.chapters()
        if entry["time_base"]
    ]


def _left_out(container: InputContainer, video: VideoStream) -> list[str]:
    """One sentence that names the streams no result holds; chapters and timecode are carried in another way."""
    chapters = len(container.chapters())
    subtitles = [s for s in container.streams.subtitles if not _holds_chapters(s, chapters)]
    data = [s for s in container.streams.data if not (_holds_chapters(s, chapters) or "timecode" in s.metadata)]
    others = [s for s in container.streams.video if s is not video and not s.disposition & Disposition.attached_pic]
    groups = [("subtitle track", subtitles), ("data track", data), ("further video track", others)]
    found = [f"{len(group)} {name}{'s' * (len(group) > 1)}" for name, group in groups if group]
    return [f"left out of the result: {', '.join(found)} of the clip"] if found else []


def _holds_chapters(stream: Stream, chapters: int) -> bool:
    """Whether a track of the MP4 family, of text or of data, is what its chapters are read from."""
    return chapters > 0 and getattr(stream, "name", None) in ("mov_text", "bin_data") and stream.frames == chapters


def _add_flag(container: OutputContainer, option: str, flag: str) -> None:
    """Add one flag to an option of the muxer."""
    former = container.options.get(option) or container.container_options.get(option)
    container.container_options[option] = f"{former}+{flag}" if former else flag
    container.options.pop(option, None)
