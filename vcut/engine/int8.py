"""Convolutions in 8 bits, on CPUs that multiply bytes four at once (VNNI), and several times as many as in float32.

Weights have a scale for each channel they give. What comes in gets a scale and a zero point of its own, from its least
and its greatest value, picture by picture, so that a result does not depend on what else is in the batch. Products are
summed in 32 bits and come out as float32; whatever is no convolution stays float32.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from vcut.cpu import cpu_field

LEAST = 64
"""Channels in and out from which on a convolution is worth it. With fewer it is hardly faster, and those at the end of
the decoder make half of all the error. The first (of the picture) and the last (of the logits) have fewer, too."""

MOST = 255
"""Of an unsigned byte."""

TOLERANCE = 0.02
"""Error of the trial convolution, as a share of its result."""


class ByteConv(nn.Module):
    """A convolution in 8 bits.

    Args:
        conv: what it stands in for, with weights in float32 on the CPU.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach()
        scale = weight.abs().amax((1, 2, 3)).clamp_(min=1e-9) / 127
        self._shape = (list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups)
        levels = (weight / scale.view(-1, 1, 1, 1)).round_().to(torch.int8)
        # The scale given here is not used; a zero point other than 0 asks for what any zero point needs.
        packed = torch.ops.onednn.qconv_prepack(levels, scale, 1.0, 1, *self._shape, None)
        self._weight = (packed, scale, torch.zeros(len(scale), dtype=torch.int32))
        self._bias = None if conv.bias is None else conv.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """B,C,H,W float32 to float32, channels last."""
        x = x.contiguous(memory_format=torch.channels_last)
        return self._one(x) if len(x) == 1 else torch.cat([self._one(picture) for picture in x.split(1)])

    def _one(self, x: Tensor) -> Tensor:
        low, high = (float(value) for value in x.permute(0, 2, 3, 1).aminmax())
        if not math.isfinite(high - low):
            return self._one(torch.zeros_like(x)).fill_(math.nan)
        low, high = min(low, 0.0), max(high, 0.0)  # zero, which pads, has a level of its own
        scale = max(high - low, 1e-9) / MOST
        zero = round(-low / scale)
        levels = torch.add(torch.tensor(zero + 0.5), x, alpha=1 / scale)
        levels = levels.to(torch.int16).to(torch.uint8)  # cut off, so it is rounded; at once takes twice as long
        return torch.ops.onednn.qconv2d_pointwise(
            levels, scale, zero, *self._weight, self._bias, *self._shape, 1.0, 0, torch.float32, "none", [], ""
        )


def in_bytes(model: nn.Module) -> nn.Module:
    """Puts 8-bit convolutions in place of a model's, where it pays; gives the model back."""
    for name, part in model.named_children():
        if isinstance(part, nn.Conv2d) and min(part.in_channels, part.out_channels) >= LEAST:
            setattr(model, name, ByteConv(part))
        else:
            in_bytes(part)
    return model


@cache
def bytes_pay() -> bool:
    """Whether this CPU multiplies bytes in hardware, and this torch can make it, and gives the right result."""
    return _has_vnni() and _works()


def _has_vnni() -> bool:
    return bool({"avx512_vnni", "avx_vnni"} & set(cpu_field("flags").split()))


def _works() -> bool:
    if not hasattr(torch.ops.onednn, "qconv2d_pointwise") or not torch.backends.mkldnn.is_available():
        return False
    with torch.random.fork_rng(devices=()):  # whoever has set a seed keeps it
        conv = nn.Conv2d(LEAST, LEAST, 3, padding=1)
    x = torch.randn(2, LEAST, 12, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        try:
            error = ByteConv(conv)(x) - (truth := conv(x))
        except RuntimeError:  # another signature, or built without
            return False
    return bool(error.norm() < TOLERANCE * truth.norm())
