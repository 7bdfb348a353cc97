"""When the last remembered frame is renewed sooner: where objects are no longer where it shows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moving import disc, overlap

from vcut import load_model
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.engine.whereabouts import cells, have_left

CPU = Runtime(torch.device("cpu"), torch.float32)


def boxes(*lefts: int | None) -> torch.Tensor:
    """N,60,100: squares of 40 pixels, from such columns on; ``None`` for one that is out of sight."""
    planes = torch.zeros(len(lefts), 60, 100)
    for plane, left in zip(planes, lefts, strict=True):
        if left is not None:
            plane[8:48, left : left + 40] = 0.9
    return planes


@pytest.mark.parametrize(
    ("then", "now", "left"),
    [
        ((0,), (0,), False),
        ((0,), (8,), False),
        ((0,), (16,), True),
        ((0, 0), (24, 0), False),  # the mean counts
        ((0, 0), (24, None), True),  # of those in sight
        ((0,), (None,), False),
        ((None,), (24,), True),
    ],
)
def test_objects_have_left_when_little_of_them_is_where_it_was(then, now, left):
    assert cells(boxes(*then)).shape == (len(then), 8, 13)
    assert bool(have_left(cells(boxes(*then)), cells(boxes(*now)))) is left


@pytest.mark.parametrize("roi", [False, True])
def test_the_keyframe_follows_an_object_that_moves_fast(roi):
    def renewed(step: int) -> list[bool]:
        frames, labels = disc([(150, 100 + step * t) for t in range(11)])
        propagator = Propagator(load_model("gam-s"), CPU, size=320, roi=roi)
        propagator.start(frames[0], labels[0])
        found = []
        for frame, truth in zip(frames[1:], labels[1:], strict=True):
            (before,) = propagator.memories
            assert overlap(propagator.step(frame).labels, truth) > 0.8
            found.append(not torch.equal(before.previous.value, propagator.memories[0].previous.value))
        return found

    assert renewed(2) == [False] * 9 + [True]  # every tenth
    fast = renewed(20)
    assert fast[-1] and sum(fast[:-1]) >= 1


def test_a_saved_state_knows_where_objects_were():
    frames, labels = disc([(150, 100 + 30 * t) for t in range(5)])
    first = Propagator(load_model("gam-s"), CPU, size=320)
    first.start(frames[0], labels[0])
    first.step(frames[1])
    second = Propagator(load_model("gam-s"), CPU, size=320)
    second.restore(first.state())
    for frame in frames[2:]:
        assert np.array_equal(first.step(frame).levels, second.step(frame).levels)
