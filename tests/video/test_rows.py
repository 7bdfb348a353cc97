"""Every row of the formats, read back by PyAV and by the ffmpeg binary: count, times, size, colours, alpha, tags."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from readback import Reading, by_pillow, by_pyav, colour_tags, readers, stream_line
from shown import expected, shown_times

from vcut.masks.rle import decode
from vcut.video.background import Colour
from vcut.video.colour import ColourTags
from vcut.video.cutout import Cutout
from vcut.video.formats import FORMATS, Format
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame
from vcut.video.writer import open_writer

BACKDROP = (40, 120, 200)
QUARTERS = np.array([(0.8, 0.2, 0.1), (0.1, 0.5, 0.9), (0.3, 0.75, 0.2), (0.9, 0.9, 0.8)])
LOSSLESS = {"qtrle", "pngmov", "pngmov-16", "ffv1", "ffv1-16", "rgba", "rgba-16", "matte", "matte-16", "labels", "apng"}
ROWS = [row for row in FORMATS.values() if row.kind != "lines"]
VIDEO = [row for row in ROWS if row.kind == "video"]


@dataclass(frozen=True)
class Case:
    """A small clip to be written."""

    width: int = 96
    height: int = 64
    deep: bool = False
    time_base: Fraction = Fraction(1, 25)
    pts: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
    tags: ColourTags = field(default_factory=ColourTags)

    @property
    def info(self) -> VideoInfo:
        rate, size = Fraction(25), (self.width, self.height)
        return VideoInfo(Path("clip.mp4"), "video", *size, 0, rate, self.time_base, len(self.pts), None, self.tags)

    @property
    def times(self) -> list[Fraction]:
        return [(pts - self.pts[0]) * self.time_base for pts in self.pts]

    def cutouts(self) -> list[Cutout]:
        """Four colours; object 1 left and 2 right, the upper half of which is half transparent; 2 shrinks."""
        top, kind = (65535, np.uint16) if self.deep else (255, np.uint8)
        rows, columns = np.indices((self.height, self.width))
        rgb = QUARTERS[2 * (rows >= self.height // 2) + (columns >= self.width // 2)]
        rgb = np.rint(rgb * top).astype(kind)
        cutouts = []
        for index, pts in enumerate(self.pts):
            inside = (rows >= 8) & (rows < self.height - 8) & (columns >= 8) & (columns < self.width - 8 - index)
            labels = np.where(inside, 1 + (columns >= self.width // 2), 0).astype(np.uint8)
            opacity = np.where((labels == 2) & (rows < self.height // 2), 0.501, inside)
            alpha = np.rint(opacity * top).astype(kind)
            cutouts.append(Cutout(Frame(index, pts, self.time_base, rgb), labels, alpha))
        return cutouts


CASES = {
    "8 bit": Case(),
    "16 bit": Case(deep=True),
    "odd": Case(width=97, height=65),
    "variable rate": Case(time_base=Fraction(1, 90000), pts=(9000, 12600, 13500, 20700, 22500, 40500)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("fmt", ROWS, ids=lambda row: row.name)
def test_both_readers_find_what_was_written(fmt: Format, case: Case, tmp_path: Path) -> None:
    out = tmp_path / f"out{fmt.suffix}"
    cutouts = case.cutouts()
    write(out, fmt, case.info, cutouts)
    times = shown_times(fmt, case.times, Fraction(25))
    shown = [cutout for cutout, time in zip(cutouts, case.times, strict=True) if time in times]
    for read in readers(fmt):
        reading = read(out)
        if fmt.kind != "sequence":
            assert reading.times == times, read.__name__
        assert len(reading.rgba) == len(shown)
        wanted = np.stack([expected(fmt, cutout, BACKDROP) for cutout in shown])
        assert reading.rgba.shape == wanted.shape
        check_colours(fmt, case, reading, wanted)
        check_alpha(fmt, case, reading, wanted)


def check_colours(fmt: Format, case: Case, reading: Reading, wanted: np.ndarray) -> None:
    """Lossless rows to the bit (to rounding where 16 become 8), others within 2/255 in the middle of each quarter."""
    error = np.abs(reading.rgba[..., :3] - wanted[..., :3])
    visible = wanted[..., 3] > (127.5 if fmt.name == "gif" else 0)
    if fmt.name in LOSSLESS:
        assert error[visible].max() <= (0.51 if case.deep and fmt.depth == 8 else 0.0)
    middle = np.zeros(wanted.shape[1:3], bool)
    panel = wanted.shape[2] // (3 if fmt.content == "split" else 1)
    for left in range(0, wanted.shape[2] - panel // 2, panel):
        for row in (case.height // 4, case.height * 3 // 4):
            for column in (case.width // 4, case.width * 3 // 4):
                middle[row - 4 : row + 4, left + column - 4 : left + column + 4] = True
    assert error[:, middle].max() <= 2


def check_alpha(fmt: Format, case: Case, reading: Reading, wanted: np.ndarray) -> None:
    """Exact in lossless rows and where everything or nothing shows; ProRes by its 10 bits, VP9 within 2."""
    alpha, truth = reading.rgba[..., 3], wanted[..., 3]
    if not fmt.alpha:
        assert alpha.min() == 255
        return
    if fmt.name == "gif":
        assert np.array_equal(alpha, np.where(truth > 127.5, 255, 0))
        return
    rounding = 0.51 if case.deep and fmt.depth == 8 else 0.0
    bound = {"prores": 0.2, "prores-alpha8": 0.3, "webm": 2.0, "webm444": 2.0}.get(fmt.name, rounding)
    assert np.abs(alpha - truth).max() <= bound
    if fmt.codec != "libvpx-vp9":
        assert np.array_equal(alpha[(truth == 0) | (truth == 255)], truth[(truth == 0) | (truth == 255)])


def write(out: Path, fmt: Format, info: VideoInfo, cutouts: list[Cutout]) -> None:
    with open_writer(out, fmt, info, background=Colour(BACKDROP)) as writer:
        for cutout in cutouts:
            writer.write(cutout)


@pytest.mark.parametrize("fmt", [row for row in ROWS if row.depth > 8], ids=lambda row: row.name)
def test_depth_is_kept(fmt: Format, tmp_path: Path) -> None:
    """A ramp finer than 8 bits can tell comes back with more than 256 levels, each in its place."""
    ramp = np.linspace(8000, 24000, 512).astype(np.uint16)
    rgb = np.repeat(np.broadcast_to(ramp, (64, 512))[..., None], 3, axis=2).copy()
    opaque = np.full((64, 512), 65535, np.uint16)
    alpha = rgb[..., 0].copy() if fmt.content == "matte" else opaque
    case = Case(width=512, pts=(0,), deep=True)
    out = tmp_path / f"out{fmt.suffix}"
    write(out, fmt, case.info, [Cutout(Frame(0, 0, case.time_base, rgb), np.ones((64, 512), np.uint8), alpha)])
    for read in readers(fmt):
        got = read(out).rgba[0, 32, :, 0] * 257
        steps = {10: 200, 16: 500}[fmt.depth]  # the ramp spans 62 levels of 8 bits
        assert len(np.unique(np.round(got))) > (100 if fmt.name == "composite-h265" else steps)
        assert np.abs(got - ramp).max() <= (0.5 if fmt.depth == 16 else 257)


@pytest.mark.parametrize("name", ["prores", "prores-alpha8", "webm", "webm444", "webp", "apng", "matte-video"])
def test_a_soft_edge_stays_soft(name: str, tmp_path: Path) -> None:
    fmt, case = FORMATS[name], Case(pts=(0,))
    rows, columns = np.indices((64, 96))
    alpha = np.clip(128 - 12.0 * (np.hypot(rows - 32, columns - 48) - 20), 0, 255).astype(np.uint8)
    frame = Frame(0, 0, case.time_base, case.cutouts()[0].frame.rgb)
    out = tmp_path / f"out{fmt.suffix}"
    write(out, fmt, case.info, [Cutout(frame, (alpha > 0).astype(np.uint8), alpha)])
    read = by_pillow if name == "webp" else by_pyav
    error = np.abs(read(out).rgba[0, ..., 0 if fmt.content == "matte" else 3] - alpha)
    assert error.max() <= {"webm": 12, "webm444": 12, "matte-video": 1.5}.get(name, 0.5)
    assert error.mean() <= {"webm": 0.8, "webm444": 0.8}.get(name, 0.1)


@pytest.mark.parametrize("fmt", VIDEO, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("height", "tags", "matrix", "transfer"),
    [
        (64, ColourTags(), "smpte170m", "smpte170m"),
        (720, ColourTags(), "bt709", "bt709"),
        (64, ColourTags(9, 9, 16, 1), "bt2020nc", "smpte2084"),
    ],
    ids=["SD", "HD", "HDR"],
)
def test_tags_say_what_the_colours_are(
    fmt: Format, height: int, tags: ColourTags, matrix: str, transfer: str, tmp_path: Path
) -> None:
    case = Case(width=64, height=height, pts=(0,), tags=tags)
    out = tmp_path / f"out{fmt.suffix}"
    write(out, fmt, case.info, case.cutouts())
    found = colour_tags(out)
    if fmt.pixel_format.startswith("yuv"):
        assert (found[0], found[1], found[3]) == ("tv", matrix, transfer)
    else:
        assert found[0] != "tv"
        assert (found[1], found[3]) == ("gbr", transfer)


@pytest.mark.parametrize(("transfer", "chunk"), [(16, bytes((9, 16, 0, 1))), (18, bytes((9, 18, 0, 1))), (1, None)])
def test_png_is_tagged_only_where_it_is_not_srgb(transfer: int, chunk: bytes | None, tmp_path: Path) -> None:
    case = Case(pts=(0,), tags=ColourTags(9, 9, transfer, 1), deep=True)
    write(tmp_path / "rgba", FORMATS["rgba-16"], case.info, case.cutouts())
    write(tmp_path / "matte", FORMATS["matte-16"], case.info, case.cutouts())
    raw = (tmp_path / "rgba" / "00000.png").read_bytes()
    assert (b"cICP" + chunk in raw) if chunk else (b"cICP" not in raw)
    assert b"gAMA" not in raw
    matte = (tmp_path / "matte" / "00000.png").read_bytes()
    assert all(name not in matte for name in (b"cICP", b"gAMA", b"cHRM", b"sRGB"))


def test_what_players_ask_for(tmp_path: Path) -> None:
    """Profiles, four-letter codes and pixel formats, in the words of the ffmpeg binary."""
    words = {
        "prores": ("prores (4444) (ap4h", "yuva444p12le"),
        "matte-video": ("prores (HQ) (apch", "yuv422p10le"),
        "webm": ("vp9 (Profile 0)",),
        "webm444": ("vp9 (Profile 1)",),
        "qtrle": ("qtrle (rle", "argb"),
        "pngmov": ("png (png", "rgba("),
        "pngmov-16": ("png (png", "rgba64be"),
        "ffv1": ("ffv1", "bgra"),
        "ffv1-16": ("ffv1", "gbrap16le"),
        "overlay": ("h264 (High)", "yuv420p("),
        "composite-h265": ("hevc (Main 10) (hvc1", "yuv420p10le"),
    }
    case = Case(pts=(0, 1))
    for name, wanted in words.items():
        out = tmp_path / f"{name}{FORMATS[name].suffix}"
        write(out, FORMATS[name], case.info, case.cutouts())
        line = stream_line(out)
        assert all(word in line for word in wanted), line


@pytest.mark.parametrize("name", ["gif", "webp", "apng"])
def test_previews_are_small_and_slow(name: str, tmp_path: Path) -> None:
    """Long sides shrink to 480, 50 frames a second to 12.5, pixels become square, and it runs for ever."""
    info = VideoInfo(
        Path("clip.mp4"), "video", 500, 40, 0, Fraction(50), Fraction(1, 50), 20, None, pixel_aspect=Fraction(2)
    )
    out = tmp_path / f"out.{name}"
    cutouts = []
    for index in range(20):
        rgb = np.full((40, 500, 3), (200, 60, 30), np.uint8)
        alpha = np.zeros((40, 500), np.uint8)
        alpha[8:32, 100 + 10 * index : 300] = 255
        cutouts.append(Cutout(Frame(index, index, Fraction(1, 50), rgb), alpha // 255, alpha))
    write(out, FORMATS[name], info, cutouts)
    with Image.open(out) as image:
        assert image.size == (480, 19)
        assert image.info["loop"] == 0
    reading = readers(FORMATS[name])[0](out)
    assert reading.times == [Fraction(index * 8, 100) for index in range(5)]
    edge = reading.rgba[0, 9]
    visible = edge[:, 3] > (127 if name == "gif" else 8)
    assert np.abs(edge[visible][:, :3] - (200, 60, 30)).max() <= 8  # no dark fringe from what cannot be seen
    assert [int((frame[9, :, 3] > 127).sum()) for frame in reading.rgba] == pytest.approx(
        [(200 - 40 * index) * 0.96 for index in range(5)], abs=1
    )


def test_run_lengths_have_a_line_for_each_frame_and_object(tmp_path: Path) -> None:
    case = Case()
    cutouts = case.cutouts()
    cutouts[2] = Cutout(cutouts[2].frame, np.where(cutouts[2].labels == 2, 2, 0).astype(np.uint8), cutouts[2].alpha)
    out = tmp_path / "out.jsonl"
    write(out, FORMATS["rle"], case.info, cutouts)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["frame"], line["id"]) for line in lines] == [(index, key) for index in range(6) for key in (1, 2)]
    for line in lines:
        assert line["size"] == [64, 96]
        assert np.array_equal(decode(line), cutouts[line["frame"]].labels == line["id"])
