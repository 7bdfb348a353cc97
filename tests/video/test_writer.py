"""Writing from a source to its end: times, colours and alpha on the way, and what is left behind after an error.

What each row of the formats holds is tested in test_rows.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vcut.errors import OptionError, OutputError
from vcut.video.background import Colour
from vcut.video.formats import FORMATS, Format
from vcut.video.probe import VideoInfo
from vcut.video.reader import open_source
from vcut.video.source import Frame
from vcut.video.writer import Cutout, Writer, open_writer

MakeClip = Callable[..., Path]
ToCutout = Callable[[Frame], Cutout]
VIDEO = [FORMATS[name] for name in ("prores", "qtrle", "webm", "ffv1", "overlay", "composite-h265")]
SEQUENCE = [FORMATS[name] for name in ("labels", "matte", "rgba-16")]
ALPHA = [row for row in VIDEO if row.alpha]
EVERY_WAY = [*VIDEO, *SEQUENCE, *(FORMATS[name] for name in ("rle", "gif", "webp", "apng"))]


def by_name(row: Format) -> str:
    return row.name


def convert(source: Path, out: Path, fmt: Format, to_cutout: ToCutout, overwrite: bool = False) -> list[Cutout]:
    """Write the whole of ``source`` to ``out``; the cut-outs that were written."""
    with open_source(source) as clip, opened(out, fmt, clip.info, overwrite) as writer:
        cutouts = [to_cutout(frame) for frame in clip]
        for cutout in cutouts:
            writer.write(cutout)
    return cutouts


def opened(out: Path, fmt: Format, info: VideoInfo, overwrite: bool = False) -> Writer:
    """The writer, with a colour behind where one is needed."""
    return open_writer(out, fmt, info, overwrite, background=Colour((40, 120, 200)))


@pytest.mark.parametrize("fmt", VIDEO, ids=by_name)
@pytest.mark.parametrize("size", [(64, 48), (51, 37)], ids=["even", "odd"])
def test_frame_count_and_size(
    make_clip: MakeClip, cutout_of: ToCutout, tmp_path: Path, fmt: Format, size: tuple[int, int]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", width=size[0], height=size[1], pixel_format="yuv444p")
    out = tmp_path / f"out{fmt.suffix}"
    convert(clip, out, fmt, cutout_of)
    width, height = (side + side % 2 if fmt.even_size else side for side in size)
    with open_source(out) as result:
        assert (result.info.width, result.info.height) == (width, height)
        assert len(list(result)) == 8
        assert result.warnings == []


@pytest.mark.parametrize("fmt", VIDEO, ids=by_name)
def test_irregular_times_pass_through_from_zero(
    make_clip: MakeClip,
    cutout_of: ToCutout,
    stamps: Callable[[Path], list[Fraction]],
    tmp_path: Path,
    fmt: Format,
) -> None:
    pts = [9000, 12600, 13500, 20700, 22500, 40500]
    clip = make_clip(tmp_path / "vfr.mp4", frames=6, pts=pts, time_base=Fraction(1, 90000))
    out = tmp_path / f"out{fmt.suffix}"
    convert(clip, out, fmt, cutout_of)
    assert stamps(out) == [Fraction(p - pts[0], 90000) for p in pts]


@pytest.mark.parametrize("fmt", VIDEO, ids=by_name)
def test_ntsc_rate(
    make_clip: MakeClip,
    cutout_of: ToCutout,
    stamps: Callable[[Path], list[Fraction]],
    tmp_path: Path,
    fmt: Format,
) -> None:
    rate = Fraction(30000, 1001)
    clip = make_clip(tmp_path / "ntsc.mp4", time_base=1 / rate, rate=rate)
    out = tmp_path / f"out{fmt.suffix}"
    convert(clip, out, fmt, cutout_of)
    exact = [index / rate for index in range(8)]
    if fmt.suffix in (".webm", ".mkv"):  # Matroska counts milliseconds
        exact = [Fraction(round(1000 * time), 1000) for time in exact]
    else:
        with open_source(out) as result:
            assert result.info.rate == rate
            assert result.info.duration == pytest.approx(float(8 / rate))
    assert stamps(out) == exact


@pytest.mark.parametrize("fmt", VIDEO, ids=by_name)
def test_pictures_become_video_at_their_rate(
    cutout_of: ToCutout, stamps: Callable[[Path], list[Fraction]], tmp_path: Path, fmt: Format
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(folder / f"{index}.png")
    out = tmp_path / f"out{fmt.suffix}"
    convert(folder, out, fmt, cutout_of)
    assert stamps(out) == [Fraction(index, 25) for index in range(3)]


@pytest.mark.parametrize("fmt", ALPHA, ids=by_name)
@pytest.mark.parametrize("height", [96, 720], ids=["SD", "HD"])
@pytest.mark.parametrize("colour", [(200, 60, 30), (20, 120, 220)], ids=["red", "blue"])
def test_solid_colour_comes_back_for_every_reader(
    decode_alpha: Callable[[Path], np.ndarray],
    ffmpeg_rgba: Callable[[Path, int, int], np.ndarray],
    tmp_path: Path,
    fmt: Format,
    height: int,
    colour: tuple[int, int, int],
) -> None:
    picture = tmp_path / "still.png"
    Image.new("RGB", (128, height), colour).save(picture)
    out = tmp_path / f"out{fmt.suffix}"
    opaque = np.full((height, 128), 255, np.uint8)
    convert(picture, out, fmt, lambda frame: Cutout(frame, np.ones_like(opaque), opaque))
    readings = [decode_alpha(out), ffmpeg_rgba(out, 128, height)]
    with open_source(out) as result:
        readings.append(np.stack([frame.rgb for frame in result]))
    for reading in readings:
        assert np.abs(reading[..., :3].astype(int) - colour).max() <= 3  # by ffmpeg's fast conversion
    for reading in readings[:2]:
        assert reading[..., 3].min() == 255


@pytest.mark.parametrize("fmt", ALPHA, ids=by_name)
def test_alpha_comes_back_with_the_colour_under_it(
    clip: Path,
    cutout_of: ToCutout,
    decode_alpha: Callable[[Path], np.ndarray],
    ffmpeg_rgba: Callable[[Path, int, int], np.ndarray],
    tmp_path: Path,
    fmt: Format,
) -> None:
    out = tmp_path / f"out{fmt.suffix}"
    cutouts = convert(clip, out, fmt, cutout_of)
    written = np.stack([cutout.alpha for cutout in cutouts]).astype(int)
    inner = np.zeros(written.shape[1:], bool)
    inner[16:20, 18:30] = inner[28:34, 36:46] = inner[2:6] = True
    for reading in (decode_alpha(out), ffmpeg_rgba(out, 64, 48)):
        assert reading.shape == (8, 48, 64, 4)
        error = np.abs(reading[..., 3] - written)
        assert error.mean() < 2
        assert error[:, inner].max() <= 6
        half_red = reading[0, 26:34, 20:28]
        assert np.abs(half_red[..., :3].astype(int) - cutouts[0].frame.rgb[26:34, 20:28]).mean() < 8


def test_prores_is_opaque_to_the_last_bit(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (90, 140, 60)).save(tmp_path / "still.png")
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, :32] = 255
    out = tmp_path / "out.mov"
    convert(tmp_path / "still.png", out, FORMATS["prores"], lambda frame: Cutout(frame, alpha // 255, alpha))
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuva444p12le"
        deep = np.frombuffer(frame.planes[3], np.uint16).reshape(48, -1)
    assert deep[:, :32].min() == 4095
    assert deep[:, 32:64].max() == 0


@pytest.mark.parametrize("name", ["prores", "prores-alpha8"])
def test_prores_is_what_the_encoder_finds_by_searching(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 128, 4), np.uint8)  # no picture takes more bits
    noise[..., 3] |= 1  # nothing is hidden
    Image.new("RGB", (128, 96)).save(tmp_path / "still.png")
    with open_source(tmp_path / "still.png") as still:
        (frame,) = still
    cutout = Cutout(replace(frame, rgb=noise[..., :3]), noise[..., 3], noise[..., 3])
    told = FORMATS[name]
    free = {key: value for key, value in told.options.items() if key not in ("flags", "global_quality")}
    packets = []
    for row, out in ((told, tmp_path / "told.mov"), (replace(told, options=free), tmp_path / "searched.mov")):
        with opened(out, row, still.info) as writer:
            writer.write(cutout)
        with av.open(str(out)) as movie:
            packets.append(b"".join(bytes(packet) for packet in movie.demux(video=0)))
    assert free != told.options and packets[0] == packets[1]


@pytest.mark.parametrize("fmt", VIDEO, ids=by_name)
@pytest.mark.parametrize("height", [96, 720], ids=["SD", "HD"])
def test_colour_tags_are_in_the_file(
    make_clip: MakeClip, cutout_of: ToCutout, tmp_path: Path, fmt: Format, height: int
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", width=64, height=height, frames=1)
    out = tmp_path / f"out{fmt.suffix}"
    convert(clip, out, fmt, cutout_of)
    with open_source(out) as result:
        if fmt.pixel_format.startswith("yuv"):
            assert result.info.colour.matrix in ({1} if height == 720 else {5, 6})
            assert result.info.colour.range in (1, None)
        assert result.info.colour.primaries == (1 if height == 720 else 6)


def test_overlay_shows_the_clip_with_its_objects(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    cutouts = convert(clip, out, FORMATS["overlay"], cutout_of)
    with open_source(out) as result:
        for frame, cutout in zip(result, cutouts, strict=True):
            background = np.abs(frame.rgb.astype(int) - cutout.frame.rgb)
            assert background[:10].mean() < 8
            tinted = frame.rgb[14:22, 18:30].reshape(-1, 3).mean(axis=0)
            plain = cutout.frame.rgb[14:22, 18:30].reshape(-1, 3).mean(axis=0)
            assert np.abs(tinted - (plain + np.array((128, 0, 0))) / 2).max() < 12


def test_labels_are_indexed_png_named_as_davis_does(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "labels"
    cutouts = convert(clip, out, FORMATS["labels"], cutout_of)
    assert sorted(os.listdir(out)) == [f"{index:05d}.png" for index in range(8)]
    for file, cutout in zip(sorted(out.iterdir()), cutouts, strict=True):
        with Image.open(file) as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), cutout.labels)


def test_matte_is_the_alpha_in_grey(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    out = tmp_path / "matte"
    cutouts = convert(clip, out, FORMATS["matte"], cutout_of)
    for file, cutout in zip(sorted(out.iterdir()), cutouts, strict=True):
        with Image.open(file) as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), cutout.alpha)


@pytest.mark.parametrize("fmt", EVERY_WAY, ids=by_name)
def test_nothing_is_there_before_the_end(clip: Path, cutout_of: ToCutout, tmp_path: Path, fmt: Format) -> None:
    folder = tmp_path / "out"
    out = folder / f"result{fmt.suffix}"
    with open_source(clip) as source:
        writer = opened(out, fmt, source.info)
        assert os.listdir(folder) == []
        with writer:
            for frame in source:
                writer.write(cutout_of(frame))
            assert not out.exists()
            assert all(name.startswith(".") for name in os.listdir(folder))
    assert os.listdir(folder) == [out.name]


@pytest.mark.parametrize("fmt", EVERY_WAY, ids=by_name)
@pytest.mark.parametrize("frames", [0, 3])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(
    clip: Path, cutout_of: ToCutout, tmp_path: Path, fmt: Format, frames: int, error: type[BaseException]
) -> None:
    out = tmp_path / "out" / f"result{fmt.suffix}"
    with open_source(clip) as source, pytest.raises(error), opened(out, fmt, source.info) as writer:
        for _, frame in zip(range(frames), source, strict=False):
            writer.write(cutout_of(frame))
        raise error
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize("fmt", EVERY_WAY, ids=by_name)
def test_a_full_disk_is_one_line_and_leaves_nothing(noisy_clip: MakeClip, tmp_path: Path, fmt: Format) -> None:
    def noise(frame: Frame) -> Cutout:
        return Cutout(frame, *np.random.default_rng(0).integers(0, 255, (2, 96, 128), np.uint8))

    resource = pytest.importorskip("resource")
    clip = noisy_clip(tmp_path / "clip.mp4")
    out = tmp_path / "out" / f"result{fmt.suffix}"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            convert(clip, out, fmt, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"cannot write {out}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize("fmt", EVERY_WAY, ids=by_name)
def test_no_frames_is_an_error(clip: Path, tmp_path: Path, fmt: Format) -> None:
    out = tmp_path / "out" / f"result{fmt.suffix}"
    with (
        open_source(clip) as source,
        pytest.raises(OutputError, match="no frame"),
        opened(out, fmt, source.info),
    ):
        pass
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize("fmt", EVERY_WAY, ids=by_name)
def test_existing_output_is_kept_until_the_new_one_is_done(
    clip: Path, cutout_of: ToCutout, tmp_path: Path, fmt: Format
) -> None:
    out = tmp_path / "out" / f"result{fmt.suffix}"
    convert(clip, out, fmt, cutout_of)
    if fmt.kind == "sequence":
        (out / "99999.png").write_bytes(b"of the former run")
    before = fingerprint(out)
    with pytest.raises(OutputError, match="--overwrite"):
        convert(clip, out, fmt, cutout_of)
    with (
        open_source(clip) as source,
        pytest.raises(ZeroDivisionError),
        opened(out, fmt, source.info, overwrite=True) as writer,
    ):
        writer.write(cutout_of(next(iter(source))))
        raise ZeroDivisionError
    assert fingerprint(out) == before
    convert(clip, out, fmt, empty_cutout, overwrite=True)
    assert fingerprint(out) != before
    assert os.listdir(out.parent) == [out.name]
    if fmt.kind == "sequence":
        assert len(os.listdir(out)) == 8


def empty_cutout(frame: Frame) -> Cutout:
    return Cutout(frame, *np.zeros((2, *frame.rgb.shape[:2]), np.uint8))


def fingerprint(out: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (sorted(out.iterdir()) if out.is_dir() else [out])}


@pytest.mark.parametrize("fmt", SEQUENCE, ids=by_name)
@pytest.mark.parametrize("stray", ["thesis.txt", "folder.png/"])
def test_a_folder_with_anything_else_in_it_is_left_alone(
    clip: Path, cutout_of: ToCutout, tmp_path: Path, fmt: Format, stray: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "00000.png").write_bytes(b"")
    (out / stray).mkdir() if stray.endswith("/") else (out / stray).write_text("years of work")
    with pytest.raises(OutputError, match="left alone"):
        convert(clip, out, fmt, cutout_of, overwrite=True)
    assert len(os.listdir(out)) == 2


def test_a_folder_in_place_of_a_file_and_the_other_way(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    (tmp_path / "a.mov").mkdir()
    (tmp_path / "b").write_text("a file")
    with pytest.raises(OutputError, match="is a folder"):
        convert(clip, tmp_path / "a.mov", FORMATS["prores"], cutout_of, overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        convert(clip, tmp_path / "b", FORMATS["labels"], cutout_of, overwrite=True)
    assert (tmp_path / "b").read_text() == "a file"


def test_the_source_is_never_written_over(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    os.link(clip, link)
    before = clip.read_bytes()
    for out in (clip, link, tmp_path / "x" / ".." / "clip.mp4"):
        with pytest.raises(OutputError, match="source"):
            convert(clip, out, FORMATS["overlay"], cutout_of, overwrite=True)
    assert clip.read_bytes() == before


def test_the_folder_of_the_source_is_never_replaced(cutout_of: ToCutout, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (64, 48)).save(folder / "0.png")
    for source in (folder, folder / "0.png"):
        with pytest.raises(OutputError, match="source"):
            convert(source, folder, FORMATS["labels"], cutout_of, overwrite=True)
    assert os.listdir(folder) == ["0.png"]


def test_a_parent_that_cannot_be_made(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="folder"):
        convert(clip, tmp_path / "file" / "out.mov", FORMATS["prores"], cutout_of)


def test_name_and_format_are_checked_by_the_writer_too(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="transparency"):
        convert(clip, tmp_path / "out.mp4", FORMATS["prores"], cutout_of)


def test_arrays_of_another_size_are_refused(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    def too_small(frame: Frame) -> Cutout:
        return Cutout(frame, *np.zeros((2, 24, 32), np.uint8))

    with pytest.raises(ValueError, match="does not fit"):
        convert(clip, tmp_path / "out.mov", FORMATS["prores"], too_small)


def test_pixel_shape_is_kept(cutout_of: ToCutout, tmp_path: Path) -> None:
    clip = tmp_path / "wide.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    for fmt in (FORMATS["prores"], FORMATS["overlay"]):
        out = tmp_path / f"out{fmt.suffix}"
        convert(clip, out, fmt, cutout_of)
        with open_source(out) as result:
            assert result.info.pixel_aspect == Fraction(4, 3), fmt.name


def test_a_composite_without_a_background_is_refused(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    with open_source(clip) as source, pytest.raises(OptionError, match="--background"):
        open_writer(tmp_path / "out.mp4", FORMATS["composite"], source.info)
    assert not (tmp_path / "out.mp4").exists()


def test_cleaned_colours_take_the_place_of_the_frame(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    def cleaned(frame: Frame) -> Cutout:
        cutout = cutout_of(frame)
        return replace(cutout, colour=np.full_like(frame.rgb, (10, 200, 30)))

    cutouts = convert(clip, tmp_path / "cut", FORMATS["rgba"], cleaned)
    picture = np.asarray(Image.open(tmp_path / "cut" / "00003.png"))
    assert (picture[cutouts[3].alpha > 0][:, :3] == (10, 200, 30)).all()
    convert(clip, tmp_path / "look.mp4", FORMATS["overlay"], cleaned)
    with open_source(tmp_path / "look.mp4") as result:
        assert np.abs(next(iter(result)).rgb[:10].astype(int) - cutouts[0].frame.rgb[:10]).mean() < 8


def test_depth_that_changes_on_the_way_does_not_matter(tmp_path: Path) -> None:
    """A deep matte over an 8-bit frame, as a refiner may give it, is written at full depth."""
    info = VideoInfo(Path("clip.mp4"), "video", 64, 48, 0, Fraction(25), Fraction(1, 25), 1, None)
    rgb = np.full((48, 64, 3), 77, np.uint8)
    alpha = np.linspace(1, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    with open_writer(tmp_path / "out", FORMATS["rgba-16"], info) as writer:
        writer.write(Cutout(Frame(0, 0, Fraction(1, 25), rgb), np.ones((48, 64), np.uint8), alpha))
    with av.open(str(tmp_path / "out" / "00000.png")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgba64le")
    assert np.array_equal(picture[..., 3], alpha)
    assert (picture[..., :3] == 77 * 257).all()
