"""Parts of clips: what can be typed, and which frames it means."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vcut.errors import InputError, OptionError
from vcut.video.reader import open_source
from vcut.video.span import Span, parse_moment

MakeClip = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("4.5s", Fraction(9, 2)),
        ("4s", Fraction(4)),
        (".25 s", Fraction(1, 4)),
        ("1:02.5", Fraction(125, 2)),
        ("90:00", Fraction(5400)),
        ("00:01:02.5", Fraction(125, 2)),
        ("01:00:00", Fraction(3600)),
    ],
)
def test_moments(text: str, moment: int | Fraction) -> None:
    assert parse_moment(text, "--start") == moment
    assert type(parse_moment(text, "--start")) is type(moment)


@pytest.mark.parametrize("text", ["", "x", "-3", "4.5", "1:60", "1:60:00", "1e3s", "4 5", "00:01:02:12", "٣", "nan"])
def test_what_is_no_moment_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionError, match="--end") as caught:
        Span.parse("0", text)
    assert "\n" not in str(caught.value)
    assert "4.5s" in str(caught.value)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 3), (Fraction(2), Fraction(1)), (0, 0), (-1, None)])
def test_empty_spans_are_refused(start: int | Fraction, end: int | Fraction | None) -> None:
    with pytest.raises(OptionError):
        Span(start, end)


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        (None, None, range(12)),
        ("3", "7", range(3, 7)),
        ("11", None, range(11, 12)),
        ("0.2s", "0.4s", range(5, 10)),
        ("0.201s", None, range(6, 12)),
        ("0.2004s", None, range(5, 12)),
        ("2", "0.2s", range(2, 5)),
        ("0:00.4", "99", range(10, 12)),
    ],
)
def test_frames_of_a_span(
    make_clip: MakeClip, tmp_path: Path, start: str | None, end: str | None, numbers: range
) -> None:
    offset = 9000
    path = make_clip(
        tmp_path / "clip.mkv", frames=12, pts=[offset + 40 * i for i in range(12)], time_base=Fraction(1, 1000)
    )
    with open_source(path) as source:
        whole = list(source)
    with open_source(path, span=Span.parse(start, end)) as source:
        part = list(source)
        assert source.warnings == []
    assert [frame.index for frame in part] == list(numbers)
    for frame in part:
        assert frame.pts == whole[frame.index].pts
        assert np.array_equal(frame.rgb, whole[frame.index].rgb)


def test_frames_of_a_span_of_pictures(make_clip: MakeClip, tmp_path: Path) -> None:
    make_clip(tmp_path / "f%02d.png", codec="png", pixel_format="rgb24", frames=12)
    with open_source(tmp_path, span=Span.parse("0.2s", "8")) as source:
        assert [(frame.index, frame.pts) for frame in source] == [(5, 5), (6, 6), (7, 7)]


@pytest.mark.parametrize(
    ("start", "message"), [("12", "has 12 frames, no frame 12"), ("0:09", "has 12 frames, none at 9s")]
)
def test_a_span_after_the_end(make_clip: MakeClip, tmp_path: Path, start: str, message: str) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=12)
    with open_source(path, span=Span.parse(start)) as source, pytest.raises(InputError, match=message):
        list(source)


def test_a_span_that_ends_before_it_begins(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=12)
    with (
        open_source(path, span=Span.parse("8", "0.2s")) as source,
        pytest.raises(OptionError, match=r"8 and --end 0\.2s"),
    ):
        list(source)


def test_what_is_cut_off_after_the_span_is_no_loss(noisy_clip: MakeClip, tmp_path: Path) -> None:
    path = noisy_clip(tmp_path / "cut.mp4", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with open_source(path, span=Span(2, 6)) as source:
        assert [frame.index for frame in source] == [2, 3, 4, 5]
        assert source.warnings == []


@pytest.mark.parametrize("name", ["far.mp4", "far.mkv"])
@pytest.mark.parametrize("options", [{"g": "50", "bf": "3"}, {"g": "40", "x264-params": "open-gop=1:bframes=3"}])
@pytest.mark.parametrize("start", ["311", "12.4s"])
def test_a_far_start_is_the_same_frame(
    make_clip: MakeClip, tmp_path: Path, name: str, options: dict[str, str], start: str
) -> None:
    path = make_clip(tmp_path / name, width=32, height=32, frames=330, options={**options, "threads": "1"})
    with open_source(path) as source:
        whole = list(source)
    with open_source(path, span=Span.parse(start)) as source:
        part = list(source)
        assert source.warnings == []
    first = int(start) if start.isdigit() else 310
    assert [frame.index for frame in part] == list(range(first, 330))
    for frame in part:
        assert frame.pts == whole[frame.index].pts
        assert np.array_equal(frame.rgb, whole[frame.index].rgb)


@pytest.mark.parametrize(
    ("start", "end", "frames", "rate", "length"),
    [
        (None, None, 100, 25, 100),
        ("10", None, 100, 25, 90),
        ("10", "40", 100, 25, 30),
        ("1s", "2s", 100, 25, 25),
        ("90", "2000", 100, 25, 10),
        ("10", "40", None, None, 30),
        ("10", None, None, 25, None),
        ("1s", "40", 100, None, None),
        ("200", None, 100, 25, 0),
    ],
)
def test_length(start: str | None, end: str | None, frames: int | None, rate: int | None, length: int | None) -> None:
    assert Span.parse(start, end).length(frames, rate and Fraction(rate)) == length
