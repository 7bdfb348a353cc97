"""Several outputs at once: all or nothing, an object a file, sound and tags along with the pictures."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from readback import by_ffmpeg, by_pyav

from vcut.errors import OutputError
from vcut.video.audio import Sound
from vcut.video.background import Colour
from vcut.video.formats import FORMATS, resolve_outputs
from vcut.video.metadata import Metadata
from vcut.video.reader import open_source
from vcut.video.source import Frame
from vcut.video.writer import Cutout, open_writers

ToCutout = Callable[[Frame], Cutout]
NAMES = "prores,labels,rle,green,gif"


def test_each_gets_every_frame(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    outputs = resolve_outputs(NAMES, tmp_path / "out" / "take", clip)
    with open_source(clip) as source, open_writers(outputs, source.info) as writers:
        for frame in source:
            writers.write(cutout_of(frame))
        assert all(name.startswith(".") for name in os.listdir(tmp_path / "out"))
    names = ["take_gif.gif", "take_green.mp4", "take_labels", "take_prores.mov", "take_rle.jsonl"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    assert writers.outputs == [out for _, out in outputs]
    for name in ("take_prores.mov", "take_green.mp4", "take_labels"):
        assert len(by_pyav(tmp_path / "out" / name).rgba) == 8
    assert len((tmp_path / "out" / "take_rle.jsonl").read_text().splitlines()) == 16


@pytest.mark.parametrize("frames", [0, 3])
def test_after_an_error_none_is_there(clip: Path, cutout_of: ToCutout, tmp_path: Path, frames: int) -> None:
    outputs = resolve_outputs(NAMES, tmp_path / "out" / "take", clip)
    with open_source(clip) as source, pytest.raises(KeyboardInterrupt), open_writers(outputs, source.info) as writers:
        for _, frame in zip(range(frames), source, strict=False):
            writers.write(cutout_of(frame))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "out") == []


def test_when_one_cannot_be_finished_none_is_there(noisy_clip: Callable[..., Path], tmp_path: Path) -> None:
    """The labels are small and whole when the disk, at 100 kB a file, has no room for the ProRes."""
    clip = noisy_clip(tmp_path / "clip.mp4")
    outputs = resolve_outputs("labels,prores", tmp_path / "out" / "take", clip)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    opaque = np.full((96, 128), 255, np.uint8)
    try:
        with (
            open_source(clip) as source,
            pytest.raises(OutputError, match=r"take_prores\.mov"),
            open_writers(outputs, source.info) as writers,
        ):
            for frame in source:
                writers.write(Cutout(frame, opaque // 255, opaque))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path / "out") == []


def test_one_that_exists_stops_all_before_work(clip: Path, tmp_path: Path) -> None:
    outputs = resolve_outputs("prores,labels", tmp_path / "take", clip)
    (tmp_path / "take_labels").mkdir()
    with open_source(clip) as source, pytest.raises(OutputError, match="exists already"):
        open_writers(outputs, source.info)


def test_one_that_appears_on_the_way_stops_all(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    outputs = resolve_outputs("prores,webm", tmp_path / "out" / "take", clip)
    with (
        open_source(clip) as source,
        pytest.raises(OutputError, match="exists already"),
        open_writers(outputs, source.info) as writers,
    ):
        writers.write(cutout_of(next(iter(source))))
        (tmp_path / "out" / "take_webm.webm").write_text("mine")
    assert os.listdir(tmp_path / "out") == ["take_webm.webm"]
    assert (tmp_path / "out" / "take_webm.webm").read_text() == "mine"


def test_outputs_in_one_place_are_refused(clip: Path, tmp_path: Path) -> None:
    with open_source(clip) as source:
        for second in (tmp_path / "a", tmp_path / "a" / "b.mov", tmp_path / "x" / ".." / "a"):
            fmt = FORMATS["prores" if second.suffix else "matte"]
            with pytest.raises(OutputError, match="two outputs"):
                open_writers([(FORMATS["labels"], tmp_path / "a"), (fmt, second)], source.info)


def test_an_object_a_file(clip: Path, cutout_of: ToCutout, tmp_path: Path) -> None:
    outputs = resolve_outputs("rgba,labels", tmp_path / "out" / "take", clip)
    with (
        open_source(clip) as source,
        open_writers(outputs, source.info, split=[1, 2], names={2: "the dog"}) as writers,
    ):
        cutouts = [cutout_of(frame) for frame in source]
        for cutout in cutouts:
            writers.write(cutout)
    names = ["take_labels_1", "take_labels_the_dog", "take_rgba_1", "take_rgba_the_dog"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    for end, identifier in (("1", 1), ("the_dog", 2)):
        cutout = cutouts[5]
        inside = cutout.labels == identifier
        labels = np.asarray(Image.open(tmp_path / "out" / f"take_labels_{end}" / "00005.png"))
        assert np.array_equal(labels, np.where(inside, identifier, 0))
        rgba = np.asarray(Image.open(tmp_path / "out" / f"take_rgba_{end}" / "00005.png"))
        assert np.array_equal(rgba[..., 3], np.where(inside, cutout.alpha, 0))


def test_videos_share_a_background_and_each_has_sound_and_tags(cutout_of: ToCutout, tmp_path: Path) -> None:
    """From 0.2 s into a clip with a tone that begins at 0.4 s, so that it is heard from 0.2 s on."""
    clip = tmp_path / "clip.mp4"
    rate = 48000
    with av.open(str(clip), "w") as container:
        container.metadata["title"] = "Two squares"
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="mono")
        for index in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        samples = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate) * (np.arange(rate) >= 0.4 * rate)
        sound = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = rate, 0, Fraction(1, rate)
        container.mux(audio.encode(sound))
        container.mux(audio.encode())
        container.mux(video.encode())
    outputs = resolve_outputs("prores,webm,green,composite,labels", tmp_path / "out" / "take", clip, background=True)
    sounds: list[Sound] = []

    def make_sound() -> Sound:
        sounds.append(Sound(clip))
        return sounds[-1]

    with (
        open_source(clip) as source,
        open_writers(
            outputs, source.info, background=Colour((40, 120, 200)), sound=make_sound, metadata=Metadata.read(clip)
        ) as writers,
    ):
        for frame in source:
            if frame.index >= 5:
                writers.write(cutout_of(frame))
    assert len(sounds) == 4
    for fmt, out in outputs[:4]:
        assert len(by_ffmpeg(out).rgba) == 20, fmt.name
        with av.open(str(out)) as container:
            assert {key.lower(): value for key, value in container.metadata.items()}["title"] == "Two squares"
            frames = list(container.decode(audio=0))
        heard = [
            float(frame.pts * frame.time_base) for frame in frames if np.abs(frame.to_ndarray().astype(float)).max() > 0
        ]
        loud = [
            float(frame.pts * frame.time_base)
            for frame in frames
            if np.abs(frame.to_ndarray()).max() > (8000 if frame.format.name.startswith("s16") else 0.25)
        ]
        assert heard and 0.15 < loud[0] < 0.25, fmt.name
