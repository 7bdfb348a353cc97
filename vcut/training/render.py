"""Scenes to frames and labels, many clips at once, on any device, which is not waited for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vcut.training.layout import Layout, Slot, lay_out
from vcut.training.looks import expose, recolour
from vcut.training.scene import Scene

MIN_TARGET = 0.0015
"""A target covers at least this share of the first frame."""


def render(scenes: Sequence[Scene], size: int) -> tuple[Tensor, Tensor]:
    """:func:`draw` of scenes, on the CPU."""
    return draw(lay_out(scenes), size)


def draw(layout: Layout, size: int) -> tuple[Tensor, Tensor]:
    """Makes the pictures of B scenes of T frames each, where the layout is.

    Args:
        layout: what to show.
        size: side S of the frames.

    Returns:
        B,T,3,S,S uint8 frames, and B,T,S,S uint8 labels: 0 background, 1.. the targets. What is there but no target
        is background. A clip whose first frame shows no thing well enough takes the one that it shows best.
    """
    ground, *others = layout.slots
    colours, masks = sample(layout.pixels, ground, size, whole=True)
    frames = recolour(colours, ground.tint)
    things = torch.zeros_like(masks[:, :, 0], dtype=torch.uint8)
    for k in range(masks.shape[2]):
        things = torch.where(masks[:, :, k] > 0.5, ground.things[:, k, None, None, None], things)
    cover = masks.amax(2)
    for slot in others:
        _compose(layout.pixels, slot, frames, things, cover)
    frames = expose(frames, layout.colour, layout.gains, layout.streaks, layout.cameras)
    return (frames * 255).round_().to(torch.uint8), _labels(things, layout)


def _compose(pixels: Tensor, slot: Slot, frames: Tensor, things: Tensor, cover: Tensor) -> None:
    """Lays a layer over what some clips show already, in place."""
    colours, masks = sample(pixels, slot, frames.shape[-1], whole=False)
    colours = recolour(colours, slot.tint)
    before = cover[slot.clips]
    opacity = masks.amax(2) * slot.shown[:, :, None, None]
    opacity = torch.where(slot.behind[:, None, None, None], opacity * (1 - before), opacity)
    frames[slot.clips] = torch.lerp(frames[slot.clips], colours, opacity[:, :, None])
    things[slot.clips] = torch.where(opacity > 0.5, slot.things[:, 0, None, None, None], things[slot.clips])
    cover[slot.clips] = torch.maximum(before, opacity)


def sample(pixels: Tensor, slot: Slot, size: int, whole: bool) -> tuple[Tensor, Tensor]:
    """Sees layers through their paths, bilinear between pixels.

    Args:
        pixels: see :attr:`vcut.training.layout.Layout.pixels`.
        slot: of n layers.
        size: side S.
        whole: reflected at the borders; else nothing is beyond them.

    Returns:
        n,T,3,S,S colours in 0..1, and n,T,K,S,S soft masks of their things.
    """
    width, height = (slot.extent[:, i, None, None, None] for i in (0, 1))
    x, y = (_reflected(at, side) if whole else at for at, side in zip(trace(slot, size), (width, height), strict=True))
    x, y = x - 0.5, y - 0.5
    left, top = x.floor(), y.floor()
    right_share, low_share = x - left, y - top
    lowest, highest = (ids[:, None, None, None] for ids in (slot.lowest, slot.highest))
    start, row = slot.start[:, :, None, None], slot.row[:, None, None, None]
    colours, masks = (x.new_zeros(*x.shape, count) for count in (3, lowest.shape[-1]))
    for column, across in ((left, 1 - right_share), (left + 1, right_share)):
        column_there = torch.minimum(column.clamp(min=0), width - 1)
        for line, down in ((top, 1 - low_share), (top + 1, low_share)):
            line_there = torch.minimum(line.clamp(min=0), height - 1)
            index = start + line_there.int() * row + column_there.int()
            found = pixels.index_select(0, index.flatten()).view(torch.uint8).view(*index.shape, 4)
            share = across * down
            colours.addcmul_(found[..., :3].to(x.dtype), share[..., None])
            if not whole:
                share = share * ((column_there == column) & (line_there == line))
            marked = (found[..., 3:] >= lowest) & (found[..., 3:] <= highest)
            masks.addcmul_(marked.to(x.dtype), share[..., None])
    return colours.movedim(-1, 2) / 255, masks.movedim(-1, 2)


def _reflected(at: Tensor, side: Tensor) -> Tensor:
    """Places on an axis as in a picture of so many pixels between mirrors."""
    at = side - (at.remainder(2 * side) - side).abs()
    return torch.minimum(at.clamp_(min=0.5), side - 0.5)


def trace(slot: Slot, size: int) -> tuple[Tensor, Tensor]:
    """The layer's pixel that each pixel of the output shows: x and y, n,T,S,S each."""
    device = slot.warp.device
    axis = (torch.arange(size, dtype=torch.float32, device=device) + 0.5) / size * 2 - 1
    bend = functional.interpolate(slot.warp.flatten(0, 1), size=(size, size), mode="bicubic", align_corners=True)
    across, down = bend.unflatten(0, slot.warp.shape[:2]).unbind(2)
    across = across + (axis - slot.centre[..., :1])[..., None, :]
    down = down + (axis - slot.centre[..., 1:])[..., :, None]
    linear, anchor = slot.linear[..., None, None], slot.anchor[..., None, None]
    x, y = (linear[:, :, i, 0] * across + linear[:, :, i, 1] * down + anchor[:, :, i] for i in (0, 1))
    return x, y


def _labels(things: Tensor, layout: Layout) -> Tensor:
    """Chooses the targets by what the first frame shows."""
    order = layout.order
    first = things[:, 0].flatten(1).long()
    counts = torch.zeros(len(first), 256, device=things.device)
    counts.scatter_add_(1, first, torch.ones_like(first, dtype=counts.dtype))
    shown = counts.gather(1, order).masked_fill(order == 0, -1.0)
    seen = shown > MIN_TARGET * first.shape[1]
    best = functional.one_hot(shown.argmax(1), order.shape[1]).bool()
    seen = torch.where(seen.any(1, keepdim=True), seen, best & (order > 0))
    rank = seen.cumsum(1)
    chosen = torch.where(seen & (rank <= layout.targets[:, None]), rank, 0)
    table = torch.zeros(len(first), 256, dtype=torch.uint8, device=things.device)
    table.scatter_(1, order, chosen.to(torch.uint8))
    return table.gather(1, things.flatten(1).long()).view(things.shape)
