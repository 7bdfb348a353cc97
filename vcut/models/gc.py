"""GC: Fast Video Object Segmentation using the Global Context Module (Li, Shen, Shan; ECCV 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vcut.models.base import Features, Memory, ModelConfig, mask_pairs, normalise, per_object
from vcut.models.maps import Map
from vcut.models.parts import context
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.decoder import Decoder
from vcut.models.parts.embedding import SeesMasks, mask_embedding
from vcut.models.parts.layers import SHARPNESS, conv3, initialise
from vcut.models.parts.mask_encoder import LightMaskEncoder
from vcut.models.parts.surroundings import surroundings
from vcut.models.region import Window


@dataclass(frozen=True)
class GCConfig(ModelConfig):
    """Sizes as in the paper, section 3.2 (C_N = 128, C_M = 512, 256 channels after compression).

    Attributes:
        trunk: both encoders.
        context_encoder: ``resnet`` (frame and mask through a trunk of its own), or ``light`` (masks only, joined by the
            features of the frame encoder, which gives the keys as well).
        key_channels, value_channels: C_N, C_M.
        context: how the global context weighs locations.
        surroundings: the context of an object is of a window around it: its bounding box, wider on each side by so many
            times its own length. 0 is the paper's, the whole frame; then the prototypes of a small object are mostly of
            other things, the more so the more of them a frame shows, and it fades.
        first: keep the first frame's context, whose mask is the user's, apart as well, and read both.
        reach: cells of 16 pixels that an object may be farther than where it was a frame before, by the last masks:
            what looks like it elsewhere is not it. 0 is the paper's, anywhere.
        previous_masks: masks that GAM's mask embedding sees; the paper has none, and so no idea of where an object was.
        widths: decoder channels at strides 16, 8, 4.
        slim, fine: see :class:`vcut.models.parts.decoder.Decoder`.
    """

    trunk: str = "resnet50"
    context_encoder: str = "resnet"
    key_channels: int = 128
    value_channels: int = 512
    context: context.ContextKind = "raw"
    surroundings: float = 0.0
    first: bool = False
    reach: int = 0
    previous_masks: int = 0
    widths: tuple[int, int, int] = (256, 256, 256)
    slim: bool = False
    fine: int = 0


NORMALISED = GCConfig(
    remember_every=5,
    context_encoder="light",
    key_channels=512,
    value_channels=256,
    context="softmax",
    surroundings=0.8,
    first=True,
    reach=2,
    previous_masks=1,
    widths=(256, 128, 64),
    slim=True,
    fine=32,
)
"""What is trained as ``gc``: the paper's global context, normalised, with the light mask encoder, the mask embedding
and the slim decoder of ``gam``. A second trunk learns to see its mask input only slowly, and costs as much as the rest
of the network; without the last mask, objects that look alike cannot be told apart."""


@dataclass(frozen=True)
class GCMemory(Memory):
    """The global context G_t of every object, that of the first frame alone where it is kept apart, and the last soft
    masks where they are seen (see :class:`vcut.models.gam.GAMMemory`)."""

    context: context.Context
    first: context.Context | None = None
    masks: Tensor | None = None


class GC(SeesMasks):
    """Context encoder (frame + mask), current encoder (frame), context module, STM's decoder."""

    memory = GCMemory

    def __init__(self, config: GCConfig, architecture: str = "gc-paper") -> None:
        super().__init__()
        self.config = config
        self.architecture = architecture
        self.light = config.context_encoder == "light"
        self.frame_encoder = Trunk(config.trunk)
        c2, c4, c8, c16 = self.frame_encoder.channels
        if self.light:
            self.mask_encoder = LightMaskEncoder((c2, c4, c8, c16), config.value_channels)
        else:
            self.context_encoder = Trunk(config.trunk, extra=1)
            self.memory_value = conv3(c16, config.value_channels)
        self.key = conv3(c16, config.key_channels)
        self.query = conv3(c16, config.key_channels)
        self.value = conv3(c16, config.value_channels)
        self.compress = conv3(2 * config.value_channels, config.widths[0])
        self.compress_first = conv3(config.value_channels, config.widths[0]) if config.first else None
        self.embedding = mask_embedding(config.previous_masks, config.widths[2])
        self.reach = config.reach
        self.decoder = Decoder((c2, c4, c8), config.widths, config.slim, config.fine)
        initialise(self)
        if self.compress_first:
            nn.init.zeros_(self.compress_first.weight)  # it joins in as it learns
        if config.context == "softmax":
            with torch.no_grad():
                self.query.weight.mul_(SHARPNESS)

    def trunks(self) -> list[Trunk]:
        """The trunks that start from ImageNet, the frame's first."""
        return [self.frame_encoder, *([] if self.light else [self.context_encoder])]

    def align(self) -> None:
        if not self.light:
            self.context_encoder.take_over(self.frame_encoder)
            self.context_encoder.see_masks()
        self.key.load_state_dict(self.query.state_dict())

    def encode(self, frames: Tensor) -> Features:
        f2, f4, f8, f16 = self.frame_encoder(normalise(frames))
        return Features(f2, f4, f8, f16, self.key(f16) if self.light else None, self.query(f16), self.value(f16))

    def remember(
        self, memory: Memory | None, features: Features, frames: Tensor, masks: Tensor, others: Tensor
    ) -> GCMemory:
        past = memory if isinstance(memory, GCMemory) else None
        objects = masks.shape[1]
        both = mask_pairs(masks, others)
        if self.light:
            key, value = per_object(features.key, objects), self.mask_encoder(frames, features, both, objects)
        else:
            f16 = self._context_features(frames, both, objects)
            key, value = self.key(f16), self.memory_value(f16)
        reach = self.config.surroundings
        weights = surroundings(both[:, :1], reach, at_all=past is None) if reach else None
        new = context.summarise(key, value, self.config.context, weights)
        seen = self.pushed(past, masks, others)
        if past is None:
            return GCMemory(new, new if self.config.first else None, seen)
        return GCMemory(context.merge(past.context, new), past.first, seen)

    def _context_features(self, frames: Tensor, both: Tensor, objects: int) -> Tensor:
        """What the context encoder makes of a frame with each object's mask, B*N,C,H/16,W/16."""
        pictures = per_object(normalise(frames), objects)
        return self.context_encoder(torch.cat([pictures, both[:, :1].to(pictures.dtype)], 1))[3]

    def read(self, memory: Memory, features: Features, window: Window | None = None) -> Tensor:
        assert isinstance(memory, GCMemory)
        objects = memory.context.product.shape[0] // features.f16.shape[0]
        query = per_object(features.query, objects)
        read = context.distribute(query, memory.context, self.config.context)
        local = per_object(features.value, objects)
        x = self.compress(torch.cat([read.to(local.dtype), local], 1))
        if memory.first is not None and self.compress_first:
            x = x + self.compress_first(context.distribute(query, memory.first, self.config.context).to(local.dtype))
        return x

    def inspect(
        self, memory: Memory, features: Features, frames: Tensor, masks: Tensor, others: Tensor, first: Tensor
    ) -> list[Map]:
        """The context keys (Figure 6), and the mask embedding where there is one."""
        if self.light:
            key = features.key
        else:
            key = self.key(self._context_features(frames, mask_pairs(masks, others), masks.shape[1]))
        return [
            context.key_map(key, self.config.context, not self.light),
            *self.embedding_maps(memory, features.f16.dtype),
        ]
