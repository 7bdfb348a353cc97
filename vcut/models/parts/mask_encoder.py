"""Mask encoders: a frame and its masks to the values, at stride 16, that a memory keeps of each object."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vcut.models.base import Features, normalise, per_object
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.layers import ResBlock, conv1, conv3


class ResNetMaskEncoder(nn.Module):
    """Picture, the object's mask and the others' through a ResNet-18; the frame's own features join at stride 16."""

    def __init__(self, channels: tuple[int, int, int, int], outputs: int) -> None:
        super().__init__()
        self.trunk = Trunk("resnet18", extra=2)
        self.fuse = ResBlock(self.trunk.channels[3] + channels[3], outputs)
        self.out = ResBlock(outputs)

    def forward(self, frames: Tensor, features: Features, masks: Tensor, objects: int) -> Tensor:
        pictures = per_object(normalise(frames), objects)
        x = self.trunk(torch.cat([pictures, masks.to(pictures.dtype)], 1))[3]
        return self.out(self.fuse(torch.cat([x, per_object(features.f16, objects)], 1)))


class LightMaskEncoder(nn.Module):
    """The object's mask and the others' down to stride 16, joined by the frame's features at strides 4, 8 and 16."""

    def __init__(self, channels: tuple[int, int, int, int], outputs: int) -> None:
        super().__init__()
        self.stem2 = nn.Conv2d(2, 32, 7, 2, 3)
        self.down4, self.join4 = conv3(32, 64, 2), conv1(channels[1], 64)
        self.down8, self.join8, self.block8 = conv3(64, 128, 2), conv1(channels[2], 128), ResBlock(128)
        self.down16, self.join16 = conv3(128, outputs, 2), conv1(channels[3], outputs)
        self.block16, self.out = ResBlock(outputs), ResBlock(outputs)

    def forward(self, frames: Tensor, features: Features, masks: Tensor, objects: int) -> Tensor:
        masks = masks.to(features.f16.dtype)
        x = functional.relu(self.stem2(masks.contiguous(memory_format=torch.channels_last)), inplace=True)
        x = functional.relu(self.down4(x) + per_object(self.join4(features.f4), objects), inplace=True)
        x = self.block8(self.down8(x) + per_object(self.join8(features.f8), objects))
        x = self.down16(functional.relu(x)) + per_object(self.join16(features.f16), objects)
        return self.out(self.block16(x))
