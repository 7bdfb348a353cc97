"""Parts of a frame, for networks that look only where the objects are. Lengths are in cells of ``STRIDE`` pixels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import STRIDE, Features

NOWHERE = -16.0
"""Logit of an object outside its window; what aggregation holds for certain."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame: rows from ``top`` up to ``bottom``, columns from ``left`` up to ``right``, in cells."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """In cells."""
        return (self.bottom - self.top) * (self.right - self.left)

    def within(self, outer: Window) -> Window:
        """The same rectangle, counted from the corner of a larger one."""
        rows, columns = outer.top, outer.left
        return Window(self.top - rows, self.bottom - rows, self.left - columns, self.right - columns)

    def cut(self, x: Tensor, stride: int = STRIDE) -> Tensor:
        """The part of a map, ...,H/stride,W/stride; channels last in memory."""
        k = STRIDE // stride
        part = x[..., self.top * k : self.bottom * k, self.left * k : self.right * k]
        return part.contiguous(memory_format=torch.channels_last)

    def put(self, old: Tensor, new: Tensor) -> Tensor:
        """A map of cells, ...,H,W, renewed in the window by one of that, ...,h,w; the old one stays as it is."""
        whole = old.clone()
        whole[..., self.top : self.bottom, self.left : self.right] = new
        return whole

    def paste(self, logits: Tensor, height: int, width: int) -> Tensor:
        """Logits ...,h,w of the window as those of a frame of ``height`` x ``width`` cells; ``NOWHERE`` around it."""
        edges = (self.left, width - self.right, self.top, height - self.bottom)
        return functional.pad(logits, [STRIDE * cells for cells in edges], value=NOWHERE)


@dataclass(frozen=True)
class Region:
    """Where the objects of a frame are looked for.

    Attributes:
        each: a window of the frame for each object.
        around: one that holds all of them; what a network sees.
        height, width: of the frame, in cells.
    """

    each: tuple[Window, ...]
    around: Window
    height: int
    width: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values; back by :meth:`from_dict`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From :meth:`to_dict`."""
        each = tuple(Window(**window) for window in values["each"])
        return cls(**values | {"each": each, "around": Window(**values["around"])})

    def by_window(self) -> dict[Window, list[int]]:
        """The windows, and the numbers of the objects that are looked for in each: those that have the very same."""
        numbers: dict[Window, list[int]] = {}
        for number, window in enumerate(self.each):
            numbers.setdefault(window, []).append(number)
        return numbers

    def split(self, count: int) -> list[Region]:
        """Regions of so many objects each, all with the same window around."""
        groups = [self.each[i : i + count] for i in range(0, len(self.each), count)]
        return [dataclasses.replace(self, each=each) for each in groups]


def part_of(features: Features, window: Window) -> Features:
    """A frame's features in a window."""
    width = features.f16.shape[-1]
    return features.map(lambda x: window.cut(x, STRIDE * width // x.shape[-1]))
