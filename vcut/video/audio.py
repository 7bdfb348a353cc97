"""The sound of a clip on its way into a result: copied where the container holds it, else converted, and cut to match.

Times are those of the pictures: the first frame written is at 0, sound before it is left out. How exact it comes out:

- PCM that is copied and all sound that is converted is cut at the sample, begins at 0 (with silence where the source
  has none) and is in step within a sample, or within the time stamps of the source (Matroska counts milliseconds).
- Compressed sound that is copied is cut at packets (AAC 21 ms, MP3 24, AC-3 32, Opus 20, FLAC about 90), and what is
  there is in step within the time stamps of source and result. In .mov and .mp4 an edit list hides what the first
  packet has too much, so that it begins at the sample; elsewhere it begins up to one packet late. It ends up to one
  packet late.
"""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.codec import Codec
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard

from vcut.video.metadata import content_tags


@dataclass(frozen=True)
class _Target:
    """An encoder and how it is fed.

    Attributes:
        codec: ffmpeg's encoder.
        sample_format: planar, what samples are handed over in.
        channel_rate: bits a second and channel; None where the encoder has no choice.
        sample_rate: Hz; None for that of the source, or the next that the encoder has.
        deep: what takes its place where the source is lossless with more than 16 bits; None for the same.
    """

    codec: str
    sample_format: str
    channel_rate: int | None = None
    sample_rate: int | None = None
    deep: _Target | None = None


# What sound becomes where it cannot be copied, by container. A master in .mov gets PCM: every editor takes it, and
# unlike AAC it has no delay and loses nothing.
_TARGETS = {
    "mov": _Target("pcm_s16le", "s16p", deep=_Target("pcm_s24le", "s32p")),
    "mp4": _Target("aac", "fltp", channel_rate=96_000),
    "webm": _Target("libopus", "fltp", channel_rate=80_000, sample_rate=48_000),
    "matroska": _Target("flac", "s16p", deep=_Target("flac", "s32p")),
}

# Codecs that are copied, by container; into one that is not named here (Matroska) all that its muxer takes. ffmpeg
# would also write Opus and FLAC to .mp4, and Vorbis, but QuickTime and most editors do not know them there.
_PCM = frozenset(f"pcm_{kind}{end}" for kind in ("s16", "s24", "s32", "f32", "f64") for end in ("le", "be"))
_COMPRESSED = frozenset(["aac", "ac3", "eac3", "alac", "mp3"])
_COPIED = {"mov": _COMPRESSED | _PCM, "mp4": _COMPRESSED, "webm": frozenset(["opus", "vorbis"])}

# Containers that can say that the beginning of the first packet is not to be heard.
_WITH_EDITS = frozenset(["mov", "mp4"])

# By number of channels, where an encoder does not know the layout of the source (5.1 with speakers at the side, ...).
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

# Time stamps this near to the end of the sound before them only round it: Matroska and FLV count milliseconds.
_SLACK = Fraction(5, 1000)
# Decoders hear the sound before a cut this long, to be in swing.
_PREROLL = Fraction(1)
# Seconds after the end of a cut, of the file, or after the last picture and sound, in which nothing more is expected.
_BEYOND = 10
# How many seconds of silence are believed of a file that does not tell its length.
_LONGEST_GAP = 600
# Seconds of one stream that the muxer holds while another has none: what bounds its memory.
_INTERLEAVE = 1


