"""Reading video files: counts, time stamps, orientation, colours, damage, errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vcut.errors import InputError, OptionError
from vcut.video.colour import ColourTags
from vcut.video.reader import open_source

MakeClip = Callable[..., Path]


def corners(rgb: np.ndarray) -> list[str]:
    """What the quarters show, read in reading order at their middles."""
    height, width = rgb.shape[:2]
    names = []
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            pixel = rgb[row, column].astype(int)
            names.append("white" if pixel.min() > 150 else ("red", "green", "blue")[pixel.argmax()])
    return names


def test_plain_clip(clip: Path) -> None:
    with open_source(clip) as source:
        frames = list(source)
        assert source.warnings == []
        info = source.info
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(8)]
    assert all(frame.rgb.shape == (48, 64, 3) and frame.rgb.dtype == np.uint8 for frame in frames)
    assert all(frame.rgb.flags.c_contiguous for frame in frames)
    assert (info.kind, info.width, info.height, info.rotation) == ("video", 64, 48, 0)
    assert (info.rate, info.frames_estimate, info.has_audio) == (25, 8, False)
    assert info.duration == pytest.approx(0.32)
    assert corners(frames[0].rgb) == ["red", "green", "blue", "white"]


def test_frames_are_in_order_and_their_own(clip: Path) -> None:
    with open_source(clip) as source:
        bars = [int(frame.rgb.sum(axis=(0, 2)).argmin()) // 2 for frame in source]
    assert bars == list(range(8))


def test_one_pass(clip: Path) -> None:
    with open_source(clip) as source:
        assert len(list(source)) == 8
        assert list(source) == []


def test_variable_rate_and_late_start_pass_through(make_clip: MakeClip, tmp_path: Path) -> None:
    pts = [9000, 12003, 12700, 20000, 20001, 33000]
    path = make_clip(tmp_path / "vfr.mp4", frames=6, pts=pts, time_base=Fraction(1, 90000))
    with open_source(path) as source:
        seconds = [frame.pts * frame.time_base for frame in source]
    assert seconds == [Fraction(p, 90000) for p in pts]


def test_ntsc_rate_is_exact(make_clip: MakeClip, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    with open_source(make_clip(tmp_path / "ntsc.mp4", time_base=1 / rate, rate=rate)) as source:
        assert source.info.rate == rate
        assert [frame.pts * frame.time_base for frame in source] == [i / rate for i in range(8)]


def test_a_file_without_time_stamps_gets_them_from_the_rate(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "raw.h264", options={"bf": "0"})
    with open_source(path) as source:
        steps = np.diff([float(frame.pts * frame.time_base) for frame in source])
        rate = source.info.rate
    assert len(steps) == 7
    assert np.allclose(steps, float(1 / rate), atol=1e-4)


def test_avi_with_reordered_frames(noisy_clip: MakeClip, tmp_path: Path) -> None:
    with open_source(noisy_clip(tmp_path / "b_frames.avi", options={"bf": "3"})) as source:
        seconds = [frame.pts * frame.time_base for frame in source]
    assert [second - seconds[0] for second in seconds] == [Fraction(i, 25) for i in range(40)]


@pytest.mark.parametrize(
    ("rotation", "size", "expected"),
    [
        (90, (48, 64), ["green", "white", "red", "blue"]),
        (180, (64, 48), ["white", "blue", "green", "red"]),
        (-90, (48, 64), ["blue", "red", "white", "green"]),
    ],
)
def test_rotation_is_applied_once(
    make_clip: MakeClip, tmp_path: Path, rotation: int, size: tuple[int, int], expected: list[str]
) -> None:
    path = make_clip(tmp_path / "turned.mp4", rotation=rotation, frames=2)
    with open_source(path) as source:
        frame = next(iter(source))
        assert (source.info.width, source.info.height) == size
        assert source.info.rotation % 360 == rotation % 360
    assert frame.rgb.shape == (size[1], size[0], 3)
    assert frame.rgb.flags.c_contiguous
    assert corners(frame.rgb) == expected


@pytest.mark.parametrize(
    ("height", "matrix", "tagged"),
    [(720, 1, False), (96, 5, False), (96, 1, True), (720, 5, True)],
    ids=["untagged HD", "untagged SD", "tagged 709", "tagged 601"],
)
def test_colours(make_clip: MakeClip, tmp_path: Path, height: int, matrix: int, tagged: bool) -> None:
    colour = (200, 60, 30)
    picture = np.full((height, 128, 3), colour, np.uint8)
    options = {"crf": "1", "preset": "ultrafast"}
    path = make_clip(tmp_path / "solid.mp4", pictures=[picture] * 2, matrix=matrix, tagged=tagged, options=options)
    with open_source(path) as source:
        assert source.info.colour.matrix == (matrix if tagged else None)
        for frame in source:
            assert np.abs(frame.rgb.astype(int) - colour).max() <= 2


def test_full_range(make_clip: MakeClip, tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 16, axis=0).repeat(3, axis=2)
    path = make_clip(tmp_path / "full.avi", pictures=[ramp], codec="mjpeg", pixel_format="yuvj420p", options={"q": "1"})
    with open_source(path) as source:
        assert source.info.colour.range == 2
        rgb = next(iter(source)).rgb
    assert rgb[:, 0].max() <= 6
    assert rgb[:, -1].min() >= 249


def test_rgb_video(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "rgb.mov", codec="png", pixel_format="rgb24")
    with open_source(path) as source:
        first = next(iter(source))
    assert tuple(first.rgb[40, 60]) == (220, 220, 220)
    assert tuple(first.rgb[4, 10]) == (200, 40, 40)


def test_odd_size(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "odd.mp4", width=51, height=37, pixel_format="yuv444p")
    with open_source(path) as source:
        assert {frame.rgb.shape for frame in source} == {(37, 51, 3)}


def test_truncated_file_with_its_index_in_front(noisy_clip: MakeClip, tmp_path: Path) -> None:
    whole = noisy_clip(tmp_path / "whole.mp4", container_options={"movflags": "faststart"})
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with open_source(whole) as source:
        good = list(source)
        assert source.warnings == []
    with open_source(cut) as source:
        kept = list(source)
        warnings = source.warnings
    assert 5 < len(kept) < 40
    for a, b in zip(kept, good, strict=False):
        assert a.pts == b.pts
        assert np.array_equal(a.rgb, b.rgb)
    assert len(warnings) == 1
    assert f"{len(kept)} frames kept, {40 - len(kept)} of 40 lost" in warnings[0]
    assert "\n" not in warnings[0]


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.avi"])
def test_other_containers_cut_off(noisy_clip: MakeClip, tmp_path: Path, name: str) -> None:
    vp9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
    whole = noisy_clip(tmp_path / name, **(vp9 if name.endswith("webm") else {}))
    with open_source(whole) as source:
        assert len(list(source)) == 40
        assert source.warnings == []
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with open_source(whole) as source:
        kept = len(list(source))
        assert 5 < kept < 40
        assert len(source.warnings) == 1
        assert f"{kept} frames kept" in source.warnings[0]


def test_truncated_file_without_index(noisy_clip: MakeClip, tmp_path: Path) -> None:
    path = noisy_clip(tmp_path / "cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"incomplete.*moov"):
        open_source(path)


def test_damage_in_the_middle(noisy_clip: MakeClip, tmp_path: Path) -> None:
    path = noisy_clip(tmp_path / "hole.mov", codec="prores_ks", pixel_format="yuv422p10le")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    with av.open(str(path)) as container:
        start = next(p.pos for p in container.demux(video=0) if p.pos and p.pos > middle)
    data[start : start + 2000] = bytes(2000)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
        warnings = source.warnings
    assert len(frames) == 39
    assert np.diff([frame.pts for frame in frames]).min() > 0
    assert len(warnings) == 1
    assert "39 frames kept" in warnings[0]
    assert "1 packet could not be decoded" in warnings[0]


def test_nothing_decodes(noisy_clip: MakeClip, tmp_path: Path) -> None:
    path = noisy_clip(tmp_path / "bad.mov", codec="prores_ks", pixel_format="yuv422p10le", frames=3)
    with av.open(str(path)) as container:
        spans = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for at, size in spans:
        data[at : at + size] = bytes(size)
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged: none of its frames"):
        open_source(path)


def test_a_frame_that_changes_size(make_clip: MakeClip, tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{width}.mjpeg", width=width, frames=3, codec="mjpeg", pixel_format="yuvj420p")
        for width in (64, 80)
    ]
    path = tmp_path / "joined.mjpeg"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_source(path) as source, pytest.raises(InputError, match=r"frame 3 is 80x48.*64x48"):
        list(source)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4"):
        open_source(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"this is no film\n" * 200, bytes(5000)])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.mp4") as caught:
        open_source(path)
    assert "\n" not in str(caught.value)


def test_audio_only(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    write_sound(path, cover=False)
    with pytest.raises(InputError, match="only sound"):
        open_source(path)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    write_sound(path, cover=True)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(InputError, match="only sound"):
        open_source(path)


def write_sound(path: Path, cover: bool) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("flac", rate=44100)
        if cover:
            picture = container.add_stream("png", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            still = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(still))
            container.mux(picture.encode())
        block = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="mono")
        block.sample_rate = 44100
        container.mux(sound.encode(block))
        container.mux(sound.encode())


def test_video_with_sound_says_so(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        block = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="mono")
        block.sample_rate = 44100
        container.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(video.encode())
        container.mux(sound.encode(block))
        container.mux(sound.encode())
    with open_source(path) as source:
        assert source.info.has_audio
        assert len(list(source)) == 1


def test_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "hollow.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(InputError, match=r"hollow\.mkv"):
        open_source(path)


def test_a_name_that_looks_like_a_protocol(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip.rename(clip.with_name("http:take 2.mp4"))
    monkeypatch.chdir(clip.parent)
    with open_source("http:take 2.mp4") as source:
        assert len(list(source)) == 8


def test_rate_must_make_sense(clip: Path) -> None:
    with pytest.raises(OptionError):
        open_source(clip, rate=Fraction(0))


def test_reading_needs_no_torch() -> None:
    code = "import sys, vcut.video.reader, vcut.video.writer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ALPHA = {
    "vp9.webm": ("libvpx-vp9", "yuva420p", {"auto-alt-ref": "0", "crf": "10", "b": "0"}, 8),
    "vp8.webm": ("libvpx", "yuva420p", {"auto-alt-ref": "0", "b": "2M"}, 8),
    "vp9.mkv": ("libvpx-vp9", "yuva420p", {"auto-alt-ref": "0", "crf": "10", "b": "0"}, 8),
    "prores.mov": ("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}, 12),
    "qtrle.mov": ("qtrle", "argb", {}, 8),
    "png.mov": ("png", "rgba", {}, 8),
    "ffv1.mkv": ("ffv1", "yuva420p", {}, 8),
    "ffv1_10.mkv": ("ffv1", "yuva444p10le", {}, 10),
    "ffv1_16.mkv": ("ffv1", "gbrap16le", {}, 16),
    "moving.apng": ("apng", "rgba", {}, 8),
}


@pytest.mark.parametrize("name", ALPHA)
def test_alpha_of_the_source(tmp_path: Path, name: str) -> None:
    codec, pixel_format, options, depth = ALPHA[name]
    opacity = np.linspace(0, 255, 64).round().astype(np.uint8)[None].repeat(48, 0)
    picture = np.dstack([np.full((48, 64, 3), (200, 60, 30), np.uint8), opacity])
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame = frame.reformat(format=pixel_format, src_color_range=2, dst_colorspace=5, dst_color_range=1)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for deep in (False, True):
        with open_source(tmp_path / name, deep=deep) as source:
            frames = list(source)
            assert (source.info.has_alpha, source.info.depth) == (True, depth)
            assert source.warnings == []
        kind, unit = (np.uint16, 257) if deep and depth > 8 else (np.uint8, 1)
        assert [frame.pts * frame.time_base for frame in frames] == [Fraction(i, 25) for i in range(4)]
        for frame in frames:
            assert frame.rgb.dtype == frame.alpha.dtype == kind
            assert frame.alpha.shape == (48, 64)
            assert np.abs(frame.alpha / unit - opacity).max() <= 2
            assert np.abs(frame.rgb[:, 8:] / unit - (200, 60, 30)).max() <= 2


def test_opaque_sources_have_no_alpha(clip: Path) -> None:
    with open_source(clip, deep=True) as source:
        frame = next(iter(source))
        assert not source.info.has_alpha
    assert frame.alpha is None
    assert frame.rgb.dtype == np.uint8


DEEP = {
    "h264.mp4": ("libx264", "yuv420p10le", {"crf": "1"}, 10),
    "hevc.mkv": ("libx265", "yuv420p10le", {"x265-params": "lossless=1:log-level=error"}, 10),
    "prores.mov": ("prores_ks", "yuv422p10le", {"profile": "hq"}, 10),
    "ffv1.mkv": ("ffv1", "yuv444p12le", {}, 12),
    "rgb.mkv": ("ffv1", "gbrp16le", {}, 16),
    "png.mov": ("png", "rgb48be", {}, 16),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_colours(tmp_path: Path, name: str) -> None:
    codec, pixel_format, options, depth = DEEP[name]
    ramp = np.linspace(4000, 60000, 128).astype(np.uint16)
    picture = np.repeat(ramp[None, :, None], 48, axis=0).repeat(3, axis=2)
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 48, pixel_format
        limited = {} if depth == 16 else {"src_color_range": 2, "dst_colorspace": 5, "dst_color_range": 1}
        swscale_white = picture if depth == 16 else picture - (picture >> 8)
        frame = av.VideoFrame.from_ndarray(swscale_white, format="rgb48le").reformat(format=pixel_format, **limited)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_source(tmp_path / name, deep=True) as source:
        (frame,) = source
        assert source.info.depth == depth
    assert frame.rgb.dtype == np.uint16
    bound = 0.1 if depth == 16 else 0.5 if codec in ("ffv1", "libx265") else 1.5
    assert np.abs(frame.rgb.astype(float) - picture).max() / 257 <= bound
    with open_source(tmp_path / name) as source:
        (frame,) = source
    assert frame.rgb.dtype == np.uint8
    assert np.abs(frame.rgb - picture / 257).max() <= bound + 0.5


def test_hdr_tags_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "hdr.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 1
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, 16, 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_source(path, deep=True) as source:
        assert source.info.colour == ColourTags(matrix=9, primaries=9, transfer=16, range=1)
        assert next(iter(source)).rgb.dtype == np.uint16


def test_pixel_aspect_is_told_upright(make_clip: MakeClip, tmp_path: Path) -> None:
    for rotation, aspect in ((0, Fraction(16, 15)), (90, Fraction(15, 16))):
        path = tmp_path / f"{rotation}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
            if rotation:
                stream.set_display_rotation(rotation)
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(stream.encode())
        with open_source(path) as source:
            assert source.info.pixel_aspect == aspect


@pytest.mark.parametrize("spare", [0, 100])
def test_a_transport_stream_that_ends_inside_a_packet(noisy_clip: MakeClip, tmp_path: Path, spare: int) -> None:
    path = noisy_clip(tmp_path / "clip.ts")
    with open_source(path) as source:
        assert len(list(source)) == 40
        assert source.warnings == []
    size = path.stat().st_size * 6 // 10 // 188 * 188 + spare
    path.write_bytes(path.read_bytes()[:size])
    with open_source(path) as source:
        kept = len(list(source))
        assert 5 < kept < 40
        assert len(source.warnings) == 1
        assert f"{kept} frames kept" in source.warnings[0]


def test_a_header_that_asks_for_a_giant_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "giant.y4m"
    path.write_bytes(b"YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(4000))
    with pytest.raises(InputError, match=r"giant\.y4m") as caught:
        open_source(path)
    assert "\n" not in str(caught.value)
