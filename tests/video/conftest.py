"""Clips made at test time with real encoders, and independent ways to read results back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from tools import make_clip

from vcut.video.source import Frame
from vcut.video.writer import Cutout


@pytest.fixture(name="make_clip")
def make_clip_fixture() -> Callable[..., Path]:
    """Write a clip, see :func:`tools.make_clip`."""
    return make_clip


@pytest.fixture
def clip(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """Eight plain frames of 64 x 48 at 25 a second."""
    return make_clip(tmp_path / "clip.mp4")


@pytest.fixture
def noisy_clip(make_clip: Callable[..., Path]) -> Callable[..., Path]:
    """A clip whose frames are large enough that a cut or a hole in the file hits one in its middle."""

    def make(path: Path, frames: int = 40, **options: object) -> Path:
        noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
        return make_clip(path, pictures=[np.roll(noise, index, 1) for index in range(frames)], **options)

    return make


def square_cutout(frame: Frame) -> Cutout:
    """Object 1 on the left, half transparent at its foot, object 2 right of it, nothing around."""
    height, width = frame.rgb.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : -height // 4, width // 4 : width // 2] = 1
    labels[height // 4 : -height // 4, width // 2 : -width // 4] = 2
    alpha = np.where(labels > 0, 255, 0).astype(np.uint8)
    alpha[height // 2 :][labels[height // 2 :] > 0] = 128
    return Cutout(frame, labels, alpha)


@pytest.fixture
def cutout_of() -> Callable[[Frame], Cutout]:
    return square_cutout


@pytest.fixture
def decode_alpha() -> Callable[[Path], np.ndarray]:
    """Read a video with alpha by PyAV (VP9 by libvpx, the only decoder of its alpha): T x H x W x 4 uint8."""

    def decode(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            vp9 = stream.codec_context.name == "vp9"
            decoder = av.CodecContext.create("libvpx-vp9", "r") if vp9 else stream.codec_context
            frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
            return np.stack([frame.to_ndarray(format="rgba") for frame in frames])

    return decode


@pytest.fixture
def ffmpeg_rgba() -> Callable[[Path, int, int], np.ndarray]:
    """Read a video by the ffmpeg binary of imageio-ffmpeg: T x H x W x 4 uint8."""

    def decode(path: Path, width: int, height: int) -> np.ndarray:
        forced = ["-c:v", "libvpx-vp9"] if path.suffix == ".webm" else []
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *forced, "-i", str(path)]
        command += ["-f", "rawvideo", "-pix_fmt", "rgba", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4)

    return decode


@pytest.fixture
def stamps() -> Callable[[Path], list[Fraction]]:
    """The presentation times of a video in seconds, exact, read by PyAV."""

    def read(path: Path) -> list[Fraction]:
        with av.open(str(path)) as container:
            return [frame.pts * frame.time_base for frame in container.decode(video=0)]

    return read
