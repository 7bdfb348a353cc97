"""Recorded steps, worked through on the memory that a GPU would replay them on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.models.registry import build_model

CPU = Runtime(torch.device("cpu"), torch.float32)
FRAMES = np.random.default_rng(0).integers(0, 256, (13, 70, 101, 3), np.uint8)
LABELS = np.zeros((70, 101), np.uint8)
LABELS[10:40, 10:40] = 2
LABELS[30:60, 50:90] = 5


@pytest.fixture(scope="module", params=["gam-s", "gam-paper", "gc", "gc-paper", "rgmp"])
def model(request):
    torch.manual_seed(0)
    return build_model(request.param).eval()


def cut(propagator: Propagator, frames: np.ndarray) -> list[np.ndarray]:
    propagator.start(frames[0], LABELS)
    return [propagator.step(frame).levels for frame in frames[1:]]


def test_recorded_steps_find_what_others_find(model):
    plain = cut(Propagator(model, CPU, size=70, every=3, roi=False, recorded=False), FRAMES)
    recorded = Propagator(model, CPU, size=70, every=3, roi=False, recorded=True)
    assert all(np.array_equal(a, b) for a, b in zip(cut(recorded, FRAMES), plain, strict=True))
    backwards = cut(Propagator(model, CPU, size=70, every=3, roi=False, recorded=False), FRAMES[::-1])
    assert all(np.array_equal(a, b) for a, b in zip(cut(recorded, FRAMES[::-1]), backwards, strict=True))


def test_what_is_remembered_stays_where_it_is(model):
    propagator = Propagator(model, CPU, size=70, every=3, roi=False, recorded=True)
    propagator.start(FRAMES[0], LABELS)
    propagator.step(FRAMES[1])
    places = [tensor.data_ptr() for memory in propagator.memories for tensor in memory.tensors]
    assert len(set(places)) == len(places)  # nothing is written through another's memory
    before = [tensor.clone() for memory in propagator.memories for tensor in memory.tensors]
    for frame in FRAMES[2:6]:
        propagator.step(frame)
    after = [tensor for memory in propagator.memories for tensor in memory.tensors]
    assert [tensor.data_ptr() for tensor in after] == places
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_state_taken_between_recorded_steps_is_not_changed_by_later_ones(model):
    propagator = Propagator(model, CPU, size=70, every=3, roi=False, recorded=True)
    propagator.start(FRAMES[0], LABELS)
    for frame in FRAMES[1:6]:
        propagator.step(frame)
    state = propagator.state()
    expected = [propagator.step(frame).levels for frame in FRAMES[6:]]
    propagator.restore(state)
    assert all(
        np.array_equal(propagator.step(f).levels, levels) for f, levels in zip(FRAMES[6:], expected, strict=True)
    )


def test_a_memory_that_grows_is_not_recorded():
    torch.manual_seed(0)
    model = build_model("stm").eval()
    plain = cut(Propagator(model, CPU, size=70, recorded=False), FRAMES[:8])
    asked = cut(Propagator(model, CPU, size=70, recorded=True), FRAMES[:8])
    assert all(np.array_equal(a, b) for a, b in zip(asked, plain, strict=True))


WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal"}
"""Operations whose result Python looks at: a GPU would have to be waited for."""

FROM_PYTHON = {"lift_fresh"}
"""What ``torch.tensor`` of numbers does: a copy to the GPU."""


class Seen(TorchDispatchMode):
    """Notes the names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def test_a_step_can_be_a_cuda_graph(model):
    """None of its operations waits for the device, or copies to it."""
    propagator = Propagator(model, CPU, size=64, every=2, roi=False, recorded=True)
    propagator.start(FRAMES[0], LABELS)
    propagator.step(FRAMES[1])
    propagator.step(FRAMES[2])
    with torch.inference_mode(), Seen() as seen:
        propagator._recorded._look_once()
        propagator._recorded._remember_once(True)
        propagator._recorded._remember_once(False)
    assert "conv2d" in seen.names
    assert not seen.names & (WAITING | FROM_PYTHON)


def test_what_could_not_be_a_cuda_graph_would_be_seen():
    with Seen() as seen:
        x = torch.tensor([1.0, 2.0])
        float(x.sum())
        x[x > 1]
    assert seen.names >= {"lift_fresh", "_local_scalar_dense"}
