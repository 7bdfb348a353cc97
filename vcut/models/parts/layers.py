"""Small blocks that several parts share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vcut.models.parts.backbone import Trunk


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution that keeps the size (or halves it)."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def conv1(inputs: int, outputs: int) -> nn.Conv2d:
    """1x1 convolution."""
    return nn.Conv2d(inputs, outputs, 1)


class ResBlock(nn.Module):
    """Pre-activation residual block without norm, as in STM's decoder (Oh et al. 2019, after RGMP 3.1)."""

    def __init__(self, inputs: int, outputs: int | None = None) -> None:
        super().__init__()
        outputs = outputs or inputs
        self.shortcut = conv3(inputs, outputs) if inputs != outputs else None
        self.conv1 = conv3(inputs, outputs)
        self.conv2 = conv3(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(functional.relu(self.conv1(functional.relu(x)), inplace=True))
        return y + (x if self.shortcut is None else self.shortcut(x))


def upsample(x: Tensor, factor: int) -> Tensor:
    """Bilinear, corners not aligned."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


RESIDUAL_GAIN = 0.3

SHARPNESS = 6.0
"""Gain of untrained keys. With it a softmax over them picks out few locations: matching ImageNet features through
a random projection then carries a mask at IoU 0.8 (motorbike, 8 frames on, stride 16), where a gain of 1 averages the
whole frame."""


def initialise(module: nn.Module) -> None:
    """Starts convolutions outside the ImageNet trunks so that signals keep their size through layers without norm.

    He et al. 2015 for all; the second convolution of a residual block smaller, so that blocks begin near the identity.
    """
    for part in module.children():
        if isinstance(part, Trunk):
            continue
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            nn.init.zeros_(part.bias)
        initialise(part)
        if isinstance(part, ResBlock):
            with torch.no_grad():
                part.conv2.weight.mul_(RESIDUAL_GAIN)
