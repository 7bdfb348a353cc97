"""Whether objects are still where the last remembered frame shows them.

Networks that match with that frame look for an object near where it was then. One that moves fast has left it before
the frame's turn to be renewed comes, and what is new of it is lost: a car that turns, a rider who comes nearer.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

CELL = 8
"""Side of the cells in which an object is there or not, pixels of the model's picture."""

OVERLAP = 0.5
"""Mean overlap (IoU) of objects' cells then and now, below which the frame is renewed.

J&F of ``gam-s`` on dev, on the 25 sequences of DAVIS-2016 train (every second frame) and on the six fast ones of them:
0.865, 0.876 and 0.760 below 0.3, 0.866, 0.888 and 0.800 below 0.5 (and every 8th frame instead of every 5th), 0.860,
0.891 and 0.808 below 0.6. docs/training.md has more.
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
