"""Reading folders of pictures and single pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import InputError
from vcut.video.frames import natural_key
from vcut.video.reader import open_source


def save(path: Path, value: int | tuple[int, int, int], size: tuple[int, int] = (20, 10), **options: object) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("L" if isinstance(value, int) else "RGB", size, value).save(path, **options)


def test_natural_order_and_time_stamps(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        save(tmp_path / "f" / f"frame{number}.png", number)
    save(tmp_path / "f" / ".hidden.png", 99, size=(5, 5))
    (tmp_path / "f" / "notes.txt").write_text("not a picture")
    with open_source(tmp_path / "f", rate=Fraction(30000, 1001)) as source:
        frames = list(source)
        info = source.info
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == [1, 2, 10]
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0), (1, 1), (2, 2)]
    assert {frame.time_base for frame in frames} == {Fraction(1001, 30000)}
    assert (info.kind, info.width, info.height, info.frames_estimate) == ("frames", 20, 10, 3)
    assert (info.rate, info.time_base) == (Fraction(30000, 1001), Fraction(1001, 30000))


def test_natural_key_sorts_numbers_as_numbers() -> None:
    names = ["a10b2", "a2", "A1", "a10b10", "b", "3"]
    assert sorted(names, key=natural_key) == ["3", "A1", "a2", "a10b2", "a10b10", "b"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "bmp", "tif", "TIFF"])
def test_kinds_of_pictures(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / "f" / f"0.{suffix}", (180, 60, 90))
    with open_source(tmp_path / "f") as source:
        (frame,) = source
    assert frame.rgb.shape == (10, 20, 3)
    assert frame.rgb.flags.c_contiguous
    assert np.abs(frame.rgb.astype(int) - (180, 60, 90)).max() <= 4


def test_grey_16_bit_palette_and_alpha_become_rgb(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    Image.new("L", (20, 10), 77).save(folder / "0.png")
    Image.fromarray(np.full((10, 20), 77 * 257, np.uint16)).save(folder / "1.png")
    Image.new("RGB", (20, 10), (77, 77, 77)).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "2.png")
    Image.new("RGBA", (20, 10), (77, 77, 77, 5)).save(folder / "3.png")
    with open_source(folder) as source:
        for frame in source:
            assert frame.rgb.shape == (10, 20, 3)
            assert (frame.rgb == 77).all(), frame.index


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    (tmp_path / "f").mkdir()
    for name in ("0.jpg", "1.jpg"):
        Image.fromarray(picture).save(tmp_path / "f" / name, exif=exif)
    with open_source(tmp_path / "f") as source:
        assert (source.info.width, source.info.height) == (16, 32)
        for frame in source:
            assert frame.rgb[4].max() < 30
            assert frame.rgb[28].min() > 220


def test_single_picture(tmp_path: Path) -> None:
    save(tmp_path / "still.png", (1, 2, 3))
    with open_source(tmp_path / "still.png") as source:
        frames = list(source)
    assert len(frames) == 1
    assert tuple(frames[0].rgb[0, 0]) == (1, 2, 3)


def test_another_size_is_named_before_any_frame_is_read(tmp_path: Path) -> None:
    for name, size in (("0.png", (20, 10)), ("1.png", (20, 10)), ("2.png", (22, 10))):
        save(tmp_path / "f" / name, 5, size=size)
    with pytest.raises(InputError, match=r"2\.png is 22x10.*20x10"):
        open_source(tmp_path / "f")


def test_a_turned_picture_among_others_is_named(tmp_path: Path) -> None:
    save(tmp_path / "f" / "0.png", 5, size=(20, 10))
    save(tmp_path / "f" / "1.png", 5, size=(10, 20))
    with open_source(tmp_path / "f") as source, pytest.raises(InputError, match=r"1\.png is 10x20"):
        list(source)


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    save(tmp_path / "f" / "0.png", 5)
    (tmp_path / "f" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(InputError, match=r"1\.png"):
        open_source(tmp_path / "f")


def test_cut_off_picture_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, 20, 3), np.uint8)
    save(tmp_path / "f" / "0.png", 5)
    path = tmp_path / "f" / "1.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with open_source(tmp_path / "f") as source, pytest.raises(InputError, match=r"1\.png"):
        list(source)


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="holds no pictures"):
        open_source(tmp_path)
