"""Write cut-outs, frame by frame, as a video or a folder of PNG; nothing half-written has the final name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from PIL import Image

from vcut.errors import OutputError
from vcut.masks.palette import save_indexed
from vcut.video import place
from vcut.video.colour import SCALING, ColourTags, encoding_tags, swscale_matrix
from vcut.video.compose import overlay, pad_to_even, straight_rgba
from vcut.video.formats import Format
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame

# Told to the encoder where the source has no rate: a hint for its rate control, time stamps stay as they are.
_NOMINAL_RATE = Fraction(25)
_LEAST_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Cutout:
    """One frame and what was found in it.

    Attributes:
        frame: the source's frame, H x W.
        labels: H x W uint8, the user's object ids, 0 background.
        alpha: H x W uint8, opacity of all objects together.
        colour: H x W x 3 in the type of ``frame.rgb``, colours of the objects without their old background where they
            are half transparent; the frame's own when left out.
        objects: by id the opacity of each object, H x W uint8, where a writer asks for them.
    """

    frame: Frame
    labels: np.ndarray
    alpha: np.ndarray
    colour: np.ndarray | None = None
    objects: Mapping[int, np.ndarray] | None = None


class Writer(ABC):
    """A context manager that takes cut-outs in order.

    Leaving it without an error finishes the output and gives it its name; with one, all is removed.
    """

    def __init__(self, out: Path, fmt: Format, info: VideoInfo, overwrite: bool) -> None:
        self.out = out
        self.format = fmt
        self.info = info
        self._overwrite = overwrite
        self._temporary = place.temporary_path(out, fmt)
        self._count = 0

    def write(self, cutout: Cutout) -> None:
        """Write one frame.

        Raises:
            OutputError: it cannot be encoded or stored.
            ValueError: an array of ``cutout`` has not the size of the source.
        """
        size = (self.info.height, self.info.width)
        if not cutout.frame.rgb.shape[:2] == cutout.labels.shape == cutout.alpha.shape == size:
            raise ValueError(f"a cut-out of {cutout.frame.rgb.shape[:2]} does not fit a source of {size}")
        try:
            self._write(cutout)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self._count += 1

    def __enter__(self) -> Self:
        try:
            self._begin()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._give_up()
            raise self._failure(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._give_up()
            return
        try:
            if not self._count:
                raise OutputError(f"no frame was written to {self.out}", "check the source")
            self._end(complete=True)
            place.publish(self._temporary, self.out, self.format, self._overwrite)
        except (av.FFmpegError, OSError) as failure:
            self._give_up()
            raise self._failure(failure) from failure
        except BaseException:
            self._give_up()
            raise

    @abstractmethod
    def _begin(self) -> None:
        """Make the temporary."""

    @abstractmethod
    def _write(self, cutout: Cutout) -> None:
        """Store one frame in the temporary."""

    @abstractmethod
    def _end(self, complete: bool) -> None:
        """Let go of the temporary; ``complete`` when all frames are there and the rest is to be written."""

    def _give_up(self) -> None:
        with suppress(av.FFmpegError, OSError):
            self._end(complete=False)
        with suppress(OSError):
            place.discard(self._temporary)

    def _failure(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(
            f"cannot write {self.out}: {reason}", "check the free space, or choose another output or format"
        )


def open_writer(out: str | Path, fmt: Format, info: VideoInfo, overwrite: bool = False) -> Writer:
    """Check where the output goes and return its writer; nothing is made there before ``with`` is entered.

    Args:
        out: the file, or for sequences the folder. Missing parent folders are made.
        fmt: a row of :mod:`vcut.video.formats`.
        info: the source that the frames come from.
        overwrite: replace a former output, at the end.

    Raises:
        OutputError: the name does not fit the format, ``out`` is the source, exists, or cannot be written.
    """
    out = Path(out)
    place.prepare(out, fmt, info.path, overwrite)
    writer = VideoWriter if fmt.kind == "video" else SequenceWriter
    return writer(out, fmt, info, overwrite)


class VideoWriter(Writer):
    """One video file: the time stamps of the source, moved so that the first is 0, and its colours tagged."""

    def __init__(self, out: Path, fmt: Format, info: VideoInfo, overwrite: bool) -> None:
        super().__init__(out, fmt, info, overwrite)
        self._tags = encoding_tags(info.colour, info.height)
        self._first_pts: int | None = None
        self._reformatter = VideoReformatter()
        self._container: OutputContainer | None = None

    def _begin(self) -> None:
        pad = 1 if self.format.even_size else 0
        self._container = av.open(str(self._temporary.absolute()), "w")
        stream = self._container.add_stream(self.format.codec, rate=self.info.rate or _NOMINAL_RATE)
        stream.width = self.info.width + self.info.width % 2 * pad
        stream.height = self.info.height + self.info.height % 2 * pad
        stream.pix_fmt = self.format.pixel_format
        stream.options = dict(self.format.options)
        context = stream.codec_context
        if self.info.time_base:
            context.time_base = self.info.time_base
        context.sample_aspect_ratio = self.info.pixel_aspect
        _tag(context, self._tags)
        self._stream = stream

    def _write(self, cutout: Cutout) -> None:
        source = cutout.frame
        if self._first_pts is None:
            self._first_pts = source.pts
        frame = self._encodable(cutout)
        frame.pts = source.pts - self._first_pts
        frame.time_base = source.time_base
        frame.duration = max(1, round(1 / ((self.info.rate or _NOMINAL_RATE) * source.time_base)))
        self._container.mux(self._stream.encode(frame))

    def _encodable(self, cutout: Cutout) -> VideoFrame:
        """The picture of the format, in the pixel format and matrix of the encoder, tagged as such."""
        if self.format.content == "cutout":
            picture = VideoFrame.from_ndarray(straight_rgba(cutout.frame.rgb, cutout.alpha), format="rgba")
        else:
            drawn = overlay(cutout.frame.rgb, cutout.labels)
            picture = VideoFrame.from_ndarray(pad_to_even(drawn) if self.format.even_size else drawn, format="rgb24")
        frame = self._reformatter.reformat(
            picture,
            format=self.format.pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=swscale_matrix(self._tags),
            dst_color_range=ColorRange.MPEG,
            interpolation=SCALING,
        )
        _tag(frame, self._tags)
        return frame

    def _end(self, complete: bool) -> None:
        if self._container is None:
            return
        if complete:
            self._container.mux(self._stream.encode())
        self._container.close()


class SequenceWriter(Writer):
    """A folder of PNG files named by frame number: 00000.png, 00001.png, ..."""

    def _begin(self) -> None:
        last = max(0, (self.info.frames_estimate or 0) - 1)
        self._digits = max(_LEAST_DIGITS, len(str(last)))
        self._temporary.mkdir()

    def _write(self, cutout: Cutout) -> None:
        target = self._temporary / f"{cutout.frame.index:0{self._digits}d}.png"
        with target.open("wb") as file:
            if self.format.content == "labels":
                save_indexed(file, cutout.labels)
            else:
                Image.fromarray(cutout.alpha).save(file, format="PNG")

    def _end(self, complete: bool) -> None:
        """Every file is complete as soon as it is written."""


def _tag(target: VideoFrame | VideoCodecContext, tags: ColourTags) -> None:
    """Write colour tags on a frame or an encoder: some formats take them from the one, some the other."""
    target.colorspace = tags.matrix
    target.color_primaries = tags.primaries
    target.color_trc = tags.transfer
    target.color_range = tags.range
