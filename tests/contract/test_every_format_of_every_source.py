"""The contract: every format of every kind of source, cut by the trained network, encoded and read back.

One run a source writes all formats; PyAV and the ffmpeg binary read each. Colours are compared with the ffmpeg binary's
reading of the source, as means over flat areas: well inside each object, and on the ground far from both. Alpha is not
compared with the network but between the formats of one run: ``rgba-16`` is the yardstick.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from contract.run import BACKDROP, Run
from contract.sources import SOURCES
from readback import FFMPEG
from shown import expected, shown_times
from tools import iou

from vcut.masks.rle import decode
from vcut.video.formats import FORMATS, Format

OF_PICTURES = [row for row in FORMATS.values() if row.kind != "lines"]
FILES = [row for row in OF_PICTURES if row.kind != "sequence"]
TICKS = {".gif": Fraction(1, 100), **dict.fromkeys((".webp", ".apng", ".webm", ".mkv"), Fraction(1, 1000))}
"""Containers that count time in steps of their own; .mov and .mp4 take those of the source."""
LOSSLESS = {"qtrle", "pngmov", "pngmov-16", "ffv1", "ffv1-16", "rgba", "rgba-16", "apng"}
ROUNDING = 0.51  # where 16 bits become 8
AUDIO_FRAME = 1024

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
of_pictures = pytest.mark.parametrize("fmt", OF_PICTURES, ids=lambda row: row.name)
by_both = pytest.mark.parametrize("reader", [0, 1], ids=["PyAV", "ffmpeg"])


@pytest.fixture(scope="module", params=SOURCES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A source, cut into every format."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "source").mkdir()
    (folder / "results").mkdir()
    return Run(SOURCES[request.param](folder / "source"), folder / "mask.png", folder / "results")


def test_the_results_and_nothing_else(run: Run) -> None:
    """Each format has its file or folder, no temporary is left, and nothing of the source was lost."""
    assert {path.name for path in run.folder.iterdir()} == {run.out(fmt).name for fmt in FORMATS.values()}
    assert [path.name for path in run.summary.outputs] == [run.out(fmt).name for fmt in FORMATS.values()]
    assert run.summary.frames == len(run.clip.times)
    assert tuple(run.summary.objects) == (1, 3)
    assert run.summary.losses == ()


def test_the_objects_are_followed(run: Run) -> None:
    """The mask of the first frame comes back as it is, and later frames hold both objects where they are."""
    assert np.array_equal(run.labels[0], run.clip.truth[0])
    assert set(np.unique(run.labels)) == {0, 1, 3}
    for key in (1, 3):
        assert min(iou(a == key, b == key) for a, b in zip(run.labels, run.clip.truth, strict=True)) > 0.8
    assert iou(run.labels > 0, run.alpha > 127.5) > 0.9
    for area in run.flat.values():
        assert area.sum((1, 2)).min() >= 50  # else the comparisons of colours would say nothing


@by_both
@pytest.mark.parametrize("fmt", FILES, ids=lambda row: row.name)
def test_every_frame_at_its_time(run: Run, fmt: Format, reader: int) -> None:
    """Time stamps are those of the source, counted from its first frame, to the tick of the container."""
    times = shown_times(fmt, run.clip.times, run.summary.info.rate)
    if fmt.suffix in TICKS:
        times = [math.floor(time / TICKS[fmt.suffix] + Fraction(1, 2)) * TICKS[fmt.suffix] for time in times]
    assert run.reading(fmt, reader).times == times


@pytest.mark.parametrize("fmt", [row for row in FORMATS.values() if row.folder], ids=lambda row: row.name)
def test_every_frame_has_a_picture(run: Run, fmt: Format) -> None:
    """Pictures are named by the number of their frame."""
    names = sorted(file.name for file in run.out(fmt).iterdir())
    assert names == [f"{index:05d}.png" for index in range(len(run.clip.times))]


@by_both
@of_pictures
def test_sizes_and_flat_colours(run: Run, fmt: Format, reader: int) -> None:
    """Upright, in the source's size, and the mean over each flat area within 2/255 of what is to be shown there."""
    wanted = np.stack([expected(fmt, cutout, BACKDROP) for cutout in shown(run, fmt, run.cutouts(colour=False))])
    found = run.reading(fmt, reader).rgba
    assert found.shape == wanted.shape
    height, width = run.clip.truth.shape[1:]
    for key, area in run.flat.items():
        if key == 0 and fmt.alpha:  # where nothing shows, colours mean nothing
            continue
        for panel in range(3 if fmt.content == "split" else 1):
            part = np.s_[:height, panel * width : (panel + 1) * width, :3]
            for got, want, inside in zip(found, wanted, shown(run, fmt, area), strict=True):
                error = got[part][inside].mean(0) - want[part][inside].mean(0)
                assert np.abs(error).max() <= 2, (key, panel)