class Sound:
    """All sound tracks of a clip, carried into one result: a context manager, or closed by :meth:`close`.

    Calls come in the order ``attach``, ``begin``, any number of ``advance``, ``finish``; for a source without sound
    all of them do nothing.

    Args:
        source: the video file. Anything else (a folder, a picture) has no sound.
        end: seconds of the source, on the clock of its time stamps, at which a cut ends; None for no cut, and for one
            whose end shows only with its last frame, see :meth:`finish`.

    Attributes:
        notices: sentences on what becomes of the sound; complete after ``attach``.
        warnings: one line each on what could not be read; complete after ``finish``.
    """

    def __init__(self, source: Path, end: Fraction | None = None) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self._source = source
        self._end = end
        self._origin = Fraction(0)
        self._tracks: dict[int, _Track] = {}
        self._held: Packet | None = None
        self._latest = Fraction(0)  # of the sound, and of the pictures, in seconds of the result
        self._reached = Fraction(0)
        self._length: Fraction | None = None
        self._reading_error: str | None = None
        self._out: OutputContainer | None = None
        self._container = _open(source)
        self._packets: Iterator[Packet] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def attach(self, container: OutputContainer) -> None:
        """Add a stream for each track to a result that has its video stream and no header yet."""
        self._out = container
        if self._container is None:
            return
        target = _TARGETS.get(container.format.name)
        if target is None:
            self.notices.append(f"the sound is left out: {container.format.name} holds none")
            return
        converted: dict[str, str] = {}
        for stream in self._container.streams.audio:
            context = stream.codec_context
            name = context.codec.canonical_name if context else "a codec that is not known here"
            track = self._track(stream, target) if context and context.sample_rate else None
            if track is None:
                self.notices.append(f"a sound track is left out: {name} cannot be read or written here")
                continue
            track.out.metadata.update(content_tags(stream.metadata))
            track.out.disposition = stream.disposition
            self._tracks[stream.index] = track
            if isinstance(track, _Converted):
                converted[name] = Codec(track.target.codec, "w").canonical_name
        for former, new in converted.items():
            self.notices.append(f"the sound is converted from {former} to {new}")
        if self._tracks:
            container.container_options.setdefault("max_interleave_delta", str(_INTERLEAVE * av.time_base))
            self._packets = self._read()

    def begin(self, origin: Fraction) -> None:
        """Say where the result begins: the time stamp of its first frame in the source, in seconds."""
        self._origin = origin
        for track in self._tracks.values():
            track.begin(origin)
        if self._end is not None:
            self._stop_at(self._end - origin)

    def advance(self, seconds: Fraction) -> None:
        """Mux the sound that ends before a time of the result; best before the pictures of that time are.

        Raises:
            av.FFmpegError: the result cannot be written.
        """
        self._reached = max(self._reached, seconds)
        self._advance(seconds)

    def finish(self, length: Fraction | None = None) -> None:
        """Mux the rest, after the last picture.

        Args:
            length: seconds of the result at which a cut ends that was not known before; not before the last
                ``advance``. None for all up to the end that was given, if any.

        Raises:
            av.FFmpegError: the result cannot be written.
        """
        if length is not None:
            self._stop_at(length)
        self._advance(None)
        for track in self._tracks.values():
            track.finish()
        for number, track in enumerate(self._tracks.values(), 1):
            which = f" (track {number})" if len(self._tracks) > 1 else ""
            if track.lost:
                packets = "1 packet" if track.lost == 1 else f"{track.lost} packets"
                self.warnings.append(f"the sound of {self._source.name}{which} is damaged: {packets} lost")
        if self._reading_error and self._tracks:
            self.warnings.append(f"the sound of {self._source.name} stops early: {self._reading_error}")

    def close(self) -> None:
        """Let go of the source."""
        self._packets = iter(())
        self._held = None
        self._tracks = {}
        if self._container is not None:
            self._container.close()
            self._container = None

    def _track(self, stream: AudioStream, target: _Target) -> _Track | None:
        """The way of one stream into the result; None when there is none."""
        codec = stream.codec_context.codec
        container = self._out.format.name
        if codec.canonical_name in _COPIED.get(container, [codec.canonical_name]) and _muxable(stream, container):
            copy = self._out.add_stream_from_template(stream)
            block = _pcm_block(stream)
            if block:
                return _CopiedPcm(stream, copy, self._out, block)
            return _Copied(stream, copy, self._out, edits=container in _WITH_EDITS)
        deep = codec.lossless and stream.codec_context.format.bits > 16
        return _Converted.make(stream, self._out, target.deep if deep and target.deep else target)

    def _read(self) -> Iterator[Packet]:
        try:
            for packet in self._container.demux(self._container.streams.audio):
                if packet.size and packet.stream.index in self._tracks:
                    yield packet
        except av.FFmpegError as error:
            self._reading_error = error.strerror

    def _stop_at(self, length: Fraction) -> None:
        self._length = length
        for track in self._tracks.values():
            track.stop_at(length)

    def _advance(self, seconds: Fraction | None) -> None:
        """Take packets that end before ``seconds``, with None all; none that begins well after the end of a cut."""
        if not self._tracks:
            return
        self._out.start_encoding()  # so that an error of the header is not taken for one of a packet
        while True:
            packet, self._held = self._held, None
            if packet is None:
                packet = next(self._packets, None)
            if packet is None:
                return
            stamp = packet.pts if packet.pts is not None else packet.dts
            time = None if stamp is None else stamp * packet.time_base - self._origin
            track = self._tracks[packet.stream.index]
            if time is not None:
                if seconds is None and self._length is not None and time > self._length + _BEYOND:
                    return
                if time > self._last_credible(finishing=seconds is None):
                    track.lost += 1
                    continue
                if seconds is not None and time + (packet.duration or 0) * packet.time_base > seconds:
                    self._held = packet
                    return
                self._latest = max(self._latest, time)
            if packet.is_corrupt:
                track.lost += 1
            else:
                track.take(packet, time)

    def _last_credible(self, finishing: bool) -> Fraction:
        """Seconds of the result after which a time stamp is nonsense: silence up to there could fill the disk."""
        here = max(self._latest, self._reached)
        if finishing:
            return here + _BEYOND
        if self._container.duration:
            start = self._container.start_time or 0
            return Fraction(start + self._container.duration, av.time_base) - self._origin + _BEYOND
        return here + _LONGEST_GAP


