"""One run of vcut over one source into every format, and what independent readers find in its results."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from contract.sources import Clip
from PIL import Image
from readback import Reading, by_ffmpeg, by_pyav, readers
from scipy.ndimage import binary_erosion

from vcut.options import SegmentOptions
from vcut.pipeline import segment_video
from vcut.video.cutout import Cutout
from vcut.video.formats import FORMATS, Format
from vcut.video.source import Frame

BACKDROP = (32, 64, 96)
_FAR, _INSIDE = 8, 4
_FULL = 250


class Run:
    """Cuts a clip into every format in one go.

    Attributes:
        clip: the source.
        folder: what the results, and nothing else, lie in.
        summary: what vcut says of the run.
    """

    def __init__(self, clip: Clip, mask: Path, folder: Path) -> None:
        self.clip = clip
        self.folder = folder
        options = SegmentOptions(
            input=clip.path,
            mask=clip.write_mask(mask),
            output=folder / "out",
            format=",".join(FORMATS),
            background="#{:02x}{:02x}{:02x}".format(*BACKDROP),
            size=96,
            weights="gam-s",
        )
        self.summary = segment_video(options)
        self.reading = cache(self._reading)

    def out(self, fmt: Format) -> Path:
        """The result in a format."""
        return self.folder / f"out_{fmt.name}{fmt.suffix}"

    def _reading(self, fmt: Format, reader: int) -> Reading:
        """What PyAV (0) or the ffmpeg binary (1) finds in a result."""
        return readers(fmt)[reader](self.out(fmt))

    def pictures(self, name: str) -> np.ndarray:
        """The pictures of a folder as Pillow reads them, in order of their names."""
        files = sorted(self.out(FORMATS[name]).iterdir())
        return np.stack([np.asarray(Image.open(file)) for file in files])

    @cached_property
    def source(self) -> np.ndarray:
        """T x H x W x 3 levels of 255: the source as the ffmpeg binary shows it, turned upright by it."""
        return by_ffmpeg(self.clip.path).rgba[..., :3]

    @cached_property
    def labels(self) -> np.ndarray:
        """T x H x W ids, out of ``labels``."""
        return self.pictures("labels")

    @cached_property
    def rgba(self) -> np.ndarray:
        """T x H x W x 4 uint16, out of ``rgba-16``: what the other formats of the run are compared with."""
        return np.rint(by_pyav(self.out(FORMATS["rgba-16"])).rgba * 257).astype(np.uint16)

    @cached_property
    def alpha(self) -> np.ndarray:
        """T x H x W levels of 255, out of ``rgba-16``."""
        return self.rgba[..., 3] / 257

    def cutouts(self, colour: bool) -> list[Cutout]:
        """The source's frames with the run's own labels and alpha, and with ``colour`` its own colours too."""
        frames = np.rint(self.source * 257).astype(np.uint16)
        return [
            Cutout(Frame(index, index, Fraction(1, 25), rgb), labels, rgba[..., 3], rgba[..., :3] if colour else None)
            for index, (rgb, labels, rgba) in enumerate(zip(frames, self.labels, self.rgba, strict=True))
        ]

    @cached_property
    def flat(self) -> dict[int, np.ndarray]:
        """By object T x H x W bool: well inside it, where alpha is full; by 0 the ground far from all, with none."""
        areas = {
            key: _eroded(self.clip.truth == key, _INSIDE) & (self.labels == key) & (self.alpha >= _FULL)
            for key in self.summary.objects
        }
        return {0: _eroded(self.clip.truth == 0, _FAR) & (self.alpha == 0)} | areas


def _eroded(masks: np.ndarray, pixels: int) -> np.ndarray:
    return np.stack([binary_erosion(mask, iterations=pixels) for mask in masks])
