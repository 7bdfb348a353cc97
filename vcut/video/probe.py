"""What is known of a source before it is read: size, rate, time base, colours, sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vcut.video.colour import ColourTags, tags_of


@dataclass(frozen=True)
class VideoInfo:
    """A source as its header and its first frame describe it.

    Attributes:
        path: the file or folder.
        kind: a video file, or frames as pictures.
        width: width in pixels, upright (after rotation).
        height: height in pixels, upright.
        rotation: degrees counter-clockwise that turn a stored frame upright, a multiple of 90.
        rate: average frames a second, exact; None when the file does not tell.
        time_base: seconds of one tick of ``Frame.pts``.
        frames_estimate: about how many frames there are, for progress only.
        duration: seconds, as the header tells.
        colour: the tags of the source as they are; :func:`vcut.video.colour.decided` fills in missing ones.
        has_audio: whether there is a sound track.
        pixel_aspect: width of a pixel over its height, upright; 1 for square pixels.
    """

    path: Path
    kind: Literal["video", "frames"]
    width: int
    height: int
    rotation: int
    rate: Fraction | None
    time_base: Fraction | None
    frames_estimate: int | None
    duration: float | None
    colour: ColourTags = field(default_factory=ColourTags)
    has_audio: bool = False
    pixel_aspect: Fraction = Fraction(1)


def describe_video(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    """Describe an open video file; ``first`` is its first frame, which carries rotation and colour tags."""
    rotation = round(first.rotation / 90) * 90
    sideways = rotation % 180 != 0
    rate = stream.average_rate or stream.guessed_rate or None
    duration = _duration(container, stream)
    frames = stream.frames or (round(duration * rate) if duration and rate else None)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return VideoInfo(
        path=path,
        kind="video",
        width=first.height if sideways else first.width,
        height=first.width if sideways else first.height,
        rotation=rotation,
        rate=rate,
        time_base=stream.time_base or None,
        frames_estimate=frames,
        duration=duration,
        colour=tags_of(first.colorspace, first.color_primaries, first.color_trc, first.color_range),
        has_audio=bool(container.streams.audio),
        pixel_aspect=1 / aspect if sideways else aspect,
    )


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    return None
