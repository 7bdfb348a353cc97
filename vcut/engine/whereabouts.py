"""Whether objects are still where the last remembered frame shows them.

Networks that match with that frame look for an object near where it was then. One that moves fast has left it before
the frame's turn to be renewed comes, and what is new of it is lost: a car that turns, a rider who comes nearer.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

CELL = 8
"""Side of the cells in which an object is there or not, pixels of the model's picture."""

OVERLAP = 0.3
"""Mean overlap (IoU) of objects' cells then and now, below which the frame is renewed.

J&F of ``gam-s`` on six fast sequences of DAVIS-2016 train (every second frame; docs/training.md) and on dev: 0.680
and 0.864 without, 0.741 and 0.863 below 0.3, 0.746 and 0.859 below 0.4, 0.762 and 0.858 below 0.5.
"""


def cells(planes: Tensor) -> Tensor:
    """N,h/8,w/8 bool: the cells that are mostly an object's, of masks N,h,w in 0..1."""
    return functional.avg_pool2d(planes[None].float(), CELL, ceil_mode=True, count_include_pad=False)[0] > 0.5


def have_left(then: Tensor, now: Tensor) -> Tensor:
    """Whether objects, by their cells N,h,w, are elsewhere now: a bool of no dimension. Those out of sight do not
    count."""
    common, either = (both.sum((1, 2)).float() for both in (then & now, then | now))
    seen = now.flatten(1).any(1)
    return ((common / either.clamp(min=1)) * seen).sum() < OVERLAP * seen.sum()
