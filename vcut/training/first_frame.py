"""Online learning on the first frame: a network is fine-tuned on the very object that it is to follow (RGMP 4.3,
add-on study). Clips are made of the one picture whose mask is known, by strategy 1 of RGMP 3.2."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from vcut.engine.runtime import Runtime, training_dtype
from vcut.models.base import SegmentationModel
from vcut.training.clips import ClipMaker
from vcut.training.descent import descend
from vcut.training.layout import lay_out
from vcut.training.losses import Weights, unroll
from vcut.training.pictures import Pictures, stack
from vcut.training.render import draw

KINDS = ("zoom", "motion-blur", "flicker")
"""Augmentations of its clips."""

BATCH = 2
"""Clips a step."""

FRAMES = 3
"""Frames a clip."""

SIZE = 256
"""Side of the frames, pixels."""

RATE = 5e-5
"""Learning rate (Adam); RGMP's is 1e-7, for 1,000 steps."""

SPOILT = 0.5
"""Share of masks that are spoilt before they are remembered (:mod:`vcut.training.drift`)."""


class FirstFrame(Pictures):
    """One picture and its mask, as a :class:`vcut.training.pack.Pack`; without a picture, none.

    Args:
        rgb: H,W,3 uint8.
        labels: H,W uint8 of object ids.
    """

    clips: tuple[np.ndarray, ...] = ()

    def __init__(self, rgb: np.ndarray | None = None, labels: np.ndarray | None = None) -> None:
        one = stack(np.empty((0, 1, 1, 3), np.uint8), np.empty((0, 1, 1), np.uint8))
        if labels is not None:
            one = stack(rgb[None], labels[None])
        super().__init__(one.pixels, one.offsets, one.sizes)

    def objects(self, index: int, low: float = 0.0, high: float = 1.0) -> list[int]:
        """All ids, however large the objects are."""
        return [int(i) for i in np.unique(self.mask(index)) if i]


def finetune(
    model: SegmentationModel,
    rgb: np.ndarray,
    labels: np.ndarray,
    steps: int,
    device: torch.device,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    rate: float = RATE,
) -> SegmentationModel:
    """A copy of a model, fine-tuned on one frame. Its trunks stay as they are. The same arguments give the same copy.

    Args:
        model: trained; it is not changed.
        rgb: H,W,3 uint8, the first frame.
        labels: H,W uint8, its mask: 0 background, any other value an object's id.
        steps: optimizer steps, of two clips of three frames.
        device: to train on.
        on_step: told each step's number, from 1 on, and its loss.
        rate: learning rate.
    """
    tuned = copy.deepcopy(model).float().requires_grad_(True).to(device, memory_format=torch.channels_last).train()
    for trunk in tuned.trunks():
        trunk.requires_grad_(False)
    for part in tuned.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    packs = {"stills": FirstFrame(rgb, labels), "backgrounds": FirstFrame(), "video": FirstFrame()}
    maker = ClipMaker(packs, KINDS, SIZE, "moved")
    optimizer = torch.optim.Adam((p for p in tuned.parameters() if p.requires_grad), lr=rate)
    runtime = Runtime(device, training_dtype(device))
    targets = len(packs["stills"].objects(0))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        for step in range(steps):
            rng = np.random.default_rng(step)
            layout = lay_out([maker.scene(rng, FRAMES, targets, False) for _ in range(BATCH)])
            frames, truth = draw(layout.to(device), SIZE)
            with runtime.autocast():
                loss, _ = unroll(tuned, frames.float() / 255, truth, Weights(), spoilt=SPOILT, objects=layout.most)
            descend(tuned, optimizer, loss)
            on_step(step + 1, float(loss.detach()))
    return tuned.eval()
