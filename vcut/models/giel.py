"""GIEL: Video Object Segmentation Using Global and Instance Embedding Learning (Ge et al.; CVPR 2021).

A support set of a few past frames is compared with the new one once, for all objects together (Eq. 3-4). What is read
with that one correlation is a global value, which gives the map of all objects (Eq. 5-6), and a value of each object,
which tells them apart (Eq. 7-12). An object's mask is the product of the two.

``giel`` has the learnable decoder for the objects (Eq. 12), ``giel-fast`` coarse maps, enlarged (Eq. 10-11).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vcut.errors import OptionError
from vcut.models.base import STRIDE, Features, Memory, ModelConfig, SegmentationModel, normalise, per_object
from vcut.models.maps import Map, probability
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.decoder import Decoder
from vcut.models.parts.label_encoder import LabelEncoder, label_tensors
from vcut.models.parts.layers import SHARPNESS, conv1, conv3, initialise, upsample
from vcut.models.parts.support import TemporalAttention, correlate, read, surplus


@dataclass(frozen=True)
class GIELConfig(ModelConfig):
    """Sizes and switches; the defaults are the paper's network.

    Attributes:
        trunk: query and support encoder.
        key_channels, value_channels: C/8 and C/2 of C = 1024 (Eq. 3).
        support: T, frames in the support set, the first among them; 2 or more (3.4, Table 1: 5).
        objects: D, objects whose masks are made together; more are made in groups of so many (3.2: 6).
        label_channels: inside the label encoder; the paper does not say.
        refine: the learnable decoder of Eq. 12 instead of coarse maps.
        widths: decoder channels at strides 16, 8, 4.
        slim, fine: see :class:`vcut.models.parts.decoder.Decoder`.

    Raises:
        OptionError: a support set that is too small.
    """

    trunk: str = "resnet50"
    key_channels: int = 128
    value_channels: int = 512
    support: int = 5
    objects: int = 6
    label_channels: int = 64
    refine: bool = True
    widths: tuple[int, int, int] = (256, 256, 256)
    slim: bool = False
    fine: int = 0

    def __post_init__(self) -> None:
        if self.support < 2:
            raise OptionError(f"a support set of {self.support} is too small", "give 2 or more: first frame and newest")


SLIM_GIEL = GIELConfig(widths=(256, 128, 64), slim=True, fine=32)
"""What is trained as ``giel``: the paper's network with the decoder of ``gc`` and ``gam``, twice."""

FAST_GIEL = dataclasses.replace(SLIM_GIEL, refine=False)
"""``giel-fast``: coarse maps instead of the second decoder."""


@dataclass(frozen=True)
class GIELMemory(Memory):
    """The support set: T frames at most, each with its number among all that were remembered.

    Shapes (L = H/16 * W/16 locations): ``key``: B,C_K,T,L and ``value``: B,1,C_V,T,L, of all objects together;
    ``instance``: B,N,C_V,T,L (V_instance of Eq. 8); ``times``: T numbers, ascending.
    """

    key: Tensor
    value: Tensor
    instance: Tensor
    times: tuple[int, ...]


