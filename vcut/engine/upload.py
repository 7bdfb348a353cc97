"""Frames on their way to the device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SLOTS = 2
"""Frames that may be on their way at once: one is copied while the next one is put ready."""


class Upload:
    """Brings frames of one size to the device without waiting for it: a GPU fetches them from pinned memory.

    Args:
        device: where to.

    Attributes:
        device: as given.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._slots: list[Tensor] = []
        self._fetched: list[torch.cuda.Event] = []
        self._next = 0

    def __call__(self, rgb: np.ndarray, target: Tensor | None = None) -> Tensor:
        """H,W,3 uint8, on the device; in ``target`` where one is given."""
        if self.device.type != "cuda":
            frame = torch.from_numpy(rgb)
            return frame.to(self.device) if target is None else target.copy_(frame)
        target = torch.empty(rgb.shape, dtype=torch.uint8, device=self.device) if target is None else target
        slot, fetched = self._free_slot(rgb.shape)
        np.copyto(slot.numpy(), rgb)
        target.copy_(slot, non_blocking=True)
        fetched.record()
        return target

    def _free_slot(self, shape: tuple[int, ...]) -> tuple[Tensor, torch.cuda.Event]:
        """Pinned memory that is no longer read from, and what is to be recorded after it is."""
        if not self._slots or self._slots[0].shape != shape:
            self._slots = [torch.empty(shape, dtype=torch.uint8, pin_memory=True) for _ in range(SLOTS)]
            self._fetched = [torch.cuda.Event() for _ in range(SLOTS)]
        self._next = (self._next + 1) % SLOTS
        self._fetched[self._next].synchronize()
        return self._slots[self._next], self._fetched[self._next]