class _Track(ABC):
    """One sound track on its way.

    Attributes:
        stream: of the source.
        out: its stream in the result.
        lost: packets that were not heard.
    """

    def __init__(self, stream: AudioStream, out: AudioStream, container: OutputContainer) -> None:
        self.stream = stream
        self.out = out
        self.lost = 0
        self._container = container
        self._rate = stream.codec_context.sample_rate
        self._origin = Fraction(0)
        self._limit: int | None = None

    def begin(self, origin: Fraction) -> None:
        """Where the result begins, in seconds of the source."""
        self._origin = origin

    def stop_at(self, length: Fraction) -> None:
        """Where a cut ends, in seconds of the result."""
        self._limit = round(length * self._rate)

    @abstractmethod
    def take(self, packet: Packet, time: Fraction | None) -> None:
        """Take the next packet, which is due at ``time`` of the result."""

    def finish(self) -> None:  # noqa: B027
        """Write what is still held."""


class _Copied(_Track):
    """Compressed packets as they are, in time stamps of one sample."""

    def __init__(self, stream: AudioStream, out: AudioStream, container: OutputContainer, edits: bool) -> None:
        super().__init__(stream, out, container)
        self._edits = edits
        # Matroska takes from the first packet as much as the encoder put in front; before that nothing can be.
        self._earliest = 0 if edits else -_milliseconds(stream.codec_context.delay, self._rate)
        # The packet before the first, which decoders need to get that one right; not those of lossless sound, and
        # ffmpeg's threaded ones misplace it then.
        self._lead: deque[tuple[Packet, int, int]] = deque(maxlen=0 if stream.codec_context.codec.lossless else 1)
        self._next: int | None = None
        self._last = 0

    def take(self, packet: Packet, time: Fraction | None) -> None:
        count, exact = self._samples(packet)
        at = self._next if time is None else round(time * self._rate)
        if at is None:
            self.lost += 1
            return
        if self._next is not None:
            if exact and abs(at - self._next) <= _SLACK * self._rate:
                at = self._next
            elif at < self._next - _SLACK * self._rate:
                self.lost += 1
                return
            else:
                at = max(at, self._next if exact else self._last + 1)
        if self._limit is not None and at >= self._limit:
            return
        self._next, self._last = at + count, at
        if at >= 0 or (self._edits and at + count > 0) or _milliseconds(at, self._rate) >= self._earliest:
            if self._lead:
                before, lead_at, lead_count = self._lead.popleft()
                if lead_at + lead_count == at:
                    self._mux(before, lead_at, lead_count)
            self._mux(packet, at, count)
        elif self._edits:
            self._lead.append((packet, at, count))

    def _mux(self, packet: Packet, at: int, count: int) -> None:
        packet.stream = self.out
        packet.time_base = Fraction(1, self._rate)
        packet.pts = packet.dts = at
        packet.duration = count
        try:
            self._container.mux(packet)
        except (av.InvalidDataError, av.ArgumentError):
            self.lost += 1

    def _samples(self, packet: Packet) -> tuple[int, bool]:
        """How many samples a packet holds, and whether that is exact or rounded by the time base of the source."""
        samples = (packet.duration or 0) * packet.time_base * self._rate
        usual = self.stream.codec_context.frame_size
        if usual and (not samples or abs(samples - usual) <= packet.time_base * self._rate):
            return usual, True
        return round(samples), samples > 0 and samples.denominator == 1 and packet.time_base < _SLACK / 10


