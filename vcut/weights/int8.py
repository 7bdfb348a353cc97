"""Tensors as int8 with one scale an output channel: half the size of fp16.

In a weight file tensor ``T`` is int8 of its own shape, and ``T.scale`` is float32 of shape (C,), C output channels,
dimension 0 of ``T``; a value is code x scale. No tensor of a model can be named ``T.scale``: ``T`` is a tensor, not a
module with tensors of its own. Nor has a model int8 tensors itself: each in such a file is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

KIND = "I8"
"""int8 as safetensors writes it."""

FEWEST = 4096
"""Tensors with fewer elements stay fp16. In gam-s these are 0.2 % of all elements."""

SHARES = tuple(1 - 0.005 * step for step in range(12))
"""Candidates for a channel's largest value, as shares of its real one. Of gam-s's channels none does best with less
than 0.96."""

_LEVELS = 127
_TINY = 1e-30
"""Stands for the largest value of a channel of zeros."""


def scale_name(name: str) -> str:
    """Name of the tensor that holds the scales of tensor ``name``."""
    return f"{name}.scale"


def suits(tensor: Tensor) -> bool:
    """Is a tensor stored as int8: floating, of two dimensions or more, large enough to matter."""
    return tensor.is_floating_point() and tensor.ndim >= 2 and tensor.numel() >= FEWEST


def quantise(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and scales with the least squared error, channel by channel, over :data:`SHARES`.

    Args:
        tensor: C,..., finite.

    Returns:
        Codes of the tensor's shape, int8 in -127..127, and scales, C float32.
    """
    import torch

    flat = tensor.float().flatten(1)
    peak = flat.abs().amax(1).clamp(min=_TINY)
    scales = peak / _LEVELS
    least = torch.full_like(scales, torch.inf)
    for share in SHARES:
        candidate = peak * (share / _LEVELS)
        error = (_codes(flat, candidate) * candidate[:, None]).sub_(flat).square_().sum(1)
        scales = torch.where(error < least, candidate, scales)
        least = torch.minimum(error, least)
    return _codes(flat, scales).to(torch.int8).reshape(tensor.shape), scales


def _codes(flat: Tensor, scales: Tensor) -> Tensor:
    """C,K values and C scales to whole numbers C,K, still floating."""
    return (flat / scales[:, None]).round_().clamp_(-_LEVELS, _LEVELS)


def restore(codes: Tensor, scales: Tensor) -> Tensor:
    """Float32 values of codes C,... and scales C."""
    return codes.float() * scales.reshape(scales.shape + (1,) * (codes.ndim - 1))


def without_scales(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """A model's tensors (name -> type as safetensors writes it, shape) out of those of a file that has int8 in it.

    Raises:
        ValueError: the scales of a tensor are missing, or not C float32.
    """
    left = dict(tensors)
    for name, (kind, shape) in tensors.items():
        if kind != KIND:
            continue
        scales = left.pop(scale_name(name), None)
        if scales is None:
            raise ValueError(f"lacks '{scale_name(name)}'")
        if scales != ("F32", shape[:1]):
            found = f"{scales[0]} of shape {scales[1]}"
            raise ValueError(f"has '{scale_name(name)}' as {found} instead of F32 of shape {shape[:1]}")
    return left
