"""Small objects in large frames, with trained networks."""

from __future__ import annotations

import numpy as np
import pytest
from moving import disc, overlap

from vcut.engine.propagator import Propagator
from vcut.weights import load_model


@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_a_small_object_is_followed(name):
    frames, labels = disc([(200 + 3 * t, 150 + 8 * t) for t in range(12)], 480, 832, radius=17)
    propagator = Propagator(load_model(name))
    propagator.start(frames[0], labels[0])
    found = [propagator.step(frame).labels for frame in frames[1:]]
    assert overlap(np.asarray(found[-1]) > 0, labels[-1] > 0) > 0.6
