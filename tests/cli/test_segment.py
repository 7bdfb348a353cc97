"""``vcut segment`` from file to file, with the shipped weights."""

from __future__ import annotations

import shutil

import av
import numpy as np
import pytest
from PIL import Image
from tools import iou, vcut, write_video

from vcut.errors import InputError, MaskError, OptionError, OutputError, PartialError, WeightsError


def test_labels_follow_both_objects(scene, tmp_path):
    result = vcut("segment", scene.clip, "--mask", scene.mask, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"{i:05d}.png" for i in range(10)]
    labels = np.stack([np.array(Image.open(file)) for file in files])
    assert Image.open(files[0]).mode == "P"
    assert np.array_equal(labels[0], scene.truth[0])  # the user's own mask comes back as it was
    assert set(np.unique(labels)) <= {0, 1, 3}
    for identifier in (1, 3):
        scores = [iou(a == identifier, b == identifier) for a, b in zip(labels[1:], scene.truth[1:], strict=True)]
        assert min(scores) > 0.75 and np.mean(scores) > 0.85, scores


def test_prores_holds_colour_alpha_and_timing(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut.mov")
    assert result.exit_code == 0, result.output
    with av.open(scene.clip) as a, av.open(tmp_path / "cut.mov") as b:
        stream = b.streams.video[0]
        assert stream.codec_context.name == "prores" and stream.codec_context.pix_fmt.startswith("yuva444p")
        times = [float(f.time) for f in a.decode(video=0)]
        frames = list(b.decode(video=0))
        assert [float(f.time) for f in frames] == pytest.approx(times, abs=1e-6)
        for t in (1, 9):
            rgba = frames[t].to_ndarray(format="rgba")
            inside = scene.truth[t] > 0
            assert iou(rgba[..., 3] > 127, inside) > 0.8
            sure = (rgba[..., 3] > 250) & inside
            assert np.abs(rgba[sure][:, :3].astype(int) - scene.frames[t][sure]).mean() < 8


@pytest.mark.parametrize("name", ["cut.webm", "look.mp4", "matte"])
def test_other_formats_are_told_from_the_name(scene, tmp_path, name):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / name)
    assert result.exit_code == 0, result.output
    if name == "matte":
        pictures = [Image.open(file) for file in sorted((tmp_path / name).iterdir())]
        assert {picture.mode for picture in pictures} == {"L"} and len(pictures) == 10
        assert iou(np.array(pictures[5]) > 127, scene.truth[5] > 0) > 0.8
    else:
        with av.open(tmp_path / name) as container:
            frames = list(container.decode(video=0))
        assert [(f.width, f.height) for f in frames] == [(320, 240)] * 10


def test_folder_of_frames_gives_the_same_labels_as_python(scene, tmp_path):
    from vcut import Propagator, load_model

    (tmp_path / "in").mkdir()
    for i, frame in enumerate(scene.frames[:4]):
        Image.fromarray(frame).save(tmp_path / "in" / f"shot{i + 8}.png")  # natural order: 8, 9, 10, 11
    assert vcut("segment", tmp_path / "in", "-m", scene.mask, "-o", tmp_path / "out").exit_code == 0
    propagator = Propagator(load_model())
    propagator.start(scene.frames[0], scene.truth[0])
    for i, frame in enumerate(scene.frames[1:4], 1):
        assert np.array_equal(np.array(Image.open(tmp_path / "out" / f"{i:05d}.png")), propagator.step(frame).labels)


def test_mask_of_another_size_is_resized_with_a_word(scene, tmp_path):
    Image.open(scene.mask).resize((640, 480), Image.Resampling.NEAREST).save(tmp_path / "big.png")
    result = vcut("segment", scene.clip, "-m", tmp_path / "big.png", "-o", tmp_path / "out")
    assert result.exit_code == 0 and "640 x 480" in result.output and "320 x 240" in result.output


def test_start_begins_at_the_masks_frame(scene, tmp_path):
    from vcut.masks.palette import save_indexed

    save_indexed(tmp_path / "m.png", scene.truth[6])
    out = tmp_path / "out"
    assert vcut("segment", scene.clip, "-m", tmp_path / "m.png", "-o", out, "--start", 6).exit_code == 0
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"{i:05d}.png" for i in range(6, 10)]  # numbered as in the source
    assert np.array_equal(np.array(Image.open(files[0])), scene.truth[6])
    assert vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut.mov", "--start", 8).exit_code == 0
    with av.open(tmp_path / "cut.mov") as container:
        assert [round(float(f.time) * 30000 / 1001) for f in container.decode(video=0)] == [0, 1]
    late = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "none.mov", "--start", 10)
    assert late.exit_code == InputError.exit_code and "no frame 10" in late.output
    assert not (tmp_path / "none.mov").exists()


