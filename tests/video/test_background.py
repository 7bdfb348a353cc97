"""What lies behind a composite: colours, pictures scaled to fill, and videos that play along and begin again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import InputError, OptionError
from vcut.video.background import Clip, open_background

ZERO = Fraction(0)


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("green", (0, 255, 0)),
        ("Blue", (0, 0, 255)),
        ("white", (255, 255, 255)),
        ("#00b140", (0, 177, 64)),
        ("#fff", (255, 255, 255)),
        ("rgb(10, 20, 30)", (10, 20, 30)),
        ("#11223344", (17, 34, 51)),
    ],
)
def test_colours(text: str, rgb: tuple[int, int, int]) -> None:
    with open_background(text) as background:
        picture = background.at(3, Fraction(1), (20, 10))
    assert picture.shape == (10, 20, 3)
    assert (picture == rgb).all()


@pytest.mark.parametrize("text", ["", "greeen", "#12345", "no/such/file.jpg"])
def test_neither_colour_nor_file(text: str) -> None:
    with pytest.raises(OptionError, match="neither a colour nor a file") as caught:
        open_background(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture at all")
    with pytest.raises(InputError, match=r"notes\.txt"):
        open_background(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(("size", "visible"), [((20, 20), (30, 90)), ((40, 20), (0, 120)), ((80, 20), (0, 120))])
def test_a_picture_fills_the_frame_from_its_middle(
    tmp_path: Path, size: tuple[int, int], visible: tuple[int, int]
) -> None:
    """A picture of 120 x 60, whose red tells the column and whose green the row."""
    picture = np.zeros((60, 120, 3), np.uint8)
    picture[..., 0] = 2 * np.arange(120)
    picture[..., 1] = 4 * np.arange(60)[:, None]
    Image.fromarray(picture).save(tmp_path / "wide.png")
    with open_background(str(tmp_path / "wide.png")) as background:
        filled = background.at(0, ZERO, size)
        assert background.at(9, Fraction(9), size) is filled
    assert filled.shape == (size[1], size[0], 3)
    columns = filled[size[1] // 2, :, 0] / 2
    assert columns[0] == pytest.approx(visible[0], abs=4)
    assert columns[-1] == pytest.approx(visible[1], abs=4)
    rows = filled[:, size[0] // 2, 1] / 4
    kept = 60 if size[0] <= 2 * size[1] else 30
    assert rows[-1] - rows[0] == pytest.approx(kept * (1 - 1 / size[1]), abs=4)


def test_wide_pixels_of_the_frame_count(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (9, 9, 9)).save(tmp_path / "a.png")
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, 10:30] = 200
    Image.fromarray(picture).save(tmp_path / "a.png")
    with open_background(str(tmp_path / "a.png")) as background:
        whole = background.at(0, ZERO, (20, 20), Fraction(2))  # 20 x 20 pixels twice as wide as high are 2 : 1
        middle = background.at(0, ZERO, (20, 20))
    assert whole[10, [0, -1], 0].max() < 40
    assert middle[10, [0, -1], 0].min() > 160


def grey_clip(make_clip: Callable[..., Path], path: Path, pts: list[int]) -> Path:
    """One grey a frame: 40, 80, 120, ..."""
    pictures = [np.full((48, 64, 3), 40 * (index + 1), np.uint8) for index in range(len(pts))]
    return make_clip(path, pictures=pictures, pts=pts, time_base=Fraction(1, 100), options={"crf": "1"})


def shown(background: Clip, hundredths: int) -> int:
    return round(int(background.at(0, Fraction(hundredths, 100), (64, 48))[24, 32, 0]) / 40)


def test_a_video_plays_by_its_own_times_and_begins_again(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = grey_clip(make_clip, tmp_path / "b.mkv", [50, 60, 90, 100])  # 1 for 10, 2 for 30, 3 for 10, 4 for 10
    with open_background(str(path)) as background:
        times = [0, 5, 9, 10, 39, 40, 50, 59, 60, 69, 70, 99, 100, 110, 120, 130]
        assert [shown(background, time) for time in times] == [1, 1, 1, 2, 2, 3, 4, 4, 1, 1, 2, 2, 3, 4, 1, 2]
        assert shown(background, 6 * 60 * 100 + 45) == 3  # 360 s later, and not at every frame
        assert shown(background, 12) == 2  # back again


def test_a_folder_of_pictures_plays_too(tmp_path: Path) -> None:
    for index in range(3):
        Image.new("RGB", (64, 48), (40 * (index + 1),) * 3).save(tmp_path / f"{index}.png")
    with open_background(str(tmp_path)) as background:
        assert [shown(background, 4 * index) for index in range(5)] == [1, 2, 3, 1, 2]


def test_a_video_of_one_frame_stands_still(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    with open_background(str(grey_clip(make_clip, tmp_path / "b.mkv", [7]))) as background:
        assert [shown(background, time) for time in (0, 1, 500)] == [1, 1, 1]
