"""Mask embedding module (GAM 3.4, Eq. 8): where the object was in the last frames."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vcut.models.base import Features, Memory, SegmentationModel, mask_pairs
from vcut.models.maps import Map, norm
from vcut.models.parts.constant import constant
from vcut.models.parts.decoder import Decoder
from vcut.models.parts.layers import conv3
from vcut.models.parts.surroundings import within_reach
from vcut.models.region import NOWHERE, Region, Window, part_of

MASK_STRIDE = 4


@constant
def positions(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """1,3,H,W: height and width in -1..1, and distance from the centre (P of Eq. 8)."""
    y = torch.linspace(-1, 1, height, device=device).view(-1, 1).expand(height, width)
    x = torch.linspace(-1, 1, width, device=device).expand(height, width)
    return torch.stack([y, x, (y.square() + x.square()).sqrt()])[None].to(dtype)


def shrink_masks(masks: Tensor) -> Tensor:
    """Soft masks ...,H,W to stride 4 by area."""
    return functional.avg_pool2d(masks, MASK_STRIDE)


def push_masks(past: Tensor | None, masks: Tensor, others: Tensor, count: int) -> Tensor:
    """The newest of the past masks that the embedding sees.

    Args:
        past: B*N,2*count,H/4,W/4, newest first; ``None`` before the first frame, whose masks stand for all.
        masks, others: B,N,H,W, each object's own and all others'.
        count: how many frames.
    """
    newest = mask_pairs(shrink_masks(masks), shrink_masks(others))
    if past is None:
        return newest.repeat(1, count, 1, 1)
    return torch.cat([newest, past], 1)[:, : 2 * count]


class MaskEmbedding(nn.Module):
    """Four convolutions over past masks and positions.

    The paper's ``E^i`` has two channels; they are taken to be the object's own mask and the others'.

    Args:
        masks: how many past masks (the paper: 3).
        hidden: channels inside.
        outputs: channels out.
    """

    def __init__(self, masks: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.count = masks
        widths = (2 * masks + 3, hidden, hidden, hidden, outputs)
        layers: list[nn.Module] = []
        for inputs, width in pairwise(widths):
            layers += [conv3(inputs, width), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, masks: Tensor, window: Window | None = None) -> Tensor:
        """B*N,2*masks,H/4,W/4 to B*N,outputs,H/4,W/4, or to a window of that."""
        place = positions(*masks.shape[-2:], masks.device, masks.dtype)
        seen = torch.cat([masks, place.expand(masks.shape[0], -1, -1, -1)], 1)
        return self.layers(seen if window is None else window.cut(seen, MASK_STRIDE))


class SeesMasks(SegmentationModel):
    """A model whose decoder may see the last soft masks.

    Its memory has a field ``masks``: B*N,2*count,H/4,W/4 (:func:`push_masks`), or ``None`` where it does not.

    Attributes:
        embedding: the masks' way into the decoder, made by :func:`mask_embedding`.
        reach: cells of 16 pixels that an object may be farther than where it was a frame before, in use (not in
            training); 0: it may be anywhere.
        decoder: makes logits of what is read of the memory.
    """

    by_region = True
    steady = True
    embedding: MaskEmbedding | None
    reach: int = 0
    decoder: Decoder

    @abstractmethod
    def read(self, memory: Memory, features: Features, window: Window | None = None) -> Tensor:
        """What the decoder takes of memory and features, B*N,C,H/16,W/16; of features of a window, that window's."""

    def segment(self, memory: Memory, features: Features) -> Tensor:
        x = self.read(memory, features)
        objects = x.shape[0] // features.f16.shape[0]
        return self._reached(memory, self.decoder(x, features, objects, self.embedded(memory, x.dtype)))

    def segment_within(self, memory: Memory, features: Features, region: Region) -> Tensor:
        found: dict[int, Tensor] = {}
        for window, numbers in region.by_window().items():
            inner = window.within(region.around)
            mine, seen = of_objects(memory, numbers, len(region.each)), part_of(features, inner)
            x = self.read(mine, seen, window)
            embedding = None if mine.masks is None else self.embedding(mine.masks.to(x.dtype), window)
            logits = window.paste(self.decoder(x, seen, len(numbers), embedding), region.height, region.width)
            found.update(zip(numbers, logits.split(1, 1), strict=True))
        return self._reached(memory, torch.cat([found[number] for number in range(len(region.each))], 1))

    def _reached(self, memory: Memory, logits: Tensor) -> Tensor:
        """Logits B,N,H,W, ``NOWHERE`` where an object cannot have come to since the last frame."""
        if self.training or not self.reach or memory.masks is None:
            return logits
        near = within_reach(memory.masks[:, :1], self.reach).view_as(logits)
        return logits.masked_fill(~near, NOWHERE)

    def pushed(self, memory: Memory | None, masks: Tensor, others: Tensor) -> Tensor | None:
        """The masks to be kept after a frame with these, B,N,H,W."""
        if self.embedding is None:
            return None
        return push_masks(None if memory is None else memory.masks, masks, others, self.embedding.count)

    def glance(self, memory: Memory, masks: Tensor, others: Tensor) -> Memory:
        if self.embedding is None:
            return memory
        return dataclasses.replace(memory, masks=self.pushed(memory, masks, others))

    def embedded(self, memory: Memory, dtype: torch.dtype) -> Tensor | None:
        """What the decoder takes of the masks, B*N,C,H/4,W/4."""
        if self.embedding is None or memory.masks is None:
            return None
        return self.embedding(memory.masks.to(dtype))

    def embedding_maps(self, memory: Memory, dtype: torch.dtype) -> list[Map]:
        """What the decoder takes of each object's masks (GAM Figure 6b), at stride 4; none where it takes nothing.

        Positions and the others' masks go in, too, and outweigh them. So it is the norm over channels of the difference
        that the object's own masks make: to what comes of the same without them.
        """
        embedded = self.embedded(memory, dtype)
        if embedded is None:
            return []
        others = memory.masks.clone()
        others[:, ::2] = 0
        without = self.embedded(dataclasses.replace(memory, masks=others), dtype)
        return [Map("mask embedding", norm(embedded - without), each=True, low=0)]


def of_objects(memory: Memory, numbers: Sequence[int], count: int) -> Memory:
    """What a memory of ``count`` objects of one clip knows of some of them; what all share stays."""
    if len(numbers) == count:
        return memory
    chosen = list(numbers)
    return memory.map(lambda tensor: tensor[chosen] if len(tensor) == count else tensor)


def mask_embedding(count: int, width: int) -> MaskEmbedding | None:
    """The module for so many past masks and a decoder of so many channels at stride 4; ``None`` for none."""
    return MaskEmbedding(count, width // 2, width) if count else None
