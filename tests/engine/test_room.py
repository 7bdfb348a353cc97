"""Too little memory, on a device made small: a network that fails beyond so many pixels of so many objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.errors import DeviceError
from vcut.models.registry import build_model

CPU = Runtime(torch.device("cpu"), torch.float32)
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 300, 300, 3), np.uint8)
LABELS = np.zeros((300, 300), np.uint8)
for number in range(5):
    LABELS[50 * number : 50 * number + 30, 100:200] = number + 1


def small_device(room: int, stage: str, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A network that has no memory left in a stage where objects times pixels are more than ``room``."""
    torch.manual_seed(0)
    model = build_model("gam-s").eval()
    real = getattr(type(model), stage)

    def limited(self, memory, features, *rest):
        objects = rest[1].shape[1] if stage == "remember" else memory.context.product.shape[0]
        if objects * features.f2.shape[-1] * features.f2.shape[-2] * 4 > room:
            raise torch.OutOfMemoryError("no more")
        return real(self, memory, features, *rest)

    monkeypatch.setattr(type(model), stage, limited)
    return model


@pytest.mark.parametrize("stage", ["remember", "segment"])
def test_objects_go_through_in_smaller_groups(stage, monkeypatch):
    with monkeypatch.context() as patch:
        propagator = Propagator(small_device(2 * 304 * 304, stage, patch), CPU, size=300, roi=False)
        propagator.start(FRAMES[0], LABELS)
        found = [propagator.step(frame).labels for frame in FRAMES[1:]]
    assert len(propagator.memories) == 3  # of 5 objects, 2 at once
    assert propagator.notices[-1] == "out of memory: going on with 2 objects at once"
    torch.manual_seed(0)
    plain = Propagator(build_model("gam-s").eval(), CPU, size=300, roi=False)
    plain.start(FRAMES[0], LABELS)
    for labels, frame in zip(found, FRAMES[1:], strict=True):
        assert (labels != plain.step(frame).labels).mean() < 0.01


def test_the_size_that_fits_is_named(monkeypatch):
    propagator = Propagator(small_device(250 * 250, "segment", monkeypatch), CPU, size=500, roi=False)
    propagator.start(FRAMES[0], LABELS)
    with pytest.raises(DeviceError, match=r"--size 500.*--size 240 fits"):
        propagator.step(FRAMES[1])


def test_where_nothing_fits_other_ways_are_named(monkeypatch):
    propagator = Propagator(small_device(100, "remember", monkeypatch), CPU, size=300, roi=False)
    with pytest.raises(DeviceError, match="--device cpu"):
        propagator.start(FRAMES[0], LABELS)


def test_want_of_memory_later_on_is_one_line(monkeypatch):
    propagator = Propagator(build_model("gam-s").eval(), CPU, size=64, roi=False)
    propagator.start(FRAMES[0], LABELS)
    propagator.step(FRAMES[1])
    propagator.model = small_device(100, "segment", monkeypatch)
    with pytest.raises(DeviceError, match="--resume"):
        propagator.step(FRAMES[2])
