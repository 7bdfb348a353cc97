"""Time and memory of a step against the length of the clip: flat for a fixed-size context, growing for STM's memory."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from vcut.bench.network import SIZES, made_up_frames, made_up_labels
from vcut.bench.system import available_memory
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.models.base import SegmentationModel
from vcut.models.stm import STMMemory

MEASURED = 5
"""Steps whose median is taken at each length; one of them is remembered in full."""

LENGTHS = (1, 10, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class LengthCurve:
    """One network on ever longer clips.

    Attributes:
        model: its name.
        size, objects: of the clip.
        frames: how many frames it had seen.
        step_ms: median time of a step then.
        context_bytes: what it remembered then.
        working_bytes: ... and what the read takes besides.
        stopped: why there are no longer ones.
    """

    model: str
    size: str
    objects: int
    frames: list[int] = field(default_factory=list)
    step_ms: list[float] = field(default_factory=list)
    context_bytes: list[int] = field(default_factory=list)
    working_bytes: list[int] = field(default_factory=list)
    stopped: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def measure_length(
    name: str,
    model: SegmentationModel,
    runtime: Runtime,
    size: str = "384x384",
    objects: int = 1,
    lengths: Sequence[int] = LENGTHS,
    *,
    seconds: float = math.inf,
    on_length: Callable[[int], None] = lambda frames: None,
) -> LengthCurve:
    """Measures steps after so many frames.

    A memory that grows is filled with what so many frames leave in it (copies of the first one's entry) instead of
    running them all; a memory of a fixed size runs all frames. A curve ends where memory or patience do.

    Args:
        name: of the network, for the curve.
        model: the network.
        runtime: where it runs.
        size: one of :data:`vcut.bench.network.SIZES`.
        objects: in the clip.
        lengths: growing.
        seconds: for a whole curve; lengths that would take longer are left out, and said.
        on_length: told of each.
    """
    height, width = SIZES[size]
    propagator = Propagator(model, runtime, size=min(height, width), roi=False)
    frames = list(made_up_frames(height, width, 4, objects))
    propagator.start(frames[0], made_up_labels(height, width, objects))
    propagator.step(frames[1])
    curve, seen, begin, stopped = LengthCurve(name, size, objects), 2, time.monotonic(), None
    for length in lengths:
        memory = propagator.memories[0]
        if isinstance(memory, STMMemory):
            need = _stm_bytes(memory, length, model.config.keep_every)
            if need > 0.7 * _room(runtime):
                stopped = f"{length} frames would take {need / 1e9:.1f} GB"
                break
            propagator.memories = [_filled(m, length, model.config.keep_every) for m in propagator.memories]
        elif curve.step_ms and (length - seen) * curve.step_ms[-1] / 1000 > seconds - (time.monotonic() - begin):
            stopped = f"{length} frames would take longer than {seconds:g} s"
            break
        else:
            while seen < length:
                propagator.step(frames[seen % 4])
                seen += 1
        held = list(propagator.memories)
        taken = [_step(propagator, frames[number % 4], runtime) for number in range(MEASURED)]
        seen += MEASURED
        curve.frames.append(length)
        curve.step_ms.append(statistics.median(taken))
        curve.context_bytes.append(sum(memory.nbytes for memory in held))
        curve.working_bytes.append(sum(_likeness_bytes(m) for m in held if isinstance(m, STMMemory)))
        on_length(length)
    return LengthCurve(**{**curve.to_json(), "stopped": stopped})


def _step(propagator: Propagator, frame: Any, runtime: Runtime) -> float:
    """Milliseconds of a step that leaves the memory as long as it is."""
    before = propagator.memories
    begin = time.perf_counter()
    propagator.step(frame)
    runtime.wait()
    taken = 1000 * (time.perf_counter() - begin)
    if isinstance(before[0], STMMemory):
        propagator.memories = before
    return taken


def _entries(length: int, every: int) -> int:
    """Frames in STM's memory after so many: every fifth, and the last where it is none of them."""
    kept = -(-length // every)
    return kept + ((length - 1) % every != 0)


def _filled(memory: STMMemory, length: int, every: int) -> STMMemory:
    one = memory.key.shape[2] // _entries(memory.frames, every)
    count = _entries(length, every)
    kept = -(-length // every)
    return STMMemory(
        memory.key[..., :one].repeat(1, 1, count), memory.value[..., :one].repeat(1, 1, count), length, kept * one
    )


def _likeness_bytes(memory: STMMemory) -> int:
    """The likenesses of all pixels with all that are kept, in float32, before and after the softmax."""
    entries = _entries(memory.frames, 5)
    locations = memory.key.shape[2] // entries
    return 2 * 4 * memory.key.shape[0] * locations * memory.key.shape[2]


def _stm_bytes(memory: STMMemory, length: int, every: int) -> int:
    one = memory.key.shape[2] // _entries(memory.frames, every)
    count = _entries(length, every) * one
    rows = memory.key.shape[0]
    kept = (memory.key.shape[1] + memory.value.shape[1]) * memory.key.element_size() * rows * count
    return 2 * kept + 2 * 4 * rows * one * count


def _room(runtime: Runtime) -> int:
    if runtime.device.type == "cuda":
        return torch.cuda.mem_get_info(runtime.device)[0]
    return available_memory()
