"""What only a GPU shows: steps recorded as CUDA graphs, and frames that come from pinned memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moving import disc, overlap

from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime, choose_runtime
from vcut.engine.upload import Upload
from vcut.weights import load_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

PLACES = [(100 + 4 * t, 120 + 10 * t) for t in range(24)]


@pytest.fixture(scope="module", params=["gam-s", "gam", "gc"])
def model(request):
    return load_model(request.param)


def cut(propagator: Propagator, frames: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    propagator.start(frames[0], labels)
    steps = [propagator.step(frame) for frame in frames[1:]]  # labels are not waited for on the way
    return [step.labels for step in steps]


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_recorded_steps_follow_as_others_do(model, dtype):
    frames, labels = disc(PLACES)
    runtime = choose_runtime("cuda", dtype)
    recorded = Propagator(model, runtime, size=320)
    found = cut(recorded, frames, labels[0])
    assert recorded.records and not recorded.notices
    plain = cut(Propagator(model, runtime, size=320, recorded=False), frames, labels[0])
    on_cpu = cut(Propagator(model, Runtime(torch.device("cpu"), torch.float32), size=320), frames, labels[0])
    for mine, other, there, truth in zip(found, plain, on_cpu, labels[1:], strict=True):
        assert (mine != other).mean() < 1e-3
        assert overlap(mine > 0, there > 0) > 0.95 and overlap(mine > 0, truth > 0) > 0.9


def test_memory_is_flat(model):
    frames, labels = disc(PLACES)
    propagator = Propagator(model, choose_runtime("cuda"), size=320)
    cut(propagator, frames, labels[0])
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated()
    for number in range(200):
        propagator.step(frames[number % len(frames)])
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() <= held + (1 << 20)


def test_a_state_goes_on_elsewhere(model):
    frames, labels = disc(PLACES)
    runtime = choose_runtime("cuda")
    first = Propagator(model, runtime, size=320)
    cut(first, frames[:12], labels[0])
    state = first.state()
    second = Propagator(model, runtime, size=320)
    second.restore(state)
    for frame in frames[12:]:
        assert (first.step(frame).labels != second.step(frame).labels).mean() < 1e-3


def test_frames_on_their_way_are_not_overwritten():
    upload = Upload(torch.device("cuda"))
    busy = torch.ones(4096, 4096, device="cuda")
    frames = [np.full((1080, 1920, 3), number, np.uint8) for number in range(20)]
    there = []
    for frame in frames:
        busy = busy @ busy * 0  # the copy waits behind it
        there.append(upload(frame))
    assert all(int(tensor.min()) == int(tensor.max()) == number for number, tensor in enumerate(there))
