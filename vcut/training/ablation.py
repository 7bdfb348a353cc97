"""What each part of the recipe is worth: the same short training with one thing changed, scored on the dev split."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vcut.atomic import replacing
from vcut.errors import OptionError
from vcut.models.base import SegmentationModel
from vcut.training.options import AUGMENTATIONS, TrainOptions
from vcut.training.pack import Pack
from vcut.training.trainer import Progress, Trainer

BASE = TrainOptions(steps=300, size=192, clip=3, long_clip=3, video_from=0.3, warmup=60, rate=3e-4, ema=0.99)
"""A run of minutes on a CPU: 2,400 clips."""

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "context raw": {"config": {"context": "raw"}},
    "no matching": {"config": {"reference": False, "window": 0}},
    "no matching, context raw": {"config": {"reference": False, "window": 0, "context": "raw"}},
    "no mask embedding": {"config": {"previous_masks": 0}},
    "three previous masks": {"config": {"previous_masks": 3}},
    "channel attention": {"config": {"channel_attention": True}},
    "stills only": {"video": 0.0},
    "clips of 2 frames": {"clip": 2, "long_clip": 2},
    "clips of 5 frames": {"clip": 5, "long_clip": 5},
    "no augmentations": {"without": AUGMENTATIONS},
    "edge loss 0.5": {"edge": 0.5},
    "masks spoilt 0.5": {"drift": 0.5},
    "first frame apart 0.5, masks spoilt 0.5": {"apart": 0.5, "drift": 0.5},
}
"""What is changed of the base; clips seen are the same for all."""

Scores = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One variant: its mean scores, and what it took."""

    name: str
    scores: Scores
    clips: int
    hours: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"name": self.name, "scores": self.scores, "clips": self.clips, "hours": self.hours}


def ablate(
    folder: Path,
    packs: dict[str, Pack],
    judge: Callable[[SegmentationModel], Scores],
    device: torch.device,
    *,
    base: TrainOptions = BASE,
    backbones: Path | None = None,
    names: Iterable[str] = tuple(VARIANTS),
    report: Callable[[str, Progress], None] = lambda name, progress: None,
    scratch: bool = False,
    workers: int = 1,
) -> list[Row]:
    """Trains and scores variants, each in a folder of its own; goes on where it was stopped.

    Args:
        folder: of all runs; ``ablation.json`` is written there after each variant.
        packs: see :func:`vcut.training.pack.open_packs`.
        judge: gives the mean J&F, J and F of a model on the dev split.
        device: to train on.
        base: what every variant starts from.
        backbones, scratch, workers: see :class:`vcut.training.trainer.Trainer`.
        names: keys of :data:`VARIANTS`.
        report: called as training goes on.

    Raises:
        OptionError: an unknown name, or a folder with runs of another base.
    """
    names = list(names)
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise OptionError(f"unknown variant '{unknown[0]}'", f"known ones: {', '.join(VARIANTS)}")
    rows = []
    for name in names:
        run = folder / name.replace(" ", "-").replace(",", "")
        trainer = Trainer(run, replace(base, **VARIANTS[name]), device, backbones, scratch=scratch)
        scored = run / "scores.json"
        if not scored.is_file():
            trainer.train(packs, lambda progress, name=name: report(name, progress), workers=workers)
            with replacing(scored) as temporary:
                temporary.write_text(json.dumps(judge(trainer.mean)))
        clips = trainer.options.steps * trainer.options.batch
        rows.append(Row(name, json.loads(scored.read_text()), clips, trainer.seconds / 3600))
        with replacing(folder / "ablation.json") as temporary:
            temporary.write_text(json.dumps({"base": base.to_dict(), "rows": [r.to_json() for r in rows]}, indent=1))
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: each variant's scores, and its J&F against the first row's."""
    lines = ["| variant | J&F | J | F | change |", "|---|---|---|---|---|"]
    for row in rows:
        s = row.scores
        change = "" if row is rows[0] else f"{100 * (s['J&F'] - rows[0].scores['J&F']):+.1f}"
        lines.append(f"| {row.name} | {s['J&F']:.3f} | {s['J']:.3f} | {s['F']:.3f} | {change} |")
    return "\n".join(lines)
