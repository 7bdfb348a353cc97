"""Reading folders of pictures and single pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile
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


def cut(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, 20, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:200])


def test_a_cut_off_picture_is_left_out_and_told(tmp_path: Path) -> None:
    save(tmp_path / "f" / "0.png", 5)
    cut(tmp_path / "f" / "1.png")
    save(tmp_path / "f" / "2.png", 7)
    with open_source(tmp_path / "f") as source:
        assert [(frame.index, frame.pts, int(frame.rgb[0, 0, 0])) for frame in source] == [(0, 0, 5), (2, 2, 7)]
        (warning,) = source.warnings
    assert "2 pictures kept" in warning
    assert "1.png" in warning


def test_a_cut_off_first_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    cut(tmp_path / "f" / "0.png")
    save(tmp_path / "f" / "1.png", 5)
    with pytest.raises(InputError, match=r"0\.png"):
        open_source(tmp_path / "f")


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="holds no pictures"):
        open_source(tmp_path)


def test_rgba_palette_and_colour_key_give_alpha(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    opacity = np.linspace(0, 255, 200).round().astype(np.uint8).reshape(10, 20)
    rgba = np.dstack([np.full((10, 20, 3), (200, 60, 30), np.uint8), opacity])
    Image.fromarray(rgba).save(folder / "0.png")
    Image.fromarray(rgba).save(folder / "1.webp", lossless=True, exact=True)
    Image.fromarray(rgba).save(folder / "2.tif")
    Image.fromarray(rgba[:, :, 2:]).save(folder / "3.png")  # grey with alpha
    palette = Image.fromarray((opacity > 99).astype(np.uint8), "P")
    palette.putpalette([9, 9, 9, 200, 60, 30])
    palette.save(folder / "4.png", transparency=0)
    Image.fromarray(rgba[:, :, :3]).save(folder / "5.png")
    with open_source(folder) as source:
        frames = list(source)
        assert source.info.has_alpha
    for frame in frames[:4]:
        assert np.array_equal(frame.alpha, opacity), frame.index
    for frame in frames[:3]:
        assert (frame.rgb == (200, 60, 30)).all(), frame.index
    assert np.array_equal(frames[4].alpha, np.where(opacity > 99, 255, 0))
    assert (frames[5].alpha == 255).all()
    assert all(frame.alpha.dtype == np.uint8 and frame.alpha.flags.c_contiguous for frame in frames)


def test_pictures_without_alpha_have_none(tmp_path: Path) -> None:
    save(tmp_path / "still.png", (1, 2, 3))
    with open_source(tmp_path / "still.png") as source:
        assert not source.info.has_alpha
        assert next(iter(source)).alpha is None


@pytest.fixture
def deep_rgba() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (12, 20, 4)).astype(np.uint16)


def save_deep(path: Path, picture: np.ndarray, **options: object) -> None:
    """16 bits a channel: PNG by ffmpeg, TIFF by tifffile."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, picture, **options)
        return
    name = {2: "gray16", 3: "rgb48", 4: "rgba64"}[picture.shape[2] if picture.ndim == 3 else 2]
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], name + "be"
        frame = av.VideoFrame.from_ndarray(picture, format=name + "le")
        container.mux(stream.encode(frame.reformat(format=name + "be")))
        container.mux(stream.encode())


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("0.png", {}),
        ("0.tif", {"photometric": "rgb"}),
        ("0.tif", {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        ("0.tif", {"photometric": "rgb", "byteorder": ">"}),
    ],
)
def test_16_bit_colours(
    tmp_path: Path, deep_rgba: np.ndarray, name: str, channels: int, options: dict[str, object]
) -> None:
    alpha = {"extrasamples": ["unassalpha"]} if channels == 4 and options else {}
    save_deep(tmp_path / name, deep_rgba[:, :, :channels].copy(), **options, **alpha)
    with open_source(tmp_path / name, deep=True) as source:
        (frame,) = source
        assert (source.info.depth, source.info.has_alpha) == (16, channels == 4)
    assert frame.rgb.dtype == np.uint16
    assert np.array_equal(frame.rgb, deep_rgba[:, :, :3])
    assert frame.alpha is None if channels == 3 else np.array_equal(frame.alpha, deep_rgba[:, :, 3])
    with open_source(tmp_path / name) as source:
        (frame,) = source
    assert frame.rgb.dtype == np.uint8
    assert np.abs(frame.rgb - deep_rgba[:, :, :3] / 257).max() <= 0.51


