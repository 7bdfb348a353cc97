"""Batches from and to S3, spoken with a real server: moto's, in this process."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import s3fs
from stored import (
    COMMON,
    SMALL,
    check_chunks,
    check_removal,
    check_that_a_record_is_not_lost,
    check_that_nothing_is_half_put,
    files,
    jobs,
    labels,
    row,
    told,
)
from tools import vcut

from vcut.batch.listing import read_list
from vcut.batch.plan import plan
from vcut.batch.worker import Message, cut


def test_a_batch_from_s3_to_s3_gives_what_a_local_one_gives(s3, shots, tmp_path):
    address = s3.upload(shots)
    (tmp_path / "bad").write_bytes(b"no video")
    s3.put("shots/broken.mp4", tmp_path / "bad")
    s3.put("shots/broken.png", shots / "a [1].png")
    command = ("batch", address, "-o", f"{s3.address}/cut", "-f", "prores,labels", *SMALL)
    result = vcut(*command)
    assert result.exit_code == 1 and "1 of 3 clips could not be cut (broken.mp4)" in result.stderr, result.output
    rows = s3.record("cut")
    assert {name: row["status"] for name, row in rows.items()} == {
        "a [1].mp4": "done",
        "broken.mp4": "failed",
        "день/кот.mp4": "done",
    }
    assert f"{address}/broken.mp4" in rows["broken.mp4"]["error"] and f"{tempfile.gettempdir()}/vcut-" not in str(rows)
    assert rows["a [1].mp4"]["objects"][0]["name"] == "rabbit"
    assert [out["path"] for out in rows["день/кот.mp4"]["outputs"]] == [
        f"{s3.address}/cut/день/кот_{ending}" for ending in ("prores.mov", "labels")
    ]
    made = s3.files("cut")
    alone = vcut("batch", shots, "-o", tmp_path / "cut", "-f", "prores,labels", *SMALL)
    assert alone.exit_code == 0, alone.output
    local = files(tmp_path / "cut")
    assert made.keys() == local.keys() and len(made) == 2 * 11 + 1
    assert labels(made) == labels(local)

    again = vcut(*command)
    assert "0 tried now" in again.stderr and s3.files("cut") == made | {"batch.json": s3.files("cut")["batch.json"]}
    s3.remove("cut/день")
    third = vcut(*command)
    assert "1 tried now" in third.stderr and s3.files("cut").keys() == made.keys()


def test_clips_here_and_results_there_and_the_other_way_round(s3, shots, tmp_path):
    address = s3.upload(shots)
    first, _ = jobs(shots, f"{s3.address}/cut")
    assert row(first)["outputs"][0]["path"] == f"{s3.address}/cut/a [1]_labels"
    (tmp_path / "list.csv").write_text(f"clip\n{address}/a [1].mp4\n")
    (job,) = plan(read_list(tmp_path / "list.csv"), tmp_path / "cut", COMMON)
    assert row(job)["status"] == "done"
    (made,) = (tmp_path / "cut").iterdir()
    assert files(made) == s3.files("cut/a [1]_labels") and len(files(made)) == 10


def test_a_folder_of_pictures_is_cut_from_storage(s3, shots, scene, tmp_path):
    frames = jobs(shots, tmp_path / "png", format="rgba")[0]
    pictures = Path(row(frames)["outputs"][0]["path"])
    shutil.copy(scene.mask, pictures.with_name("still.png"))
    pictures.rename(pictures.with_name("still"))
    (job,) = jobs(s3.upload(tmp_path / "png"), f"{s3.address}/cut")
    assert row(job)["frames"] == 10 and len(s3.files("cut/still_labels")) == 10


def test_chunks_find_their_way_through_storage(s3, shots, tmp_path):
    check_chunks(s3, shots, tmp_path / "cut")


def test_when_a_result_cannot_be_put_nothing_has_its_name(s3, shots):
    check_that_nothing_is_half_put(s3, shots, "Access Denied")


def test_files_are_removed_by_their_names(s3, scene):
    check_removal(s3, scene.mask)


def test_a_record_that_cannot_be_read_is_not_begun_anew(s3, shots):
    check_that_a_record_is_not_lost(s3, shots)


@pytest.mark.parametrize("split", [False, True])
def test_what_is_there_is_only_replaced_when_asked(s3, shots, scene, split):
    name = "a [1]_labels_rabbit" if split else "a [1]_labels"
    s3.put(f"cut/{name}/00000.png", scene.mask)
    s3.put(f"cut/{name}/stale.png", scene.mask)
    first, _ = jobs(shots, f"{s3.address}/cut", split=split)
    said: list[Message] = []
    answer = cut(first, said.append).value
    assert f"{s3.address}/cut/{name} exists already" in answer["error"] and answer["exit_code"] == 6
    assert "frame" not in [message.kind for message in said] and len(s3.files(f"cut/{name}")) == 2
    first, _ = jobs(shots, f"{s3.address}/cut", split=split, overwrite=True)
    assert row(first)["status"] == "done"
    assert sorted(s3.files(f"cut/{name}")) == [f"{number:05d}.png" for number in range(10)]


def test_what_cannot_be_reached_is_told_in_one_line(s3, shots, tmp_path, monkeypatch):
    assert "bucket does not exist" in told("s3://nowhere/shots", "-o", tmp_path / "cut")
    assert "bucket does not exist" in told(shots, "-o", "s3://nowhere/cut")
    assert "no storage that vcut knows" in told("foo://x/y")
    assert "say where they go with --out" in told(s3.address)
    s3.server.denied = lambda asked: True
    assert "Access Denied" in told(f"{s3.address}/shots", "-o", tmp_path / "cut")
    s3.server.close()
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert "Could not connect" in told(f"{s3.address}/shots", "-o", tmp_path / "cut")