Block = TypeVar("Block")


class _Sampled(_Track, Generic[Block]):
    """Sound that can be cut anywhere: laid down without gaps from 0 on, silence where there is none."""

    _next = 0
    _placed = False

    def _lay(self, time: Fraction | None, block: Block, count: int) -> None:
        """Put ``count`` samples where they belong; ``time`` in seconds of the result, None for right behind."""
        at = self._next if time is None else round(time * self._rate)
        if self._placed and abs(at - self._next) <= _SLACK * self._rate:
            at = self._next
        stop = count if self._limit is None else min(count, self._limit - at)
        start = max(0, self._next - at)
        if start >= stop:
            return
        self._placed = True
        while self._next < at:
            silence = min(at - self._next, self._rate)
            self._store(self._silence(silence), self._next, silence)
            self._next += silence
        self._store(self._part(block, start, stop), self._next, stop - start)
        self._next += stop - start

    @abstractmethod
    def _silence(self, count: int) -> Block:
        """``count`` samples of nothing."""

    @abstractmethod
    def _part(self, block: Block, start: int, stop: int) -> Block:
        """Samples ``start`` to ``stop`` of a block."""

    @abstractmethod
    def _store(self, block: Block, at: int, count: int) -> None:
        """Write a block that begins at sample ``at`` of the result."""


