"""From a model's maps to single planes with captions and ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vcut.inspection.channels import SHOWN
from vcut.models.maps import Map


@dataclass(frozen=True, eq=False)
class Panel:
    """One plane.

    Attributes:
        caption: what it is.
        values: h,w float32, over the whole padded frame.
        low, high: its range.
        identifier: of the object that it is of; ``None`` for all together.
    """

    caption: str
    values: np.ndarray
    low: float
    high: float
    identifier: int | None


def panels(maps: Sequence[Map], channels: Mapping[str, Tensor], ids: Sequence[int]) -> list[Panel]:
    """The planes of a frame: map after map, in each object after object.

    Args:
        maps: of the frame.
        channels: by the name of a map which of its channels are shown (:func:`vcut.inspection.channels.choose`).
        ids: of the objects, in their order.
    """
    planes = [
        (found, identifier, name, found.values[row, channel].numpy())
        for found in maps
        for row, identifier in enumerate(ids if found.each else [None])
        for channel, name in _named(found, channels[found.name][row].tolist())
    ]
    ranges: dict[object, tuple[float, float]] = {}
    for found, identifier, name, values in planes:
        scale = (found.scale or name, identifier)
        low, high = ranges.get(scale, (np.inf, -np.inf))
        ranges[scale] = min(low, values.min()), max(high, values.max())
    made = []
    for found, identifier, name, values in planes:
        low, high = ranges[found.scale or name, identifier]
        caption = name if identifier is None or len(ids) == 1 else f"object {identifier}: {name}"
        low, high = low if found.low is None else found.low, high if found.high is None else found.high
        made.append(Panel(caption, values, float(low), float(high), identifier))
    return made


def _named(found: Map, channels: list[int]) -> list[tuple[int, str]]:
    """The channels of a map and what they are called: all are inside or outside the mask if they were chosen so."""
    count = found.values.shape[1]
    if count == 1:
        return [(0, found.name)]
    if count <= 2 * SHOWN:
        return [(channel, f"{found.name} {channel}") for channel in channels]
    return [
        (channel, f"{found.name} {channel} ({'inside' if place < SHOWN else 'outside'})")
        for place, channel in enumerate(channels)
    ]
