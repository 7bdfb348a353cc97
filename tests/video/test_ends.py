"""Files that are cut off close to their end, where nothing else looks broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from vcut.video.ends import is_cut
from vcut.video.reader import open_source

EBML = b"\x1a\x45\xdf\xa3"

KINDS: dict[str, dict[str, object]] = {
    "clip.mkv": {},
    "clip.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "clip.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "clip.apng": {"codec": "apng", "pixel_format": "rgb24"},
    "clip.ts": {},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.8, 0.97])
def test_a_cut_is_told(noisy_clip: Callable[..., Path], tmp_path: Path, name: str, share: float) -> None:
    path = noisy_clip(tmp_path / name, 12, **KINDS[name])
    with open_source(path) as source:
        assert len(list(source)) == 12
        assert source.warnings == []
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with open_source(path) as source:
        kept = len(list(source))
        (warning,) = source.warnings
    assert f"{kept} frames kept" in warning


def test_a_live_recording_does_not_know_its_size(noisy_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = noisy_clip(tmp_path / "live.mkv", 12, container_options={"live": "1"})
    assert not is_cut(path, "matroska,webm")
    with open_source(path) as source:
        assert len(list(source)) == 12
        assert source.warnings == []


@pytest.mark.parametrize("before", [0, 100])
def test_blu_ray_packets_of_192_bytes(noisy_clip: Callable[..., Path], tmp_path: Path, before: int) -> None:
    path = noisy_clip(tmp_path / "clip.m2ts", 12, container_options={"mpegts_m2ts_mode": "1"})
    data = path.read_bytes()
    assert len(data) % 192 == 0
    path.write_bytes(data[before:])
    assert not is_cut(path, "mpegts")
    path.write_bytes(data[before:-50])
    assert is_cut(path, "mpegts")


@pytest.mark.parametrize(
    "data", [b"", b"\x1a", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x00", b"\x1a\x45\xdf\xa3\x81x" * 2]
)
def test_headers_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert not is_cut(path, "matroska,webm")
    assert not is_cut(path, "mpegts")
    assert not is_cut(path, "no such format")


def test_sizes_beyond_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), format="yuv420p")))
        container.mux(stream.encode())
    data = path.read_bytes()
    assert not is_cut(path, "matroska,webm")
    path.write_bytes(data[:-1])
    assert is_cut(path, "matroska,webm")
