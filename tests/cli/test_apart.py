"""Mattes and writers in threads of their own, as on a GPU, on a CPU with cores to spare and on one without."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

import vcut.pipeline
from vcut import SegmentOptions, segment_video
from vcut.engine.cores import WriteBeside
from vcut.engine.queues import WriteAtOnce, WriteBehind
from vcut.engine.runtime import Runtime
from vcut.errors import OutputError
from vcut.matte.cutter import Cutter
from vcut.pipeline import FEW_CORES, hands
from vcut.video.writer import Writers


def cut(scene, out: Path) -> dict[str, bytes]:
    options = SegmentOptions(scene.clip, scene.mask, out, format="rgba,labels,prores", size=64, device="cpu")
    outputs = segment_video(options).outputs
    files = [file for output in outputs for file in ([output] if output.is_file() else sorted(output.iterdir()))]
    return {str(file.relative_to(out.parent)): file.read_bytes() for file in files}


HANDS = [(WriteBehind, WriteBehind), (WriteAtOnce, WriteBehind), (WriteBeside, WriteAtOnce)]


@pytest.mark.parametrize("hands", HANDS)
def test_the_result_is_the_same_whoever_is_slow(scene, tmp_path, monkeypatch, hands):
    monkeypatch.setattr(vcut.pipeline, "hands", lambda _: (WriteAtOnce, WriteAtOnce))
    expected = cut(scene, tmp_path / "a" / "cut")
    monkeypatch.setattr(vcut.pipeline, "hands", lambda _: hands)
    assert cut(scene, tmp_path / "b" / "cut") == expected and len(expected) == 21  # ten frames twice, and a video
    real = Cutter.__call__
    monkeypatch.setattr(Cutter, "__call__", lambda *args: (time.sleep(0.05), real(*args))[1])
    assert cut(scene, tmp_path / "c" / "cut") == expected


@pytest.mark.parametrize("hands", HANDS)
@pytest.mark.parametrize("place", [(Cutter, "__call__"), (Writers, "write")])
def test_an_error_on_the_way_out_ends_the_run_and_leaves_nothing(scene, tmp_path, monkeypatch, place, hands):
    monkeypatch.setattr(vcut.pipeline, "hands", lambda _: hands)

    def full(*_):
        raise OutputError("no space left")

    monkeypatch.setattr(*place, full)
    with pytest.raises(OutputError, match="no space left"):
        cut(scene, tmp_path / "cut")
    assert not list(tmp_path.glob("cut*"))


@pytest.mark.parametrize(
    ("device", "dtype", "threads", "expected"),
    [
        ("cuda", torch.float16, 2, (WriteBehind, WriteBehind)),
        ("cpu", torch.bfloat16, 2, (WriteBeside, WriteAtOnce)),
        ("cpu", torch.int8, FEW_CORES, (WriteBeside, WriteAtOnce)),
        ("cpu", torch.bfloat16, 1, (WriteAtOnce, WriteAtOnce)),
        ("cpu", torch.float32, 2, (WriteAtOnce, WriteAtOnce)),
        ("cpu", torch.bfloat16, FEW_CORES + 1, (WriteAtOnce, WriteBehind)),
    ],
)
def test_who_works_beside_whom(monkeypatch, device, dtype, threads, expected):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert hands(Runtime(torch.device(device), dtype)) == expected