def test_default_output_lies_beside_the_source(scene, tmp_path):
    shutil.copy(scene.clip, tmp_path / "clip.mp4")
    assert vcut("segment", tmp_path / "clip.mp4", "-m", scene.mask, "-f", "labels").exit_code == 0
    assert len(list((tmp_path / "clip_labels").iterdir())) == 10


def test_an_output_is_only_replaced_when_asked(scene, tmp_path):
    out = tmp_path / "cut.webm"
    out.write_bytes(b"precious")
    refused = vcut("segment", scene.clip, "-m", scene.mask, "-o", out)
    assert refused.exit_code == OutputError.exit_code and "--overwrite" in refused.output
    assert out.read_bytes() == b"precious"
    assert vcut("segment", scene.clip, "-m", scene.mask, "-o", out, "--overwrite").exit_code == 0
    with av.open(out) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_a_cut_clip_keeps_what_decodes_and_says_so(scene, tmp_path):
    noisy = np.random.default_rng(0).integers(0, 256, (30, 96, 96, 3), np.uint8)
    write_video(tmp_path / "whole.mp4", noisy, crf="20")
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    mask = np.zeros((96, 96), np.uint8)
    mask[20:60, 20:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    result = vcut("segment", tmp_path / "cut.mp4", "-m", tmp_path / "mask.png", "-o", tmp_path / "out")
    assert result.exit_code == PartialError.exit_code, result.output
    kept = len(list((tmp_path / "out").iterdir()))
    assert 5 < kept < 30 and str(kept) in result.output


def bad_input(name, scene, folder):
    """Arguments of a run that must fail, for each kind of mistake."""
    clip, mask, out, more = scene.clip, scene.mask, folder / "out.mov", []
    other = folder / "other"
    if name == "missing file":
        clip = folder / "nowhere.mp4"
    elif name == "text named mp4":
        clip = folder / "text.mp4"
        clip.write_text("not a video\n" * 50)
    elif name == "mp4 cut before its index":
        write_video(folder / "w.mp4", scene.frames)
        clip = folder / "torn.mp4"
        clip.write_bytes((folder / "w.mp4").read_bytes()[:300])
    elif name == "zero frames":
        clip = folder / "none.mp4"
        with av.open(clip, "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
    elif name == "folder without images":
        clip = other
        other.mkdir()
        (other / "notes.txt").write_text("hi")
    elif name == "mask missing":
        mask = folder / "nowhere.png"
    elif name == "mask of another aspect":
        mask = folder / "m.png"
        Image.open(scene.mask).crop((0, 0, 320, 100)).save(mask)
    elif name == "mask empty":
        mask = folder / "m.png"
        Image.new("L", (320, 240)).save(mask)
    elif name == "mask all foreground":
        mask = folder / "m.png"
        Image.new("L", (320, 240), 255).save(mask)
    elif name == "mask with 300 ids":
        mask = folder / "m.png"
        ids = np.arange(300, dtype=np.uint16).repeat(256).reshape(240, 320)
        Image.fromarray(ids).save(mask)
    elif name == "output folder is a file":
        (folder / "file").write_text("")
        out = folder / "file" / "out.mov"
    elif name == "unknown format":
        more = ["--format", "avi"]
    elif name == "alpha in mp4":
        out, more = folder / "out.mp4", ["--format", "prores"]
    elif name == "corrupt weights":
        more = ["--weights", folder / "bad.safetensors"]
        (folder / "bad.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{broken")
    elif name == "unknown weights":
        more = ["--weights", "gam-xxl"]
    elif name == "unknown device":
        more = ["--device", "quantum"]
    elif name == "size out of range":
        more = ["--size", "3"]
    return out, ["segment", clip, "--mask", mask, "-o", out, *more]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("missing file", InputError, "nowhere.mp4"),
        ("text named mp4", InputError, "text.mp4"),
        ("mp4 cut before its index", InputError, "torn.mp4"),
        ("zero frames", InputError, "none.mp4"),
        ("folder without images", InputError, "other"),
        ("mask missing", MaskError, "nowhere.png"),
        ("mask of another aspect", MaskError, "320 x 100"),
        ("mask empty", MaskError, "m.png"),
        ("mask all foreground", MaskError, "m.png"),
        ("mask with 300 ids", MaskError, "255"),
        ("output folder is a file", OutputError, "file"),
        ("unknown format", OptionError, "prores"),
        ("alpha in mp4", OutputError, ".mov"),
        ("corrupt weights", WeightsError, "bad.safetensors"),
        ("unknown weights", WeightsError, "gam-s"),
        ("unknown device", OptionError, "cuda"),
        ("size out of range", OptionError, "64"),
    ],
)
def test_mistakes_end_in_one_line(scene, tmp_path, name, error, words):
    out, arguments = bad_input(name, scene, tmp_path)
    result = vcut(*arguments)
    assert result.exit_code == error.exit_code
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: ") and words in lines[0], result.stderr
    assert not out.exists()
    assert not [file for file in tmp_path.rglob("*vcut-tmp*")]
