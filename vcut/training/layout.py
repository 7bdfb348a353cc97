"""Scenes laid out as tensors: all that :mod:`vcut.training.render` needs, small and few, on its way to the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from vcut.training.scene import Camera, Layer, Scene

Record = TypeVar("Record")


@dataclass
class Slot:
    """The n layers that lie at one height of their scenes, each of another clip.

    Shapes: ``clips``: n int64, numbers of the clips; ``start``: n,T int32, the first of a frame's pixels among
    :attr:`Layout.pixels`; ``extent``: n,2 (width, height); ``anchor``, ``centre``: n,T,2; ``linear``: n,T,2,2;
    ``warp``: n,T,2,KNOTS,KNOTS (see :class:`vcut.training.scene.Path`); ``things``: n,K uint8, numbers of ids 1..K;
    ``behind``: n; ``shown``: n,T; ``tint``: n,3,4.
    """

    clips: Tensor
    start: Tensor
    extent: Tensor
    anchor: Tensor
    centre: Tensor
    linear: Tensor
    warp: Tensor
    things: Tensor
    behind: Tensor
    shown: Tensor
    tint: Tensor


@dataclass
class Layout:
    """B scenes of T frames.

    Attributes:
        pixels: P int32, each R, G, B and id in its four bytes: all layers' pictures, row by row.
        slots: back to front, the first one of all clips and whole.
        order: B,M int64, numbers of things, those to be targets first; 0 after them.
        targets: B int64, most targets of each clip.
        colour, gains, streaks: B,3,4, B,T,3 and B,T,2, of the cameras (:class:`vcut.training.scene.Camera`).
        cameras: the rest of them.
        most: targets in a clip, at most.
    """

    pixels: Tensor
    slots: list[Slot]
    order: Tensor
    targets: Tensor
    colour: Tensor
    gains: Tensor
    streaks: Tensor
    cameras: list[Camera]
    most: int

    def pin_memory(self) -> Layout:
        """In memory that a GPU fetches from by itself; the loader calls this."""
        return _each(self, Tensor.pin_memory)

    def to(self, device: torch.device) -> Layout:
        """On a device, without waiting for it where the memory is pinned."""
        return _each(self, lambda tensor: tensor.to(device, non_blocking=True))


def _each(record: Record, change: Callable[[Tensor], Tensor]) -> Record:
    """A record with all its tensors changed, also those of its slots."""
    changed = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Tensor):
            changed[field.name] = change(value)
        elif field.name == "slots":
            changed[field.name] = [_each(slot, change) for slot in value]
    return dataclasses.replace(record, **changed)


def lay_out(scenes: Sequence[Scene]) -> Layout:
    """Scenes of equally many frames as tensors on the CPU."""
    length = len(scenes[0].layers[0].path.centre)
    layers = [layer for scene in scenes for layer in scene.layers]
    sizes = np.cumsum([0] + [layer.ids.size for layer in layers])
    pixels = np.empty((int(sizes[-1]), 4), np.uint8)
    for layer, begin, end in zip(layers, sizes, sizes[1:], strict=False):
        part = pixels[begin:end].reshape(*layer.ids.shape, 4)
        part[..., :3], part[..., 3] = layer.rgb, layer.ids
    starts = dict(zip(map(id, layers), sizes.tolist(), strict=False))
    slots = []
    for height in range(max(len(scene.layers) for scene in scenes)):
        clips = [i for i, scene in enumerate(scenes) if len(scene.layers) > height]
        slots.append(_slot(clips, [scenes[i].layers[height] for i in clips], starts, length))
    cameras = [scene.camera for scene in scenes]
    still = np.zeros((length, 2))
    return Layout(
        pixels=torch.from_numpy(pixels.view(np.int32)[:, 0]),
        slots=slots,
        order=_padded([scene.order for scene in scenes], torch.int64),
        targets=torch.tensor([scene.targets for scene in scenes]),
        colour=_stack([camera.colour for camera in cameras]),
        gains=_stack([camera.gains for camera in cameras]),
        streaks=_stack([still if camera.streaks is None else camera.streaks for camera in cameras]),
        cameras=cameras,
        most=max(scene.targets for scene in scenes),
    )


def _slot(clips: list[int], layers: list[Layer], starts: dict[int, int], length: int) -> Slot:
    paths = [layer.path for layer in layers]
    begin = [starts[id(layer)] + np.arange(length) % len(layer.ids) * layer.ids[0].size for layer in layers]
    return Slot(
        clips=torch.tensor(clips),
        start=torch.from_numpy(np.array(begin)).int(),
        extent=torch.tensor([layer.ids.shape[:0:-1] for layer in layers], dtype=torch.float32),
        anchor=_stack([path.anchor for path in paths]),
        centre=_stack([path.centre for path in paths]),
        linear=_stack([path.linear for path in paths]),
        warp=_stack([path.warp for path in paths]),
        things=_padded([layer.things for layer in layers], torch.uint8),
        behind=torch.tensor([layer.behind for layer in layers]),
        shown=_stack([np.ones(length) if layer.shown is None else layer.shown for layer in layers]),
        tint=_stack([np.eye(3, 4) if layer.tint is None else layer.tint for layer in layers]),
    )


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


def _padded(rows: Sequence[Sequence[int]], dtype: torch.dtype) -> Tensor:
    """Rows of different lengths as a matrix, with zeros after them."""
    table = torch.zeros(len(rows), max(1, *(len(row) for row in rows)) if rows else 1, dtype=dtype)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = torch.tensor(row, dtype=dtype)
    return table