def test_grey_16_bit(tmp_path: Path, deep_rgba: np.ndarray) -> None:
    Image.fromarray(deep_rgba[:, :, 0]).save(tmp_path / "0.png")
    Image.fromarray(deep_rgba[:, :, 1]).save(tmp_path / "1.tif")
    with open_source(tmp_path, deep=True) as source:
        for number, frame in enumerate(source):
            assert (frame.rgb == deep_rgba[:, :, number, None]).all()


def test_depths_mixed_are_all_deep(tmp_path: Path, deep_rgba: np.ndarray) -> None:
    save_deep(tmp_path / "0.png", deep_rgba[:, :, :3].copy())
    save(tmp_path / "1.png", (10, 20, 30), size=(20, 12))
    with open_source(tmp_path, deep=True) as source:
        frames = list(source)
    assert {frame.rgb.dtype for frame in frames} == {np.dtype(np.uint16)}
    assert (frames[1].rgb == (2570, 5140, 7710)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_premultiplied_tiff_is_made_straight(tmp_path: Path, kind: type[np.unsignedinteger]) -> None:
    top = np.iinfo(kind).max
    picture = np.full((10, 20, 4), np.array([64, 32, 16, 128]) * (top // 255), kind)
    picture[0] = 0
    tifffile.imwrite(tmp_path / "0.tif", picture, photometric="rgb", extrasamples=["assocalpha"])
    with open_source(tmp_path / "0.tif", deep=True) as source:
        (frame,) = source
    assert frame.rgb.dtype == kind
    assert np.abs(frame.rgb[1:] / (top // 255) - (127.5, 63.75, 31.875)).max() <= 1
    assert (frame.alpha[1:] == 128 * (top // 255)).all()
    assert (frame.alpha[0] == 0).all()


def test_tiff_with_tiles_is_read_at_8_bits(tmp_path: Path, deep_rgba: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "0.tif", deep_rgba[:, :, :3], photometric="rgb", tile=(16, 16))
    with open_source(tmp_path / "0.tif", deep=True) as source:
        (frame,) = source
        assert source.info.depth == 8
    assert np.abs(frame.rgb - deep_rgba[:, :, :3] / 257).max() <= 1


def test_exif_of_a_deep_picture_is_applied(tmp_path: Path, deep_rgba: np.ndarray) -> None:
    turned = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "0.tif", deep_rgba[:, :, :3], photometric="rgb", extratags=turned)
    with open_source(tmp_path / "0.tif", deep=True) as source:
        (frame,) = source
        assert (source.info.width, source.info.height) == (12, 20)
    assert np.array_equal(frame.rgb, np.rot90(deep_rgba[:, :, :3], -1))


def test_exr_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "shot_0001.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    for name in ("shot_0001.exr", "shot_####.exr", ""):
        with pytest.raises(InputError, match=r"EXR .*TIFF or PNG") as caught:
            open_source(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_floating_point_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "0.tif", np.ones((10, 20), np.float32))
    with pytest.raises(InputError, match=r"floating point.*TIFF or PNG"):
        open_source(tmp_path / "0.tif")


@pytest.mark.parametrize("name", ["moving.webp", "moving.png"])
def test_an_animation_is_not_taken_for_a_picture(tmp_path: Path, name: str) -> None:
    pictures = [Image.new("RGB", (20, 10), (value, 0, 0)) for value in (10, 90, 200)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    with pytest.raises(InputError, match="animation of 3 pictures"):
        open_source(tmp_path / name)
