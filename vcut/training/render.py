"""Scenes to frames and labels, many clips at once, on any device."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vcut.training.looks import expose, recolour
from vcut.training.scene import Layer, Path, Scene

MIN_TARGET = 0.0015
"""A target covers at least this share of the first frame."""

PATCH = 160
"""Layers are padded to multiples of this, so that those of many clips can be stacked."""


def render(scenes: list[Scene], size: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Makes the pictures of B scenes of T frames each.

    Args:
        scenes: what to show.
        size: side S of the frames.
        device: where to compute.

    Returns:
        B,T,3,S,S uint8 frames, and B,T,S,S uint8 labels: 0 background, 1.. the targets. What is there but no target
        is background. A clip whose first frame shows no thing well enough takes the one that it shows best.
    """
    device = device or torch.device("cpu")
    length = len(scenes[0].layers[0].path.centre)
    frames = torch.zeros(len(scenes), length, 3, size, size, device=device)
    things = torch.zeros(len(scenes), length, size, size, dtype=torch.uint8, device=device)
    cover = torch.zeros(len(scenes), length, size, size, device=device)
    for slot in range(max(len(scene.layers) for scene in scenes)):
        members = [i for i, scene in enumerate(scenes) if len(scene.layers) > slot]
        members.sort(key=lambda i: _group(scenes[i].layers[slot]))
        for _, group in groupby(members, key=lambda i: _group(scenes[i].layers[slot])):
            clips = list(group)
            _compose(frames, things, cover, clips, [scenes[i].layers[slot] for i in clips])
    frames = expose(frames, [scene.camera for scene in scenes])
    return (frames * 255).round_().to(torch.uint8), _labels(things, scenes)


def _group(layer: Layer) -> tuple[int, ...]:
    """Layers that can be stacked have this in common."""
    times, h, w = layer.ids.shape
    return (times, -(-h // PATCH), -(-w // PATCH), len(layer.things), layer.whole)


def _compose(frames: Tensor, things: Tensor, cover: Tensor, clips: list[int], layers: list[Layer]) -> None:
    """Lays one layer of each of some clips over what is there, in place."""
    device, size = frames.device, frames.shape[-1]
    colours, masks = sample(layers, size, device)
    tints = torch.from_numpy(np.stack([np.eye(3, 4) if x.tint is None else x.tint for x in layers]))
    colours = recolour(colours, tints)
    numbers = torch.tensor([x.things for x in layers], dtype=torch.uint8, device=device)
    if layers[0].whole:
        frames[clips] = colours
        own = things[clips]
        for k in range(masks.shape[2]):
            own = torch.where(masks[:, :, k] > 0.5, numbers[:, k, None, None, None], own)
        things[clips] = own
        if masks.shape[2]:
            cover[clips] = masks.amax(2)
        return
    shown = np.stack([np.ones(frames.shape[1]) if x.shown is None else x.shown for x in layers])
    behind = torch.tensor([x.behind for x in layers], device=device)[:, None, None, None]
    before = cover[clips]
    opacity = masks.amax(2) * torch.from_numpy(shown).to(masks)[:, :, None, None]
    opacity = torch.where(behind, opacity * (1 - before), opacity)
    frames[clips] = torch.lerp(frames[clips], colours, opacity[:, :, None])
    things[clips] = torch.where(opacity > 0.5, numbers[:, 0, None, None, None], things[clips])
    cover[clips] = torch.maximum(before, opacity)


def sample(layers: list[Layer], size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sees layers of one group through their paths.

    Returns:
        n,T,3,S,S colours in 0..1, and n,T,K,S,S soft masks of ids 1..K.
    """
    times, rows, columns, kinds, whole = _group(layers[0])
    h, w = rows * PATCH, columns * PATCH
    stack = np.zeros((len(layers), times, h, w, 4), np.uint8)
    for i, layer in enumerate(layers):
        high, wide = layer.ids.shape[1:]
        stack[i, :, :high, :wide, :3] = layer.rgb
        stack[i, :, :high, :wide, 3] = layer.ids
    packed = torch.from_numpy(stack).to(device).permute(0, 1, 4, 2, 3)
    planes = torch.empty(len(layers), times, 3 + kinds, h, w, device=device)
    planes[:, :, :3] = packed[:, :, :3]
    planes[:, :, :3] /= 255
    for k in range(kinds):
        planes[:, :, 3 + k] = packed[:, :, 3] == k + 1
    extent = torch.tensor([x.ids.shape[:0:-1] for x in layers], dtype=torch.float32, device=device)
    pixels = trace([x.path for x in layers], size, device)
    if whole:
        extent = extent[:, None, None, None]
        pixels = extent - (pixels.remainder(2 * extent) - extent).abs()
        pixels = torch.minimum(pixels.clamp_(min=0.5), extent - 0.5)
    grid = pixels / torch.tensor([w, h], device=device) * 2 - 1
    length = grid.shape[1]
    # a still is sampled once for all its frames: their grids below each other
    grid = grid.flatten(0, 1) if times > 1 else grid.flatten(1, 2)
    seen = functional.grid_sample(planes.flatten(0, 1), grid, "bilinear", "zeros", align_corners=False)
    clips = (len(layers), length)
    seen = seen.unflatten(0, clips) if times > 1 else seen.unflatten(2, (length, size)).transpose(1, 2)
    return seen[:, :, :3], seen[:, :, 3:]


def trace(paths: list[Path], size: int, device: torch.device) -> Tensor:
    """n,T,S,S,2: the layer's pixel (x, y) that each pixel of the output shows."""

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(path, name) for path in paths])).float().to(device)

    centre, linear, warp, anchor = stack("centre"), stack("linear"), stack("warp"), stack("anchor")
    axis = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) / size * 2 - 1
    unit = torch.stack([axis.expand(size, size), axis[:, None].expand(size, size)])
    bend = functional.interpolate(warp.flatten(0, 1), size=(size, size), mode="bicubic", align_corners=True)
    unit = unit + bend.unflatten(0, warp.shape[:2]) - centre[..., None, None]
    return torch.einsum("ntij,ntjhw->nthwi", linear, unit) + anchor[:, :, None, None]


def _labels(things: Tensor, scenes: list[Scene]) -> Tensor:
    """Chooses the targets by what the first frame shows."""
    most = max(max(scene.order, default=0) for scene in scenes)
    first = functional.one_hot(things[:, 0].flatten(1).long(), most + 1).sum(1).cpu().numpy()
    table = np.zeros((len(scenes), most + 1), np.uint8)
    for i, scene in enumerate(scenes):
        seen = [n for n in scene.order if first[i, n] > MIN_TARGET * things[0, 0].numel()]
        if not seen and scene.order:
            seen = [max(scene.order, key=lambda n: first[i, n])]
        for label, number in enumerate(seen[: scene.targets], 1):
            table[i, number] = label
    lut = torch.from_numpy(table).to(things.device)
    return lut.gather(1, things.flatten(1).long()).view(things.shape)
