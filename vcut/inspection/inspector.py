"""A propagator that can be asked what its model holds of a frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vcut.engine.propagator import Propagator
from vcut.engine.step import Step
from vcut.errors import InputError, OptionError
from vcut.models.base import Features, Memory
from vcut.models.maps import Map


class Inspector(Propagator):
    """Carries masks as :class:`Propagator` does that looks at frames in full, with the same results, and keeps maps of
    the frames that are asked for: always of the first, and of those that :meth:`look` is given.

    Attributes:
        maps: what the model holds of the last frame that was asked for; shapes as :class:`vcut.models.maps.Map` says,
            of all objects.
        masks: N,h,w on the padded frame, what the masks of that frame are.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords, roi=False, recorded=False)
        self.maps: list[Map] = []
        self.masks: Tensor | None = None
        self._first_masks: Tensor | None = None
        self._asked = False

    @property
    def visible(self) -> tuple[float, float]:
        """Which parts of a map's height and width are the frame; the rest, at the bottom and right, is padding."""
        inner, padded = self._geometry.inner, self._geometry.padded
        return inner[0] / padded[0], inner[1] / padded[1]

    def look(self, rgb: np.ndarray) -> Step:
        """Cuts the next frame as :meth:`step` does, and keeps its maps.

        Raises:
            InputError: as :meth:`step`; the maps hold no finite numbers.
        """
        self._asked = True
        try:
            return self.step(rgb)
        finally:
            self._asked = False

    def _remembered(
        self, past: Sequence[Memory], frame: Tensor, features: Features, masks: Tensor, *how: Any
    ) -> list[Memory]:
        new = super()._remembered(past, frame, features, masks, *how)
        if not past:
            self._first_masks = masks
        if not past or self._asked:
            self.maps, self.masks = self._seen(past or new, frame, features, masks), masks[0]
        return new

    def _seen(self, known: Sequence[Memory], frame: Tensor, features: Features, masks: Tensor) -> list[Map]:
        """The maps of all groups of objects, joined."""
        found = [
            self.model.inspect(memory, features, frame, *group, given)
            for memory, group, (given, _) in zip(
                known, self._groups(masks), self._groups(self._first_masks), strict=True
            )
        ]
        if not found[0]:
            raise OptionError(
                f"the network {self.model.architecture} holds no maps to be shown", "name other weights with --weights"
            )
        maps = []
        for parts in zip(*found, strict=True):
            values = torch.cat([part.values for part in parts]) if parts[0].each else parts[0].values
            if not values.isfinite().all():
                raise InputError(f"the map '{parts[0].name}' is not finite in {self.runtime.name}", "try --dtype fp32")
            maps.append(dataclasses.replace(parts[0], values=values.float().cpu()))
        return maps
