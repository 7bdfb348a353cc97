"""Small objects in large frames, with trained networks."""

from __future__ import annotations

import pytest
from moving import disc, overlap

from vcut.engine.propagator import Propagator
from vcut.weights import load_model


@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_a_small_object_is_followed(name):
    frames, labels = disc([(200 + 3 * t, 150 + 8 * t) for t in range(12)], 480, 832, radius=17)
    propagator = Propagator(load_model(name))
    propagator.start(frames[0], labels[0])
    for frame in frames[1:]:
        last = propagator.step(frame).labels
    assert overlap(last > 0, labels[-1] > 0) > 0.6
