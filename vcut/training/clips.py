"""Training clips: simulated from stills, or taken from video; batches of them, determined by the step.

A clip is T frames of one size with label maps (0 background, 1..N the targets). Objects that are there but not
targets are
background: they are the distractors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vcut.training.augment import (
    colour_matrix,
    degrade,
    draw_motion,
    draw_path,
    recolour,
    sample,
)
from vcut.training.options import TrainOptions
from vcut.training.pack import Pack

MIN_TARGET = 0.003
"""A target covers at least this share of the first frame."""

TRIES = 20


@dataclass
class Scene:
    """A clip in the making.

    Shapes: ``frames``: T,3,S,S float 0..1; ``ids``: T,S,S uint8, a number for each thing in the scene, target or not.
    """

    frames: Tensor
    ids: Tensor
    things: int


class ClipMaker:
    """Draws clips from packs.

    Args:
        packs: see :func:`vcut.training.pack.open_packs`.
        size: side of the frames.
    """

    def __init__(self, packs: dict[str, Pack], size: int) -> None:
        self.packs = packs
        self.size = size
        stills = packs["stills"]
        self.usable = [i for i in range(len(stills)) if stills.objects(i)]

    def clip(self, rng: np.random.Generator, length: int, objects: int, video: bool) -> tuple[Tensor, Tensor]:
        """One clip: T,3,S,S uint8 frames and T,S,S uint8 labels, with at most ``objects`` targets (at least one)."""
        for _ in range(TRIES):
            scene = self._from_video(rng, length) if video else self._from_stills(rng, length)
            pastes = int(rng.choice(3, p=(0.45, 0.45, 0.1) if video else (0.3, 0.5, 0.2)))
            for _ in range(pastes):
                self._paste(rng, scene)
            targets = self._targets(rng, scene, objects)
            if targets:
                break
        else:
            raise RuntimeError(f"no clip with a visible target in {TRIES} tries: the packs hold no usable objects")
        labels = torch.zeros_like(scene.ids)
        for label, thing in enumerate(targets, 1):
            labels[scene.ids == thing] = label
        frames = degrade(rng, recolour(scene.frames, colour_matrix(rng, 0.7)))
        return (frames * 255).round().to(torch.uint8), labels

    def _targets(self, rng: np.random.Generator, scene: Scene, objects: int) -> list[int]:
        counts = torch.bincount(scene.ids[0].flatten().int(), minlength=scene.things + 1)
        seen = [i for i in range(1, scene.things + 1) if counts[i] > MIN_TARGET * self.size**2]
        rng.shuffle(seen)
        return seen[:objects]

    def _from_stills(self, rng: np.random.Generator, length: int) -> Scene:
        """A picture that moves as a whole; its objects are the first things of the scene."""
        stills, plain = self.packs["stills"], self.packs["backgrounds"]
        if rng.random() < 0.15:
            return self._scene(rng, plain, int(rng.integers(len(plain))), length)
        return self._scene(rng, stills, int(rng.choice(self.usable)), length)

    def _scene(self, rng: np.random.Generator, pack: Pack, index: int, length: int) -> Scene:
        mask = pack.mask(index)
        h, w = mask.shape
        ids = pack.objects(index, 0.003, 0.9)
        rng.shuffle(ids)
        ids = ids[:3]
        anchor, start = (w / 2, h / 2), (0.0, 0.0)
        if ids:
            ys, xs = np.nonzero(mask == ids[0])
            anchor = (float(xs.mean()), float(ys.mean()))
            start = tuple(rng.uniform(-0.35, 0.35, 2))
        half = min(h, w) / 2 * rng.uniform(0.55, 1.15)
        aspect = np.exp(rng.uniform(-0.15, 0.15))
        path = draw_path(rng, length, draw_motion(rng), start, (half * aspect, half / aspect))
        planes = torch.cat(
            [
                torch.from_numpy(pack.image(index).copy()).permute(2, 0, 1).float() / 255,
                torch.stack([torch.from_numpy((mask == i).astype(np.float32)) for i in ids])
                if ids
                else torch.zeros(0, h, w),
            ]
        )
        seen = sample(planes, anchor, path, self.size, "reflection")
        labels = torch.zeros(length, self.size, self.size, dtype=torch.uint8)
        for number in range(len(ids)):
            labels[seen[:, 3 + number] > 0.5] = number + 1
        return Scene(seen[:, :3], labels, len(ids))

    def _paste(self, rng: np.random.Generator, scene: Scene) -> None:
        """An object of another still moves over the scene; now and then its twin does, too."""
        stills = self.packs["stills"]
        index = int(rng.choice(self.usable))
        mask = stills.mask(index)
        ids = stills.objects(index)
        cut = mask == ids[int(rng.integers(len(ids)))]
        ys, xs = np.nonzero(cut)
        top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
        picture = stills.image(index)[top:bottom, left:right].copy()
        alpha = cut[top:bottom, left:right].astype(np.float32)
        planes = torch.cat([torch.from_numpy(picture).permute(2, 0, 1).float() / 255, torch.from_numpy(alpha)[None]])
        planes[:3] = recolour(planes[None, :3], colour_matrix(rng, 0.5))[0]
        planes = torch.nn.functional.pad(planes, (2, 2, 2, 2), mode="replicate")
        planes[3, :2] = planes[3, -2:] = planes[3, :, :2] = planes[3, :, -2:] = 0
        h, w = planes.shape[-2:]
        side = max(h, w)
        half = side / 2 / rng.uniform(0.2, 0.75)
        for _ in range(2 if rng.random() < 0.2 else 1):
            path = draw_path(rng, len(scene.frames), draw_motion(rng), tuple(rng.uniform(-0.75, 0.75, 2)), (half, half))
            layer = sample(planes, (w / 2, h / 2), path, self.size, "zeros")
            opacity = layer[:, 3:]
            scene.frames = scene.frames * (1 - opacity) + layer[:, :3] * opacity
            scene.things += 1
            scene.ids[opacity[:, 0] > 0.5] = scene.things

    def _from_video(self, rng: np.random.Generator, length: int) -> Scene:
        """Frames of one clip with random skips, forwards or backwards, seen through a crop that follows the object."""
        pack = self.packs["video"]
        frames = pack.clips[int(rng.integers(len(pack.clips)))]
        skips = rng.integers(1, 1 + int(rng.choice((1, 2, 4))), length - 1)
        while skips.sum() >= len(frames):
            skips = np.maximum(skips - 1, 0)
        first = int(rng.integers(0, len(frames) - skips.sum()))
        chosen = frames[first + np.concatenate([[0], skips.cumsum()])]
        if rng.random() < 0.5:
            chosen = chosen[::-1]
        h, w = pack.sizes[chosen[0]]
        centres = []
        for index in chosen:
            ys, xs = np.nonzero(pack.mask(index)[::4, ::4])
            centres.append((4 * xs.mean(), 4 * ys.mean()) if len(xs) else (centres[-1] if centres else (w / 2, h / 2)))
        follow = rng.random()
        eye = np.array(centres) * follow + np.array(centres[0]) * (1 - follow)
        eye = eye + rng.uniform(-0.25, 0.25, 2) * min(h, w)
        half = h / 2 * rng.uniform(0.55, 1.05)
        flip = rng.random() < 0.5
        aspect = np.exp(rng.uniform(-0.2, 0.2))
        half_x, half_y = half * aspect, half / aspect
        eye = np.clip(eye, (half_x * 0.8, half_y * 0.8), (w - half_x * 0.8, h - half_y * 0.8))
        path = draw_path(rng, 1, draw_motion(rng), (0.0, 0.0), (half_x, half_y))
        pictures, labels = [], []
        for index, (x, y) in zip(chosen, eye, strict=True):
            planes = torch.cat(
                [
                    torch.from_numpy(pack.image(index).copy()).permute(2, 0, 1).float() / 255,
                    torch.from_numpy((pack.mask(index) > 0).astype(np.float32))[None],
                ]
            )
            seen = sample(planes, (float(x), float(y)), path, self.size, "reflection")
            pictures.append(seen[:, :3])
            labels.append((seen[:, 3] > 0.5).to(torch.uint8))
        frames_, ids = torch.cat(pictures), torch.cat(labels)
        return Scene(frames_.flip(-1), ids.flip(-1), 1) if flip else Scene(frames_, ids, 1)


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number ``step`` of a training run; the same numbers give the same clips, so a run resumes exactly."""

    def __init__(self, maker: ClipMaker, options: TrainOptions) -> None:
        self.maker = maker
        self.options = options

    def __len__(self) -> int:
        return self.options.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """B,T,3,S,S uint8 frames, and B,T,S,S uint8 labels."""
        options = self.options
        rng = np.random.default_rng((options.seed, step))
        objects = 1 + int(rng.random() < options.two_objects)
        length = options.length(step)
        share = options.video_share(step)
        clips = [self.maker.clip(rng, length, objects, rng.random() < share) for _ in range(options.batch)]
        return torch.stack([frames for frames, _ in clips]), torch.stack([labels for _, labels in clips])
