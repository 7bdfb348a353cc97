"""The other commands, and what the whole program must do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from tools import vcut

import vcut as library
from vcut.errors import InputError, OutputError


def test_version_and_help_do_not_wait_for_torch():
    code = "import sys, vcut.cli; sys.exit('torch' in sys.modules or 'av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    shown = subprocess.run([sys.executable, "-m", "vcut", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"vcut {library.__version__}"


@pytest.mark.parametrize("command", ["segment", "frame", "evaluate", "inspect", "train", "weights"])
def test_every_command_has_help(command):
    result = vcut(command, "--help")
    assert result.exit_code == 0 and "Usage" in result.output


@pytest.mark.parametrize(
    ("command", "lacking", "taken"),
    [
        (("evaluate", "DATA", "--json", "--per-object"), "--json", "--per-object"),
        (("segment", "clip.mp4", "-o", "--mask", "mask.png"), "-o", "--mask"),
        (("weights", "average", "a", "b", "-o", "--shares", "1,2"), "-o", "--shares"),
    ],
)
def test_an_option_is_not_taken_for_the_value_of_the_one_before(command, lacking, taken, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = vcut(*command)
    assert result.exit_code == 2
    assert result.stderr.strip() == (
        f"error: {lacking} lacks its value: {taken} is an option; give it as '{lacking} VALUE'"
    )
    assert not list(tmp_path.iterdir())


def test_frame_is_the_decoded_frame(scene, tmp_path):
    from vcut.video.reader import open_source

    assert vcut("frame", scene.clip, "--at", 4, "-o", tmp_path / "f.png").exit_code == 0
    with open_source(scene.clip) as source:
        expected = next(frame.rgb for frame in source if frame.index == 4)
    assert np.array_equal(np.array(Image.open(tmp_path / "f.png")), expected)


def test_frame_refuses_what_is_not_there(scene, tmp_path):
    late = vcut("frame", scene.clip, "--at", 10, "-o", tmp_path / "f.png")
    assert late.exit_code == InputError.exit_code and "10 frames" in late.output
    lossy = vcut("frame", scene.clip, "-o", tmp_path / "f.jpg")
    assert lossy.exit_code == OutputError.exit_code
    (tmp_path / "f.png").write_bytes(b"x")
    assert vcut("frame", scene.clip, "-o", tmp_path / "f.png").exit_code == OutputError.exit_code
    assert (tmp_path / "f.png").read_bytes() == b"x"


def test_evaluate_beats_the_copied_mask(scene, tmp_path):
    for folder in ("JPEGImages", "Annotations"):
        (tmp_path / folder / "walk").mkdir(parents=True)
    for i, (frame, truth) in enumerate(zip(scene.frames, scene.truth, strict=True)):
        Image.fromarray(frame).save(tmp_path / "JPEGImages" / "walk" / f"{i:05d}.jpg", quality=95)
        Image.fromarray(truth).save(tmp_path / "Annotations" / "walk" / f"{i:05d}.png")
    means = {}
    for name, options in {"network": [], "copy": ["--baseline", "copy"]}.items():
        result = vcut("evaluate", tmp_path, "--json", tmp_path / f"{name}.json", *options)
        assert result.exit_code == 0, result.output
        means[name] = json.loads((tmp_path / f"{name}.json").read_text())["mean"]
        assert f"{means[name]['J&F']:.3f}" in result.stdout
    assert means["network"]["J"] > 0.8 > 0.6 > means["copy"]["J"]


def hear_interrupts() -> None:
    """What is started in the background by a shell does not, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_nothing_behind(scene, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(300):
        Image.fromarray(scene.frames[i % 10]).save(frames / f"{i:04d}.jpg")
    out = tmp_path / "out" / "cut.mov"
    arguments = [sys.executable, "-m", "vcut", "segment", frames, "--mask", scene.mask, "-o", out]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(".*")) if (tmp_path / "out").exists() else True:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "stopped" in stderr and "Traceback" not in stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_the_librarys_front_door(scene, tmp_path):
    options = library.SegmentOptions(input=scene.clip, mask=scene.mask, output=tmp_path / "out")
    seen = []
    summary = library.segment_video(options, on_frame=seen.append)
    assert seen == list(range(1, 11)) and summary.frames == 10 and tuple(summary.objects) == (1, 3)
    assert summary.outputs == (tmp_path / "out",) and summary.losses == ()
    with pytest.raises(library.VcutError):
        library.segment_video(options)
    with pytest.raises(AttributeError):
        _ = library.nothing
