"""Tags, timecode and chapters: what comes out of a result again, by two readers."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from vcut.video.metadata import Metadata, content_tags, moved_timecode

SUFFIXES = [".mov", ".mp4", ".webm", ".mkv"]
RATE = Fraction(25)
TAGS = {
    "title": "Häschen",
    "artist": "Ein Mensch",
    "comment": "zwei\nZeilen",
    "date": "2024-05-06",
    "creation_time": "2024-05-06T07:08:09.000000Z",
    "copyright": "wir",
    "genre": "Tier",
}
PHONE = {
    "creation_time": "2024-05-06T07:08:09.000000Z",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone",
    "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034.000/",
    "com.apple.quicktime.creationdate": "2024-05-06T09:08:09+0200",
}
CHAPTERS = [(0, 400, "Eins"), (400, 1200, "Zwei"), (1200, 2000, "Drei")]


def film(
    path: Path,
    metadata: Metadata | None = None,
    tags: dict[str, str] | None = None,
    video_tags: dict[str, str] | None = None,
    chapters: list[tuple[int, int, str]] | None = None,
    begin: Fraction = Fraction(0),
    end: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Two seconds of grey, with given tags, or with what ``metadata`` gives them as VideoWriter uses it."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.metadata.update(tags or {})
        stream.metadata.update(video_tags or {})
        if chapters:
            container.set_chapters(
                [
                    {
                        "id": number,
                        "start": first,
                        "end": last,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": t},
                    }
                    for number, (first, last, t) in enumerate(chapters, 1)
                ]
            )
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, 1 / RATE
            packets = stream.encode(frame)
            if index == 0 and metadata is not None:
                metadata.write(container, stream, begin, end, RATE)
            container.mux(packets)
        container.mux(stream.encode())
    return path


def told_by_ffmpeg(path: Path) -> str:
    """What the ffmpeg binary says of a file."""
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)], capture_output=True, text=True).stderr


def chapters_by_ffmpeg(path: Path) -> list[tuple[float, float]]:
    found = re.findall(r"Chapter #\S+ start ([\d.]+), end ([\d.]+)", told_by_ffmpeg(path))
    return [(float(start), float(end)) for start, end in found]


def chapters_by_pyav(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path)) as container:
        return [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
            for c in container.chapters()
        ]


def file_tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {key.lower(): value for key, value in container.metadata.items()}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", [".mov", ".mp4", ".mkv"])
def test_tags_of_the_file(tmp_path: Path, source: str, suffix: str) -> None:
    clip = film(tmp_path / f"clip{source}", tags=TAGS)
    out = film(tmp_path / f"out{suffix}", Metadata.read(clip))
    tags = file_tags(out)
    assert {key: tags.get(key) for key in TAGS} == TAGS
    assert "Häschen" in told_by_ffmpeg(out)
    if suffix in (".mov", ".mp4"):  # in the boxes that players know
        assert b"\xa9nam" in out.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tags_of_a_phone(tmp_path: Path, suffix: str) -> None:
    clip = film(tmp_path / "clip.mov", tags=PHONE, options={"movflags": "use_metadata_tags"})
    out = film(tmp_path / f"out{suffix}", Metadata.read(clip))
    tags = file_tags(out)
    assert {key: tags.get(key.lower()) for key in PHONE} == PHONE
    assert "+52.5200+013.4050+034.000/" in told_by_ffmpeg(out)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_place_of_a_camera(tmp_path: Path, suffix: str) -> None:
    clip = film(tmp_path / "clip.mp4", tags={"location": "+52.5200+013.4050/"})
    read = Metadata.read(clip)
    assert dict(read.tags) == {"location": "+52.5200+013.4050/"}
    assert file_tags(film(tmp_path / f"out{suffix}", read))["location"] == "+52.5200+013.4050/"


def test_technical_tags_stay_behind(tmp_path: Path) -> None:
    clip = film(tmp_path / "clip.mp4", tags=TAGS, video_tags={"language": "und"})
    out = film(tmp_path / "out.mkv", Metadata.read(clip))
    assert set(file_tags(out)) == {*TAGS, "encoder"}
    with av.open(str(out)) as container:
        assert container.metadata["ENCODER"].startswith("Lavf")
        assert set(container.streams.video[0].metadata) <= {"DURATION", "CREATION_TIME", "creation_time"}


@pytest.mark.parametrize(
    "key",
    [
        *("encoder", "ENCODER", "major_brand", "handler_name", "rotate", "DURATION", "BPS", "BPS-eng", "alpha_mode"),
        *("NUMBER_OF_FRAMES", "_STATISTICS_TAGS", "vendor_id", "WMFSDKVersion", "timecode"),
    ],
)
def test_what_is_technical(key: str) -> None:
    assert content_tags({key: "x", "title": "T"}) == {"title": "T"}


def test_what_is_content() -> None:
    tags = {"name": "T", "language": "ger", "title-eng": "X", "com.apple.quicktime.software": "17.4"}
    assert content_tags(tags) == {
        "title": "T",
        "language": "ger",
        "title-eng": "X",
        "com.apple.quicktime.software": "17.4",
    }
    assert content_tags({"comment": "a", "comment-eng": "a", "language": "und", "empty": ""}) == {"comment": "a"}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("source", [".mov", ".mp4", ".mkv", ".webm"])
def test_chapters_whole_and_cut(tmp_path: Path, source: str, suffix: str) -> None:
    clip = film(tmp_path / f"clip{source}", chapters=CHAPTERS)
    metadata = Metadata.read(clip)
    assert metadata.notices == ()
    whole = film(tmp_path / f"whole{suffix}", metadata)
    assert chapters_by_pyav(whole) == [(first / 1000, last / 1000, title) for first, last, title in CHAPTERS]
    cut = film(tmp_path / f"cut{suffix}", metadata, begin=Fraction(1, 2), end=Fraction(6, 5))
    assert chapters_by_pyav(cut) == [(0, 0.7, "Zwei")]
    assert chapters_by_ffmpeg(cut) == [(0, 0.7)]
    late = film(tmp_path / f"late{suffix}", metadata, begin=Fraction(1, 5))
    assert chapters_by_ffmpeg(late) == [(0, 0.2), (0.2, 1), (1, 1.8)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chapters_with_a_gap_before_them(tmp_path: Path, suffix: str) -> None:
    clip = film(tmp_path / "clip.mkv", chapters=[(600, 1000, "A"), (1500, 2000, "B")])
    out = film(tmp_path / f"out{suffix}", Metadata.read(clip), begin=Fraction(1, 10))
    starts = [start for start, _, _ in chapters_by_pyav(out)]
    assert starts[-1] == 1.4
    assert [title for _, _, title in chapters_by_pyav(out)][-2:] == ["A", "B"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("begin", "expected"), [(Fraction(0), "10:00:00:05"), (Fraction(1), "10:00:01:05")])
def test_timecode_moves_with_the_cut(tmp_path: Path, suffix: str, begin: Fraction, expected: str) -> None:
    clip = film(tmp_path / "clip.mov", video_tags={"timecode": "10:00:00:05"})
    metadata = Metadata.read(clip)
    assert metadata.timecode == "10:00:00:05"
    assert metadata.notices == ()
    out = film(tmp_path / f"out{suffix}", metadata, begin=begin)
    assert f": {expected}" in told_by_ffmpeg(out)
    assert Metadata.read(out).timecode == expected


NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("00:00:59:24", 1, Fraction(25), "00:01:00:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),  # 00:01:00;00 and ;01 do not exist
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:01:00;02", 17982 - 1800, NTSC, "00:10:00;00"),
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("00:00:59;59", 1, 2 * NTSC, "00:01:00;04"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),  # not dropped
        ("01:00:00:00", 1001, Fraction(24000, 1001), "01:00:41:17"),
    ],
)
def test_timecode_arithmetic(timecode: str, frames: int, rate: Fraction, expected: str) -> None:
    assert moved_timecode(timecode, frames / rate, rate) == expected


def test_drop_frame_counts_every_frame_of_a_day_once() -> None:
    """Stepping frame by frame over two ten-minute marks names each number once, and in order."""
    names = [moved_timecode("00:00:00;00", (index or 0) / NTSC, NTSC) for index in range(0, 36_100)]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert not [name for name in names if re.fullmatch(r"\d\d:\d[1-9]:00;0[01]", name)]


def test_timecode_that_makes_no_sense_is_left_out() -> None:
    assert moved_timecode("soon", Fraction(0), RATE) is None
    assert moved_timecode("01:00:00:00", Fraction(1), None) is None
    assert moved_timecode("01:00:00:00", Fraction(0), None) == "01:00:00:00"


def test_subtitles_data_and_further_pictures_are_named(tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:01,000\nHallo\n")
    plain = film(tmp_path / "plain.mkv")
    clip = tmp_path / "clip.mkv"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(plain), "-i", str(words), "-i", str(words)]
    command += ["-map", "0", "-map", "1", "-map", "2", "-map", "0", "-c:v", "copy", "-c:s", "srt", str(clip)]
    subprocess.run(command, check=True)
    expected = "left out of the result: 2 subtitle tracks, 1 further video track of the clip"
    assert Metadata.read(clip).notices == (expected,)
    assert Metadata.read(plain).notices == ()


@pytest.mark.parametrize("name", ["folder", "note.txt", "missing.mov"])
def test_what_is_no_video_has_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "note.txt").write_text("title=T")
    assert Metadata.read(tmp_path / name) == Metadata()
