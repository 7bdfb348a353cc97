"""Open a video file, a folder of pictures or one picture as a source of upright RGB frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from vcut.errors import InputError, OptionError
from vcut.video.colour import SCALING, decided, swscale_matrix
from vcut.video.damage import Damage, is_cut_mp4
from vcut.video.frames import IMAGE_SUFFIXES, FolderSource
from vcut.video.probe import VideoInfo, describe_video
from vcut.video.source import Frame, Source
from vcut.video.timing import Clock

__all__ = ["Frame", "Source", "VideoInfo", "VideoSource", "open_source"]


def open_source(path: str | Path, rate: Fraction = Fraction(25)) -> Source:
    """Open ``path`` for one pass over its frames.

    Args:
        path: a video file, a folder of pictures, or one picture.
        rate: frames a second of pictures, and of a video that tells neither time stamps nor rate.

    Raises:
        InputError: nothing there, or nothing in it that can be read as frames.
        OptionError: ``rate`` is not above zero.
    """
    path = Path(path)
    if rate <= 0:
        raise OptionError(f"the frame rate {rate} makes no sense", "give a rate above 0")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}", "check the path and its permissions") from error
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderSource(path, rate)
    if not size:
        raise InputError(f"{path} is empty (0 bytes)", "copy or record it again")
    return VideoSource(path, rate)


class VideoSource(Source):
    """The first real video stream of a file, decoded frame by frame; memory does not grow with length."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        self.warnings = []
        self._path = path
        self._container = _open_container(path)
        try:
            self._stream = _video_stream(path, self._container)
            self._stream.thread_type = "AUTO"
            self._damage = Damage()
            decoded = self._decode()
            first = next(decoded, None)
            if first is None:
                raise self._no_frames()
            self.info = describe_video(path, self._container, self._stream, first)
        except BaseException:
            self._container.close()
            raise
        self._time_base = self.info.time_base or 1 / rate
        self._clock = Clock(self._time_base, self.info.rate or rate)
        self._tags = decided(self.info.colour, first.height)
        self._reformatter = VideoReformatter()
        self._frames = self._read_all(first, decoded)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()
        self._container.close()

    def _read_all(self, first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[Frame]:
        size = (first.width, first.height)
        # AVI stores no presentation times: of what ffmpeg makes up for it, only the decoding times are in order.
        timed_by_dts = self._container.format.name == "avi"
        for index, frame in enumerate(chain([first], rest)):
            if (frame.width, frame.height) != size:
                changed = f"is {frame.width}x{frame.height}, the first {size[0]}x{size[1]}"
                raise InputError(
                    f"{self._path}: frame {index} {changed}",
                    "split the clip there, or scale it to one size",
                )
            pts = self._clock.stamp(frame.dts if timed_by_dts else frame.pts)
            yield Frame(index, pts, self._time_base, self._upright(frame))
        loss = self._damage.report(self._path, self._container, self._stream, self._clock)
        if loss:
            self.warnings.append(loss)

    def _upright(self, frame: VideoFrame) -> np.ndarray:
        """H x W x 3 uint8 from a decoded frame: its matrix and range undone, and turned upright."""
        if frame.format.is_rgb:
            picture = frame.to_ndarray(format="rgb24")
        else:
            picture = self._reformatter.reformat(
                frame,
                format="rgb24",
                src_colorspace=swscale_matrix(self._tags),
                src_color_range=self._tags.range,
                dst_color_range=ColorRange.JPEG,
                interpolation=SCALING,
            ).to_ndarray()
        return np.ascontiguousarray(np.rot90(picture, k=self.info.rotation // 90 % 4))

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            yield from self._decode_packet(packet)
        yield from self._decode_packet(None)

    def _decode_packet(self, packet: Packet | None) -> Iterator[VideoFrame]:
        """Decode one packet, or with None what the decoder still holds; failures are counted as damage."""
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError:
            self._damage.bad_packets += 1
            return
        for frame in frames:
            self._damage.kept += 1
            self._damage.flawed += frame.is_corrupt
            yield frame

    def _packets(self) -> Iterator[Packet]:
        """The packets of the stream, except a last one that the end of the file cuts: it spoils the flush."""
        held: Packet | None = None
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue
                if held is not None:
                    yield held
                held = packet
        except av.FFmpegError as error:
            self._damage.reading_error = error.strerror
        if held is not None:
            if held.is_corrupt:
                self._damage.cut_packet = True
            else:
                yield held

    def _no_frames(self) -> InputError:
        if self._damage:
            return InputError(f"{self._path} is damaged: none of its frames can be decoded", "copy or record it again")
        return InputError(f"{self._path} has a video stream without frames", "check how it was made")


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
