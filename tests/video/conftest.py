"""Clips made at test time with real encoders, and independent ways to read results back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from vcut.video.source import Frame
from vcut.video.writer import Cutout


def quadrants(width: int, height: int, index: int = 0) -> np.ndarray:
    """H x W x 3 uint8: red, green, blue and white quarters, with a dark bar that moves two pixels a frame."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 40, 40)
    picture[: height // 2, width // 2 :] = (40, 200, 40)
    picture[height // 2 :, : width // 2] = (40, 40, 200)
    picture[height // 2 :, width // 2 :] = (220, 220, 220)
    picture[:, 2 * index % width : 2 * index % width + 2] = 20
    return picture


@pytest.fixture
def make_clip() -> Callable[..., Path]:
    """Write a clip; without tags its colours are BT.601, or BT.709 with ``matrix=1``."""

    def make(
        path: Path,
        *,
        width: int = 64,
        height: int = 48,
        frames: int = 8,
        pictures: Sequence[np.ndarray] | None = None,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        pts: Sequence[int] | None = None,
        time_base: Fraction = Fraction(1, 25),
        rate: Fraction = Fraction(25),
        rotation: int = 0,
        matrix: int = 5,
        tagged: bool = False,
        container_options: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> Path:
        if pictures is None:
            pictures = [quadrants(width, height, index) for index in range(frames)]
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = time_base
            stream.options = options or {}
            if tagged:
                stream.codec_context.colorspace = matrix
                stream.codec_context.color_range = 1
            if rotation:
                stream.set_display_rotation(rotation)
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                    format=pixel_format, dst_colorspace=matrix
                )
                frame.colorspace = matrix if tagged else 2
                frame.pts = pts[index] if pts else index
                frame.time_base = time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


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