@by_both
@of_pictures
def test_alpha_is_that_of_the_other_formats(run: Run, fmt: Format, reader: int) -> None:
    """Lossless formats hold the alpha of ``rgba-16`` to the rounding of their bits, others nearly; most hold none."""
    found = run.reading(fmt, reader).rgba
    if not fmt.alpha:
        assert found[..., 3].min() == 255
    if not fmt.alpha and fmt.content != "matte":
        return
    alpha = found[..., 0 if fmt.content == "matte" else 3]
    truth = np.stack(shown(run, fmt, run.alpha))
    if fmt.name == "gif":
        assert np.array_equal(alpha, np.where(truth > 127.5, 255, 0))
        return
    error = np.abs(alpha - truth)
    rounding = 0.0 if fmt.depth == 16 else ROUNDING
    most, mean = {
        "prores": (0.2, 0.1),
        "prores-alpha8": (1.0, 0.3),  # 16 bits become 10, and these 8
        "webm": (50.0, 0.8),  # VP9 rings at edges as sharp as those of a first mask
        "webm444": (50.0, 0.8),
        "matte-video": (6.0, 0.2),
    }.get(fmt.name, (rounding, rounding))
    assert error.max() <= most
    assert error.mean() <= mean
    for area in run.flat.values():
        assert error[np.stack(shown(run, fmt, area))].mean() <= min(mean, 0.5)


@by_both
@of_pictures
def test_colours_are_those_of_the_other_formats(run: Run, fmt: Format, reader: int) -> None:
    """Soft edges too: lossless formats show the colours of ``rgba-16``, the mean error of others is small."""
    cutouts = shown(run, fmt, run.cutouts(colour=True))
    wanted = np.stack([expected(fmt, cutout, BACKDROP) for cutout in cutouts])
    found = run.reading(fmt, reader).rgba
    error = np.abs(found[..., :3] - wanted[..., :3])
    if fmt.name in LOSSLESS:
        least = 0 if fmt.depth == 16 else ROUNDING  # opacity below rounds to nothing, and so do its colours
        assert error[wanted[..., 3] > least].max() <= (0 if fmt.depth == 16 else ROUNDING)
    if fmt.content != "overlay":  # whose outline is drawn on top
        # In H.264 and H.265 two by two pixels share their colour, and objects against pure green show it.
        assert (error * wanted[..., 3:] / 255).mean() <= (4 if fmt.name == "green" else 2.5)


def test_run_lengths_are_the_labels(run: Run) -> None:
    """A line for each frame and object, whose mask is that of ``labels``."""
    lines = [json.loads(line) for line in run.out(FORMATS["rle"]).read_text().splitlines()]
    every = [(index, key) for index in range(len(run.labels)) for key in (1, 3)]
    assert [(line["frame"], line["id"]) for line in lines] == every
    for line in lines:
        assert np.array_equal(decode(line), run.labels[line["frame"]] == line["id"])


@pytest.mark.parametrize("listen", ["PyAV", "ffmpeg"])
@pytest.mark.parametrize("fmt", FILES, ids=lambda row: row.name)
def test_sound(run: Run, fmt: Format, listen: str) -> None:
    """Where a format holds sound: both channels, each with its own tone, to the audio frame as long as the source's."""
    with av.open(str(run.out(fmt))) as container:
        assert len(container.streams.audio) == (run.clip.sound and fmt.sound)
    if not (run.clip.sound and fmt.sound):
        return
    hear: Callable[[Path], np.ndarray] = {"PyAV": heard_by_pyav, "ffmpeg": heard_by_ffmpeg}[listen]
    before, after = hear(run.clip.path), hear(run.out(fmt))
    assert abs(before.shape[1] - after.shape[1]) <= AUDIO_FRAME
    for channel, pitch in zip(after, (440, 1000), strict=True):
        strongest = np.abs(np.fft.rfft(channel * np.hanning(len(channel)))).argmax()
        assert strongest * 48_000 / len(channel) == pytest.approx(pitch, abs=5)


def shown(run: Run, fmt: Format, values: list | np.ndarray) -> list:
    """Those of the values, one a frame, whose frames the format shows."""
    kept = shown_times(fmt, run.clip.times, run.summary.info.rate)
    return [value for value, time in zip(values, run.clip.times, strict=True) if time in kept]


def heard_by_pyav(path: Path) -> np.ndarray:
    """Channels x samples."""
    with av.open(str(path)) as container:
        channels = container.streams.audio[0].codec_context.layout.nb_channels
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.hstack([block.reshape(-1, channels).T if len(block) == 1 else block for block in blocks])


def heard_by_ffmpeg(path: Path) -> np.ndarray:
    """Channels x samples."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-map", "0:a", "-f", "f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, 2).T
