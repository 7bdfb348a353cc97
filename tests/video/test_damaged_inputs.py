"""Damaged files of every kind end in frames, with a warning or without, or in an error of one line; none hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from vcut.errors import VcutError
from vcut.video.reader import open_source

SECONDS = 20

FASTSTART = {"container_options": {"movflags": "faststart"}}
KINDS: dict[str, dict[str, object]] = {
    "front.mp4": FASTSTART,
    "back.mp4": {},
    "clip.mkv": {},
    "clip.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "clip.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", **FASTSTART},
    "clip.ts": {},
    "clip.avi": {"codec": "mpeg4"},
    "still.png": {"codec": "png", "pixel_format": "rgb24"},
    "deep.png": {"codec": "png", "pixel_format": "rgb48be"},
    "still.jpg": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "clip.y4m": {},
}

READ = """
import json, sys, time
from vcut.errors import VcutError
from vcut.video.reader import open_source
for path in sys.argv[1:]:
    begin = time.monotonic()
    result = {"path": path, "frames": 0, "warnings": [], "error": None, "wrong": None}
    try:
        with open_source(path, deep=True) as source:
            for frame in source:
                result["frames"] += 1
                if frame.rgb.shape != (source.info.height, source.info.width, 3):
                    result["wrong"] = str(frame.rgb.shape)
        result["warnings"] = source.warnings
    except VcutError as error:
        result["error"] = str(error)
    except BaseException as error:
        result["wrong"] = f"{type(error).__name__}: {error}"
    result["seconds"] = time.monotonic() - begin
    print(json.dumps(result), flush=True)
"""


def damaged(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut short at three places, flipped in single bits all over, in the header, and overwritten in a block."""
    random = np.random.default_rng(seed)
    for share in (0.3, 0.7, 0.98):
        yield data[: int(len(data) * share)]
    for count, reach in ((1 + len(data) // 3000, len(data)), (4, min(len(data), 600))):
        flipped = bytearray(data)
        for place in random.integers(0, reach, count):
            flipped[place] ^= 1 << int(random.integers(8))
        yield bytes(flipped)
    block = bytearray(data)
    place = int(random.integers(len(data)))
    block[place : place + 400] = random.integers(0, 256, len(block[place : place + 400])).astype(np.uint8).tobytes()
    yield bytes(block)


@pytest.fixture
def whole(noisy_clip: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """A sound file of each kind."""

    def make(name: str) -> Path:
        path = tmp_path / name
        frames = 1 if path.suffix in (".png", ".jpg") else 12
        if path.suffix != ".y4m":
            return noisy_clip(path, frames, **KINDS[name])
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48"]
        subprocess.run([*command, "-frames:v", "12", "-pix_fmt", "yuv420p", path], check=True)
        return path

    return make


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files(whole: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    sound = whole(name)
    data = sound.read_bytes()
    with open_source(sound, deep=True) as source:
        count = len(list(source))
        assert source.warnings == []
    paths = []
    for number, bad in enumerate(damaged(data, seed=len(name))):
        paths.append(tmp_path / f"{number}_{name}")
        paths[-1].write_bytes(bad)
    command = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * len(paths), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(paths)
    for number, result in enumerate(results):
        assert result["wrong"] is None, result
        assert result["seconds"] < SECONDS, result
        assert result["error"] or result["frames"], result
        for line in [result["error"] or "", *result["warnings"]]:
            assert "\n" not in line
        if number < 2:  # cut at 30 and 70 percent: whole is what none of them may be called
            assert result["error"] or result["warnings"], result
            assert result["frames"] < count


def test_a_damaged_picture_among_others_costs_only_itself(whole: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    data = whole("still.png").read_bytes()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(data)
    for number, bad in enumerate(damaged(data, seed=5)):
        (folder / f"{3 + number}.png").write_bytes(bad)
    try:
        with open_source(folder) as source:
            frames = [frame.index for frame in source]
            assert set(range(12)) - set(range(3, 9)) <= set(frames)
            assert source.warnings
    except VcutError as error:
        assert ".png" in str(error)
        assert "\n" not in str(error)


def test_a_hole_in_a_transport_stream_is_told(noisy_clip: Callable[..., Path], tmp_path: Path) -> None:
    """Packets that reception lost take frames with them, and what is left decodes without an error."""
    path = noisy_clip(tmp_path / "clip.ts", 30, options={"g": "30", "bf": "0", "crf": "40"})
    data = path.read_bytes()
    for share in (0.5, 0.7):
        place = int(len(data) * share) // 188 * 188
        path.write_bytes(data[:place] + data[place + 10 * 188 :])
        with open_source(path) as source:
            assert len(list(source))
            assert source.warnings, share


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "live.mkv"])
@pytest.mark.parametrize("hole", ["cut out", "zeros"])
def test_a_hole_in_matroska_is_told(noisy_clip: Callable[..., Path], tmp_path: Path, name: str, hole: str) -> None:
    """ffmpeg goes on at the next cluster and says nothing."""
    clusters = {"cluster_time_limit": "200"} | ({"live": "1"} if name == "live.mkv" else {})
    options = {**KINDS.get(name, {}), "container_options": clusters}
    path = noisy_clip(tmp_path / name, 30, **options)
    with open_source(path) as source:
        assert len(list(source)) == 30
        assert source.warnings == []
    data = path.read_bytes()
    clusters_at = [at for at in range(len(data)) if data.startswith(b"\x1f\x43\xb6\x75", at)]
    assert len(clusters_at) > 3
    for first, last in ((1, 2), (2, 3)):
        begin, end = clusters_at[first] - 40, clusters_at[last] - 20
        middle = b"" if hole == "cut out" else bytes(end - begin)
        path.write_bytes(data[:begin] + middle + data[end:])
        with open_source(path) as source:
            kept = len(list(source))
            assert kept < 30
            assert source.warnings, (first, kept)
