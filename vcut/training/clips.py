"""Draws training clips, from stills and from video; batches of them, determined by the step.

A clip has a few targets. Objects that are there but not targets are background: they are the distractors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vcut.training.layout import Layout, lay_out
from vcut.training.looks import colour_matrix, draw_camera
from vcut.training.motion import Motion, draw_motion, draw_path, zooming
from vcut.training.options import AUGMENTATIONS, TrainOptions
from vcut.training.pack import Pack
from vcut.training.pictures import Pictures
from vcut.training.render import render
from vcut.training.scene import ALL, MARKED, Box, Ids, Layer, Path, Scene

MARGIN = 2
"""Pixels of surroundings around a cut-out, so that its edge has colours to blend with."""

OVERVIEW = 1.6
"""A view of a video frame reads at most so many times its own half side around its centre."""

LONG = 9
"""A first frame that is apart lies fewer steps of a still's movement than this before the second, plus one."""

SMALL = (0.05, 0.25)
"""Longer side of an object that is far away, of the frame's; of others it is 0.2 to 0.75."""

USUAL_SIZE = 256
"""Side of frames at which the ranges of closeness are given, pixels."""


@dataclass
class _Take:
    """The first layer of a scene, and more of where it came from: the id of its first thing, the layer's pixels that
    half the output's side spans, and all pictures of the clip."""

    layer: Layer
    identifier: int
    extent: tuple[float, float]
    clip: np.ndarray | None = None

    @property
    def shows(self) -> bool:
        """Whether there is any thing in it."""
        return bool(self.layer.things)


