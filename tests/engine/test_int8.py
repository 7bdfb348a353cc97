"""Convolutions in 8 bits: near those in float32, each picture by itself, and the same masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moving import disc, overlap
from torch import nn

from vcut import load_model
from vcut.engine import runtime as runtimes
from vcut.engine.int8 import ByteConv, bytes_pay, in_bytes
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime, choose_runtime
from vcut.errors import DeviceError, InputError
from vcut.models.parts.backbone import Trunk
from vcut.models.registry import ARCHITECTURES, build_model

CPU = Runtime(torch.device("cpu"), torch.float32)
needs_vnni = pytest.mark.skipif(not bytes_pay(), reason="this CPU has no 8-bit products")


@needs_vnni
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "bias"), [(1, 1, True), (3, 1, False), (3, 2, True), (7, 2, True)])
def test_near_the_convolution_it_stands_in_for(kernel, stride, bias, signed):
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 48, kernel, stride, kernel // 2, bias=bias)
    x = 3 * torch.randn(3, 32, 17, 29)
    x = x if signed else x.relu()
    with torch.inference_mode():
        got, truth = ByteConv(conv)(x), conv(x)
    assert got.shape == truth.shape and got.dtype == torch.float32
    assert (got - truth).norm() < 0.015 * truth.norm()


@needs_vnni
def test_a_picture_does_not_depend_on_the_others_in_its_batch():
    torch.manual_seed(0)
    conv = ByteConv(nn.Conv2d(16, 16, 3, padding=1))
    x = torch.randn(3, 16, 9, 11) * torch.tensor([1.0, 50.0, 0.0]).view(3, 1, 1, 1)
    with torch.inference_mode():
        together = conv(x)
        for picture, alone in zip(x.split(1), together.split(1), strict=True):
            assert torch.equal(conv(picture), alone)


@needs_vnni
def test_what_is_not_finite_stays_so():
    conv = ByteConv(nn.Conv2d(16, 16, 3, padding=1))
    x = torch.zeros(2, 16, 8, 8)
    x[1, 3, 2, 2] = torch.inf
    with torch.inference_mode():
        good, bad = conv(x)
    assert good.isfinite().all() and bad.isnan().all()


@needs_vnni
def test_small_convolutions_stay_in_float32():
    ready = in_bytes(build_model("gam-s").eval())
    trunk = next(part for part in ready.modules() if isinstance(part, Trunk))
    assert type(trunk.conv1) is type(ready.decoder.predict) is nn.Conv2d
    assert all(isinstance(part, ByteConv) for part in (trunk.layer1[0].conv1, trunk.layer3[0].downsample))
    assert isinstance(ready.decoder.refine8.block.conv1, ByteConv)


@needs_vnni
@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_masks_are_those_of_float32(name):
    frames, labels = disc([(150 + 4 * t, 120 + 16 * t) for t in range(7)])
    model = load_model(name)
    found = []
    for runtime in (CPU, choose_runtime("cpu", "int8")):
        propagator = Propagator(model, runtime, size=320)
        propagator.start(frames[0], labels[0])
        found.append([propagator.step(frame).labels for frame in frames[1:]])
    assert all(overlap(a, b) > 0.97 for a, b in zip(*found, strict=True))


@needs_vnni
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_runs_and_objects_may_be_split(name):
    torch.manual_seed(0)
    model = build_model(name).eval()
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)
    labels = np.zeros((64, 96), np.uint8)
    labels[8:40, 10:40], labels[20:60, 50:90] = 1, 2
    levels = []
    for chunk in (2, 1):
        propagator = Propagator(model, choose_runtime("cpu", "int8"), size=64)
        propagator.model.objects_at_once = chunk
        propagator.start(frames[0], labels)
        levels.append([propagator.step(frame).levels for frame in frames[1:]])
    for together, apart in zip(*levels, strict=True):
        # float32 sums may differ in their last bits with the batch, and one of 255 levels with them
        assert np.abs(together.astype(int) - apart).max() <= 0.01 * 65535


def test_int8_is_refused_where_it_cannot_be(monkeypatch):
    monkeypatch.setattr(runtimes, "bytes_pay", lambda: False)
    with pytest.raises(DeviceError, match="VNNI"):
        choose_runtime("cpu", "int8")


@needs_vnni
def test_broken_weights_are_told():
    model = build_model("gam-s").eval()
    model.decoder.refine8.block.conv1.bias.data.fill_(torch.nan)
    frames, labels = disc([(150, 120), (150, 125)])
    propagator = Propagator(model, choose_runtime("cpu", "int8"), size=320)
    propagator.start(frames[0], labels[0])
    with pytest.raises(InputError, match="no finite numbers"):
        propagator.step(frames[1])
