"""Whole runs, file to file, as a user has them: decoding, network, matte and encoding, and what overlaps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vcut.bench.network import SIZES, made_up_frames, made_up_labels
from vcut.errors import VcutError
from vcut.masks.palette import save_indexed
from vcut.memory import forget_peak, peak_bytes
from vcut.options import SegmentOptions
from vcut.pipeline import segment_video
from vcut.video.formats import FORMATS


@dataclass(frozen=True)
class FileCase:
    """What is measured: weights, frames of one of ``SIZES``, objects, frames, and the format that is written."""

    weights: str
    size: str
    objects: int
    frames: int
    format: str


@dataclass(frozen=True)
class FileResult:
    """What came out.

    Attributes:
        case: what was measured.
        fps: frames a second, file to file.
        stages_ms: means a frame, by the stages of :class:`vcut.pipeline.Summary`; some run beside others.
        peak_bytes: the most memory that the process held meanwhile (on Windows and macOS the most so far).
        error: why it could not be measured.
    """

    case: FileCase
    fps: float = 0.0
    stages_ms: dict[str, float] = field(default_factory=dict)
    peak_bytes: int = 0
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def measure_file(case: FileCase, device: str = "auto", dtype: str = "auto", network_size: int = 480) -> FileResult:
    """Cuts a made-up clip, H.264 in, ``case.format`` out, at the default size of what the network sees."""
    height, width = SIZES[case.size]
    with tempfile.TemporaryDirectory(prefix="vcut-bench-") as name:
        folder = Path(name)
        frames = made_up_frames(height, width, case.frames, case.objects)
        _write_clip(folder / "clip.mp4", frames, (width, height))
        with (folder / "mask.png").open("wb") as file:
            save_indexed(file, made_up_labels(height, width, case.objects))
        options = SegmentOptions(
            input=folder / "clip.mp4",
            mask=folder / "mask.png",
            output=folder / f"cut{FORMATS[case.format].suffix}",
            format=case.format,
            size=network_size,
            device=device,
            dtype=dtype,
            weights=case.weights,
        )
        forget_peak("cpu")
        try:
            summary = segment_video(options)
        except VcutError as error:
            return FileResult(case, error=str(error))
    stages = {stage: 1000 * seconds / summary.frames for stage, seconds in summary.stages.items()}
    return FileResult(case, summary.frames / summary.seconds, stages, peak_bytes("cpu"))


def _write_clip(path: Path, frames: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
