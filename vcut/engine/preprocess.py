"""A frame on its way to the model, and masks on their way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import STRIDE


@dataclass(frozen=True)
class Geometry:
    """Sizes (height, width): of the source, of the picture the model sees, and of that padded to the stride."""

    source: tuple[int, int]
    inner: tuple[int, int]
    padded: tuple[int, int]

    def shrunk(self, rgb: Tensor) -> Tensor:
        """H,W,3 uint8 to the picture the model sees, 3,h,w in 0..255 (:func:`shrunk`)."""
        return shrunk(rgb, self.inner)

    def to_model(self, picture: Tensor) -> Tensor:
        """That picture to 1,3,h,w float in 0..1, channels last, padded at the right and bottom by repeating the rim."""
        height, width = self.inner
        frame = torch.empty((1, 3, *self.padded), device=picture.device, memory_format=torch.channels_last)
        inner = frame[0, :, :height, :width].copy_(picture).div_(255)
        frame[0, :, :height, width:] = inner[..., -1:]
        frame[0, :, height:] = frame[0, :, height - 1 : height]
        return frame

    def masks_to_model(self, labels: np.ndarray, ids: tuple[int, ...], device: torch.device) -> Tensor:
        """H,W label map to 1,N,h,w soft masks, one an id."""
        planes = torch.stack([torch.from_numpy(labels == i) for i in ids])[None].to(device).float()
        if self.inner != self.source:
            planes = functional.interpolate(planes, self.inner, mode="bilinear", antialias=True).clamp_(0, 1)
        bottom, right = self.padded[0] - self.inner[0], self.padded[1] - self.inner[1]
        return functional.pad(planes, (0, right, 0, bottom), mode="replicate") if bottom or right else planes

    def unpadded(self, planes: Tensor) -> Tensor:
        """1,C,h,w of the padded size to the size the model sees: a view."""
        return planes[..., : self.inner[0], : self.inner[1]]

    def to_source(self, planes: Tensor) -> Tensor:
        """1,C,h,w of the size the model sees to 1,C,H,W of the source, bilinear."""
        if self.inner == self.source:
            return planes
        return functional.interpolate(planes, self.source, mode="bilinear", align_corners=False)


def shrunk(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """H,W,3 uint8 to 3,h,w in 0..255, bytes or floats, bilinear and without aliasing; a view where the size stays.

    A CPU shrinks bytes as they are, and rounds to bytes: from 1080p to 480p in 5 ms, where floats take 14; from 4K in
    10, where they take 70.
    """
    frame = rgb.permute(2, 0, 1)[None]
    if frame.shape[2:] != size:
        shrinks = size[0] < frame.shape[2]
        frame = frame if shrinks and rgb.device.type == "cpu" else frame.float()
        frame = functional.interpolate(frame, size, mode="bilinear", antialias=True)
    return frame[0]


def fit(height: int, width: int, short_side: int) -> Geometry:
    """Scales so that the shorter side is ``short_side``, small sources too.

    Small clips gain from being enlarged: J&F of 003234408d (320 x 180) rises from 0.788 to 0.922, of schoolgirls
    (432 x 240) from 0.483 to 0.554 (first gam-s, 480).
    """
    scale = short_side / min(height, width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    padded = (-(-inner[0] // STRIDE) * STRIDE, -(-inner[1] // STRIDE) * STRIDE)
    return Geometry((height, width), inner, padded)
