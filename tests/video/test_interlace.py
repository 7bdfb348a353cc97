"""Interlaced clips: refused with the option named, or made into whole frames."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from vcut.errors import InputError
from vcut.video.reader import open_source
from vcut.video.span import Span

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-threads", "1"]
# A white bar that moves four pixels a field over grey, with colours below it.
MOVING = "color=gray:s=64x48:r=50:d=0.4,format=yuv420p[b];color=white:s=8x24:r=50:d=0.4,format=yuv420p[w];"
MOVING += "color=0xC83C1E:s=64x16:r=50:d=0.4,format=yuv420p[c];[b][w]overlay=x='4*n':y=0[m];[m][c]overlay=y=32"


def interlaced(path: Path, *codec: str) -> Path:
    source = ["-f", "lavfi", "-i", "color=gray:s=64x48:r=50:d=0.4"]
    weave = MOVING + ",tinterlace=interleave_top,setfield=tff"
    subprocess.run([*FFMPEG, *source, "-filter_complex", weave, *codec, path], check=True)
    return path


CODECS = {
    "clip.mp4": ("-c:v", "libx264", "-crf", "4", "-x264-params", "interlaced=1:tff=1"),
    "clip.mpg": ("-c:v", "mpeg2video", "-q:v", "1", "-flags", "+ildct+ilme"),
    "clip.mov": ("-c:v", "prores_ks", "-flags", "+ildct"),
    "rgb.mkv": ("-c:v", "ffv1", "-pix_fmt", "bgr0"),
}


def combed(rgb: np.ndarray) -> float:
    """How much more neighbouring lines differ than lines of one field, above the coloured part."""
    luma = rgb[:30].astype(float).mean(axis=2)
    return float(np.abs(luma[1:-1] - luma[:-2]).mean() - np.abs(luma[2:] - luma[:-2]).mean())


@pytest.mark.parametrize("name", CODECS)
def test_refused_deinterlaced_or_taken_as_it_is(tmp_path: Path, name: str) -> None:
    path = interlaced(tmp_path / name, *CODECS[name])
    with pytest.raises(InputError, match=r"interlaced.*--deinterlace.*--no-deinterlace") as caught:
        open_source(path)
    assert "\n" not in str(caught.value)
    with open_source(path, deinterlace=False) as source:
        as_it_is = list(source)
        assert source.info.interlaced
        assert source.warnings == []
    with open_source(path, deinterlace=True) as source:
        whole = list(source)
        assert source.warnings == []
    assert len(as_it_is) == len(whole) == 10
    assert [frame.pts for frame in whole] == [frame.pts for frame in as_it_is]
    assert [frame.index for frame in whole] == list(range(10))
    assert min(combed(frame.rgb) for frame in as_it_is[2:8]) > 4
    assert max(combed(frame.rgb) for frame in whole[2:8]) < 1
    for frame in whole:
        assert np.abs(frame.rgb[44, 8:-8].astype(int) - (200, 60, 30)).max() <= 4


def test_only_the_part_asked_for(tmp_path: Path) -> None:
    path = interlaced(tmp_path / "clip.mp4", *CODECS["clip.mp4"])
    with open_source(path, deinterlace=True) as source:
        whole = list(source)
    with open_source(path, deinterlace=True, span=Span(4, 7)) as source:
        part = list(source)
    assert [frame.index for frame in part] == [4, 5, 6]
    for frame in part:
        assert frame.pts == whole[frame.index].pts
        assert np.array_equal(frame.rgb, whole[frame.index].rgb)


def test_progressive_clips_pass(tmp_path: Path) -> None:
    path = tmp_path / "plain.mp4"
    subprocess.run([*FFMPEG, "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4", "-c:v", "libx264", path], check=True)
    with open_source(path) as source:
        assert not source.info.interlaced
        assert len(list(source)) == 10


def joined(path: Path, *chains: str) -> int:
    """MPEG-2 clips one after the other, each made by a filter chain; returns how many frames ffmpeg finds in it."""
    with path.open("wb") as file:
        for chain in chains:
            source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=50:d=0.8", "-vf", chain]
            options = ["-c:v", "mpeg2video", "-q:v", "2", "-pix_fmt", "yuv420p", "-f", "mpeg2video", "-"]
            flags = ["-flags", "+ildct"] if "setfield=tff" in chain else []
            file.write(subprocess.run([*FFMPEG, *source, *flags, *options], check=True, capture_output=True).stdout)
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(("first", "accepted"), [(2, True), (6, False)])
def test_a_few_flags_do_not_count(tmp_path: Path, first: int, accepted: bool) -> None:
    path = tmp_path / "joined.m2v"
    flagged = f"setfield=prog,tinterlace=interleave_top,select='lt(n,{first})',setfield=tff"
    count = joined(path, flagged, "fps=25,setfield=prog")
    if accepted:
        with open_source(path) as source:
            assert len(list(source)) == count
            assert source.warnings == []
    else:
        with pytest.raises(InputError, match="interlaced"):
            open_source(path)


def test_interlaced_later_on_is_told(tmp_path: Path) -> None:
    path = tmp_path / "joined.m2v"
    count = joined(path, "fps=25,setfield=prog,select='lt(n,9)'", "tinterlace=interleave_top,setfield=tff")
    with open_source(path) as source:
        assert len(list(source)) == count
        (warning,) = source.warnings
    assert re.fullmatch(rf"joined\.m2v: (19|20) of {count} frames are interlaced; see --deinterlace", warning)
