"""RGMP: Fast Video Object Segmentation by Reference-Guided Mask Propagation (Oh et al.; CVPR 2018).

One encoder for two streams: the first frame with the user's mask, encoded once, and each later frame with the soft mask
of the frame before it. Both are configs of one class: ``rgmp-paper`` is the paper's network; ``rgmp`` is one that can
be trained on a CPU, and from the ImageNet trunk at hand, which ends at stride 16.

The figure that gives the strides is lost. That the encoder ends at stride 32, with layer4, is inferred from the text:
three refinement modules, and an output at stride 4.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vcut.errors import OptionError
from vcut.models.base import (
    Memory,
    ModelConfig,
    Picture,
    SegmentationModel,
    fold_objects,
    normalise,
    per_object,
)
from vcut.models.maps import Map, magnitude
from vcut.models.parts.backbone import Trunk
from vcut.models.parts.global_convolution import GlobalConvolution
from vcut.models.parts.layers import initialise
from vcut.models.parts.refinement import RefinementDecoder

CERTAIN = 1e-7
"""A mean of probabilities is held this far from 0 and 1, so that its logit is finite."""


@dataclass(frozen=True)
class RGMPConfig(ModelConfig):
    """Sizes as in the paper, section 3.1.

    Attributes:
        trunk: the encoder.
        deep: the encoder ends at stride 32, else at 16.
        kernel: k of the global convolution block.
        channels: of the global convolution block.
        widths: decoder channels from coarse to fine, down to stride 4: three when deep, else two.
        slim: see :class:`vcut.models.parts.decoder.Refine`.
        scales: of the frame, at which a mask is predicted; the mean is taken (3.3). Training is at full scale alone.
    """

    trunk: str = "resnet50"
    deep: bool = True
    kernel: int = 7
    channels: int = 256
    widths: tuple[int, ...] = (256, 256, 256)
    slim: bool = False
    scales: tuple[float, ...] = (0.5, 0.75, 1.0)


LIGHT = RGMPConfig(deep=False, channels=128, widths=(128, 64), slim=True)
"""What is trained as ``rgmp``: the encoder without layer4, half the channels in the global convolution block, a slim
decoder. 80 billion multiplications a frame of 480 x 864 and object at three scales; the paper's network has 266."""


@dataclass(frozen=True)
class RGMPMemory(Memory):
    """Fixed in time: ``reference``, the first frame's coarsest features B*N,C,h,w at each scale, and ``masks``
    B*N,1,H,W, the last soft masks."""

    reference: tuple[Tensor, ...]
    masks: Tensor


class RGMP(SegmentationModel):
    """Siamese encoder, global convolution block, refinement decoder (Figure 2)."""

    memory = RGMPMemory
    steady = True

    def __init__(self, config: RGMPConfig, architecture: str = "rgmp-paper") -> None:
        super().__init__()
        self.config = config
        self.architecture = architecture
        self.encoder = Trunk(config.trunk, extra=1, deep=config.deep)
        _, *skips, last = self.encoder.channels
        self.match = GlobalConvolution(2 * last, config.channels, config.kernel)
        self.decoder = RefinementDecoder(skips[::-1], config.channels, config.widths, config.slim)
        initialise(self)

    def trunks(self) -> list[Trunk]:
        """The trunk that starts from ImageNet."""
        return [self.encoder]

    def align(self) -> None:
        self.encoder.see_masks()

    @property
    def scales(self) -> tuple[float, ...]:
        """Of the frames, as the model is now."""
        return (1.0,) if self.training else self.config.scales

    def encode(self, frames: Tensor) -> Picture:
        return Picture(normalise(frames))

    def remember(
        self, memory: Memory | None, features: Picture, frames: Tensor, masks: Tensor, others: Tensor
    ) -> RGMPMemory:
        if memory is not None:
            return self.glance(memory, masks, others)
        masks = fold_objects(masks)[:, None]
        return RGMPMemory(tuple(self._stream(features, masks, scale)[-1] for scale in self.scales), masks)

    def glance(self, memory: Memory, masks: Tensor, others: Tensor) -> RGMPMemory:
        assert isinstance(memory, RGMPMemory)
        return dataclasses.replace(memory, masks=fold_objects(masks)[:, None])

    def segment(self, memory: Memory, features: Picture) -> Tensor:
        assert isinstance(memory, RGMPMemory)
        batch, _, *size = features.rgb.shape
        logits = []
        for scale, reference in zip(self.scales, memory.reference, strict=True):
            _, *skips, target = self._stream(features, memory.masks, scale)
            x = self.match(torch.cat([reference, target], 1))
            logits.append(_resize(self.decoder(x, skips[::-1]), size))
        return mean_logits(logits).view(batch, -1, *size)

    def inspect(
        self, memory: Memory, features: Picture, frames: Tensor, masks: Tensor, others: Tensor, first: Tensor
    ) -> list[Map]:
        """The mean magnitude of what the two streams give at the largest scale (Figure 2), and of both matched by the
        global convolution block. The reference is of the clip's first frame."""
        assert isinstance(memory, RGMPMemory)
        scale, reference = max(zip(self.scales, memory.reference, strict=True), key=lambda pair: pair[0])
        target = self._stream(features, memory.masks, scale)[-1]
        matched = self.match(torch.cat([reference, target], 1))
        return [
            Map("reference (first frame)", magnitude(reference), each=True, scale="streams"),
            Map("target", magnitude(target), each=True, scale="streams"),
            Map("matched", magnitude(matched), each=True),
        ]

    def _stream(self, picture: Picture, masks: Tensor, scale: float) -> tuple[Tensor, ...]:
        """The encoder's features of a frame for each object: ``masks`` B*N,1,H,W."""
        objects = masks.shape[0] // picture.rgb.shape[0]
        x = torch.cat([per_object(picture.rgb, objects), masks.to(picture.rgb.dtype)], 1)
        # a multiple of 4, the decoder's stride
        x = _resize(x, [4 * max(1, round(scale * side / 4)) for side in x.shape[-2:]])
        return self.encoder(x.contiguous(memory_format=torch.channels_last))


def at_scales(model: SegmentationModel, scales: tuple[float, ...]) -> RGMP:
    """A model that sees frames at other scales than its config says, with the very weights of ``model``.

    Raises:
        OptionError: no RGMP.
    """
    if not isinstance(model, RGMP):
        raise OptionError(f"--scales is not for {model.architecture}", "leave it out; rgmp has it")
    other = copy.copy(model)
    other.config = dataclasses.replace(model.config, scales=scales)
    return other


def mean_logits(logits: list[Tensor]) -> Tensor:
    """Logits of the mean of the probabilities; of one map, its own."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack(logits).sigmoid().mean(0).logit(eps=CERTAIN)


def _resize(x: Tensor, size: list[int]) -> Tensor:
    if list(x.shape[-2:]) == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)
