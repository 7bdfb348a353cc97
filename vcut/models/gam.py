"""GAM: Real-time High-Resolution Video Object Segmentation (Wang et al.; CVM 2023), and our variants.

All are configs of one class. ``gam-paper`` is the paper's network. ``gam`` and ``gam-s`` keep its idea (frame and mask
encoded apart, a fixed-size global context, a mask embedding) and change what costs a CPU most and what little training
needs most:

* a light mask encoder that builds on the frame's features instead of encoding the picture again;
* the normalised context (see :mod:`vcut.models.parts.context`);
* besides the context, pixel matching with the first frame and the last but one remembered, and, in a window, with the
  last one. These are three frames, so memory stays fixed in time;
* a slim decoder that ends at stride 2.

``gam`` has the paper's ResNet-50 for frames, its C_N and its channel attention; ``gam-s`` a ResNet-18.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.base import (
    STRIDE,
    Features,
    Memory,
    ModelConfig,
    TensorRecord,
    fold_objects,
    mask_pairs,
    normalise,
    per_object,
)
from vcut.models.maps import Map, magnitude
from vcut.models.parts import context, matching
from vcut.models.parts.attention import ChannelAttention
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.decoder import Decoder
from vcut.models.parts.embedding import SeesMasks, mask_embedding
from vcut.models.parts.layers import SHARPNESS, conv1, conv3, initialise
from vcut.models.parts.mask_encoder import LightMaskEncoder, ResNetMaskEncoder
from vcut.models.region import Region, Window


@dataclass(frozen=True)
class GAMConfig(ModelConfig):
    """Sizes and switches; the defaults are the paper's network.

    Attributes:
        trunk: frame encoder.
        mask_encoder: ``resnet18`` (picture and masks from the start), or ``light`` (masks only, joined by frame
            features).
        key_channels: C_N.
        value_channels: C_M.
        context: how the global context weighs locations.
        reference: match with the first frame, too.
        later: ... and with the last but one remembered, taken to be so much less alike (see
            :mod:`vcut.models.parts.matching`); 0 leaves it out, as does one of ``reference`` and ``window``.
        window: match with the last remembered frame within so many locations at stride 16; 0 leaves it out.
        channel_attention: Eq. 4-7.
        previous_masks: masks the embedding sees (Eq. 8: 3); 0 leaves it out.
        widths: decoder channels at strides 16, 8, 4.
        slim, fine: see :class:`vcut.models.parts.decoder.Decoder`.
    """

    trunk: str = "resnet50"
    mask_encoder: str = "resnet18"
    key_channels: int = 128
    value_channels: int = 512
    context: context.ContextKind = "raw"
    reference: bool = False
    later: float = 0.0
    window: int = 0
    channel_attention: bool = True
    previous_masks: int = 3
    widths: tuple[int, int, int] = (256, 256, 256)
    slim: bool = False
    fine: int = 0


# Of every frame that is remembered what went wrong is remembered, too (J&F of the first gam-s on dev 0.832 with every
# one, 0.851 with every 5th); fast objects have more of them remembered (vcut.engine.whereabouts). docs/training.md has
# how these were chosen. What a handicap means hangs on how sharply a network's keys tell places apart.
SMALL = GAMConfig(
    remember_every=10,
    trunk="resnet18",
    mask_encoder="light",
    key_channels=64,
    value_channels=256,
    context="softmax",
    reference=True,
    later=4.0,
    window=7,
    channel_attention=False,
    previous_masks=1,
    widths=(256, 128, 64),
    slim=True,
    fine=32,
)

MEDIUM = dataclasses.replace(
    SMALL, remember_every=5, trunk="resnet50", key_channels=128, later=50.0, channel_attention=True
)


@dataclass(frozen=True)
class Keyframe(TensorRecord):
    """One remembered frame at stride 16: ``key`` B,C_N,H,W for all objects, ``value`` B*N,C_M,H,W of each."""

    key: Tensor
    value: Tensor

    def above(self, other: Keyframe) -> Keyframe:
        """Both, this one's rows first."""
        return Keyframe(torch.cat([self.key, other.key], 2), torch.cat([self.value, other.value], 2))


@dataclass(frozen=True)
class GAMMemory(Memory):
    """Fixed in time: context of each object, frames to match with (``None`` when not used), the last soft masks.

    ``reference``: the first frame and, with ``later``, below it the last but one that was remembered (the first again
    where there is none yet): 2*H rows then. ``previous``: the last one. ``masks``: B*N,2*previous_masks,H/4,W/4, newest
    first: own, others, own, others, ...
    """

    context: context.Context
    reference: Keyframe | None
    previous: Keyframe | None
    masks: Tensor | None


