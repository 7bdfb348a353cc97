"""The step from frame to frame, with untrained networks: what must hold whatever the weights are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from vcut.engine.preprocess import fit
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime, choose_runtime
from vcut.errors import DeviceError, InputError, MaskError, OptionError
from vcut.matte.outline import outline
from vcut.models.registry import build_model

CPU = Runtime(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model("gam-s")


def clip(frames: int, height: int = 70, width: int = 101) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)


def blocks(ids: list[int], height: int = 70, width: int = 101) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    for n, i in enumerate(ids):
        labels[6 * n : 6 * n + 5, 20:60] = i
    return labels


def test_memory_is_flat_in_time(model):
    frames = clip(25)
    propagator = Propagator(model, CPU, size=70)
    propagator.start(frames[0], blocks([1, 2]))
    size = propagator.memory_bytes
    for frame in frames[1:]:
        propagator.step(frame)
        assert propagator.memory_bytes == size
    assert size > 0


def test_results_have_the_sources_size_and_the_users_ids(model):
    frames, labels = clip(3), blocks([7, 200])
    propagator = Propagator(model, CPU, size=64)
    first = propagator.start(frames[0], labels)
    assert np.array_equal(first.labels, labels)
    assert set(np.unique(first.alpha)) == {0, 255}
    step = propagator.step(frames[1])
    assert step.labels.shape == step.alpha.shape == (70, 101)
    assert step.labels.dtype == step.alpha.dtype == np.uint8
    assert set(np.unique(step.labels)) <= {0, 7, 200}


def test_alpha_and_the_networks_own_labels_agree(model):
    frames = clip(2)
    propagator = Propagator(model, CPU, size=70, refine=False)
    propagator.start(frames[0], blocks([1]))
    step = propagator.step(frames[1])
    assert (step.alpha[step.labels == 1] >= 127).all()
    assert (step.alpha[step.labels == 0] <= 128).all()


def test_labels_are_refined_unless_it_is_declined_and_that_alone_differs(model):
    frames, found = clip(2), []
    for refine in (True, False):
        propagator = Propagator(model, CPU, size=70, refine=refine)
        propagator.start(frames[0], blocks([1, 3]))
        found.append(propagator.step(frames[1]))
    assert torch.equal(found[0].probabilities, found[1].probabilities)
    assert np.array_equal(found[0].labels, outline(frames[1], found[0].probabilities, (1, 3)).numpy())
    assert not np.array_equal(found[0].labels, found[1].labels)


def test_a_step_that_is_recalled_has_the_same_labels(model):
    frames = clip(2)
    propagator = Propagator(model, CPU, size=50)
    propagator.start(frames[0], blocks([1, 3]))
    step = propagator.step(frames[1])
    assert np.array_equal(propagator.recall(frames[1], step.levels).labels, step.labels)


def test_many_objects_in_groups_equal_all_at_once(model, monkeypatch):
    frames, labels = clip(3), blocks(list(range(1, 8)))
    results = []
    for at_once in (3, 100):
        monkeypatch.setattr(type(model), "objects_at_once", at_once)
        propagator = Propagator(model, CPU, size=70)
        propagator.start(frames[0], labels)
        results.append([propagator.step(frame) for frame in frames[1:]])
    for a, b in zip(*results, strict=True):
        assert (a.labels != b.labels).mean() < 0.01
        assert np.abs(a.alpha.astype(int) - b.alpha).max() <= 2


def test_start_forgets_the_clip_before(model):
    frames = clip(4)
    propagator = Propagator(model, CPU, size=70)
    propagator.start(frames[0], blocks([1]))
    expected = propagator.step(frames[1])
    propagator.start(frames[3], blocks([5]))
    propagator.step(frames[2])
    propagator.start(frames[0], blocks([1]))
    assert np.array_equal(propagator.step(frames[1]).alpha, expected.alpha)


def test_not_finite_in_half_precision_goes_on_in_fp32():
    torch.manual_seed(0)
    model = build_model("gam-s")
    real = model.read

    def broken_in_bf16(memory, features, window=None):
        read = real(memory, features, window)
        return read * float("nan") if torch.is_autocast_enabled("cpu") else read

    model.read = broken_in_bf16
    frames = clip(3)
    propagator = Propagator(model, Runtime(torch.device("cpu"), torch.bfloat16), size=70)
    propagator.start(frames[0], blocks([1]))
    got = propagator.step(frames[1])
    assert propagator.runtime.dtype == torch.float32
    assert "fp32" in propagator.notices[0]
    model.segment = real
    plain = Propagator(model, CPU, size=70)
    plain.start(frames[0], blocks([1]))
    assert np.array_equal(got.labels, plain.step(frames[1]).labels)


def test_misuse_is_an_error_in_one_line(model):
    frames = clip(2)
    propagator = Propagator(model, CPU, size=70)
    with pytest.raises(InputError, match="no first frame"):
        propagator.step(frames[0])
    with pytest.raises(MaskError, match="no object"):
        propagator.start(frames[0], np.zeros((70, 101), np.uint8))
    with pytest.raises(MaskError, match=r"10x20.*101x70"):
        propagator.start(frames[0], np.ones((20, 10), np.uint8))
    propagator.start(frames[0], blocks([1]))
    with pytest.raises(InputError, match="101x70"):
        propagator.step(frames[1][:, :50])


def test_fit_scales_keeps_aspect_and_pads_to_the_stride():
    geometry = fit(1080, 1920, 480)
    assert geometry.inner == (480, 853) and geometry.padded == (480, 864)
    assert fit(1920, 1080, 480).inner == (853, 480)
    assert fit(240, 320, 480).inner == (480, 640)
    assert fit(480, 854, 480).padded == (480, 864)


def test_only_some_frames_are_remembered_in_full():
    torch.manual_seed(0)
    model = build_model("gc")
    frames = clip(8)
    propagator = Propagator(model, CPU, size=70, every=3, roi=False)
    propagator.start(frames[0], blocks([1]))
    counts, masks = [], []
    for frame in frames[1:]:
        propagator.step(frame)
        (memory,) = propagator.memories
        counts.append(int(memory.context.frames))
        masks.append(memory.masks)
    assert counts == [1, 1, 2, 2, 2, 3, 3]
    assert not torch.equal(masks[0], masks[1])  # the last masks are known all the same


def test_frame_goes_to_the_model_and_back():
    rgb = np.random.default_rng(0).integers(0, 256, (70, 101, 3), np.uint8)
    geometry = fit(70, 101, 70)
    tensor = geometry.to_model(geometry.shrunk(torch.from_numpy(rgb)))
    assert tensor.shape == (1, 3, 80, 112) and tensor.min() >= 0 and tensor.max() <= 1
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    picture = geometry.unpadded(tensor)
    assert torch.equal(tensor, functional.pad(picture, (0, 112 - 101, 0, 80 - 70), mode="replicate"))
    back = geometry.to_source(picture)
    assert np.array_equal((back[0].permute(1, 2, 0) * 255).round().byte().numpy(), rgb)


def test_runtime_names():
    assert choose_runtime("cpu", "fp32").name == "cpu fp32"
    assert choose_runtime("cpu", "bf16").dtype == torch.bfloat16
    for device, dtype, error in [
        ("tpu", "auto", OptionError),
        ("cpu:x", "auto", OptionError),
        ("cpu", "int4", OptionError),
        ("cpu", "fp16", DeviceError),
        ("cuda:99", "auto", DeviceError),
    ]:
        with pytest.raises(error):
            choose_runtime(device, dtype)


@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_a_saved_state_goes_on_exactly(name, tmp_path):
    torch.manual_seed(0)
    model = build_model(name)
    runtime = choose_runtime("cpu")
    frames = clip(9)
    whole = Propagator(model, runtime, size=64, every=3)
    whole.start(frames[0], blocks([3, 9]))
    for frame in frames[1:5]:
        whole.step(frame)
    torch.save(whole.state(), tmp_path / "state.pt")
    rest = [whole.step(frame) for frame in frames[5:]]
    other = Propagator(model, runtime, size=64, every=3)
    other.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert other.memory_bytes == whole.memory_bytes
    for expected, frame in zip(rest, frames[5:], strict=True):
        step = other.step(frame)
        assert np.array_equal(step.labels, expected.labels) and np.array_equal(step.alpha, expected.alpha)


def test_a_state_of_something_else_is_refused(model):
    propagator = Propagator(model, CPU, size=64)
    with pytest.raises(InputError, match="no first frame"):
        propagator.state()
    propagator.start(clip(1)[0], blocks([1]))
    for other in (Propagator(model, CPU, size=80), Propagator(build_model("gc"), CPU, size=64)):
        with pytest.raises(InputError, match="another network, size or number format"):
            other.restore(propagator.state())
