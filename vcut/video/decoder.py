"""The decoded frames of a file's video stream in order, with whatever goes wrong on the way counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vcut.errors import InputError
from vcut.video.damage import Damage
from vcut.video.ends import is_cut, is_cut_mp4
from vcut.video.matroska import MATROSKA, is_torn_matroska
from vcut.video.pipe import FORMAT, Pipe

# Only libvpx gives the alpha of WebM: ffmpeg's own decoders leave it out.
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

# A damaged header can ask for pictures that fill the memory; 16384 x 8192 is beyond any clip.
_MAX_PIXELS = 1 << 27


class Decoder:
    """The first real video stream of a file, for one pass; memory does not grow with its length.

    Args:
        path: the file; only a name for messages when there is a pipe.
        pipe: standard input.

    Attributes:
        container, stream: PyAV's.
        damage: what went wrong so far.

    Raises:
        InputError: not a video, or its codec is not known.
    """

    def __init__(self, path: Path, pipe: Pipe | None = None) -> None:
        self._path = path
        self._pipe = pipe
        self.damage = Damage()
        self.container = _open_pipe(pipe) if pipe else _open_container(path)
        try:
            self.stream = _video_stream(path, self.container)
        except BaseException:
            self.container.close()
            raise
        self._context = _context_with_alpha(self.stream) or self.stream.codec_context
        self._context.thread_type = "AUTO"
        self._context.options = {**self._context.options, "max_pixels": str(_MAX_PIXELS)}

    def close(self) -> None:
        self.container.close()

    def frames(self) -> Iterator[VideoFrame]:
        """All frames from where the container stands."""
        for packet in self._packets():
            yield from self._decode(packet)
        yield from self._decode(None)

    def frames_from(self, pts: int) -> Iterator[VideoFrame]:
        """The frames from the key frame with that time stamp on, without those that depend on earlier ones."""
        self.container.seek(pts, stream=self.stream)
        self._context.flush_buffers()
        return dropwhile(lambda frame: frame.pts is None or frame.pts < pts, self.frames())

    def tagged(self, first: VideoFrame) -> VideoFrame:
        """``first`` with the tags of the container on it: a decoder of our own choice does not know them."""
        if self._context is self.stream.codec_context:
            return first
        try:
            with _open_container(self._path) as container:
                return next(container.decode(_video_stream(self._path, container)), first)
        except av.FFmpegError:
            return first

    def _decode(self, packet: Packet | None) -> Iterator[VideoFrame]:
        """Decode one packet, or with None what the decoder still holds; failures are counted as damage."""
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError:
            self.damage.bad_packets += 1
            return
        yield from frames

    def _packets(self) -> Iterator[Packet]:
        """The packets of the stream, except a last one that the end of the file cuts: it spoils the flush."""
        held: Packet | None = None
        end = 0
        try:
            for packet in self.container.demux(self.stream):
                if not packet.size:
                    continue
                if held is not None:
                    self.damage.torn_packets += held.is_corrupt
                    yield held
                held = packet
                end = (packet.pos or 0) + packet.size
        except av.FFmpegError as error:
            self.damage.reading_error = error.strerror
        if held is not None:
            if held.is_corrupt:
                self.damage.cut_packet = True
            else:
                yield held
        self._look_at_the_end(end)

    def _look_at_the_end(self, end: int) -> None:
        """Note whether more than the ``end`` of the last packet should be, or is, there."""
        name = self.container.format.name
        if name == FORMAT:  # bytes that are no whole frame
            self.damage.cut_packet |= end < (self._pipe.count if self._pipe else self._path.stat().st_size)
        elif self._pipe is None:
            self.damage.cut_file = is_cut(self._path, name)
            if name == MATROSKA and not self.damage.torn_packets:
                self.damage.torn_packets += is_torn_matroska(self._path)


def _context_with_alpha(stream: VideoStream) -> VideoCodecContext | None:
    """A decoder that gives the alpha which the container announces, where ffmpeg's own does not."""
    name = _DECODERS_WITH_ALPHA.get(stream.codec_context.name)
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return None
    return av.CodecContext.create(name, "r")


def _open_pipe(pipe: Pipe) -> InputContainer:
    try:
        return av.open(pipe, format=FORMAT, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise InputError("standard input is y4m of a kind that is not known here", "pipe in yuv420p") from error


def _open_container(path: Path) -> InputContainer:
    # The absolute path, for ffmpeg takes "name:..." for a protocol.
    try:
        return av.open(os.path.abspath(path), metadata_errors="ignore")
    except PermissionError as error:
        raise InputError(f"cannot read {path}: permission denied", "check its permissions") from error
    except (av.FFmpegError, OSError) as error:
        if is_cut_mp4(path):
            raise InputError(
                f"{path} is incomplete: the index (moov) that a recorder writes last is missing",
                "copy it again, or repair it from another clip of the same camera",
            ) from error
        raise InputError(
            f"{path} is not a video that can be read", "give a video file or a folder of pictures"
        ) from error


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise InputError(f"{path}: its video codec is not known here", "convert it, e.g. to H.264")
        return stream
    has = "only sound" if container.streams.audio else "no video stream"
    raise InputError(f"{path} has {has}", "give a video file or a folder of pictures")