class GAM(SeesMasks):
    """Frame encoder, mask encoder, global context, channel attention, mask embedding, decoder (Figure 3)."""

    memory = GAMMemory

    def __init__(self, config: GAMConfig, architecture: str = "gam-paper") -> None:
        super().__init__()
        self.config = config
        self.architecture = architecture
        self.frame_encoder = Trunk(config.trunk)
        channels = self.frame_encoder.channels
        encoder = ResNetMaskEncoder if config.mask_encoder == "resnet18" else LightMaskEncoder
        self.mask_encoder = encoder(channels, config.value_channels)
        self.query = conv3(channels[3], config.key_channels)
        self.matches = config.reference or config.window > 0
        self.later = config.later if config.reference and config.window > 0 else 0.0
        if self.matches:
            self.key = conv3(channels[3], config.key_channels)
        self.value = conv3(channels[3], config.value_channels)
        # the last keyframe may be renewed in part; the context is of whole frames
        self.follows = self.keeps_region = config.window > 0
        reads = 1 + config.reference + (config.window > 0)
        self.mix = conv1(reads * config.value_channels, config.value_channels) if reads > 1 else None
        self.channel_attention = ChannelAttention() if config.channel_attention else None
        self.compress = conv3(config.value_channels, config.widths[0])
        self.embedding = mask_embedding(config.previous_masks, config.widths[2])
        self.decoder = Decoder(channels[:3], config.widths, config.slim, config.fine)
        initialise(self)
        with torch.no_grad():
            for projection in ([self.key] if self.matches else []) + [self.query] * (config.context == "softmax"):
                projection.weight.mul_(SHARPNESS)

    def trunks(self) -> list[Trunk]:
        """The trunks that start from ImageNet, the frame's first."""
        encoder = self.mask_encoder
        return [self.frame_encoder, *([encoder.trunk] if isinstance(encoder, ResNetMaskEncoder) else [])]

    def encode(self, frames: Tensor) -> Features:
        f2, f4, f8, f16 = self.frame_encoder(normalise(frames))
        return Features(f2, f4, f8, f16, self.key(f16) if self.matches else None, self.query(f16), self.value(f16))

    def remember(
        self, memory: Memory | None, features: Features, frames: Tensor, masks: Tensor, others: Tensor
    ) -> GAMMemory:
        past = memory if isinstance(memory, GAMMemory) else None
        objects = masks.shape[1]
        both = mask_pairs(masks, others)
        value = self.mask_encoder(frames, features, both, objects)
        # one encoder for memory and query (3.2.2): the frame's query features are its key in the context
        new = context.summarise(per_object(features.query, objects), value, self.config.context)
        keyframe = Keyframe(features.key, value) if features.key is not None else None
        return GAMMemory(
            context.merge(past.context, new) if past else new,
            self._reference(past, keyframe),
            keyframe if self.config.window else None,
            self.pushed(past, masks, others),
        )

    def _reference(self, past: GAMMemory | None, keyframe: Keyframe | None) -> Keyframe | None:
        """What a whole frame is matched with once ``keyframe`` is the last one."""
        if not self.config.reference:
            return None
        if not self.later:
            return past.reference if past else keyframe
        if past is None:
            return keyframe.above(keyframe)
        return past.reference.map(lambda both: both.chunk(2, 2)[0]).above(past.previous)

    def remember_within(
        self, memory: Memory, features: Features, frames: Tensor, masks: Tensor, others: Tensor, region: Region
    ) -> GAMMemory:
        """The last keyframe is renewed where the frame was seen."""
        assert isinstance(memory, GAMMemory) and memory.previous is not None
        around, last = region.around, memory.previous
        both = around.cut(mask_pairs(masks, others), 1)
        value = self.mask_encoder(around.cut(frames, 1), features, both, masks.shape[1])
        last = Keyframe(around.put(last.key, features.key), around.put(last.value, value))
        reference, masks = self._reference(memory, last), self.pushed(memory, masks, others)
        return dataclasses.replace(memory, reference=reference, previous=last, masks=masks)

    def read(self, memory: Memory, features: Features, window: Window | None = None) -> Tensor:
        assert isinstance(memory, GAMMemory)
        objects = memory.context.product.shape[0] // features.f16.shape[0]
        x = self._matched(memory, features, objects, window)
        return self.compress(self.channel_attention(x) if self.channel_attention else x)

    def _matched(self, memory: GAMMemory, features: Features, objects: int, window: Window | None = None) -> Tensor:
        """What is read of the memory, and the frame's own features: B*N,C_M,H/16,W/16."""
        local = per_object(features.value, objects)
        query = per_object(features.query, objects)
        reads = [context.distribute(query, memory.context, self.config.context).to(local.dtype)]
        if memory.reference is not None:
            reference = memory.reference
            later = matching.Later(reference.key[0, 0].numel() // 2, self.later) if self.later else None
            reads.append(matching.read(features.key, reference.key, reference.value, objects, later=later))
        if memory.previous is not None:
            previous = memory.previous.map(window.cut) if window else memory.previous
            reads.append(matching.read(features.key, previous.key, previous.value, objects, self.config.window))
        # 3.2.4: distributed context and local features are summed at every location
        return (self.mix(torch.cat(reads, 1)) if self.mix else reads[0]) + local

    def inspect(
        self, memory: Memory, features: Features, frames: Tensor, masks: Tensor, others: Tensor, first: Tensor
    ) -> list[Map]:
        """The keys of the context (GC Figure 6); the features before and after channel attention (Figure 5b) as their
        mean magnitude, and that of what it adds; the mask embedding (Figure 6b); and the first frame's mask as matching
        with that frame carries it over. What a config leaves out has no map."""
        assert isinstance(memory, GAMMemory)
        objects = masks.shape[1]
        maps = [context.key_map(features.query, self.config.context)]
        if self.channel_attention:
            before = self._matched(memory, features, objects)
            after = self.channel_attention(before)
            maps += [
                Map("before attention", magnitude(before), each=True, scale="attention"),
                Map("after attention", magnitude(after), each=True, scale="attention"),
                Map("change by attention", magnitude(after - before), each=True),
            ]
        maps += self.embedding_maps(memory, features.f16.dtype)
        if memory.reference is not None:
            carried = functional.avg_pool2d(fold_objects(first)[:, None], STRIDE).to(features.key.dtype)
            key = memory.reference.key[:, :, : carried.shape[2]]  # of the first frame alone
            found = matching.read(features.key, key, carried, objects).float()
            maps.append(Map("first mask, matched", found, each=True, low=0, high=1))
        return maps
