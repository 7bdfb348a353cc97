"""What one frame gave."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vcut.engine.preprocess import Geometry
from vcut.matte.outline import outline

LEVELS = 4095
"""Probabilities leave the model in so many steps: finer than any output, and a frame of them packs small."""


class Step:
    """What one frame gave; maps at the source's size are made when they are asked for.

    Args:
        probabilities: N+1,h,w label probabilities, background first, at the size the model sees, without padding, in
            steps of 1 / ``LEVELS``.
        ids: the N objects' ids, in their order.
        geometry: of the clip.
        rgb: H,W,3 uint8, the frame, whose edges the map is to follow; ``None`` leaves it to the probabilities alone. It
            is looked at when the map is asked for, and must not be written to before.
        labels: the map, where it is known already (the first frame's).
        picture: the frame as the model saw it (:meth:`Geometry.shrunk`), if it is at hand; the rest as with ``rgb``.
    """

    def __init__(
        self,
        probabilities: Tensor,
        ids: tuple[int, ...],
        geometry: Geometry,
        rgb: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        picture: Tensor | None = None,
    ) -> None:
        self.probabilities = probabilities
        self.ids = ids
        self._geometry = geometry
        self._rgb = rgb
        self._given = labels
        self._picture = picture

    def picture_of(self, rgb: np.ndarray) -> Tensor | None:
        """3,h,w in 0..255: the picture that the model saw, if it is of this very frame."""
        return self._picture if rgb is self._rgb else None

    @cached_property
    def labels(self) -> np.ndarray:
        """H,W uint8 of object ids, 0 background."""
        if self._given is not None:
            return self._given.astype(np.uint8, copy=False)
        with torch.inference_mode():
            if self._rgb is None:
                labels = self._plain
            else:
                labels = outline(self._rgb, self.probabilities, self.ids, self._picture)
        return labels.cpu().numpy()

    @property
    def _plain(self) -> Tensor:
        best, *planes = self._at_source
        labels = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
        for i, plane in zip(self.ids, planes, strict=True):
            labels.masked_fill_(plane > best, i)
            best = torch.maximum(best, plane)
        return labels

    @cached_property
    def alpha(self) -> np.ndarray:
        """H,W uint8, opacity of all objects together as the network sees it; :mod:`vcut.matte` makes a matte of it."""
        if self._given is not None:
            return np.where(self._given > 0, 255, 0).astype(np.uint8)
        return ((1 - self._at_source[0]) * 255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()

    @cached_property
    def objects(self) -> dict[int, np.ndarray]:
        """By id the opacity of each object as the network sees it, H,W uint8."""
        if self._given is not None:
            return {i: np.where(self._given == i, 255, 0).astype(np.uint8) for i in self.ids}
        planes = (self._at_source[1:] * 255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
        return dict(zip(self.ids, planes, strict=True))

    @property
    def levels(self) -> np.ndarray:
        """The probabilities as N+1,h,w uint16 of 0 to ``LEVELS``; :meth:`Propagator.recall` takes them back."""
        half = torch.tensor(0.5, device=self.probabilities.device)  # cut off, so it is rounded
        return torch.add(half, self.probabilities, alpha=LEVELS).to(torch.int16).cpu().numpy().view(np.uint16)

    @cached_property
    def _at_source(self) -> Tensor:
        with torch.inference_mode():
            return self._geometry.to_source(self.probabilities[None])[0]
