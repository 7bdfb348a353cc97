"""Scenes laid out as tensors: all that :mod:`vcut.training.render` needs, small and few, on its way to the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from vcut.training.pictures import Pictures
from vcut.training.scene import Camera, Layer, Scene

Record = TypeVar("Record")


@dataclass
class Slot:
    """The n layers that lie at one height of their scenes, each of another clip.

    Shapes: ``clips``: n int64, numbers of the clips; ``start``: n,T int32, the first of a frame's pixels among
    :attr:`Layout.pixels`; ``row``: n int32, pixels from one line to the next; ``extent``: n,2 (width, height);
    ``anchor``, ``centre``: n,T,2; ``linear``: n,T,2,2; ``warp``: n,T,2,KNOTS,KNOTS (see
    :class:`vcut.training.scene.Path`); ``lowest``, ``highest``: n,K uint8, ids of K things; ``things``: n,K uint8,
    their numbers; ``behind``: n; ``shown``: n,T; ``tint``: n,3,4.
    """

    clips: Tensor
    start: Tensor
    row: Tensor
    extent: Tensor
    anchor: Tensor
    centre: Tensor
    linear: Tensor
    warp: Tensor
    lowest: Tensor
    highest: Tensor
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


class Resident:
    """Sets of pictures that are on a device as a whole, so that none need to be brought there clip by clip.

    Args:
        sets: of pictures, of less than 2^31 pixels in all.
        device: where to.

    Attributes:
        pixels: see :attr:`Layout.pixels`.
        places: where each set begins in them.
    """

    def __init__(self, sets: Iterable[Pictures], device: torch.device) -> None:
        sets = list(sets)
        ends = np.cumsum([len(pictures.pixels) for pictures in sets]).tolist()
        self.pixels = torch.empty(ends[-1], dtype=torch.int32, device=device)
        self.places = dict(zip(sets, [0, *ends[:-1]], strict=True))
        for pictures, begin in self.places.items():
            self.pixels[begin : begin + len(pictures.pixels)] = torch.from_numpy(_packed(pictures.pixels)).to(device)


def lay_out(scenes: Sequence[Scene], places: Mapping[Pictures, int] | None = None) -> Layout:
    """Scenes of equally many frames as tensors on the CPU.

    Args:
        scenes: to be laid out.
        places: of all their pictures among the pixels that are to be put into the layout; left out, it holds a copy of
            those that the scenes show.
    """
    copies = _Copies()
    find = copies.add if places is None else partial(_find, places)
    slots = []
    for height in range(max(len(scene.layers) for scene in scenes)):
        clips = [i for i, scene in enumerate(scenes) if len(scene.layers) > height]
        layers = [scenes[i].layers[height] for i in clips]
        slots.append(_slot(clips, layers, [find(layer) for layer in layers]))
    cameras = [scene.camera for scene in scenes]
    still = np.zeros((len(scenes[0].layers[0].path.centre), 2))
    return Layout(
        pixels=copies.pixels,
        slots=slots,
        order=_padded([scene.order for scene in scenes], torch.int64),
        targets=torch.tensor([scene.targets for scene in scenes]),
        colour=_stack([camera.colour for camera in cameras]),
        gains=_stack([camera.gains for camera in cameras]),
        streaks=_stack([still if camera.streaks is None else camera.streaks for camera in cameras]),
        cameras=cameras,
        most=max(scene.targets for scene in scenes),
    )


Found = tuple[np.ndarray, int]
"""Where a layer's pictures are: the first pixel of each that is seen, and the pixels from one line to the next."""


class _Copies:
    """What layers show, copied into one piece of memory."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._count = 0

    def add(self, layer: Layer) -> Found:
        """Copies a layer's pictures."""
        box = layer.box
        size = box.height * box.width
        begin = self._count + size * np.arange(len(layer.chosen))
        for index in layer.chosen:
            part = layer.pictures.both(index)[box.top : box.top + box.height, box.left : box.left + box.width]
            self._parts.append(part.reshape(size, 4))
        self._count += size * len(layer.chosen)
        return begin, box.width

    @property
    def pixels(self) -> Tensor:
        """All of them; see :attr:`Layout.pixels`."""
        whole = np.concatenate([np.empty((0, 4), np.uint8), *self._parts])
        return torch.from_numpy(_packed(whole))


def _find(places: Mapping[Pictures, int], layer: Layer) -> Found:
    """Where a layer's pictures are among all."""
    pictures, box = layer.pictures, layer.box
    row = int(pictures.sizes[layer.chosen[0]][1])
    return places[pictures] + pictures.offsets[layer.chosen] + box.top * row + box.left, row


def _packed(pixels: np.ndarray) -> np.ndarray:
    """P,4 uint8 as P int32."""
    return pixels.view(np.int32)[:, 0]


def _slot(clips: list[int], layers: list[Layer], found: list[Found]) -> Slot:
    paths = [layer.path for layer in layers]
    begins = [np.broadcast_to(begin, len(path.centre)) for (begin, _), path in zip(found, paths, strict=True)]
    return Slot(
        clips=torch.tensor(clips),
        start=torch.from_numpy(np.stack(begins)).int(),
        row=torch.tensor([row for _, row in found], dtype=torch.int32),
        extent=torch.tensor([(layer.box.width, layer.box.height) for layer in layers], dtype=torch.float32),
        anchor=_stack([path.anchor for path in paths]),
        centre=_stack([path.centre for path in paths]),
        linear=_stack([path.linear for path in paths]),
        warp=_stack([path.warp for path in paths]),
        lowest=_padded([[low for low, _ in layer.ids] for layer in layers], torch.uint8, 1),  # 1 to 0: nothing
        highest=_padded([[high for _, high in layer.ids] for layer in layers], torch.uint8),
        things=_padded([layer.things for layer in layers], torch.uint8),
        behind=torch.tensor([layer.behind for layer in layers]),
        shown=_stack([np.ones(len(layer.path.centre)) if layer.shown is None else layer.shown for layer in layers]),
        tint=_stack([np.eye(3, 4) if layer.tint is None else layer.tint for layer in layers]),
    )


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


def _padded(rows: Sequence[Sequence[int]], dtype: torch.dtype, filler: int = 0) -> Tensor:
    """Rows of different lengths as a matrix, filled up after them."""
    width = max(1, *(len(row) for row in rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows], dtype=dtype)
