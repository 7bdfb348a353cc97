"""y4m on standard input."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from vcut.errors import InputError
from vcut.video.pipe import Pipe
from vcut.video.reader import VideoSource

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1"]


def y4m(pixel_format: str, frames: int = 12, tags: str = "setparams=range=tv", size: str = "64x48") -> bytes:
    source = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=30000/1001", "-frames:v", str(frames)]
    source += ["-vf", f"scale={size.replace('x', ':')},format={pixel_format},{tags}"]
    command = [*FFMPEG, *source, "-pix_fmt", pixel_format, "-strict", "-1", "-f", "yuv4mpegpipe", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def read(data: bytes, **options: object) -> VideoSource:
    return VideoSource(Path("-"), Fraction(25), pipe=Pipe(io.BytesIO(data)), **options)


@pytest.mark.parametrize("size", ["64x48", "51x37"])
@pytest.mark.parametrize(
    ("pixel_format", "depth"),
    [
        ("yuv420p", 8),
        ("yuv422p", 8),
        ("yuv444p", 8),
        ("gray", 8),
        ("yuv420p10le", 10),
        ("yuv422p10le", 10),
        ("yuv444p10le", 10),
        ("yuv444p12le", 12),
        ("gray10le", 10),
    ],
)
def test_kinds(pixel_format: str, depth: int, size: str) -> None:
    width, height = map(int, size.split("x"))
    with read(y4m(pixel_format, size=size), deep=True) as source:
        frames = list(source)
        assert source.warnings == []
        assert source.info.depth == depth
        assert (source.info.width, source.info.height, source.info.rate) == (width, height, Fraction(30000, 1001))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.pts * frame.time_base for frame in frames] == [i * Fraction(1001, 30000) for i in range(12)]
    assert {frame.rgb.dtype for frame in frames} == {np.dtype(np.uint16 if depth > 8 else np.uint8)}


def test_grey_levels_follow_the_range() -> None:
    whole = read(y4m("gray", tags="setparams=range=pc"))
    limited = read(y4m("gray"))
    for a, b in zip(whole, limited, strict=True):
        stretched = np.clip((a.rgb.astype(float) - 16) * 255 / 219, 0, 255)
        assert np.abs(b.rgb - stretched).max() <= 0.5


def test_a_cut_pipe_keeps_whole_frames_and_tells() -> None:
    data = y4m("yuv420p")
    with read(data[:-1000]) as source:
        assert len(list(source)) == 11
        assert source.warnings == ["- is damaged or cut off: 11 frames kept, it ends inside a frame"]


def test_a_cut_file_too(tmp_path: Path) -> None:
    path = tmp_path / "clip.y4m"
    path.write_bytes(y4m("yuv420p"))
    with VideoSource(path, Fraction(25)) as source:
        assert len(list(source)) == 12
        assert source.warnings == []
    path.write_bytes(path.read_bytes()[:-5])
    with VideoSource(path, Fraction(25)) as source:
        assert len(list(source)) == 11
        assert len(source.warnings) == 1


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "empty"), (b"RIFF....AVI ", "no y4m"), (b"YUV4MPEG2 C420 W0 H0\nFRAME\n", "input")]
)
def test_what_is_no_y4m_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_a_real_pipe_in_flat_memory() -> None:
    """35 MB go through; what the process holds grows by little of it."""
    code = """
import resource
from vcut.video.reader import open_source
with open_source("-") as source:
    peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss for frame in source]
print(len(peaks), (peaks[-1] - peaks[20]) // 1024)
"""
    source = ["-f", "lavfi", "-i", "color=red:s=320x240:r=25", "-frames:v", "300", "-pix_fmt", "yuv420p"]
    with subprocess.Popen([*FFMPEG, *source, "-f", "yuv4mpegpipe", "-"], stdout=subprocess.PIPE) as writer:
        result = subprocess.run([sys.executable, "-c", code], stdin=writer.stdout, capture_output=True, check=True)
    frames, growth = map(int, result.stdout.split())
    assert frames == 300
    assert growth < 8