class _CopiedPcm(_Sampled[bytes]):
    """PCM, byte for byte."""

    def __init__(self, stream: AudioStream, out: AudioStream, container: OutputContainer, block: int) -> None:
        super().__init__(stream, out, container)
        self._block = block

    def take(self, packet: Packet, time: Fraction | None) -> None:
        self._lay(time, bytes(packet), packet.size // self._block)

    def _silence(self, count: int) -> bytes:
        return bytes(count * self._block)

    def _part(self, block: bytes, start: int, stop: int) -> bytes:
        return block[start * self._block : stop * self._block]

    def _store(self, block: bytes, at: int, count: int) -> None:
        packet = Packet(block)
        packet.stream = self.out
        packet.time_base = Fraction(1, self._rate)
        packet.pts = packet.dts = at
        packet.duration = count
        self._container.mux(packet)


class _Converted(_Sampled[np.ndarray]):
    """Decoded, brought to the encoder's format and rate, cut, encoded."""

    def __init__(self, stream: AudioStream, out: AudioStream, container: OutputContainer, target: _Target) -> None:
        super().__init__(stream, out, container)
        self.target = target
        self._rate = out.codec_context.sample_rate
        self._layout = out.codec_context.layout
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None

    @classmethod
    def make(cls, stream: AudioStream, container: OutputContainer, target: _Target) -> Self | None:
        """Add the stream; None when no layout of the channels suits the encoder."""
        context = stream.codec_context
        rates = Codec(target.codec, "w").audio_rates
        rate = target.sample_rate or context.sample_rate
        if rates and rate not in rates:
            rate = min((r for r in rates if r > rate), default=max(rates))
        channels = context.layout.nb_channels
        for layout in dict.fromkeys([context.layout.name, _USUAL_LAYOUTS.get(channels, "stereo"), "stereo"]):
            if not _encodable(target, rate, layout):
                continue
            out = container.add_stream(target.codec, rate=rate)
            _set_up(out.codec_context, target, rate, layout)
            return cls(stream, out, container, target)
        return None

    def take(self, packet: Packet, time: Fraction | None) -> None:
        if time is not None and time < -_PREROLL:
            return
        try:
            frames = self.stream.decode(packet)
        except av.FFmpegError:
            self.lost += 1
            return
        for frame in frames:
            self._lay_all(frame)

    def finish(self) -> None:
        with suppress(av.FFmpegError):
            for frame in self.stream.decode(None):
                self._lay_all(frame)
        self._lay_all(None)
        self._container.mux(self.out.encode())

    def _lay_all(self, frame: AudioFrame | None) -> None:
        try:
            ready = self._resample(frame)
        except (av.FFmpegError, ValueError):  # damage can make up a layout or a rate that cannot be converted
            self._resampler = None
            self.lost += 1
            return
        for part in ready:
            time = None if part.pts is None else part.pts * part.time_base - self._origin
            self._lay(time, part.to_ndarray(), part.samples)

    def _resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        """A decoded frame in the encoder's format and rate, or with None what the resampler still holds."""
        kind = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        ready: list[AudioFrame | None] = []
        if self._resampler and kind != self._kind:
            ready += self._resampler.resample(None)
            self._resampler = None
        if frame is not None:
            if self._resampler is None:
                self._kind = kind
                self._resampler = AudioResampler(self.target.sample_format, self._layout, self._rate)
            ready += self._resampler.resample(frame)
        return [part for part in ready if part is not None]  # None is what one with nothing to do gives at its end

    def _silence(self, count: int) -> np.ndarray:
        types = {"s16p": np.int16, "s32p": np.int32, "fltp": np.float32}
        return np.zeros((self._layout.nb_channels, count), types[self.target.sample_format])

    def _part(self, block: np.ndarray, start: int, stop: int) -> np.ndarray:
        return block[:, start:stop]

    def _store(self, block: np.ndarray, at: int, count: int) -> None:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), self.target.sample_format, self._layout.name)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = at
        self._container.mux(self.out.encode(frame))


def _open(source: Path) -> InputContainer | None:
    """The file, set to read nothing but sound; None where there is none."""
    if not source.is_file():
        return None
    try:
        container = av.open(os.path.abspath(source), metadata_errors="ignore")
    except (av.FFmpegError, OSError):
        return None
    if not container.streams.audio:
        container.close()
        return None
    for stream in container.streams:
        if stream.type != "audio":
            stream.discard = Discard.all
    return container


def _muxable(stream: AudioStream, container: str) -> bool:
    """Whether a muxer takes a stream as it is: its header is tried in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _encodable(target: _Target, rate: int, layout: str) -> bool:
    """Whether an encoder can be opened so: tried with one of its own."""
    try:
        context = av.CodecContext.create(target.codec, "w")
        _set_up(context, target, rate, layout)
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _set_up(context: av.AudioCodecContext, target: _Target, rate: int, layout: str) -> None:
    formats = Codec(target.codec, "w").audio_formats or []
    packed = target.sample_format.removesuffix("p")
    context.format = next((f.name for f in formats if f.name in (target.sample_format, packed)), packed)
    context.sample_rate = rate
    context.layout = layout
    context.time_base = Fraction(1, rate)
    if target.channel_rate:
        context.bit_rate = target.channel_rate * context.layout.nb_channels


def _pcm_block(stream: AudioStream) -> int:
    """Bytes of one sample of all channels, 0 for what is not plain PCM that is silent at 0."""
    name = stream.codec_context.codec.canonical_name
    if name not in _PCM:
        return 0
    return int(name[5:7]) // 8 * stream.codec_context.layout.nb_channels


def _milliseconds(samples: int, rate: int) -> int:
    """Samples in the ticks of Matroska, rounded as ffmpeg does: halves away from zero."""
    ticks = int(Fraction(abs(samples) * 1000, rate) + Fraction(1, 2))
    return ticks if samples >= 0 else -ticks
