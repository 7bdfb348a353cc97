"""What a model holds of a frame, as maps to look at (:meth:`vcut.models.base.SegmentationModel.inspect`)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Map:
    """One kind of map of a frame.

    Attributes:
        name: what it is, in a few words.
        values: G,C,h,w float32, h,w over the whole padded frame. G are the objects, or 1 for all of them together. C is
            1, or how many there are of a kind of which some are to be shown.
        each: whether G are the objects.
        scale: maps of one scale are drawn to one range of values; of its own ``name`` when left out.
        low, high: where the range is to begin and end; at the least and greatest value when left out.
    """

    name: str
    values: Tensor
    each: bool = False
    scale: str | None = None
    low: float | None = None
    high: float | None = None


def magnitude(x: Tensor) -> Tensor:
    """Mean of the absolute values over channels: G,C,h,w to G,1,h,w float32."""
    return x.float().abs().mean(1, keepdim=True)


def norm(x: Tensor) -> Tensor:
    """Euclidean norm over channels: G,C,h,w to G,1,h,w float32."""
    return x.float().square().sum(1, keepdim=True).sqrt()


def probability(logits: Tensor) -> Tensor:
    """Logits 1,G,H,W to probabilities G,1,H,W float32."""
    return logits[0, :, None].float().sigmoid()
