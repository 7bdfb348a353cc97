"""A folder of PNG files named by frame number: 00000.png, 00001.png, ..."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext

from vcut.masks.palette import save_indexed
from vcut.video.colour import ColourTags
from vcut.video.compose import Composer
from vcut.video.cutout import Cutout
from vcut.video.encode import Converter, tag
from vcut.video.formats import Format
from vcut.video.output import Writer
from vcut.video.probe import VideoInfo

_LEAST_DIGITS = 5
_UNSPECIFIED = 2
_FULL = 2
_HDR_TRANSFERS = (16, 18)  # PQ and HLG
_UNTAGGED = ColourTags(_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED, _FULL)


class SequenceWriter(Writer):
    """A folder of PNG in one row of the formats; every file is whole as soon as it has its name.

    PNG is taken for sRGB by whoever reads it, and so are the values of ordinary video; only HDR is tagged
    (cICP).
    """

    def __init__(
        self, out: Path, fmt: Format, info: VideoInfo, overwrite: bool = False, only: int | None = None
    ) -> None:
        super().__init__(out, fmt, info, overwrite, only)
        self._composer = Composer(fmt, pixel_aspect=info.pixel_aspect)
        self._converter = Converter(fmt, info)

    def _begin(self) -> None:
        last = max(0, (self.info.frames_estimate or 0) - 1)
        self._digits = max(_LEAST_DIGITS, len(str(last)))
        self._temporary.mkdir()
        if self.format.content != "labels":
            self._encoder = self._open_encoder()

    def _write(self, cutout: Cutout) -> None:
        picture = self._composer.picture(cutout, self._seconds(cutout))
        target = self._temporary / f"{cutout.frame.index:0{self._digits}d}.png"
        with target.open("wb") as file:
            if self.format.content == "labels":
                save_indexed(file, picture)
            else:
                file.write(self._encoded(picture))

    def _encoded(self, picture: np.ndarray) -> bytes:
        """The bytes of one PNG file: ffmpeg's encoder gives a whole one for each frame."""
        frame = self._converter.frame(picture)
        tag(frame, self._tags)
        frame.pts = self._count
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def _open_encoder(self) -> VideoCodecContext:
        tags = self._converter.tags
        is_hdr = self.format.content == "cutout" and tags.transfer in _HDR_TRANSFERS
        self._tags = tags if is_hdr else _UNTAGGED
        encoder = CodecContext.create(self.format.codec, "w")
        encoder.width, encoder.height = self.info.width, self.info.height
        encoder.pix_fmt = self.format.pixel_format
        encoder.time_base = Fraction(1, 25)  # it wants one; files of single pictures have no time
        encoder.sample_aspect_ratio = self.info.pixel_aspect
        encoder.options = dict(self.format.options)
        encoder.thread_count = 1  # else it holds frames back
        tag(encoder, self._tags)
        return encoder

    def _end(self, complete: bool) -> None:
        """Every file is complete as soon as it is written."""
