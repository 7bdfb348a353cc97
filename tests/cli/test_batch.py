"""Folders and lists of clips: what is found, what is planned, and whole batches with good and bad clips."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tools import RABBIT, ROOT, example, vcut

from vcut.batch.find import find_clips
from vcut.batch.listing import read_list
from vcut.batch.plan import plan
from vcut.errors import InputError

SMALL = ("--size", "64", "--device", "cpu")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def statuses(out: Path) -> dict[str, str]:
    return {name: row["status"] for name, row in json.loads((out / "batch.json").read_text())["clips"].items()}


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.fixture
def folder(scene, tmp_path) -> Path:
    """Good clips under odd names and in nested folders, and bad ones of each kind."""
    root = tmp_path / "shots"
    good = [("a.mp4", "a.png"), ("b c.mp4", "b c_mask.png"), ("день/кот.mp4", "день/кот.mask.png")]
    good += [("deep/er/d.mp4", "deep/er/masks/d.png"), ("deep/e.mov", "deep/e.png")]
    for clip, mask in good:
        (root / mask).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.clip, root / clip)
        shutil.copy(scene.mask, root / mask)
    shutil.copy(scene.clip, root / "no mask.mp4")
    (root / "broken.mp4").write_bytes(b"no video at all")
    shutil.copy(scene.mask, root / "broken.png")
    shutil.copy(scene.clip, root / "wrong.mp4")
    Image.new("L", (100, 100), 0).save(root / "wrong.png")
    return root


def test_clips_are_found_with_their_masks_by_every_rule(tmp_path):
    touch(*(tmp_path / name for name in ("b.mp4", "b.png", "a.mov", "a_mask.png", "c.mkv", "c.mask.tif")))
    touch(*(tmp_path / name for name in ("d.webm", "masks/d.png", "10.avi", "9.avi", "x/e.mp4", "x/e.bmp", ".hid.mp4")))
    touch(
        tmp_path / "shot" / "1.jpg",
        tmp_path / "shot" / "2.jpg",
        tmp_path / "shot_mask.png",
        tmp_path / "stills" / "1.jpg",
    )
    found = {clip.name: clip.mask and clip.mask.relative_to(tmp_path).as_posix() for clip in find_clips(tmp_path)}
    assert found == {
        "9.avi": None,
        "10.avi": None,
        "a.mov": "a_mask.png",
        "b.mp4": "b.png",
        "c.mkv": "c.mask.tif",
        "d.webm": "masks/d.png",
        "shot": "shot_mask.png",
        "x/e.mp4": "x/e.bmp",
    }
    assert list(found)[:2] == ["9.avi", "10.avi"]


def test_davis_folders_are_read_as_they_are(tmp_path):
    for name in ("00000.jpg", "00001.jpg"):
        touch(tmp_path / "JPEGImages" / "480p" / "dog" / name, tmp_path / "JPEGImages" / "480p" / "cat" / name)
    touch(
        tmp_path / "Annotations" / "480p" / "dog" / "00000.png", tmp_path / "Annotations" / "480p" / "dog" / "00001.png"
    )
    found = find_clips(tmp_path)
    assert [clip.name for clip in found] == ["cat", "dog"]
    assert found[0].mask is None and found[1].mask.name == "00000.png"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "clip,mask,output,start,split-objects\na.mp4,m.png,,4,yes\nb/c.mp4,,out.mov,,\n"),
        (
            "list.jsonl",
            '{"clip": "a.mp4", "mask": "m.png", "start": 4, "split_objects": true}\n'
            '{"clip": "b/c.mp4", "output": "out.mov"}\n',
        ),
        (
            "list.yaml",
            "- {clip: a.mp4, mask: m.png, start: 4, split-objects: yes}\n- clip: b/c.mp4\n  output: out.mov\n",
        ),
    ],
)
def test_lists_say_the_same_in_every_kind(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    touch(tmp_path / "b" / "c.png")
    jobs = plan(read_list(tmp_path / name), tmp_path / "cut", {"size": 64, "overwrite": True})
    first, second = (job.options for job in jobs)
    assert (first.input, first.mask) == (tmp_path / "a.mp4", tmp_path / "m.png")
    assert first.span.start == 4 and first.split and first.size == 64 and first.overwrite
    assert first.output == tmp_path / "cut" / "a_cutout.mov"
    assert second.mask == tmp_path / "b" / "c.png" and second.output == tmp_path / "out.mov" and not second.split


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("l.csv", "mask\na.png\n", "row 1 has no clip"),
        ("l.csv", "clip,mask\na.mp4,b.png,4\n", "more columns"),
        ("l.jsonl", "{clip: 1}\n", "cannot be read as jsonl"),
        ("l.yaml", "clip: a.mp4\n", "not a list"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=word):
        read_list(tmp_path / name)


def test_clips_that_would_write_to_one_place_are_told_apart_or_named(tmp_path):
    touch(*(tmp_path / name for name in ("a.mp4", "a.mov", "a.png")))
    jobs = plan(find_clips(tmp_path), tmp_path / "cut", {"format": "labels"})
    assert [job.outputs[0].name for job in jobs] == ["a.mov_labels", "a.mp4_labels"]
    (tmp_path / "l.csv").write_text("clip,output\na.mp4,x.mov\na.mov,x.mov\n")
    jobs = plan(read_list(tmp_path / "l.csv"), tmp_path / "cut", {})
    assert jobs[0].problem is None and "that of a.mp4, too" in jobs[1].problem


def test_good_clips_are_cut_and_bad_ones_named(folder, tmp_path):
    out = tmp_path / "out"
    result = vcut("batch", folder, "-o", out, "-f", "labels", *SMALL, "--workers", 2)
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1].startswith("error: 3 of 8 clips could not be cut")
    good = ["a.mp4", "b c.mp4", "deep/e.mov", "deep/er/d.mp4", "день/кот.mp4"]
    assert statuses(out) == {name: "done" for name in good} | dict.fromkeys(
        ("broken.mp4", "no mask.mp4", "wrong.mp4"), "failed"
    )
    rows = json.loads((out / "batch.json").read_text())["clips"]
    assert "no mask" in rows["no mask.mp4"]["error"] and "broken.mp4" in rows["broken.mp4"]["error"]
    assert "wrong.png" in rows["wrong.mp4"]["error"]
    for name in ("a_labels", "b c_labels", "deep/e_labels", "deep/er/d_labels", "день/кот_labels"):
        assert len(list((out / name).iterdir())) == 10
    before = files(out)

    begin = time.monotonic()
    again = vcut("batch", folder, "-o", out, "-f", "labels", *SMALL)
    assert again.exit_code == 1 and "0 tried now" in again.stderr and time.monotonic() - begin < 60
    assert files(out) == before | {"batch.json": (out / "batch.json").read_bytes()}

    shutil.copy(folder / "a.mp4", folder / "broken.mp4")  # a failed clip that has changed is tried again
    third = vcut("batch", folder, "-o", out, "-f", "labels", *SMALL)
    assert "1 tried now" in third.stderr and statuses(out)["broken.mp4"] == "done"
    assert "1 tried now" in vcut("batch", folder, "-o", out, "-f", "labels", *SMALL, "--retry-failed").stderr


def test_a_dry_run_shows_the_plan_and_does_nothing(folder, tmp_path):
    result = vcut("batch", folder, "-o", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0 and not (tmp_path / "out").exists()
    assert "to do" in result.stderr and "no mask" in result.stderr


def test_after_kill_9_the_next_run_does_the_rest(tmp_path, scene):
    root, out = tmp_path / "shots", tmp_path / "out"
    root.mkdir()
    shutil.copy(example("bigbuckbunny.mp4"), root / "1.mp4")
    shutil.copy(example("bigbuckbunny.mp4"), root / "2.mp4")
    shutil.copy(RABBIT, root / "1.png")
    shutil.copy(RABBIT, root / "2.png")
    arguments = ["batch", root, "-o", out, "-f", "labels", *SMALL, "--start", "56"]
    command = [sys.executable, "-m", "vcut", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while not (out / "1_labels").is_dir() or not (out / ".2_labels.vcut-run").is_dir():
            assert process.poll() is None, "the batch was over before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert statuses(out) == {"1.mp4": "done", "2.mp4": "running"}
    time.sleep(1)  # a worker whose parent is gone leaves at its next frame
    result = vcut(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    assert "1 tried now" in result.stderr and statuses(out) == {"1.mp4": "done", "2.mp4": "done"}
    one, two = (files(out / name) for name in ("1_labels", "2_labels"))
    assert one == two and len(one) == 76
    assert sorted(os.listdir(out)) == ["1_labels", "2_labels", "batch.json"]


def test_several_workers_give_what_one_gives(folder, scene, tmp_path):
    for name in ("broken.mp4", "no mask.mp4", "wrong.mp4"):
        (folder / name).unlink()
    for workers in (1, 3):
        result = vcut("batch", folder, "-o", tmp_path / str(workers), "-f", "labels", *SMALL, "--workers", workers)
        assert result.exit_code == 0, result.output
    one, three = (files(tmp_path / name) for name in ("1", "3"))
    del one["batch.json"], three["batch.json"]
    assert one.keys() == three.keys()
    # other numbers of threads may add up in another order
    different = [
        np.mean(np.array(Image.open(tmp_path / "1" / n)) != np.array(Image.open(tmp_path / "3" / n))) for n in one
    ]
    assert max(different) < 1e-3


def test_lines_of_json_tell_of_each_clip(scene, tmp_path):
    shutil.copy(scene.clip, tmp_path / "a.mp4")
    shutil.copy(scene.mask, tmp_path / "a.png")
    result = vcut("batch", tmp_path, "-o", tmp_path / "out", "-f", "rle", *SMALL, "--json")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {event["clip"] for event in events} == {"a.mp4"}
    assert events[0]["event"] == "given" and events[-1]["event"] == "ended" and events[-1]["status"] == "done"
