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
from vcut.video.convert import carries_alpha, depth_of
from vcut.video.orientation import frame_orientation


@dataclass(frozen=True)
class VideoInfo:
    """A source as its header and its first frame describe it.

    Attributes:
        path: the file, folder or pattern; ``-`` for standard input.
        kind: a video file, or frames as pictures.
        width: width in pixels, upright (after rotation).
        height: height in pixels, upright.
        rotation: degrees counter-clockwise that turn a stored frame upright: 0, 90, 180 or 270.
        rate: average frames a second, exact; None when the file does not tell.
        time_base: seconds of one tick of ``Frame.pts``.
        frames_estimate: about how many frames there are, for progress only.
        duration: seconds, as the header tells.
        colour: the tags of the source as they are; :func:`vcut.video.colour.decided` fills in missing ones.
        has_audio: whether there is a sound track.
        pixel_aspect: width of a pixel over its height, upright; 1 for square pixels.
        mirrored: whether a stored frame is mirrored left to right before it is turned.
        depth: bits a channel: 8, or what more there is (9, 10, 12, 14, 16).
        has_alpha: whether frames come with their own opacity.
        interlaced: whether the first frames are flagged so.
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
    mirrored: bool = False
    depth: int = 8
    has_alpha: bool = False
    interlaced: bool = False


def describe_video(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    tagged: VideoFrame,
    interlaced: bool,
) -> VideoInfo:
    """Describe an open video.

    Args:
        path: goes into the description.
        container, stream: the open file.
        first: the first frame as it will be converted.
        tagged: the first frame with orientation and colour tags, mostly the same.
        interlaced: what the first frames say.
    """
    orientation = frame_orientation(tagged)
    sideways = orientation.sideways
    rate = _positive(stream.average_rate) or _positive(stream.guessed_rate)
    duration = _duration(container, stream)
    frames = stream.frames or (round(duration * rate) if duration and rate else None)
    aspect = _positive(stream.sample_aspect_ratio) or Fraction(1)
    return VideoInfo(
        path=path,
        kind="video",
        width=first.height if sideways else first.width,
        height=first.width if sideways else first.height,
        rotation=orientation.rotation,
        rate=rate,
        time_base=_positive(stream.time_base),
        frames_estimate=frames,
        duration=duration,
        colour=tags_of(tagged.colorspace, tagged.color_primaries, tagged.color_trc, tagged.color_range),
        has_audio=bool(container.streams.audio),
        pixel_aspect=1 / aspect if sideways else aspect,
        mirrored=orientation.mirrored,
        depth=depth_of(first.format),
        has_alpha=carries_alpha(first.format),
        interlaced=interlaced,
    )


def _positive(number: Fraction | None) -> Fraction | None:
    return number if number is not None and number > 0 else None


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    return None
