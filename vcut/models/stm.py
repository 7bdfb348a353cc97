"""STM: Video Object Segmentation using Space-Time Memory Networks (Oh et al.; ICCV 2019), the baseline for cost.

Every fifth frame is kept whole, and every pixel of a new frame is compared with every pixel kept: memory and time grow
with the clip (GC Table 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vcut.models.base import Features, Memory, ModelConfig, SegmentationModel, mask_pairs, normalise, per_object
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.decoder import Decoder
from vcut.models.parts.layers import SHARPNESS, conv3, initialise
from vcut.models.parts.order import in_order


@dataclass(frozen=True)
class STMConfig(ModelConfig):
    """Sizes as in the paper, section 3 (``stm-paper``).

    Attributes:
        trunk: both encoders.
        key_channels, value_channels: C/8 and C/2 of the paper's C = 1024.
        keep_every: a frame in so many stays in the memory for good; besides these the last one is in it.
        widths, slim, fine: see :class:`vcut.models.parts.decoder.Decoder`.
    """

    trunk: str = "resnet50"
    key_channels: int = 128
    value_channels: int = 512
    keep_every: int = 5
    widths: tuple[int, int, int] = (256, 256, 256)
    slim: bool = False
    fine: int = 0


SLIM_STM = STMConfig(widths=(256, 128, 64), slim=True, fine=32)
"""What is trained as ``stm``: both encoders and the memory as in the paper, the slim decoder of ``gc`` and ``gam``."""


@dataclass(frozen=True)
class STMMemory(Memory):
    """All that is kept: ``key`` B*N,C_K,L and ``value`` B*N,C_V,L of all locations L; ``frames`` seen so far; ``kept``
    locations of frames that stay."""

    key: Tensor
    value: Tensor
    frames: int
    kept: int


class STM(SegmentationModel):
    """Memory encoder (frame, mask, others' masks), query encoder, space-time read, decoder."""

    memory = STMMemory

    def __init__(self, config: STMConfig, architecture: str = "stm-paper") -> None:
        super().__init__()
        self.config = config
        self.architecture = architecture
        self.memory_encoder = Trunk(config.trunk, extra=2)
        self.frame_encoder = Trunk(config.trunk)
        c2, c4, c8, c16 = self.frame_encoder.channels
        self.key = conv3(c16, config.key_channels)
        self.memory_value = conv3(c16, config.value_channels)
        self.query = conv3(c16, config.key_channels)
        self.value = conv3(c16, config.value_channels)
        self.compress = conv3(2 * config.value_channels, config.widths[0])
        self.decoder = Decoder((c2, c4, c8), config.widths, config.slim, config.fine)
        initialise(self)
        with torch.no_grad():
            self.query.weight.mul_(SHARPNESS)

    def trunks(self) -> list[Trunk]:
        """The trunks that start from ImageNet, the frame's first."""
        return [self.frame_encoder, self.memory_encoder]

    def align(self) -> None:
        self.memory_encoder.take_over(self.frame_encoder)
        self.memory_encoder.see_masks()
        self.key.load_state_dict(self.query.state_dict())

    def encode(self, frames: Tensor) -> Features:
        f2, f4, f8, f16 = self.frame_encoder(normalise(frames))
        return Features(f2, f4, f8, f16, None, self.query(f16), self.value(f16))

    def remember(
        self, memory: Memory | None, features: Features, frames: Tensor, masks: Tensor, others: Tensor
    ) -> STMMemory:
        both = mask_pairs(masks, others)
        pictures = per_object(normalise(frames), masks.shape[1])
        f16 = self.memory_encoder(torch.cat([pictures, both.to(pictures.dtype)], 1))[3]
        key, value = self.key(f16).flatten(2), self.memory_value(f16).flatten(2)
        seen, kept = 0, 0
        if isinstance(memory, STMMemory):
            seen, kept = memory.frames, memory.kept
            key = torch.cat([memory.key[..., :kept], key], 2)
            value = torch.cat([memory.value[..., :kept], value], 2)
        stays = seen % self.config.keep_every == 0
        return STMMemory(key, value, seen + 1, key.shape[2] if stays else kept)

    def segment(self, memory: Memory, features: Features) -> Tensor:
        assert isinstance(memory, STMMemory)
        objects = memory.key.shape[0] // features.f16.shape[0]
        read = read_memory(per_object(features.query, objects), memory.key, memory.value)
        x = torch.cat([read, per_object(features.value, objects)], 1)
        return self.decoder(self.compress(x), features, objects, None)


@in_order
def read_memory(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The space-time read (STM Eq. 1-2): for every location the mean of all kept values, weighed by a softmax over
    the keys' likeness.

    Args:
        query: B,C_K,H,W.
        key: B,C_K,L.
        value: B,C_V,L.

    Returns:
        B,C_V,H,W.
    """
    b, channels, h, w = query.shape
    likeness = torch.bmm(key.transpose(1, 2), query.flatten(2)).float() / channels**0.5
    return torch.bmm(value, likeness.softmax(1).to(value.dtype)).view(b, -1, h, w)
