"""Looking on changes nothing: masks are carried bit for bit as without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.errors import InputError, OptionError
from vcut.inspection.inspector import Inspector
from vcut.models.base import SegmentationModel
from vcut.models.registry import build_model

CPU = Runtime(torch.device("cpu"), torch.float32)
SIZES = {"trunk": "resnet18", "key_channels": 16, "value_channels": 32, "widths": [16, 16, 16]}


@pytest.fixture(scope="module")
def model() -> SegmentationModel:
    torch.manual_seed(0)
    return build_model("gam", {**SIZES, "window": 2, "remember_every": 2}).eval()


def clip(frames: int, height: int = 70, width: int = 101) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)


def blocks(count: int, height: int = 70, width: int = 101) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    for n in range(count):
        labels[12 * n : 12 * n + 10, 20:60] = n + 1
    return labels


def test_steps_are_those_of_a_run_nobody_looks_at(model, monkeypatch):
    """Five objects in groups of two."""
    monkeypatch.setattr(type(model), "objects_at_once", 2)
    frames, labels = clip(5), blocks(5)
    plain, asked = Propagator(model, CPU, size=70, roi=False), Inspector(model, CPU, size=70)
    assert np.array_equal(plain.start(frames[0], labels).levels, asked.start(frames[0], labels).levels)
    for number, frame in enumerate(frames[1:], 1):
        step = asked.look(frame) if number in (2, 4) else asked.step(frame)
        assert np.array_equal(plain.step(frame).levels, step.levels)
    assert len(asked.memories) == 3 and asked.memory_bytes == plain.memory_bytes
    shapes = {part.name: tuple(part.values.shape) for part in asked.maps}
    assert shapes["key"] == (1, 16, 5, 7) and shapes["first mask, matched"] == (5, 1, 5, 7)
    assert shapes["mask embedding"] == (5, 1, 20, 28)
    assert asked.masks.shape == (5, 80, 112) and asked.visible == (70 / 80, 101 / 112)


def test_maps_are_of_the_frame_that_was_asked_for(model):
    """Of the first one always, and with what was known before a frame, not after it."""
    frames, labels = clip(4), blocks(1)
    asked = Inspector(model, CPU, size=70)
    asked.start(frames[0], labels)
    first = asked.maps
    asked.step(frames[1])
    assert asked.maps is first, "nobody asked"
    memory, features = (
        asked.memories[0],
        model.encode(asked._geometry.to_model(asked._geometry.shrunk(torch.from_numpy(frames[2])))),
    )
    asked.look(frames[2])
    assert asked.maps is not first
    shown = {part.name: part.values for part in asked.maps}
    empty = memory.masks * torch.tensor([0.0, 1.0])[:, None, None]
    with torch.inference_mode():
        expected = (model.embedding(memory.masks) - model.embedding(empty)).norm(dim=1, keepdim=True)
        torch.testing.assert_close(shown["mask embedding"], expected, rtol=1e-4, atol=1e-5)
        key = features.query.softmax(1)
    torch.testing.assert_close(shown["key"], key, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["gam", "gam-paper", "gc", "gc-paper", "giel", "giel-fast", "rgmp"])
def test_half_precision_shows_about_the_same(name):
    """Of every kind of network. Random weights make much of small differences: half of the planes must be alike."""
    torch.manual_seed(0)
    sizes = {"trunk": "resnet18", "channels": 16, "widths": [16, 16]} if name == "rgmp" else SIZES
    model = build_model(name, sizes).eval()
    frames, labels = clip(2), blocks(2)
    both = [Inspector(model, Runtime(CPU.device, dtype), size=70) for dtype in (torch.float32, torch.bfloat16)]
    for asked in both:
        asked.start(frames[0], labels)
        asked.look(frames[1])
        assert all(part.values.dtype == torch.float32 for part in asked.maps)
    alike = [
        torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.9
        for exact, half in zip(both[0].maps, both[1].maps, strict=True)
        for a, b in zip(exact.values.flatten(0, 1), half.values.flatten(0, 1), strict=True)
    ]
    assert sum(alike) >= len(alike) / 2


def test_a_start_anew_forgets_the_first_mask(model):
    frames = clip(2)
    fresh, used = (Inspector(model, CPU, size=70) for _ in range(2))
    used.start(frames[1], blocks(1)[::-1].copy())
    used.step(frames[0])
    for asked in (fresh, used):
        asked.start(frames[0], blocks(2))
        asked.look(frames[1])
    for a, b in zip(fresh.maps, used.maps, strict=True):
        assert a.name == b.name and torch.equal(a.values, b.values)


def test_a_model_with_nothing_to_show_is_refused():
    torch.manual_seed(0)
    stm = Inspector(build_model("stm", SIZES).eval(), CPU, size=70)
    with pytest.raises(OptionError, match=r"^the network stm holds no maps to be shown; name other weights"):
        stm.start(clip(1)[0], blocks(1))


def test_numbers_that_are_none_are_refused(model):
    torch.manual_seed(0)
    broken = build_model("gam", {**SIZES, "window": 2}).eval()
    with torch.no_grad():
        broken.channel_attention.alpha.fill_(float("nan"))
    with pytest.raises(InputError, match="the map 'after attention' is not finite in cpu fp32; try --dtype fp32"):
        Inspector(broken, CPU, size=70).start(clip(1)[0], blocks(1))
