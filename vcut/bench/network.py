"""One network at one size: time a frame by stage, work, and memory, on frames that are made up.

Stages and the median are of frames seen in full, step by step; beside them stands the rate of ``vcut segment``, which
looks only where the objects are (CPU), or replays a recorded step (GPU).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from vcut.bench.work import StageWork
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.errors import DeviceError
from vcut.memory import forget_peak, peak_bytes
from vcut.models.base import SegmentationModel
from vcut.times import Stages, StageTimes

SIZES = {
    "384x384": (384, 384),
    "480p": (480, 854),
    "720p": (720, 1280),
    "1080p": (1080, 1920),
    "2k": (1440, 2560),
    "4k": (2160, 3840),
}
"""Height and width of the frames; the network sees them at that size. The first is that of GC, Figure 1(a), Table 1."""

STAGES = ("preprocess", "encode", "read", "decode", "aggregate", "remember")
"""Of a step, in their order."""

WARM_UP = 3
"""Frames before the clock starts."""


@dataclass(frozen=True)
class NetworkCase:
    """What is measured: a network, frames of one of :data:`SIZES`, so many objects, so many frames."""

    model: str
    size: str
    objects: int
    frames: int


@dataclass(frozen=True)
class NetworkResult:
    """What came out.

    Attributes:
        case: what was measured.
        trained: whether the weights are; cost does not depend on it.
        median_ms, p95_ms: of a frame's step, from the frame in memory to the probabilities.
        used_fps: frames a second as ``vcut segment`` has them: on a CPU most frames are looked at only where the
            objects are (each a third of the frame's height), on a GPU a recorded step is replayed; 0 for networks that
            can do neither.
        stages_ms: means: ``preprocess``, ``encode`` (the frame), ``read`` (of the context, and matching), ``decode``
            (the mask decoder), ``aggregate``, ``remember`` (mask encoder and context; a mean over frames, as some
            remember only every fifth).
        gmac: billions of multiply-adds of a step in which the frame is remembered in full.
        parameters: of the network.
        context_bytes: what is remembered after the last frame.
        peak_bytes: the most memory that the process held meanwhile (CPU; on Windows and macOS the most so far), or that
            was allocated on the GPU.
        reserved_bytes: ... and reserved there.
        error: why it could not be measured.
    """

    case: NetworkCase
    trained: bool
    median_ms: float = 0.0
    p95_ms: float = 0.0
    used_fps: float = 0.0
    stages_ms: dict[str, float] = field(default_factory=dict)
    stages_gmac: dict[str, float] = field(default_factory=dict)
    stages_mb: dict[str, float] = field(default_factory=dict)
    parameters: int = 0
    context_bytes: int = 0
    peak_bytes: int = 0
    reserved_bytes: int = 0
    error: str | None = None

    @property
    def fps(self) -> float:
        """Frames a second, by the median."""
        return 1000 / self.median_ms if self.median_ms else 0.0

    @property
    def gmac(self) -> float:
        """Billions of multiply-adds of a step, a mean over frames."""
        return sum(self.stages_gmac.values())

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "fps": self.fps, "gmac": self.gmac}


def measure_network(case: NetworkCase, model: SegmentationModel, trained: bool, runtime: Runtime) -> NetworkResult:
    """Runs a network over made-up frames. Not enough memory is a result, too."""
    parameters = sum(p.numel() for p in model.parameters())
    try:
        return _measure(case, model, trained, parameters, runtime)
    except (torch.OutOfMemoryError, MemoryError, DeviceError) as error:
        text = " ".join(str(error).split())[:120] or "out of memory"
        return NetworkResult(case, trained, parameters=parameters, error=text)


def _measure(
    case: NetworkCase, model: SegmentationModel, trained: bool, parameters: int, runtime: Runtime
) -> NetworkResult:
    height, width = SIZES[case.size]
    times = StageTimes(runtime.wait)
    propagator = Propagator(model, runtime, size=min(height, width), times=times, roi=False)
    frames = list(made_up_frames(height, width, 4, case.objects))
    labels = made_up_labels(height, width, case.objects)
    cuda = runtime.device.type == "cuda"
    work = _count(propagator, frames, labels)
    propagator.start(frames[0], labels)
    for number in range(WARM_UP):
        propagator.step(frames[number % len(frames)])
    forget_peak(str(runtime.device))
    times.seconds.clear()
    taken = []
    with _decoder_apart(propagator, times):
        for number in range(case.frames):
            runtime.wait()
            begin = time.perf_counter()
            propagator.step(frames[number % len(frames)])
            runtime.wait()
            taken.append(1000 * (time.perf_counter() - begin))
    return NetworkResult(
        case,
        trained,
        median_ms=statistics.median(taken),
        p95_ms=float(np.percentile(taken, 95)),
        used_fps=_used_rate(propagator, frames, labels, case.frames),
        stages_ms=_by_stage(times.seconds, case.frames / 1000),
        stages_gmac=_by_stage(work.macs, propagator.every * 1e9),
        stages_mb=_by_stage(work.bytes, propagator.every * 1e6),
        parameters=parameters,
        context_bytes=propagator.memory_bytes,
        peak_bytes=peak_bytes(str(runtime.device)),
        reserved_bytes=torch.cuda.max_memory_reserved(runtime.device) if cuda else 0,
    )


def _used_rate(full: Propagator, frames: list[np.ndarray], labels: np.ndarray, count: int) -> float:
    """Frames a second as the propagator does them by itself, in whole rounds."""
    propagator = Propagator(full.given, full.runtime, full.size, ready=full.model)
    if not (propagator.roi or propagator.records):
        return 0.0
    steps = propagator.round * max(1, count // propagator.round)
    propagator.start(frames[0], labels)
    for number in range(propagator.every):  # among them recorded steps of either kind
        propagator.step(frames[number % len(frames)])
    full.runtime.wait()
    begin = time.perf_counter()
    for number in range(steps):
        propagator.step(frames[number % len(frames)])
    full.runtime.wait()
    return steps / (time.perf_counter() - begin)


def made_up_frames(height: int, width: int, count: int, objects: int) -> Iterator[np.ndarray]:
    """H,W,3 uint8: the bars of :func:`made_up_labels`, bright and at rest, before dark noise that drifts to and fro."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 96, (height // 16 + 2, width // 16 + 4, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    bars = random.integers(160, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    inside = made_up_labels(height, width, objects)[..., None] > 0
    for number in range(count):
        shift = 8 * (number % 4 if number % 8 < 4 else 4 - number % 4)
        yield np.where(inside, bars[:height, :width], picture[:height, shift : shift + width])


def made_up_labels(height: int, width: int, objects: int) -> np.ndarray:
    """H,W uint8: so many upright bars, a third of the picture high."""
    labels = np.zeros((height, width), np.uint8)
    for number in range(objects):
        left = (2 * number + 1) * width // (2 * objects + 1)
        labels[height // 3 : 2 * height // 3, left : left + width // (2 * objects + 1)] = number + 1
    return labels


def _count(full: Propagator, frames: list[np.ndarray], labels: np.ndarray) -> StageWork:
    """The work of a whole round of steps, from one remembered frame to the next; bytes count as float32."""
    work, runtime = StageWork(), Runtime(full.runtime.device, full.runtime.floats)
    ready = full.model if runtime == full.runtime else None
    propagator = Propagator(full.given, runtime, full.size, times=work, ready=ready, roi=False)
    propagator.start(frames[0], labels)
    with _decoder_apart(propagator, work):
        for number in range(propagator.every):
            propagator.step(frames[number % len(frames)])
    return work


def _by_stage(sums: dict[str, float], unit: float) -> dict[str, float]:
    """Of each of :data:`STAGES` so many units; the decoder runs inside ``segment``, the rest of which is the read."""
    inside = {"read": sums["segment"] - sums["decode"]}
    return {stage: inside.get(stage, sums[stage]) / unit for stage in STAGES}


@contextmanager
def _decoder_apart(propagator: Propagator, times: Stages) -> Iterator[None]:
    """Makes the mask decoder a stage by itself, ``decode``, inside ``segment``."""
    decoder = propagator.model.decoder
    running: list[Any] = []

    def before(*_: Any) -> None:
        running.append(times("decode"))
        running[-1].__enter__()

    def after(*_: Any) -> None:
        running.pop().__exit__(None, None, None)

    handles = [decoder.register_forward_pre_hook(before), decoder.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
