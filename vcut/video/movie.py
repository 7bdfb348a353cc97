"""One video file: the time stamps of the source, moved so that the first is 0, and its colours tagged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet

from vcut.video.audio import Sound
from vcut.video.background import Background
from vcut.video.compose import Composer
from vcut.video.cutout import Cutout
from vcut.video.encode import Converter, tag
from vcut.video.formats import Format
from vcut.video.metadata import Metadata
from vcut.video.output import Writer
from vcut.video.probe import VideoInfo
from vcut.video.span import WHOLE, Span

# Told to the encoder where the source has no rate: a hint for its rate control, time stamps stay as they are.
NOMINAL_RATE = Fraction(25)


class VideoWriter(Writer):
    """A video in one row of the formats.

    Args:
        background: what composites are laid over.
        sound: what is to be heard; closed at the end, and left out of formats that hold none.
        metadata: tags, timecode and chapters to carry over.
        span: the part of the source that is written, where sound and chapters are to end.
        threads: of the encoder, which works by slices or by frames, whichever it can; 0 for as many as there are cores.
        out, fmt, info, overwrite, only: see :class:`Writer`.
    """

    def __init__(
        self,
        out: Path,
        fmt: Format,
        info: VideoInfo,
        overwrite: bool = False,
        only: int | None = None,
        *,
        background: Background | None = None,
        sound: Sound | None = None,
        metadata: Metadata | None = None,
        span: Span = WHOLE,
        threads: int = 0,
    ) -> None:
        super().__init__(out, fmt, info, overwrite, only)
        self._threads = threads
        self._composer = Composer(fmt, background, info.pixel_aspect)
        self._converter = Converter(fmt, info)
        self._sound = sound if fmt.sound else None
        self._metadata = metadata
        self._span = span
        self._until = Fraction(0)
        self._container: OutputContainer | None = None
        self._rate = info.rate or NOMINAL_RATE

    def _begin(self) -> None:
        self._container = av.open(
            str(self._temporary.absolute()), "w", container_options=dict(self.format.container_options)
        )
        stream = self._container.add_stream(self.format.codec, rate=self._rate)
        stream.height, stream.width = self._composer.size(self.info.height, self.info.width)
        stream.pix_fmt = self.format.pixel_format
        stream.options = dict(self.format.options)
        context = stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = self._threads
        if self.format.tag:
            context.codec_tag = self.format.tag
        if self.info.time_base:
            context.time_base = self.info.time_base
        context.sample_aspect_ratio = self.info.pixel_aspect
        tag(context, self._converter.tags)
        self._stream = stream
        if self._sound:
            self._sound.attach(self._container)

    def _write(self, cutout: Cutout) -> None:
        source = cutout.frame
        if not self._count:
            self._start(source.pts * source.time_base)
        picture = self._composer.picture(cutout, self._seconds(cutout))
        frame = self._converter.frame(picture, self._composer.shown(cutout))
        frame.pts = self._since_first(cutout)
        frame.time_base = source.time_base
        frame.duration = max(1, round(1 / (self._rate * source.time_base)))
        self._until = self._seconds(cutout) + frame.duration * source.time_base
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[Packet]) -> None:
        """Pictures, and before each the sound up to it: by packets, for the encoder may hold frames back."""
        for packet in packets:
            if self._sound:
                self._sound.advance(packet.pts * packet.time_base)
            self._container.mux(packet)

    def _start(self, origin: Fraction) -> None:
        """Tell sound and tags where in the source the result begins; the header is written with the first packet."""
        if self._metadata:
            length = self._span.seconds(self.info.rate)
            end = None if length is None else origin + length
            self._metadata.write(self._container, self._stream, origin, end, self.info.rate)
        if self._sound:
            self._sound.begin(origin)

    def _end(self, complete: bool) -> None:
        try:
            if self._container is not None:
                if complete:
                    self._mux(self._stream.encode())
                    if self._sound:
                        self._sound.finish(None if self._span.end is None else self._until)
                self._container.close()
        finally:
            if self._sound:
                self._sound.close()
