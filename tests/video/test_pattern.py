"""Numbered pictures named by a pattern."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from vcut.errors import InputError
from vcut.video.pattern import pattern_pictures
from vcut.video.reader import open_source
from vcut.video.span import Span


def make(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for value, name in enumerate(names):
        Image.new("L", (20, 10), value).save(folder / name)


@pytest.mark.parametrize("pattern", ["shot_%04d.png", "shot_####.png"])
def test_padded_numbers(tmp_path: Path, pattern: str) -> None:
    others = ["shot_123.png", "shot_0998b.png", "Xshot_0997.png", "shot_00999.png"]
    make(tmp_path, "shot_0999.png", "shot_1000.png", "shot_10001.png", "shot_1001.png", *others)
    found = pattern_pictures(tmp_path / pattern)
    assert [(number, file.name) for number, file in found] == [
        (999, "shot_0999.png"),
        (1000, "shot_1000.png"),
        (1001, "shot_1001.png"),
        (10001, "shot_10001.png"),
    ]


def test_numbers_without_padding(tmp_path: Path) -> None:
    make(tmp_path, "9.png", "10.png", "0.png", "007.png")
    assert [number for number, _ in pattern_pictures(tmp_path / "%d.png")] == [0, 9, 10]
    assert [number for number, _ in pattern_pictures(tmp_path / "#.png")] == [0, 9, 10]


def test_frames_and_time(tmp_path: Path) -> None:
    make(tmp_path, "a1001.png", "a1002.png", "a1003.png", "b1001.png")
    with open_source(tmp_path / "a%d.png", Fraction(24)) as source:
        frames = list(source)
        assert source.warnings == []
        assert source.info.frames_estimate == 3
    assert [(frame.index, frame.pts, frame.time_base) for frame in frames] == [
        (i, i, Fraction(1, 24)) for i in range(3)
    ]
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == [0, 1, 2]


def test_gaps_keep_the_time_and_are_told(tmp_path: Path) -> None:
    make(tmp_path, *(f"s{number:03d}.png" for number in (5, 6, 8, 9, 13)))
    with open_source(tmp_path / "s###.png") as source:
        assert [(frame.index, frame.pts) for frame in source] == [(0, 0), (1, 1), (3, 3), (4, 4), (8, 8)]
        assert source.warnings == ["s###.png: 4 pictures are missing (7, 10-12), their time stays empty"]
        assert source.info.duration == pytest.approx(9 / 25)
    with open_source(tmp_path / "s###.png", span=Span(3, 5)) as source:
        assert [frame.index for frame in source] == [3, 4]
        assert source.warnings == []


def test_a_regular_step_has_no_gaps(tmp_path: Path) -> None:
    make(tmp_path, *(f"s{number:03d}.png" for number in (10, 15, 20, 30)))
    with open_source(tmp_path / "s%03d.png") as source:
        assert [frame.index for frame in source] == [0, 1, 2, 4]
        assert source.warnings == ["s%03d.png: 1 picture is missing (25), their time stays empty"]


def test_one_picture_of_a_pattern(tmp_path: Path) -> None:
    make(tmp_path, "s7.png")
    with open_source(tmp_path / "s%d.png") as source:
        assert [frame.index for frame in source] == [0]
        assert source.warnings == []


def test_a_file_of_that_very_name_is_no_pattern(tmp_path: Path) -> None:
    make(tmp_path, "take #1.png", "take 01.png", "100%d.png")
    for name in ("take #1.png", "100%d.png"):
        with open_source(tmp_path / name) as source:
            assert len(list(source)) == 1


@pytest.mark.parametrize("name", ["shot_%04d.png", "shot_##.tif"])
def test_nothing_fits(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"no picture fits .*shot_0+1"):
        open_source(tmp_path / name)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the folder"):
        open_source(tmp_path / "none" / "a%d.png")
