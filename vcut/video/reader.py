"""Open a video file, pictures or a pipe as a source of upright RGB frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from vcut.errors import InputError, OptionError
from vcut.video.colour import decided
from vcut.video.convert import Converter
from vcut.video.decoder import Decoder
from vcut.video.frames import IMAGE_SUFFIXES, PictureSource, folder_pictures, single_picture
from vcut.video.interlace import PROBE, deinterlaced, is_interlaced
from vcut.video.orientation import Orientation
from vcut.video.pattern import pattern_pictures
from vcut.video.pipe import PIPE, Pipe
from vcut.video.probe import VideoInfo, describe_video
from vcut.video.seek import WORTH, jump
from vcut.video.source import Frame, Source
from vcut.video.span import Span
from vcut.video.timing import Clock

__all__ = ["Frame", "Source", "Span", "VideoInfo", "VideoSource", "open_source"]


def open_source(
    path: str | Path,
    rate: Fraction = Fraction(25),
    *,
    deep: bool = False,
    span: Span | None = None,
    deinterlace: bool | None = None,
) -> Source:
    """Open ``path`` for one pass over its frames.

    Args:
        path: a video file, a folder of pictures, one picture, a pattern of numbered pictures (``shot_%04d.png`` or
            ``shot_####.png``), or ``-`` for a y4m stream on standard input.
        rate: frames a second of pictures, and of a video that tells neither time stamps nor rate.
        deep: give frames as uint16 over its whole range where the source has more than 8 bits a channel.
        span: the part to read; frames outside are not converted, and a long way to its start is skipped if that
            surely leads to the same frames. ``Frame.index`` stays the number in the source.
        deinterlace: with True make whole frames of interlaced ones, one for one; with False take them as they are;
            with None refuse them.

    Raises:
        InputError: nothing there, nothing in it that can be read as frames, or it is interlaced.
        OptionError: ``rate`` is not above zero.
    """
    path = Path(path)
    span = span or Span()
    if rate <= 0:
        raise OptionError(f"the frame rate {rate} makes no sense", "give a rate above 0")
    if path == PIPE:
        return VideoSource(path, rate, deep=deep, span=span, deinterlace=deinterlace, pipe=Pipe())
    pictures = pattern_pictures(path)
    if pictures is not None:
        return PictureSource(path, pictures, rate, deep=deep, span=span)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot open {path}: {reason}", "check the path and its permissions") from error
    if path.is_dir():
        return PictureSource(path, folder_pictures(path), rate, deep=deep, span=span)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return PictureSource(path, single_picture(path), rate, deep=deep, span=span)
    if not size:
        raise InputError(f"{path} is empty (0 bytes)", "copy or record it again")
    return VideoSource(path, rate, deep=deep, span=span, deinterlace=deinterlace)


class VideoSource(Source):
    """The first real video stream of a file, decoded frame by frame; memory does not grow with length."""

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        *,
        deep: bool = False,
        span: Span | None = None,
        deinterlace: bool | None = None,
        pipe: Pipe | None = None,
    ) -> None:
        self.warnings = []
        self._path = path
        self._span = span or Span()
        self._first_index = 0
        self._decoder = Decoder(path, pipe)
        try:
            decoded = self._decoder.frames()
            head = _head(decoded)
            if not head:
                raise self._no_frames()
            first = head[0]
            interlaced = is_interlaced(head)
            if interlaced and deinterlace is None:
                raise InputError(
                    f"{path} is interlaced: each frame holds two moments, in alternate lines",
                    "give --deinterlace to make whole frames of it, or --no-deinterlace to take it as it is",
                )
            tagged = self._decoder.tagged(first)
            self.info = describe_video(path, self._decoder.container, self._decoder.stream, first, tagged, interlaced)
            if self.info.depth > 16:
                raise InputError(
                    f"{path} has colours in floating point ({first.format.name})",
                    "convert it to 16-bit PNG or TIFF, or to a video of at most 16 bits",
                )
            self._time_base = self.info.time_base or 1 / rate
            self._rate = self.info.rate or rate
            self._origin = Clock(self._time_base, self._rate).stamp(first.pts)
            frames = chain(head, decoded)
            if not deinterlace and pipe is None:
                frames = self._later(frames)
        except BaseException:
            self._decoder.close()
            raise
        self._clock = Clock(self._time_base, self._rate)
        self._size = (first.width, first.height)
        self._orientation = Orientation(self.info.rotation, self.info.mirrored)
        tags = decided(self.info.colour, first.height, first.width)
        self._convert = Converter(tags, deep=deep and self.info.depth > 8, alpha=self.info.has_alpha)
        self._flagged = 0
        self._watched = deinterlace is None
        timed = self._timed(frames)
        if deinterlace:
            timed = deinterlaced(timed, self._time_base, flagged=interlaced)
        self._frames = self._read_all(timed)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        self._frames.close()
        self._decoder.close()

    def _later(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """``frames``, or those from the last key frame before the span where that saves much."""
        far = self._span.start if isinstance(self._span.start, int) else self._span.start * self._rate
        found = jump(self._path, self._span, self._time_base) if far > WORTH else None
        if found is None:
            return frames
        self._decoder.close()
        self._decoder = found.decoder
        self._first_index = found.index
        return found.frames

    def _timed(self, frames: Iterator[VideoFrame]) -> Iterator[tuple[int, VideoFrame]]:
        """Frames, all of one size, with their time stamps, each larger than the one before."""
        # AVI stores no presentation times: of what ffmpeg makes up for it, only the decoding times are in order.
        timed_by_dts = self._decoder.container.format.name == "avi"
        for index, frame in enumerate(frames, self._first_index):
            if (frame.width, frame.height) != self._size:
                changed = f"is {frame.width}x{frame.height}, the first {self._size[0]}x{self._size[1]}"
                raise InputError(
                    f"{self._path}: frame {index} {changed}",
                    "split the clip there, or scale it to one size",
                )
            yield self._clock.stamp(frame.dts if timed_by_dts else frame.pts), frame

    def _read_all(self, timed: Iterator[tuple[int, VideoFrame]]) -> Iterator[Frame]:
        damage = self._decoder.damage
        index, stopped = self._first_index - 1, False
        for index, (pts, frame) in enumerate(timed, self._first_index):
            seconds = (pts - self._origin) * self._time_base
            if self._span.ended(index, seconds):
                stopped = True
                break
            if not self._span.begun(index, seconds):
                continue
            damage.kept += 1
            damage.flawed += frame.is_corrupt
            self._flagged += frame.interlaced_frame
            rgb, alpha = self._upright(frame, index)
            yield Frame(index, pts, self._time_base, rgb, alpha)
        if not damage.kept:
            raise self._span.missed(self._path, index + 1, stopped)
        self._tell(damage.report(self._path, self._decoder.container, self._decoder.stream, self._clock, not stopped))
        if self._watched and 2 * self._flagged > damage.kept:
            self._tell(f"{self._path.name}: {self._flagged} of {damage.kept} frames are interlaced; see --deinterlace")

    def _tell(self, warning: str | None) -> None:
        if warning:
            self.warnings.append(warning)

    def _upright(self, frame: VideoFrame, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """RGB and alpha of a decoded frame, upright."""
        try:
            rgb, alpha = self._convert(frame)
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{self._path}: frame {index} cannot be turned into RGB ({frame.format.name})",
                "convert the clip, e.g. to H.264",
            ) from error
        return self._orientation.upright(rgb), None if alpha is None else self._orientation.upright(alpha)

    def _no_frames(self) -> InputError:
        if self._decoder.damage:
            return InputError(f"{self._path} is damaged: none of its frames can be decoded", "copy or record it again")
        return InputError(f"{self._path} has a video stream without frames", "check how it was made")


def _head(decoded: Iterator[VideoFrame]) -> list[VideoFrame]:
    """The first frames: two, or more where they are flagged as interlaced."""
    head = list(islice(decoded, 2))
    if any(frame.interlaced_frame for frame in head):
        head += islice(decoded, PROBE - len(head))
    return head
