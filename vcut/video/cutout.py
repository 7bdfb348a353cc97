"""What goes to the writers: a frame and what was found in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vcut.video.depth import at_depth, is_deep
from vcut.video.source import Frame


@dataclass(frozen=True, eq=False)
class Layer:
    """One object of a frame: ``alpha`` and ``colour`` as in :class:`Cutout`."""

    alpha: np.ndarray
    colour: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Cutout:
    """One frame and what was found in it.

    Opacity and colours are uint8, or uint16 over its whole range.

    Attributes:
        frame: the source's frame, H x W.
        found: ``labels``, or what makes them when they are asked for.
        alpha: H x W, opacity of all objects together.
        colour: H x W x 3 in the type of ``frame.rgb``, colours of the objects without their old background where they
            are half transparent; the frame's own when left out.
        objects: by id each object by itself, where a writer asks for them.
    """

    frame: Frame
    found: np.ndarray | Callable[[], np.ndarray]
    alpha: np.ndarray
    colour: np.ndarray | None = None
    objects: Mapping[int, Layer] | None = None

    @cached_property
    def labels(self) -> np.ndarray:
        """H x W uint8, the user's object ids, 0 background."""
        return self.found() if callable(self.found) else self.found

    @property
    def rgb(self) -> np.ndarray:
        """H x W x 3: the colours to show the objects in."""
        return self.frame.rgb if self.colour is None else self.colour


def through(alpha: np.ndarray, source: np.ndarray | None) -> np.ndarray:
    """Opacity of what was cut out of a picture that is half transparent itself: their product.

    Args:
        alpha: H x W uint8 or uint16.
        source: H x W uint8 or uint16 of the picture; None when it is opaque.

    Returns:
        H x W in the type of ``alpha``.
    """
    if source is None:
        return alpha
    top = np.uint32(np.iinfo(alpha.dtype).max)
    return ((alpha * at_depth(source, is_deep(alpha)).astype(np.uint32) + top // 2) // top).astype(alpha.dtype)


def for_object(cutout: Cutout, identifier: int) -> Cutout:
    """The cut-out of one object alone, its id kept; an object that is not in the frame gives an empty one.

    Its opacity and colours are those of ``cutout.objects``; without these, those of all objects within its labels.
    """

    def labels() -> np.ndarray:
        return np.where(cutout.labels == identifier, cutout.labels, 0).astype(cutout.labels.dtype)

    if cutout.objects is None:
        inside = cutout.labels == identifier
        layer = Layer(np.where(inside, cutout.alpha, 0).astype(cutout.alpha.dtype), cutout.colour)
    else:
        layer = cutout.objects.get(identifier) or Layer(np.zeros_like(cutout.alpha))
    return Cutout(cutout.frame, labels, layer.alpha, layer.colour, {identifier: layer})
