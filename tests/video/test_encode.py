"""Cut-outs on their way to an encoder: the part that shows something is converted alone, with the same result."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from vcut.video.compose import Composer
from vcut.video.cutout import Cutout
from vcut.video.encode import Converter
from vcut.video.formats import FORMATS
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame


def samples(frame: VideoFrame) -> list[np.ndarray]:
    """Each plane's, without what pads its rows."""
    found = []
    for plane, component in zip(frame.planes, frame.format.components, strict=True):
        rows = np.frombuffer(plane, np.uint8 if component.bits == 8 else np.uint16)
        found.append(rows.reshape(plane.height, -1)[:, : plane.width].copy())
    return found


@pytest.mark.parametrize("name", ["prores", "webm", "webm444"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((240, 320), (60, 140, 100, 180)),
        ((240, 320), (0, 33, 287, 320)),
        ((240, 320), (200, 240, 0, 1)),
        ((240, 320), (0, 0, 0, 0)),
        ((64, 64), (10, 60, 10, 60)),
        ((67, 51), (0, 9, 20, 31)),
    ],
)
def test_a_part_alone_is_as_in_the_whole(name, kind, size, place):
    rng = np.random.default_rng(0)
    top, bottom, left, right = place
    alpha = np.zeros(size, kind)
    alpha[top:bottom, left:right] = rng.integers(0, np.iinfo(kind).max + 1, (bottom - top, right - left))
    rgb = rng.integers(0, np.iinfo(kind).max + 1, (*size, 3)).astype(kind)
    fmt = FORMATS[name]
    cutout = Cutout(Frame(0, 0, Fraction(1, 25), rgb), np.zeros(size, np.uint8), alpha)
    info = VideoInfo(Path("clip.mp4"), "video", size[1], size[0], 0, Fraction(25), Fraction(1, 25), 1, None)
    composer, converter = Composer(fmt), Converter(fmt, info)
    picture, shown = composer.picture(cutout, Fraction(0)), composer.shown(cutout)
    outside = np.ones(size, bool)
    outside[shown] = False
    assert not picture[outside].any()
    whole, part = samples(converter.frame(picture)), samples(converter.frame(picture, shown))
    assert all(np.array_equal(mine, other) for mine, other in zip(part, whole, strict=True))
