"""Options of ``vcut segment``: formats together, parts of a clip, sound, backgrounds, single objects."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
from PIL import Image
from tools import RABBIT, example, iou, vcut

from vcut.engine.rules import RULES
from vcut.errors import MaskError, OptionError
from vcut.models.registry import build_model
from vcut.weights.file import save_weights


def pictures(folder) -> dict[str, np.ndarray]:
    return {file.name: np.array(Image.open(file)) for file in sorted(folder.iterdir())}


def test_several_formats_come_from_one_run(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-f", "labels,ffv1,rle", "-o", tmp_path / "cut")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut_ffv1.mkv", "cut_labels", "cut_rle.jsonl"]
    labels = pictures(tmp_path / "cut_labels")
    with av.open(tmp_path / "cut_ffv1.mkv") as container:
        alphas = [frame.to_ndarray(format="rgba")[..., 3] for frame in container.decode(video=0)]
    assert len(labels) == len(alphas) == 10
    for name, alpha in zip(labels, alphas, strict=True):
        assert iou(labels[name] > 0, alpha > 127) > 0.98
    lines = [json.loads(line) for line in (tmp_path / "cut_rle.jsonl").read_text().splitlines()]
    assert {line["id"] for line in lines} == {1, 3} and {line["frame"] for line in lines} == set(range(10))


def test_a_part_of_a_clip_keeps_its_frame_numbers(scene, tmp_path):
    Image.fromarray(np.where(scene.truth[4] > 0, 255, 0).astype(np.uint8)).save(tmp_path / "m.png")
    result = vcut("segment", scene.clip, "-m", tmp_path / "m.png", "-o", tmp_path / "out", "--start", 4, "--end", 7)
    assert result.exit_code == 0, result.output
    found = pictures(tmp_path / "out")
    assert list(found) == ["00004.png", "00005.png", "00006.png"]
    assert iou(found["00006.png"] > 0, scene.truth[6] > 0) > 0.8


@pytest.mark.parametrize(("more", "heard"), [((), 1), (("--no-audio",), 0)])
def test_sound_is_kept_and_cut_with_the_pictures(tmp_path, more, heard):
    part = ("--start", "56", "--end", "59", "--size", "128")
    result = vcut("segment", example("bigbuckbunny.mp4"), "-m", RABBIT, "-o", tmp_path / "cut.mov", *part, *more)
    assert result.exit_code == 0, result.output
    with av.open(tmp_path / "cut.mov") as container:
        assert len(container.streams.audio) == heard
        pictures_end = max((f.pts + f.duration) * f.time_base for f in container.decode(video=0))
    if heard:
        with av.open(tmp_path / "cut.mov") as container:
            sound = [(f.pts * f.time_base, f.samples / f.sample_rate) for f in container.decode(audio=0)]
        assert sound[0][0] <= 0.05 and abs(sound[-1][0] + sound[-1][1] - pictures_end) < 0.05


def test_a_background_takes_the_place_of_the_old_one(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "on_red.mp4", "--background", "#c81e1e")
    assert result.exit_code == 0, result.output
    with av.open(tmp_path / "on_red.mp4") as container:
        frame = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][6]
    far = frame[200:, 220:].astype(int)  # no object comes near
    assert np.abs(far - [200, 30, 30]).max() <= 6
    inside = scene.truth[6] == 1
    assert np.abs(frame[inside].astype(int) - scene.frames[6][inside]).mean() < 20


def test_each_object_in_a_file_of_its_own(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-f", "matte", "-o", tmp_path / "matte", "--split-objects")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matte_1", "matte_3"]
    for identifier in (1, 3):
        matte = pictures(tmp_path / f"matte_{identifier}")["00007.png"]
        assert iou(matte > 127, scene.truth[7] == identifier) > 0.75


def test_only_the_objects_asked_for(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "out", "--objects", "3")
    assert result.exit_code == 0, result.output
    assert set(np.unique(np.stack(list(pictures(tmp_path / "out").values())))) == {0, 3}
    for ids, error in (("2", MaskError), ("x", OptionError)):
        result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "none", "--objects", ids)
        assert result.exit_code == error.exit_code and not (tmp_path / "none").exists()


def test_a_pipe_needs_a_name_for_its_result(scene):
    result = vcut("segment", "-", "-m", scene.mask)
    assert result.exit_code == OptionError.exit_code and "--output" in result.output


def test_fine_tuning_on_the_first_frame_changes_the_cut_and_is_repeatable(scene, tmp_path):
    def cut(name: str, *options: str) -> dict[str, np.ndarray]:
        out = tmp_path / name
        run = ("segment", scene.clip, "-m", scene.mask, "-o", out, "-f", "labels", "--size", "128", "--end", "4")
        assert vcut(*run, *options).exit_code == 0
        return pictures(out)

    plain, tuned, again = cut("plain"), cut("tuned", "--finetune-first", "3"), cut("again", "--finetune-first", "3")
    assert plain.keys() == tuned.keys()
    assert any(not np.array_equal(plain[name], tuned[name]) for name in plain)
    assert all(np.array_equal(again[name], tuned[name]) for name in tuned)
    refused = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "x", "--finetune-first", "-1")
    assert refused.exit_code == OptionError.exit_code and "out of range" in refused.output


@pytest.mark.parametrize("rule", RULES)
def test_objects_share_the_pixels_by_the_rule_asked_for(scene, tmp_path, rule):
    run = ("segment", scene.clip, "-m", scene.mask, "-f", "labels,matte", "-o", tmp_path / "cut", "--end", "5")
    result = vcut(*run, "--aggregation", rule, "--split-objects")
    assert result.exit_code == 0, result.output
    truth = scene.truth[4]
    for identifier in (1, 3):
        labels = pictures(tmp_path / f"cut_labels_{identifier}")["00004.png"]
        matte = pictures(tmp_path / f"cut_matte_{identifier}")["00004.png"]
        assert iou(labels == identifier, truth == identifier) > 0.75
        assert iou(matte > 127, truth == identifier) > 0.75


def test_rgmp_sees_the_scales_asked_for_and_no_other_network_has_any(scene, tmp_path):
    sizes = {"trunk": "resnet18", "channels": 16, "widths": (16, 16)}
    save_weights(tmp_path / "rgmp.safetensors", build_model("rgmp", sizes), extra={"trained": "yes"})

    def cut(name: str, *options: str) -> dict[str, np.ndarray]:
        run = ("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / name, "-f", "matte", "--size", "96")
        result = vcut(*run, "--end", "3", "--weights", tmp_path / "rgmp.safetensors", *options)
        assert result.exit_code == 0, result.output
        return pictures(tmp_path / name)

    own, other, again = cut("own"), cut("other", "--scales", "0.5,0.75"), cut("again", "--scales", "0.5,0.75")
    assert any(not np.array_equal(own[name], other[name]) for name in own)
    assert all(np.array_equal(again[name], other[name]) for name in other)
    for more, words in (
        (("--scales", "1"), "not for gam-s"),
        (("--scales", "3"), "are not scales"),
        (("--aggregation", "loudest"), "known ones: product"),
    ):
        refused = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "x", *more)
        assert refused.exit_code == OptionError.exit_code and words in refused.output
        assert not list(tmp_path.glob("x*"))


def test_looking_only_where_objects_are_gives_the_same_masks(scene, tmp_path):
    def cut(name: str, *options: str) -> dict[str, np.ndarray]:
        run = ("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / name, "-f", "labels", "--device", "cpu")
        result = vcut(*run, "--objects", "3", *options)
        assert result.exit_code == 0, result.output
        return pictures(tmp_path / name)

    parts, asked, whole = cut("parts"), cut("asked", "--roi"), cut("whole", "--no-roi")
    assert all(np.array_equal(asked[name], parts[name]) for name in parts)
    assert any(not np.array_equal(whole[name], parts[name]) for name in parts)
    assert all(iou(parts[name] > 0, whole[name] > 0) > 0.95 for name in parts)
