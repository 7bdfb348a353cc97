"""Options of a training run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcut.errors import OptionError

AUGMENTATIONS = ("occlusion", "vanish", "twin", "zoom", "small", "motion-blur", "jpeg", "flicker")
"""What can be left out of the clips, to measure what it is worth: something passes before an object; an object is gone
for some frames; a second one that looks the same; movement towards the camera; objects far away; blur of movement;
blocks of lossy compression; changing light."""

STILLS = ("mixed", "moved", "pasted", "either")
"""How clips are made of stills. Mixed: a picture moves, and others' objects over it, as much targets as its own. Moved:
a picture moves as a whole (RGMP 3.2, strategy 1). Pasted: cut-outs move over a background (strategy 2). Either: moved
or pasted, with equal chance (as RGMP is trained)."""


@dataclass(frozen=True)
class TrainOptions:
    """One run, from its first step to its last. Frozen with the run: a resumed run keeps them.

    Attributes:
        architecture: what to train.
        config: fields of the architecture's config that differ.
        steps: optimizer steps in all; the learning rate falls to nothing over them.
        batch: clips a step.
        size: side of the frames, a multiple of 16.
        clip: frames a clip at first.
        long_clip, long_from: frames a clip after the share ``long_from`` of the steps.
        video_from, video: after the share ``video_from`` of the steps, the share ``video`` of clips comes from video.
        stills: how clips are made of stills, of ``STILLS``.
        two_objects, three_objects: shares of batches with two or three targets a clip instead of one.
        glance: share of the frames whose masks alone are kept, as between the frames that a model remembers.
        apart: share of the batches whose first frames lie long before the others. Their clips have a frame more, as the
            mask of the second one is given, too (spoilt as ``drift`` says), in place of the network's own in use.
        drift: share of the masks that are spoilt before they are remembered (:mod:`vcut.training.drift`).
        without: augmentations left out, of ``AUGMENTATIONS``.
        rate: highest learning rate (AdamW).
        trunk_rate: learning rate of the ImageNet trunks as a share of ``rate``.
        frozen: stages of the frame encoder that stay as they are: 0 none, 1 the first convolution, 2 layer1 too, ...
        warmup: steps of rising learning rate.
        decay: weight decay.
        hard: share of the pixels, the hardest, that the cross-entropy is taken over.
        edge: weight of a further cross-entropy over the pixels next to an object's edge.
        teacher, distil: weights of a model whose soft masks are learnt, too, and the weight of that loss.
        ema: decay of the running mean of weights that is exported.
        seed: of everything drawn.
    """

    architecture: str = "gam-s"
    config: dict[str, Any] = field(default_factory=dict)
    steps: int = 4000
    batch: int = 8
    size: int = 256
    clip: int = 3
    long_clip: int = 4
    long_from: float = 0.6
    video_from: float = 0.3
    video: float = 0.5
    stills: str = "mixed"
    two_objects: float = 0.4
    three_objects: float = 0.1
    glance: float = 0.0
    apart: float = 0.0
    drift: float = 0.0
    without: tuple[str, ...] = ()
    rate: float = 2e-4
    trunk_rate: float = 0.5
    frozen: int = 0
    warmup: int = 200
    decay: float = 1e-3
    hard: float = 0.4
    edge: float = 0.0
    teacher: str = ""
    distil: float = 0.0
    ema: float = 0.998
    seed: int = 1

    def __post_init__(self) -> None:
        if self.size % 16 or self.size < 64:
            raise OptionError(f"--size {self.size} cannot be trained at", "give a multiple of 16, at least 64")
        if min(self.steps, self.batch) < 1 or min(self.clip, self.long_clip) < 2:
            raise OptionError("--steps and --batch must be at least 1, --clip and --long-clip at least 2")
        for name in (
            "long_from",
            "video_from",
            "video",
            "two_objects",
            "three_objects",
            "glance",
            "apart",
            "drift",
            "hard",
            "ema",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)} is not a share", "give 0 to 1")
        if self.two_objects + self.three_objects > 1:
            raise OptionError(
                "--two-objects and --three-objects are shares of one whole", "let them add up to 1 at most"
            )
        unknown = sorted(set(self.without) - set(AUGMENTATIONS))
        if unknown:
            raise OptionError(f"--without: unknown '{unknown[0]}'", f"known ones: {', '.join(AUGMENTATIONS)}")
        if self.stills not in STILLS:
            raise OptionError(f"unknown --stills '{self.stills}'", f"known ones: {', '.join(STILLS)}")
        if not 0 <= self.frozen <= 4:
            raise OptionError(f"--frozen {self.frozen}: the frame encoder has four stages", "give 0 to 4")
        if bool(self.teacher) != (self.distil > 0):
            raise OptionError("--teacher and --distil go together", "give both, or neither")

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Those that are not left out."""
        return tuple(kind for kind in AUGMENTATIONS if kind not in self.without)

    def length(self, step: int) -> int:
        """Frames a clip at a step."""
        return (self.long_clip if step >= self.long_from * self.steps else self.clip) + self.given(step) - 1

    def given(self, step: int) -> int:
        """Frames whose masks are known at a step: 1, or 2 where the first one is apart."""
        return 1 + (self.apart > 0 and np.random.default_rng((self.seed, step, 1)).random() < self.apart)

    def video_share(self, step: int) -> float:
        """Share of video clips at a step."""
        return self.video if step >= self.video_from * self.steps else 0.0

    def draw_targets(self, rng: np.random.Generator) -> int:
        """Most targets a clip of a batch has: one, two or three."""
        draw = rng.random()
        return 1 + (draw < self.two_objects + self.three_objects) + (draw < self.three_objects)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainOptions:
        """From :meth:`to_dict`, through JSON as well."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