class ClipMaker:
    """Draws clips from packs.

    Args:
        packs: see :func:`vcut.training.pack.open_packs`.
        kinds: the augmentations that may occur, of ``AUGMENTATIONS``; motion, colour and pasted objects always do.
        size: side of the frames that clips are drawn at: larger ones show more, not the same from closer.
        stills: how clips are made of stills, of ``STILLS``.
    """

    def __init__(
        self,
        packs: dict[str, Pack],
        kinds: Collection[str] = AUGMENTATIONS,
        size: int = USUAL_SIZE,
        stills: str = "mixed",
    ) -> None:
        self.packs = packs
        self.stills = stills
        self.near = min(2.0, max(1.0, size / USUAL_SIZE))
        self.kinds = frozenset(kinds)
        stills = packs["stills"]
        self.usable = [i for i in range(len(stills)) if stills.objects(i)]
        video = packs["video"]
        self.walks = [clip for clip in video.clips if any(len(video.objects(i, 0.002, 0.6)) for i in clip)]

    def scene(self, rng: np.random.Generator, length: int, targets: int, video: bool, apart: bool = False) -> Scene:
        """One clip of ``length`` frames with at most ``targets`` targets, from video or from stills.

        With ``apart`` the first frame is long before (or after) the others, which follow one another as ever.
        """
        times = np.arange(length)
        if apart:
            times[1:] += rng.integers(1, LONG)
        made = "mixed" if video else self.stills
        if made == "either":
            made = "moved" if rng.random() < 0.5 else "pasted"
        take = self._from_video(rng, times) if video else self._from_stills(rng, times, made)
        layers = [take.layer]
        pastes = int(rng.choice(3, p=(0.45, 0.45, 0.1) if video else (0.3, 0.5, 0.2))) if made != "moved" else 0
        for _ in range(max(pastes, not take.shows)):
            layers += self._paste(rng, times, 1 + sum(len(x.things) for x in layers), video)
        if "twin" in self.kinds and take.shows and rng.random() < 0.25:
            layers.append(self._twin(rng, times, 1 + sum(len(x.things) for x in layers), take))
        things = 1 + rng.permutation(sum(len(x.things) for x in layers))
        if "occlusion" in self.kinds and rng.random() < 0.25:
            layers.append(self._occluder(rng, length, layers))
        camera = draw_camera(rng, length, self.kinds)
        return Scene(layers, tuple(int(n) for n in things), targets, camera)

    def _motion_of(self, rng: np.random.Generator) -> Motion:
        motion = draw_motion(rng)
        return zooming(motion) if "zoom" in self.kinds and rng.random() < 0.15 else motion

    def _from_stills(self, rng: np.random.Generator, times: np.ndarray, made: str) -> _Take:
        """A picture that moves as a whole; its objects are the first things of the scene, if they are not pasted."""
        share = {"mixed": 0.15, "moved": 0.0, "pasted": 0.5}[made]
        plain = len(self.packs["backgrounds"]) and rng.random() < share
        pack = self.packs["backgrounds" if plain else "stills"]
        index = int(rng.integers(len(pack))) if plain else int(rng.choice(self.usable))
        mask = pack.mask(index)
        h, w = mask.shape
        ids = pack.objects(index, 0.003, 0.9)
        rng.shuffle(ids)
        ids = ids[:3] if made != "pasted" else []
        anchor, start = (w / 2, h / 2), (0.0, 0.0)
        if ids:
            ys, xs = np.nonzero(mask == ids[0])
            anchor = (float(xs.mean()), float(ys.mean()))
            start = tuple(rng.uniform(-0.35, 0.35, 2))
        half = min(h, w) / 2 * _closeness(rng, 0.35 * self.near, 1.15)
        aspect = np.exp(rng.uniform(-0.15, 0.15))
        extent = (half * aspect, half / aspect)
        path = draw_path(rng, times, self._motion_of(rng), anchor, start, extent)
        chosen, things = np.array([index]), tuple(range(1, len(ids) + 1))
        layer = Layer(pack, chosen, Box(0, 0, h, w), tuple((i, i) for i in ids), things, path, whole=True)
        return _Take(layer, ids[0] if ids else 0, extent)

    def _from_video(self, rng: np.random.Generator, times: np.ndarray) -> _Take:
        """Frames of one clip with random skips, forwards or backwards, seen through a view that follows the object."""
        pack = self.packs["video"]
        clip = pack.clips[int(rng.integers(len(pack.clips)))]
        chosen = _frames(rng, clip, times)
        h, w = pack.sizes[chosen[0]]
        centres: list[tuple[float, float]] = []
        for index in chosen:
            ys, xs = np.nonzero(pack.mask(index)[::4, ::4])
            centres.append((4 * xs.mean(), 4 * ys.mean()) if len(xs) else (centres[-1] if centres else (w / 2, h / 2)))
        follow = rng.random()
        eye = np.array(centres) * follow + np.array(centres[0]) * (1 - follow)
        eye = eye + rng.uniform(-0.25, 0.25, 2) * min(h, w)
        half = h / 2 * _closeness(rng, 0.3 * self.near, 1.05)
        aspect = np.exp(rng.uniform(-0.2, 0.2))
        half_x, half_y = half * aspect, half / aspect
        eye = np.clip(eye, (half_x * 0.8, half_y * 0.8), (w - half_x * 0.8, h - half_y * 0.8))
        pose = draw_path(rng, np.arange(1), draw_motion(rng), (0.0, 0.0), (0.0, 0.0), (half_x, half_y))
        left, top = np.maximum(eye.min(0) - OVERVIEW * np.array([half_x, half_y]), 0).astype(int)
        right, bottom = np.ceil(eye.max(0) + OVERVIEW * np.array([half_x, half_y])).astype(int)
        box = Box(top, left, min(bottom, h) - top, min(right, w) - left)
        path = Path(eye - (left, top), *(np.repeat(x, len(times), 0) for x in (pose.centre, pose.linear, pose.warp)))
        layer = Layer(pack, chosen, box, (MARKED,), (1,), path, whole=True)
        return _Take(layer, 0, (half_x, half_y), clip)

    def _paste(self, rng: np.random.Generator, times: np.ndarray, number: int, video: bool) -> list[Layer]:
        """An object of another still (or video) moves over the scene; now and then its twin does, too."""
        if video and self.walks and rng.random() < 0.3:
            clip = self.walks[int(rng.integers(len(self.walks)))]
            cut = _cut(self.packs["video"], _frames(rng, clip, times), 0)
        else:
            pack = self.packs["stills"]
            index = int(rng.choice(self.usable))
            cut = _cut(pack, np.array([index]), int(rng.choice(pack.objects(index))))
        h, w = cut.box.height, cut.box.width
        size = _closeness(rng, *SMALL) if "small" in self.kinds and rng.random() < 0.35 else rng.uniform(0.2, 0.75)
        half = max(h, w) / 2 / size
        tint = colour_matrix(rng, 0.5)
        layers: list[Layer] = []
        for n in range(2 if "twin" in self.kinds and rng.random() < 0.2 else 1):
            start = tuple(rng.uniform(-0.75, 0.75, 2) if number > 1 else rng.uniform(-0.4, 0.4, 2))
            path = draw_path(rng, times, self._motion_of(rng), (w / 2, h / 2), start, (half, half))
            behind, shown = rng.random() < 0.25, self._shown(rng, len(times))
            layers.append(cut.layer(number + n, path, behind=behind, shown=shown, tint=tint))
        return layers

    def _twin(self, rng: np.random.Generator, times: np.ndarray, number: int, take: _Take) -> Layer:
        """The scene's own object once more: of a still as it is, of a video at another time."""
        chosen = take.layer.chosen if take.clip is None else _frames(rng, take.clip, times)
        cut = _cut(take.layer.pictures, chosen, take.identifier)
        h, w = cut.box.height, cut.box.width
        zoom = rng.uniform(0.8, 1.25)
        start = tuple(rng.uniform(-0.9, 0.9, 2))
        extent = (take.extent[0] * zoom, take.extent[1] * zoom)
        path = draw_path(rng, times, draw_motion(rng), (w / 2, h / 2), start, extent)
        tint = colour_matrix(rng, 0.15)
        behind, shown = rng.random() < 0.5, self._shown(rng, len(times))
        return cut.layer(number, path, behind=behind, shown=shown, tint=tint)

    def _shown(self, rng: np.random.Generator, length: int) -> np.ndarray | None:
        """Now and then an object is gone for some frames, or for good."""
        if "vanish" not in self.kinds or length < 3 or rng.random() > 0.15:
            return None
        first = int(rng.integers(1, length))
        frames = np.arange(length)
        return (frames < first) | (frames >= first + rng.integers(1, length))

    def _occluder(self, rng: np.random.Generator, length: int, layers: list[Layer]) -> Layer:
        """Something that is never a target passes over a thing, from outside the picture to outside it."""
        pack = self.packs["stills"]
        index = int(rng.choice(self.usable))
        cut = _cut(pack, np.array([index]), int(rng.choice(pack.objects(index))))
        if rng.random() < 0.4:  # a straight-edged piece: a post, a wall
            width = min(cut.box.width, max(8, cut.box.width // 3))
            cut = replace(cut, box=replace(cut.box, width=width), ids=ALL)
        h, w = cut.box.height, cut.box.width
        half = max(h, w) / 2 / rng.uniform(0.3, 0.9)
        over = layers[int(rng.integers(len(layers)))].path
        path = draw_path(rng, np.arange(length), draw_motion(rng), (w / 2, h / 2), (0.0, 0.0), (half, half))
        when = rng.uniform(1, max(1, length - 1))
        angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0)
        heading = speed * np.array([np.cos(angle), np.sin(angle)])
        middle = over.centre[int(when)] + rng.normal(0, 0.15, 2)
        path.centre = middle + (np.arange(length)[:, None] - when) * heading
        return cut.layer(0, path, tint=colour_matrix(rng, 0.5))


def _closeness(rng: np.random.Generator, near: float, far: float) -> float:
    """A share of a side, with the same chance for every scale between."""
    return float(np.exp(rng.uniform(np.log(near), np.log(far))))


def _frames(rng: np.random.Generator, clip: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Pictures of a clip for some frames, in their order or against it, with random skips; the first one is any of
    the clip if it is apart."""
    if len(times) > 1 and times[1] > 1:
        return np.concatenate([rng.choice(clip, 1), _frames(rng, clip, np.arange(len(times) - 1))])
    length = len(times)
    skips = rng.integers(1, 1 + int(rng.choice((1, 2, 4))), length - 1)
    while skips.sum() >= len(clip):
        skips = np.maximum(skips - 1, 0)
    first = int(rng.integers(0, len(clip) - skips.sum()))
    chosen = clip[first + np.concatenate([[0], skips.cumsum()])]
    return chosen[::-1] if rng.random() < 0.5 else chosen


@dataclass(frozen=True)
class _Cut:
    """An object in some pictures of one size, and its surroundings."""

    pictures: Pictures
    chosen: np.ndarray
    box: Box
    ids: Ids

    def layer(self, number: int, path: Path, **more: Any) -> Layer:
        """It alone, as the thing of that number."""
        return Layer(self.pictures, self.chosen, self.box, (self.ids,), (number,), path, **more)


def _cut(pictures: Pictures, chosen: np.ndarray, identifier: int) -> _Cut:
    """Cuts what has an id, or for 0 all that is marked, out of pictures of one size."""
    low, high = ids = (identifier, identifier) if identifier else MARKED
    masks = [pictures.mask(i) for i in chosen]
    h, w = masks[0].shape
    ys, xs = np.nonzero(np.any([(mask >= low) & (mask <= high) for mask in masks], 0))
    if not len(ys):
        ys, xs = np.array([h // 2]), np.array([w // 2])
    top, left = max(0, int(ys.min()) - MARGIN), max(0, int(xs.min()) - MARGIN)
    bottom, right = min(h, int(ys.max()) + 1 + MARGIN), min(w, int(xs.max()) + 1 + MARGIN)
    return _Cut(pictures, chosen, Box(top, left, bottom - top, right - left), ids)


class Batches(Dataset):
    """Batch number ``step`` of a training run; the same numbers give the same clips, so a run resumes exactly.

    Args:
        maker: draws the clips.
        options: of the run.
        places: of the pictures that are on the device (:class:`vcut.training.layout.Resident`), where they are.
    """

    def __init__(self, maker: ClipMaker, options: TrainOptions, places: Mapping[Pictures, int] | None = None) -> None:
        self.maker = maker
        self.options = options
        self.places = places

    def __len__(self) -> int:
        return self.options.steps

    def __getitem__(self, step: int) -> Layout:
        """The batch's clips, to be drawn (:func:`vcut.training.render.draw`)."""
        return lay_out(self.scenes(step), self.places)

    def scenes(self, step: int) -> list[Scene]:
        """The batch's clips."""
        options = self.options
        rng = np.random.default_rng((options.seed, step))
        targets = options.draw_targets(rng)
        length, share, apart = options.length(step), options.video_share(step), options.given(step) > 1
        return [self.maker.scene(rng, length, targets, rng.random() < share, apart) for _ in range(options.batch)]


class Drawn(Dataset):
    """Batches, drawn already: for networks that run where the loader does.

    Args:
        batches: to be drawn.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, int]:
        """B,T,3,S,S uint8 frames, B,T,S,S uint8 labels, and how many targets a clip has at most."""
        scenes, size = self.batches.scenes(step), self.batches.options.size
        clips = [render([scene], size) for scene in scenes]  # one by one: a clip fits into the cache
        frames, labels = (torch.cat(parts) for parts in zip(*clips, strict=True))
        return frames, labels, scenes[0].targets
