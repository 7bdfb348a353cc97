"""Interlaced video: told from its first frames, made into whole frames when asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import TypeVar

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from vcut.video.convert import carries_alpha, depth_of

PROBE = 8
"""Frames that are looked at, at most."""

Tag = TypeVar("Tag")


def is_interlaced(frames: Sequence[VideoFrame]) -> bool:
    """Whether most of ``frames`` are flagged as two fields: single flags also come in progressive video."""
    return 2 * sum(frame.interlaced_frame for frame in frames) > len(frames)


def deinterlaced(
    frames: Iterable[tuple[Tag, VideoFrame]], time_base: Fraction, flagged: bool
) -> Iterator[tuple[Tag, VideoFrame]]:
    """One whole frame for each frame, made from its first field by motion-adaptive interpolation (bwdif).

    Args:
        frames: what is decoded, all of one size, each with whatever belongs to it.
        time_base: seconds a tick of their time stamps.
        flagged: leave alone frames that are not flagged as interlaced, instead of taking all for interlaced.
    """
    for _, alike in groupby(frames, lambda tagged: tagged[1].format.name):
        waiting: deque[Tag] = deque()
        graph: Graph | None = None
        for tag, frame in alike:
            graph = graph or _graph(frame, time_base, flagged)
            waiting.append(tag)
            graph.push(frame)
            for done in _pulled(graph):
                yield waiting.popleft(), done
        graph.push(None)
        for done in _pulled(graph):
            yield waiting.popleft(), done


def _graph(like: VideoFrame, time_base: Fraction, flagged: bool) -> Graph:
    graph = Graph()
    chain = [graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=time_base)]
    if like.format.is_rgb:  # packed RGB would be turned into YUV on the way
        planar = ("gbrap" if carries_alpha(like.format) else "gbrp") + ("16le" if depth_of(like.format) > 8 else "")
        chain.append(graph.add("format", f"pix_fmts={planar}"))
    chain.append(graph.add("bwdif", f"mode=send_frame:parity=auto:deint={'interlaced' if flagged else 'all'}"))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
