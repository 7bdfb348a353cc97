"""Small animated pictures to show a cut-out in a chat or a page: GIF, WebP, APNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from PIL import Image

from vcut.video.compose import Composer
from vcut.video.cutout import Cutout
from vcut.video.formats import Format
from vcut.video.movie import NOMINAL_RATE
from vcut.video.output import Writer
from vcut.video.probe import VideoInfo

LONGEST_SIDE = 480
HIGHEST_RATE = 15
_TICKS = {"gif": Fraction(1, 100)}  # a GIF counts hundredths of a second
_MILLISECONDS = Fraction(1, 1000)
_PALETTE = "stats_mode=single:reserve_transparent=1"
_DITHER = "new=1:dither=bayer:bayer_scale=4:alpha_threshold=128"


class AnimationWriter(Writer):
    """The whole clip as an endless animation: at most 480 pixels long and 15 frames a second, pixels square.

    Frames go to the encoder one by one and none is kept, so memory does not grow with the clip's length, except by
    the encoded size of a WebP. A GIF has a palette for each frame, and a pixel of it either shows or not.
    """

    def __init__(
        self, out: Path, fmt: Format, info: VideoInfo, overwrite: bool = False, only: int | None = None
    ) -> None:
        super().__init__(out, fmt, info, overwrite, only)
        self._composer = Composer(fmt, pixel_aspect=info.pixel_aspect)
        self._tick = _TICKS.get(fmt.name, _MILLISECONDS)
        self._size = _small(info.width * info.pixel_aspect, info.height)
        rate = info.rate or NOMINAL_RATE
        self._step = math.ceil(rate / HIGHEST_RATE) / rate  # every so many frames, for steps of one length
        self._slack = 1 / rate / 2  # for sources whose stamps are rounded
        self._container: OutputContainer | None = None
        self._due = Fraction(0)
        self._last_pts = -1

    def _begin(self) -> None:
        self._ticks = max(1, round(self._step / self._tick))
        options = dict(self.format.container_options)
        if self.format.codec == "gif":
            options["final_delay"] = str(self._ticks)
        self._container = av.open(
            str(self._temporary.absolute()), "w", format=self.format.name, container_options=options
        )
        stream = self._container.add_stream(self.format.codec, rate=round(1 / self._tick))
        stream.width, stream.height = self._size
        stream.pix_fmt = self.format.pixel_format
        stream.options = dict(self.format.options)
        stream.codec_context.time_base = self._tick
        self._stream = stream
        self._palette = _palette_graph(self._size, self._tick) if self.format.codec == "gif" else None

    def _write(self, cutout: Cutout) -> None:
        seconds = self._seconds(cutout)
        if seconds < self._due:
            return
        self._due = seconds + self._step - self._slack
        frame = self._frame(self._composer.picture(cutout, seconds))
        self._last_pts = frame.pts = max(self._last_pts + 1, round(seconds / self._tick))
        frame.time_base = self._tick
        frame.duration = self._ticks
        self._encode(frame)

    def _frame(self, rgba: np.ndarray) -> VideoFrame:
        if (rgba.shape[1], rgba.shape[0]) != self._size:
            # Pillow multiplies the colours by alpha to scale them, as it should be.
            rgba = np.asarray(Image.fromarray(rgba).resize(self._size, Image.Resampling.BOX))
        return VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba")

    def _encode(self, frame: VideoFrame | None) -> None:
        """Pass one frame on, or with None let the encoder write what it holds."""
        if self._palette is None:
            if frame is not None and frame.format.name != self.format.pixel_format:
                frame = frame.reformat(format=self.format.pixel_format)
            self._container.mux(self._stream.encode(frame))
            return
        self._palette.push(frame)
        for indexed in _pull(self._palette):
            indexed.duration = self._ticks
            self._container.mux(self._stream.encode(indexed))
        if frame is None:
            self._container.mux(self._stream.encode())

    def _end(self, complete: bool) -> None:
        if self._container is None:
            return
        if complete:
            self._encode(None)
        self._container.close()


def _small(width: Fraction, height: int) -> tuple[int, int]:
    """Width and height with square pixels, the longer one at most LONGEST_SIDE."""
    factor = min(Fraction(1), LONGEST_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _palette_graph(size: tuple[int, int], tick: Fraction) -> Graph:
    """ffmpeg's filters that give each frame the palette that fits it best, with one entry for nothing."""
    graph = Graph()
    source = graph.add_buffer(width=size[0], height=size[1], format="rgba", time_base=tick)
    split, palette = graph.add("split"), graph.add("palettegen", _PALETTE)
    use, sink = graph.add("paletteuse", _DITHER), graph.add("buffersink")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _pull(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
