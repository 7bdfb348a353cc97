"""Options of a training run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from vcut.errors import OptionError


@dataclass(frozen=True)
class TrainOptions:
    """One run, from its first step to its last. Frozen with the run: a resumed run keeps them.

    Attributes:
        architecture: what to train.
        steps: optimizer steps in all; the learning rate falls to nothing over them.
        batch: clips a step.
        size: side of the frames, a multiple of 16.
        clip: frames a clip at first.
        long_clip, long_from: frames a clip after the share ``long_from`` of the steps.
        video_from, video: after the share ``video_from`` of the steps, the share ``video`` of clips comes from video.
        two_objects: share of batches with two targets a clip instead of one.
        rate: highest learning rate (AdamW).
        trunk_rate: learning rate of the ImageNet trunks as a share of ``rate``.
        warmup: steps of rising learning rate.
        decay: weight decay.
        hard: share of the pixels, the hardest, that the cross-entropy is taken over.
        ema: decay of the running mean of weights that is exported.
        seed: of everything drawn.
    """

    architecture: str = "gam-s"
    steps: int = 4000
    batch: int = 8
    size: int = 256
    clip: int = 3
    long_clip: int = 4
    long_from: float = 0.6
    video_from: float = 0.3
    video: float = 0.5
    two_objects: float = 0.5
    rate: float = 2e-4
    trunk_rate: float = 0.5
    warmup: int = 200
    decay: float = 1e-3
    hard: float = 0.4
    ema: float = 0.998
    seed: int = 1

    def __post_init__(self) -> None:
        if self.size % 16 or self.size < 64:
            raise OptionError(f"--size {self.size} cannot be trained at", "give a multiple of 16, at least 64")
        if min(self.steps, self.batch) < 1 or min(self.clip, self.long_clip) < 2:
            raise OptionError("--steps and --batch must be at least 1, --clip and --long-clip at least 2")
        for name in ("long_from", "video_from", "video", "two_objects", "hard"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)} is not a share", "give 0 to 1")

    def length(self, step: int) -> int:
        """Frames a clip at a step."""
        return self.long_clip if step >= self.long_from * self.steps else self.clip

    def video_share(self, step: int) -> float:
        """Share of video clips at a step."""
        return self.video if step >= self.video_from * self.steps else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)
