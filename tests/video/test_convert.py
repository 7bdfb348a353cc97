"""Colours and alpha of decoded frames, against exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from av import VideoFrame

from vcut.video.colour import ColourTags, decided
from vcut.video.convert import Converter, carries_alpha, depth_of

# Weights of red and blue in luma, by matrix number.
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
CELL = 8


def patches() -> np.ndarray:
    """RGB of 0 to 1 as 8 bits have it, in cells of 8 pixels: corners of the cube, a grey ramp, random colours."""
    cells = np.random.default_rng(0).random((6, 16, 3))
    cells[0, :8] = [(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)]
    cells[1] = np.linspace(0, 1, 16)[:, None]
    return (np.rint(cells * 255) / 255).repeat(CELL, 0).repeat(CELL, 1)


def to_yuv(rgb: np.ndarray, matrix: int, bits: int, full: bool) -> list[np.ndarray]:
    """Y, Cb, Cr at full resolution, as a perfect encoder rounds them."""
    red, blue = WEIGHTS[matrix]
    y = rgb @ (red, 1 - red - blue, blue)
    chroma = [(rgb[:, :, 2] - y) / (2 - 2 * blue), (rgb[:, :, 0] - y) / (2 - 2 * red)]
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    if full:
        planes = [y * top] + [c * top + 2 ** (bits - 1) for c in chroma]
    else:
        planes = [(y * 219 + 16) * unit] + [(c * 224 + 128) * unit for c in chroma]
    return [np.clip(np.rint(plane), 0, top) for plane in planes]


def from_yuv(planes: list[np.ndarray], matrix: int, bits: int, full: bool) -> np.ndarray:
    """RGB of 0 to 1 that such planes mean, exactly."""
    red, blue = WEIGHTS[matrix]
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    if full:
        y, cb, cr = planes[0] / top, *((plane - 2 ** (bits - 1)) / top for plane in planes[1:])
    else:
        y, cb, cr = (planes[0] / unit - 16) / 219, *((plane / unit - 128) / 224 for plane in planes[1:])
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    return np.clip(np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], -1), 0, 1)


def frame_of(form: str, planes: list[np.ndarray]) -> VideoFrame:
    """A frame of planar YUV out of planes at full resolution."""
    height, width = planes[0].shape
    frame = VideoFrame(width, height, form)
    sample = np.dtype("u1" if frame.format.components[0].bits == 8 else "<u2")
    for place, whole in zip(frame.planes, planes, strict=True):
        plane = whole[:: whole.shape[0] // place.height, :: whole.shape[1] // place.width]
        lines = np.zeros((place.height, place.line_size // sample.itemsize), sample)
        lines[:, : place.width] = plane
        place.update(lines.tobytes())
    return frame


def middles(picture: np.ndarray) -> np.ndarray:
    """The pixels in the middle of each cell, where subsampled chroma is the cell's own."""
    return picture[CELL // 2 :: CELL, CELL // 2 :: CELL]


FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"]
FORMATS += ["yuv444p12le", "yuv444p16le", "yuvj420p", "yuva444p12le"]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("form", FORMATS)
def test_colours_are_exact(form: str, matrix: int, full: bool) -> None:
    bits = depth_of(VideoFrame(16, 16, form).format)
    full = full or form.startswith("yuvj")
    rgb = patches()
    planes = to_yuv(rgb, matrix, bits, full)
    meant = middles(from_yuv(planes, matrix, bits, full))
    if "yuva" in form:
        planes.append(np.zeros_like(planes[0]))
    frame = frame_of(form, planes)
    tags = decided(ColourTags(matrix=matrix, range=1 + (full and not form.startswith("yuvj"))), 480)
    shallow, _ = Converter(tags, deep=False, alpha=False)(frame)
    assert shallow.dtype == np.uint8
    assert np.abs(middles(shallow) - 255 * meant).max() <= 0.52
    assert np.abs(middles(shallow) - 255 * middles(rgb)).max() <= 2
    if bits > 8:
        deep, _ = Converter(tags, deep=True, alpha=False)(frame)
        assert deep.dtype == np.uint16
        assert np.abs(middles(deep) / 257 - 255 * meant).max() <= 0.02
        assert np.abs(middles(deep) / 257 - 255 * middles(rgb)).max() <= 0.5
        assert (middles(deep)[1, -1] == 65535).all()


@pytest.mark.parametrize("form", ["yuva420p", "yuva422p10le", "yuva444p10le", "yuva444p12le", "yuva444p16le"])
def test_alpha_of_yuv_is_exact(form: str) -> None:
    bits = depth_of(VideoFrame(16, 16, form).format)
    alpha = np.linspace(0, 2**bits - 1, 64 * 64).round().reshape(64, 64)
    grey = np.full((64, 64), 2.0 ** (bits - 1))
    frame = frame_of(form, [grey, grey, grey, alpha])
    tags = decided(ColourTags(), 480)
    for deep, top in ((False, 255), (True, 65535)):
        _, read = Converter(tags, deep=deep, alpha=True)(frame)
        assert np.abs(read - alpha * (top / (2**bits - 1))).max() <= 0.5
        assert (read.min(), read.max()) == (0, top)


@pytest.mark.parametrize("form", ["rgb48le", "rgba64le", "gbrp10le", "gbrp12le", "gbrap12le", "gbrp16le", "gbrap16le"])
def test_deep_rgb_is_exact(form: str) -> None:
    top = 2 ** depth_of(VideoFrame(16, 16, form).format) - 1
    channels = 4 if "a" in form else 3
    values = np.random.default_rng(0).integers(0, top + 1, (32, 32, channels)).astype(np.uint16)
    values[0, 0], values[0, 1] = 0, top
    frame = VideoFrame.from_ndarray(values, format=form)
    for deep, whole in ((False, 255), (True, 65535)):
        rgb, alpha = Converter(decided(ColourTags(), 480), deep=deep, alpha=channels == 4)(frame)
        assert np.abs(rgb - values[:, :, :3] * (whole / top)).max() <= (1.01 if deep else 0.51)
        if channels == 4:
            assert np.abs(alpha - values[:, :, 3] * (whole / top)).max() <= (1.01 if deep else 0.51)


@pytest.mark.parametrize(("form", "bits"), [("gray", 8), ("gray10le", 10), ("gray16le", 16)])
@pytest.mark.parametrize("limited", [False, True])
def test_grey_is_full_range_unless_tagged(form: str, bits: int, limited: bool) -> None:
    unit = 2 ** (bits - 8)
    low, high = (16 * unit, 235 * unit) if limited else (0, 2**bits - 1)
    values = np.linspace(low, high, 64 * 16).round().astype(np.uint8 if bits == 8 else np.uint16).reshape(16, 64)
    frame = VideoFrame.from_ndarray(values, format=form)
    frame.color_range = 1 if limited else 0
    rgb, _ = Converter(decided(ColourTags(), 480), deep=bits > 8, alpha=False)(frame)
    top = 255 if bits == 8 else 65535
    assert np.abs(rgb - ((values.astype(float) - low) * top / (high - low))[:, :, None]).max() <= 0.5


def test_an_opaque_frame_among_transparent_ones() -> None:
    opaque = VideoFrame.from_ndarray(np.full((16, 16, 3), 9, np.uint8), format="rgb24")
    rgb, alpha = Converter(decided(ColourTags(), 480), deep=True, alpha=True)(opaque)
    assert (rgb == 9 * 257).all()
    assert (alpha == 65535).all()


def test_what_a_pixel_format_holds() -> None:
    formats = {
        name: VideoFrame(16, 16, name).format for name in ("yuv420p", "yuv420p10le", "rgb8", "pal8", "argb", "p010le")
    }
    assert {name: depth_of(form) for name, form in formats.items()} == {
        "yuv420p": 8,
        "yuv420p10le": 10,
        "rgb8": 8,
        "pal8": 8,
        "argb": 8,
        "p010le": 10,
    }
    assert [name for name, form in formats.items() if carries_alpha(form)] == ["pal8", "argb"]


@pytest.mark.parametrize("form", ["yuv420p10le", "p010le", "yuv422p10le"])
def test_both_depths_agree_where_chroma_changes_and_sizes_are_odd(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (37, 51, 3)).astype(np.uint16)
    frame = VideoFrame.from_ndarray(noise, format="rgb48le").reformat(format=form, dst_colorspace=1)
    tags = decided(ColourTags(matrix=1), 480)
    deep, _ = Converter(tags, deep=True, alpha=False)(frame)
    shallow, _ = Converter(tags, deep=False, alpha=False)(frame)
    assert deep.shape == shallow.shape == (37, 51, 3)
    assert np.abs(deep / 257 - shallow).max() <= 1
