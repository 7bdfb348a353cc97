"""Scores a network's matte on composited clips, against plain upsampling of its probability."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.matte.composite import Composite, CutOut, compose
from vcut.matte.matte import Matte
from vcut.matte.options import MatteOptions
from vcut.matte.scores import colour_error, flicker, gradient_error, mse, sad
from vcut.models.base import SegmentationModel

KEYS = ("SAD", "MSE", "gradient", "colour", "flicker")
"""See :mod:`vcut.matte.scores`."""


@dataclass(frozen=True)
class ClipScore:
    """The scores of one clip, means over its frames but the given one.

    Attributes:
        name: of the cut-out.
        plain: scores of the probability, upsampled bilinearly, and of the frame's own colours, by :data:`KEYS`.
        matte: scores of the matte.
        model_seconds, matte_seconds: a frame's mean time in the network and in the matte.
    """

    name: str
    plain: dict[str, float]
    matte: dict[str, float]
    model_seconds: float
    matte_seconds: float


@dataclass(frozen=True)
class MatteReport:
    """The scores of several clips."""

    clips: tuple[ClipScore, ...]

    def mean(self, side: str) -> dict[str, float]:
        """Means over clips of ``plain`` or ``matte``."""
        return {key: float(np.mean([getattr(clip, side)[key] for clip in self.clips])) for key in KEYS}

    def ratio(self) -> dict[str, float]:
        """The matte's mean by the plain one's; below 1 is better."""
        plain, matte = self.mean("plain"), self.mean("matte")
        return {key: matte[key] / plain[key] if plain[key] else 1.0 for key in KEYS}

    def rows(self) -> list[tuple[str, ...]]:
        """A table: of each clip the plain scores and the matte's, then both means, then their ratio."""
        rows = []
        for clip in self.clips:
            rows += [(clip.name, "plain", *_figures(clip.plain)), ("", "matte", *_figures(clip.matte))]
        rows += [("mean", "plain", *_figures(self.mean("plain"))), ("", "matte", *_figures(self.mean("matte")))]
        return [*rows, ("", "ratio", *_figures(self.ratio(), 3))]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for :func:`json.dump`."""
        return {
            "plain": self.mean("plain"),
            "matte": self.mean("matte"),
            "ratio": self.ratio(),
            "model_seconds": float(np.mean([clip.model_seconds for clip in self.clips])),
            "matte_seconds": float(np.mean([clip.matte_seconds for clip in self.clips])),
            "clips": [vars(clip) for clip in self.clips],
        }


def measure(
    cutouts: Iterable[CutOut],
    data: Path,
    model: SegmentationModel,
    runtime: Runtime,
    size: int,
    height: int = 1080,
    options: MatteOptions | None = None,
    on_clip: Callable[[ClipScore], None] | None = None,
) -> MatteReport:
    """Cuts composited clips with a network and compares mattes with the truth.

    Args:
        cutouts: what moves in each clip, see :func:`vcut.matte.composite.find_cutouts`.
        data: folder of ``backgrounds``.
        model: trained.
        runtime: where it and the matte run.
        size: shorter side of the picture it sees.
        height: lines of the clips.
        options: of the matte.
        on_clip: told of each clip.

    Raises:
        InputError: a picture cannot be read.
    """
    propagator, matte = Propagator(model, runtime, size), Matte(options)
    clips = []
    for cutout in cutouts:
        matte.reset()
        clips.append(_score(cutout.name, compose(cutout, data, height), propagator, matte))
        if on_clip:
            on_clip(clips[-1])
    return MatteReport(tuple(clips))


def _score(name: str, frames: Iterable[Composite], propagator: Propagator, matte: Matte) -> ClipScore:
    found: dict[str, list[dict[str, float]]] = {"plain": [], "matte": []}
    seconds: dict[str, list[float]] = {"model": [], "matte": []}
    before: dict[str, Tensor] = {}
    for number, frame in enumerate(frames):
        if number:
            step, spent = _timed(propagator.runtime, lambda rgb=frame.rgb: propagator.step(rgb))
            seconds["model"].append(spent)
        else:
            step = propagator.start(frame.rgb, (frame.alpha > 0.5).numpy().astype(np.uint8))
        probabilities = step.probabilities
        result, spent = _timed(propagator.runtime, lambda rgb=frame.rgb, p=probabilities: matte(rgb, p))
        opacity = 1 - probabilities[:1]
        plain = functional.interpolate(opacity[None], frame.alpha.shape, mode="bilinear", align_corners=False)[0, 0]
        mattes = {
            "plain": (plain.cpu(), _planes(torch.from_numpy(frame.rgb))),
            "matte": (result.alpha[0].cpu(), _planes(result.foreground[0].cpu())),
        }
        if number:
            seconds["matte"].append(spent)
            for side, (alpha, colours) in mattes.items():
                found[side].append(_judge(frame, alpha, colours, before[side]))
        before = {side: alpha for side, (alpha, _) in mattes.items()}
    means = {
        side: {key: float(np.mean([row[key] for row in rows if key in row] or [0.0])) for key in KEYS}
        for side, rows in found.items()
    }
    return ClipScore(
        name, means["plain"], means["matte"], float(np.median(seconds["model"])), float(np.median(seconds["matte"]))
    )


def _judge(frame: Composite, alpha: Tensor, colours: Tensor, before: Tensor) -> dict[str, float]:
    scores = {
        "SAD": sad(alpha, frame.alpha),
        "MSE": mse(alpha, frame.alpha),
        "gradient": gradient_error(alpha, frame.alpha),
        "colour": colour_error(colours, frame.colours, frame.alpha),
    }
    return scores | {"flicker": flicker(alpha, before, frame.alpha)} if frame.still else scores


def _timed(runtime: Runtime, work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    runtime.wait()
    return result, time.perf_counter() - started


def _planes(rgb: Tensor) -> Tensor:
    """H,W,3 uint8 to 3,H,W in 0..1."""
    return rgb.permute(2, 0, 1).float() / 255


def _figures(scores: dict[str, float], digits: int = 2) -> list[str]:
    return [f"{scores[key]:.{digits}f}" for key in KEYS]