class GIEL(SegmentationModel):
    """Support and query encoder, label encoder, temporal attention, global and instance branch (Figure 2).

    Inferred: f_k and f_v of Eq. 3, of one name for both encoders, are one layer each; the two decoders have weights of
    their own; the map that the support encoder sees (3.3) is the sum of the objects' masks, later as at first.
    """

    memory = GIELMemory
    objects_at_once: ClassVar[int] = 255

    def __init__(self, config: GIELConfig, architecture: str = "giel-paper") -> None:
        super().__init__()
        self.config = config
        self.architecture = architecture
        self.frame_encoder = Trunk(config.trunk)
        self.support_encoder = Trunk(config.trunk, extra=1)
        channels = self.frame_encoder.channels
        embedding = 2 * config.value_channels
        self.key = conv1(channels[3], config.key_channels)
        self.value = conv1(channels[3], config.value_channels)
        self.label_encoder = LabelEncoder(config.label_channels, config.value_channels)
        self.temporal = TemporalAttention(config.key_channels)
        self.compress = conv3(embedding, config.widths[0])
        self.decoder = Decoder(channels[:3], config.widths, config.slim, config.fine)
        if config.refine:
            self.instance_compress = conv3(embedding, config.widths[0])
            self.instance_decoder = Decoder(channels[:3], config.widths, config.slim, config.fine)
        else:
            self.coarse = nn.Sequential(
                conv1(embedding, config.widths[0]), nn.ReLU(inplace=True), conv1(config.widths[0], 1)
            )
        initialise(self)
        self.temporal.start_equal()
        with torch.no_grad():
            self.key.weight.mul_(SHARPNESS)

    @staticmethod
    def keep_fp32(name: str) -> bool:
        """Statistics of the label encoder's batch norm go beyond fp16."""
        return name.endswith(("running_mean", "running_var"))

    def trunks(self) -> list[Trunk]:
        """The trunks that start from ImageNet, the frame's first."""
        return [self.frame_encoder, self.support_encoder]

    def align(self) -> None:
        self.support_encoder.take_over(self.frame_encoder)
        if self.config.refine:
            self.instance_decoder.load_state_dict(self.decoder.state_dict())

    def encode(self, frames: Tensor) -> Features:
        f2, f4, f8, f16 = self.frame_encoder(normalise(frames))
        return Features(f2, f4, f8, f16, None, self.key(f16), self.value(f16))

    def remember(
        self, memory: Memory | None, features: Features, frames: Tensor, masks: Tensor, others: Tensor
    ) -> GIELMemory:
        pictures = normalise(frames)
        # 3.3: with a map of all objects together
        together = (masks[:, :1] + others[:, :1]).clamp(0, 1).to(pictures.dtype)
        m = self.support_encoder(torch.cat([pictures, together], 1))[3]
        key = self.key(m).flatten(2)[:, :, None]
        value = self.value(m).flatten(2)[:, None, :, None]
        labels = self.label_encoder(label_tensors(masks, others).to(pictures.dtype))
        instance = value * labels.to(value.dtype).flatten(2).unflatten(0, masks.shape[:2])[:, :, :, None]
        if not isinstance(memory, GIELMemory):
            return GIELMemory(key, value, instance, (0,))
        key, value, instance = (
            torch.cat(pair, -2) for pair in ((memory.key, key), (memory.value, value), (memory.instance, instance))
        )
        new = GIELMemory(key, value, instance, (*memory.times, memory.times[-1] + 1))
        return new if len(new.times) <= self.config.support else _without(new, surplus(new.times))

    def segment(self, memory: Memory, features: Features) -> Tensor:
        return self.segment_to_learn(memory, features)[0]

    def segment_to_learn(self, memory: Memory, features: Features) -> tuple[Tensor, Tensor]:
        each, together = self._branches(memory, features)
        return product(each, together), together

    def inspect(
        self, memory: Memory, features: Features, frames: Tensor, masks: Tensor, others: Tensor, first: Tensor
    ) -> list[Map]:
        """The probabilities whose product is an object's (Figure 2): of all objects together, and of what tells each
        apart."""
        each, together = self._branches(memory, features)
        return [
            Map("global", probability(together), low=0, high=1),
            Map("instance" if self.config.refine else "coarse instance", probability(each), each=True, low=0, high=1),
        ]

    def _branches(self, memory: Memory, features: Features) -> tuple[Tensor, Tensor]:
        """Logits B,N,H,W of the instance branch and B,1,H,W of the global one."""
        assert isinstance(memory, GIELMemory)
        correlation = correlate(features.query, memory.key, self.temporal(features.query, memory.key))
        together = self._together(features, read(memory.value, correlation, features.query.shape[-2:]))
        each = [
            self._each(features, read(group, correlation, features.query.shape[-2:]), group.shape[1])
            for group in memory.instance.split(self.config.objects, 1)
        ]
        return torch.cat(each, 1), together

    def _together(self, features: Features, found: Tensor) -> Tensor:
        """Logits B,1,H,W of F_global (Eq. 5-6)."""
        x = self.compress(torch.cat([features.value, found], 1))
        return self.decoder(x, features, 1, None)

    def _each(self, features: Features, found: Tensor, objects: int) -> Tensor:
        """Logits B,N,H,W of what tells the objects apart (Eq. 9, then 10 or 12)."""
        x = torch.cat([per_object(features.value, objects), found], 1)
        if self.config.refine:
            return self.instance_decoder(self.instance_compress(x), features, objects, None)
        return upsample(self.coarse(x).float().unflatten(0, (-1, objects)).flatten(1, 2), STRIDE)


def _without(memory: GIELMemory, index: int) -> GIELMemory:
    """The support set less one frame."""
    kept = [i for i in range(len(memory.times)) if i != index]
    fewer = memory.map(lambda tensor: tensor[..., kept, :])
    return GIELMemory(fewer.key, fewer.value, fewer.instance, tuple(memory.times[i] for i in kept))


def product(one: Tensor, other: Tensor) -> Tensor:
    """The product of two probabilities (Eq. 11), as logits from logits.

    Eq. 12 names the decoder's output alone; as the text has it take the place of the enlarging within Eq. 11, it is
    multiplied, too.
    """
    log = functional.logsigmoid(one) + functional.logsigmoid(other)
    return log - torch.log(-torch.expm1(log.clamp(max=-1e-7)))
