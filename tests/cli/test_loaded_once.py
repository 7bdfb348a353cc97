"""Weights are read once in a process, however many clips it cuts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from vcut import SegmentOptions, segment_video
from vcut.engine.loaded import shared_model
from vcut.engine.runtime import choose_runtime
from vcut.errors import WeightsError
from vcut.weights import resolve

CPU = choose_runtime("cpu", "fp32")


@pytest.fixture
def weights(tmp_path) -> Path:
    """The trained default weights, under a name of their own."""
    return Path(shutil.copy(resolve(), tmp_path / "mine.safetensors"))


def wipe(path: Path) -> None:
    """Zeros, of the same size and time of change: only who reads the file again can tell."""
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cut(scene, weights: Path, out: Path) -> dict[str, bytes]:
    segment_video(SegmentOptions(scene.clip, scene.mask, out, size=64, device="cpu", weights=str(weights)))
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_second_clip_does_not_read_the_weights_and_is_cut_the_same(scene, weights, tmp_path):
    first = cut(scene, weights, tmp_path / "first")
    wipe(weights)
    assert cut(scene, weights, tmp_path / "second") == first and len(first) == 10
    os.utime(weights)
    with pytest.raises(WeightsError):
        cut(scene, weights, tmp_path / "third")


def test_each_number_format_has_a_model_of_its_own(weights):
    model, ready = shared_model(weights, CPU)
    again, half = shared_model(weights, choose_runtime("cpu", "bf16"))
    assert again is model and half is not ready
    assert shared_model(weights, CPU)[1] is ready
    kinds = [next(m.parameters()).dtype for m in (model, ready, half)]
    assert [str(kind) for kind in kinds] == ["torch.float32", "torch.float32", "torch.bfloat16"]
