"""Batches from and to Google's storage, spoken with a real server in this process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import av
import numpy as np
from stored import (
    SMALL,
    check_chunks,
    check_removal,
    check_that_a_record_is_not_lost,
    check_that_nothing_is_done_again,
    check_that_nothing_is_half_put,
    files,
    jobs,
    labels,
    row,
    told,
)
from tools import make_clip, vcut

from vcut.batch.find import find_clips
from vcut.batch.storage import place
from vcut.masks.palette import save_indexed


def test_a_batch_from_gs_to_gs_gives_what_a_local_one_gives(gs, shots, tmp_path):
    command = ("batch", gs.upload(shots), "-o", f"{gs.address}/cut", "-f", "labels", *SMALL)
    result = vcut(*command)
    assert result.exit_code == 0, result.output
    rows = gs.record("cut")
    assert [row["status"] for row in rows.values()] == ["done", "done"]
    assert rows["день/кот.mp4"]["outputs"][0]["path"] == "gs://films/cut/день/кот_labels"
    assert rows["a [1].mp4"]["objects"][0]["name"] == "rabbit"
    alone = vcut("batch", shots, "-o", tmp_path / "cut", "-f", "labels", *SMALL)
    assert alone.exit_code == 0, alone.output
    made, local = gs.files("cut"), files(tmp_path / "cut")
    assert made.keys() == local.keys() and len(made) == 2 * 10 + 1
    assert labels(made) == labels(local)
    check_that_nothing_is_done_again(gs, command)


def test_chunks_find_their_way_through_storage(gs, shots, tmp_path):
    check_chunks(gs, shots, tmp_path / "cut")


def test_when_a_result_cannot_be_put_nothing_has_its_name(gs, shots):
    check_that_nothing_is_half_put(gs, shots, "Forbidden")


def test_a_record_that_cannot_be_read_is_not_begun_anew(gs, shots):
    check_that_a_record_is_not_lost(gs, shots)


def test_files_are_removed_by_their_names(gs, scene):
    check_removal(gs, scene.mask)


def test_a_batch_killed_while_it_puts_leaves_no_result_and_the_next_one_clears_up(gs, scene):
    gs.put("shots/a [1].mp4", scene.clip)
    gs.put("shots/a [1].png", scene.mask)
    command = ("batch", f"{gs.address}/shots", "-o", f"{gs.address}/cut", "-f", "labels", *SMALL)
    killed = subprocess.Popen([sys.executable, "-m", "vcut", *command, "-q"], start_new_session=True)

    def kill(asked) -> bool:
        if asked.writes and "00005" in asked.name:
            os.killpg(killed.pid, signal.SIGKILL)
        return False

    gs.server.denied = kill
    assert killed.wait() == -signal.SIGKILL
    gs.server.denied = lambda asked: False
    left = sorted(gs.files("cut"))
    assert left.pop() == "batch.json" and gs.record("cut")["a [1].mp4"]["status"] == "running"
    assert left and all(name.startswith(".a [1]_labels.vcut-tmp-") for name in left)

    result = vcut(*command)
    assert result.exit_code == 0, result.output
    assert sorted(gs.files("cut")) == [*(f"a [1]_labels/{number:05d}.png" for number in range(10)), "batch.json"]


def test_a_large_result_comes_there_whole(gs, tmp_path):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (960, 1280, 3), np.uint8) for _ in range(6)]
    make_clip(tmp_path / "noise.mp4", pictures=noise, options={"preset": "ultrafast", "crf": "1"})
    save_indexed(tmp_path / "noise.png", np.tri(960, 1280, dtype=np.uint8))
    (job,) = jobs(tmp_path, f"{gs.address}/cut", format="overlay")
    (out,) = row(job)["outputs"]
    (made,) = gs.files("cut").values()
    assert len(made) == out["bytes"] > 5 * 2**20  # gcsfs puts what is larger as a session of several requests
    with av.open(io.BytesIO(made)) as container:
        assert len(list(container.decode(video=0))) == 6


def test_folders_made_by_hand_hold_what_they_hold_once(gs, shots, tmp_path):
    for folder in ("shots", "shots/день", "shots/shots", "shots/empty"):
        gs.mark(folder)
    gs.put("shots/shots/b.mp4", shots / "a [1].mp4")
    found = find_clips(place(gs.upload(shots)))
    assert sorted(clip.name for clip in found) == ["a [1].mp4", "shots/b.mp4", "день/кот.mp4"]
    assert [clip.name for clip in found if clip.mask is None] == ["shots/b.mp4"]
    assert "holds no clips" in told(f"{gs.address}/shots/empty", "-o", tmp_path / "cut")


def test_what_cannot_be_reached_is_told_in_one_line(gs, shots, tmp_path):
    address = gs.upload(shots)
    assert "cannot reach gs://nowhere/shots (not found)" in told("gs://nowhere/shots", "-o", tmp_path / "cut")
    assert "(not found)" in told(shots, "-o", "gs://nowhere/cut")
    assert "cannot reach gs://films/none (not found)" in told(f"{gs.address}/none", "-o", tmp_path / "cut")
    assert "say where they go with --out" in told(gs.address)
    gs.server.denied = lambda asked: True
    assert "Forbidden" in told(address, "-o", tmp_path / "cut")
    gs.server.refusal = (400, "Bucket is a requester pays bucket but no user project provided.")
    assert "Bucket is requester pays" in told(address, "-o", tmp_path / "cut")
    gs.server.refusal = (401, "Anonymous caller does not have storage.objects.list access to the bucket.")
    assert "Anonymous caller does not have" in told(address, "-o", tmp_path / "cut")
    command = (sys.executable, "-m", "vcut", "batch", address, "-o", tmp_path / "cut")  # what pytest does not catch
    alone = subprocess.run(command, capture_output=True, text=True)
    assert alone.returncode == 3 and len(alone.stderr.splitlines()) == 1, alone.stderr
