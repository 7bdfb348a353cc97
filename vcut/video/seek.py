"""A later frame without decoding all before it, where it is certain which frame that will be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.video.frame import PictureType, VideoFrame

from vcut.errors import InputError
from vcut.video.decoder import Decoder
from vcut.video.span import Span

WORTH = 250
"""Fewer frames than these are rather decoded."""

# Containers that store a presentation time and an honest key flag with every frame.
_CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm"})

# Presentation and decoding order differ by fewer frames than this.
_REORDERED = 64


@dataclass(frozen=True)
class Jump:
    """Decoding that begins in the middle of a clip.

    Attributes:
        decoder: the decoder that gives the frames.
        index: number of the first of them.
        frames: from there to the end.
    """

    decoder: Decoder
    index: int
    frames: Iterator[VideoFrame]


def jump(path: Path, span: Span, time_base: Fraction) -> Jump | None:
    """Begin at the last key frame before a span.

    The packets up to there are counted, not decoded. None when too little is saved, or where the count of packets
    may not be that of frames: then all must be decoded.
    """
    decoder = Decoder(path)
    try:
        entry = _entry(decoder, span, time_base)
        if entry is not None:
            index, pts = entry
            frames = decoder.frames_from(pts)
            first = next(frames, None)
            if first is not None and first.pts == pts and first.key_frame and first.pict_type == PictureType.I:
                return Jump(decoder, index, chain([first], frames))
    except (av.FFmpegError, InputError):
        pass
    decoder.close()
    return None


def _entry(decoder: Decoder, span: Span, time_base: Fraction) -> tuple[int, int] | None:
    """Number and time stamp of the last key frame that is not after the start of ``span``."""
    if not _CONTAINERS & set(decoder.container.format.name.split(",")):
        return None
    stamps: list[int] = []
    keys: list[int] = []
    beyond = 0
    for packet in decoder.container.demux(decoder.stream):
        if not packet.size or packet.is_discard:
            continue
        if packet.is_corrupt or packet.pts is None or not (stamps or packet.is_keyframe):
            return None
        stamps.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
        beyond += span.begun(len(stamps) - 1, (packet.pts - stamps[0]) * time_base)
        if beyond > _REORDERED:
            break
    first = stamps[0] if stamps else 0
    stamps.sort()
    if not stamps or stamps[0] != first or len(set(stamps)) != len(stamps):
        return None
    begins = next((i for i, pts in enumerate(stamps) if span.begun(i, (pts - first) * time_base)), None)
    if begins is None:
        return None
    key = max((pts for pts in keys if pts <= stamps[begins]), default=first)
    index = bisect_left(stamps, key)
    return (index, key) if index >= WORTH else None
