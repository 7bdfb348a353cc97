"""All eight ways up: display matrices as ffmpeg writes and applies them, EXIF as Pillow applies it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageOps

from vcut.video.orientation import Orientation, exif_orientation
from vcut.video.reader import open_source

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1"]


@pytest.mark.parametrize("flip", ["", "-display_hflip", "-display_vflip"])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_video_as_ffmpeg_shows_it(make_clip: Callable[..., Path], tmp_path: Path, angle: int, flip: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=2)
    turned = tmp_path / "turned.mp4"
    tags = ["-display_rotation", str(angle), *([flip] if flip else [])]
    subprocess.run([*FFMPEG, *tags, "-i", plain, "-c", "copy", turned], check=True)
    shown = subprocess.run([*FFMPEG, "-i", turned, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True)
    with open_source(turned) as source:
        info, frames = source.info, list(source)
    assert (info.width, info.height) == ((48, 64) if angle % 180 else (64, 48))
    expected = np.frombuffer(shown.stdout, np.uint8).reshape(-1, info.height, info.width, 3)
    assert len(frames) == len(expected) == 2
    for frame, picture in zip(frames, expected, strict=True):
        assert frame.rgb.flags.c_contiguous
        assert np.abs(frame.rgb.astype(int) - picture)[4:-4, 4:-4].mean() < 3


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_as_pillow_shows_it(value: int) -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = Image.fromarray(picture)
    image.getexif()[0x0112] = value
    assert np.array_equal(exif_orientation(value).upright(picture), np.asarray(ImageOps.exif_transpose(image)))


def test_unknown_exif_values_are_upright() -> None:
    assert exif_orientation(None) == exif_orientation(0) == exif_orientation(99) == Orientation()
