"""Batches from and to S3, spoken with a real server: moto's, in this process."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
import s3fs
from moto.server import DomainDispatcherApplication, create_backend_app
from tools import vcut
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from vcut.batch.find import find_clips
from vcut.batch.listing import read_list
from vcut.batch.plan import Job, plan
from vcut.batch.storage import place
from vcut.batch.worker import Message, cut

SMALL = ("--size", "64", "--device", "cpu")
COMMON = {"format": "labels", "size": 64, "device": "cpu"}


class Server:
    """S3 on this machine; requests for which ``denied`` is true are answered as S3 does without permission."""

    def __init__(self) -> None:
        self._s3 = DomainDispatcherApplication(create_backend_app)
        self.denied: Callable[[Request], bool] = lambda request: False
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environment, start):
        if self.denied(Request(environment)):
            text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            return Response(text, 403, content_type="application/xml")(environment, start)
        return self._s3(environment, start)

    def close(self) -> None:
        self._server.shutdown()


class Bucket:
    """What lies in a bucket of the server."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self._client = boto3.client("s3", endpoint_url=server.address)
        self._client.create_bucket(Bucket=name)

    def put(self, key: str, path: Path) -> None:
        self._client.upload_file(str(path), self.name, key)

    def files(self, under: str) -> dict[str, bytes]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{under}/")
        keys = [row["Key"] for page in pages for row in page.get("Contents", ())]
        read = self._client.get_object
        return {key.removeprefix(f"{under}/"): read(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def remove(self, under: str) -> None:
        for name in self.files(under):
            self._client.delete_object(Bucket=self.name, Key=f"{under}/{name}")

    def record(self, under: str) -> dict[str, dict]:
        return json.loads(self.files(under)["batch.json"])["clips"]


@pytest.fixture
def bucket(monkeypatch) -> Iterator[Bucket]:
    server = Server()
    account = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**account, "AWS_ENDPOINT_URL_S3": server.address}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = Bucket(server, f"films-{id(server)}")
    yield bucket
    s3fs.S3FileSystem.clear_instance_cache()
    server.close()


@pytest.fixture
def shots(scene, tmp_path) -> Path:
    folder = tmp_path / "shots"
    for name in ("a [1].mp4", "день/кот.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.clip, folder / name)
        shutil.copy(scene.mask, (folder / name).with_suffix(".png"))
    (folder / "a [1].json").write_text('{"1": "rabbit"}')
    return folder


def upload(bucket: Bucket, folder: Path) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.put(path.relative_to(folder.parent).as_posix(), path)
    return f"s3://{bucket.name}/{folder.name}"


def jobs(folder: str | Path, out: str | Path, **options: object) -> list[Job]:
    return plan(find_clips(place(str(folder))), place(str(out)), {**COMMON, **options})


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def row(job: Job) -> dict:
    answer = cut(job, lambda message: None)
    assert answer.kind == "ended"
    return answer.value


def test_a_batch_from_s3_to_s3_gives_what_a_local_one_gives(bucket, shots, tmp_path):
    address = upload(bucket, shots)
    (tmp_path / "bad").write_bytes(b"no video")
    bucket.put("shots/broken.mp4", tmp_path / "bad")
    bucket.put("shots/broken.png", shots / "a [1].png")
    command = ("batch", address, "-o", f"s3://{bucket.name}/cut", "-f", "prores,labels", *SMALL)
    result = vcut(*command)
    assert result.exit_code == 1 and "1 of 3 clips could not be cut (broken.mp4)" in result.stderr, result.output
    rows = bucket.record("cut")
    assert {name: row["status"] for name, row in rows.items()} == {
        "a [1].mp4": "done",
        "broken.mp4": "failed",
        "день/кот.mp4": "done",
    }
    assert f"{address}/broken.mp4" in rows["broken.mp4"]["error"] and f"{tempfile.gettempdir()}/vcut-" not in str(rows)
    assert rows["a [1].mp4"]["objects"][0]["name"] == "rabbit"
    assert [out["path"] for out in rows["день/кот.mp4"]["outputs"]] == [
        f"s3://{bucket.name}/cut/день/кот_{ending}" for ending in ("prores.mov", "labels")
    ]
    made = bucket.files("cut")
    alone = vcut("batch", shots, "-o", tmp_path / "cut", "-f", "prores,labels", *SMALL)
    assert alone.exit_code == 0, alone.output
    local = files(tmp_path / "cut")
    assert made.keys() == local.keys() and len(made) == 2 * 11 + 1
    assert {name: made[name] for name in made if name.endswith(".png")} == {
        name: local[name] for name in local if name.endswith(".png")
    }

    again = vcut(*command)
    assert "0 tried now" in again.stderr and bucket.files("cut") == made | {
        "batch.json": bucket.files("cut")["batch.json"]
    }
    bucket.remove("cut/день")
    third = vcut(*command)
    assert "1 tried now" in third.stderr and bucket.files("cut").keys() == made.keys()


def test_clips_here_and_results_there_and_the_other_way_round(bucket, shots, tmp_path):
    address = upload(bucket, shots)
    first, _ = jobs(shots, f"s3://{bucket.name}/cut")
    assert row(first)["outputs"][0]["path"] == f"s3://{bucket.name}/cut/a [1]_labels"
    (tmp_path / "list.csv").write_text(f"clip\n{address}/a [1].mp4\n")
    (job,) = plan(read_list(tmp_path / "list.csv"), tmp_path / "cut", COMMON)
    assert row(job)["status"] == "done"
    (made,) = (tmp_path / "cut").iterdir()
    assert files(made) == bucket.files("cut/a [1]_labels") and len(files(made)) == 10


def test_a_folder_of_pictures_is_cut_from_storage(bucket, shots, scene, tmp_path):
    frames = jobs(shots, tmp_path / "png", format="rgba")[0]
    pictures = Path(row(frames)["outputs"][0]["path"])
    shutil.copy(scene.mask, pictures.with_name("still.png"))
    pictures.rename(pictures.with_name("still"))
    (job,) = jobs(upload(bucket, tmp_path / "png"), f"s3://{bucket.name}/cut")
    assert row(job)["frames"] == 10 and len(bucket.files("cut/still_labels")) == 10


def test_chunks_find_their_way_through_storage(bucket, shots, tmp_path):
    out = f"s3://{bucket.name}/cut"
    job = replace(jobs(upload(bucket, shots), out)[0], chunk=4)
    whole = row(jobs(shots, tmp_path / "cut")[0])
    for known in (4, 8):
        assert cut(job, lambda message: None).kind == "handed"
        assert len(bucket.files("cut/.a [1]_labels.vcut-run")) == known + 2 == len(bucket.files("cut"))
        job = job.going_on()
    done = row(job)
    assert done["status"] == "done" and done["frames_resumed"] == 10
    assert bucket.files("cut/a [1]_labels") == files(Path(whole["outputs"][0]["path"]))
    assert len(bucket.files("cut")) == 10


def test_when_a_result_cannot_be_put_nothing_has_its_name(bucket, shots):
    first, _ = jobs(shots, f"s3://{bucket.name}/cut")
    for refused in (
        lambda request: request.method == "PUT" and "vcut-tmp" in request.path and "00005" in request.path,
        lambda request: request.method == "PUT" and "vcut-tmp" not in request.path and "00005" in request.path,
    ):
        bucket.server.denied = refused
        failed = row(first)
        assert failed["status"] == "failed" and "Access Denied" in failed["error"] and failed["exit_code"] == 6
        assert bucket.files("cut") == {}
    bucket.server.denied = lambda request: False
    assert row(first)["status"] == "done"


@pytest.mark.parametrize("split", [False, True])
def test_what_is_there_is_only_replaced_when_asked(bucket, shots, scene, split):
    name = "a [1]_labels_rabbit" if split else "a [1]_labels"
    bucket.put(f"cut/{name}/00000.png", scene.mask)
    bucket.put(f"cut/{name}/stale.png", scene.mask)
    first, _ = jobs(shots, f"s3://{bucket.name}/cut", split=split)
    said: list[Message] = []
    answer = cut(first, said.append).value
    assert f"s3://{bucket.name}/cut/{name} exists already" in answer["error"] and answer["exit_code"] == 6
    assert "frame" not in [message.kind for message in said] and len(bucket.files(f"cut/{name}")) == 2
    first, _ = jobs(shots, f"s3://{bucket.name}/cut", split=split, overwrite=True)
    assert row(first)["status"] == "done"
    assert sorted(bucket.files(f"cut/{name}")) == [f"{number:05d}.png" for number in range(10)]


def test_what_cannot_be_reached_is_told_in_one_line(bucket, shots, tmp_path, monkeypatch):
    def told(*arguments: object) -> str:
        result = vcut("batch", *arguments, *SMALL)
        assert result.exit_code in (2, 3, 6), result.output
        *before, last = result.stderr.strip().splitlines()  # before it a bar at most
        assert last.startswith("error: ") and len(before) <= 1
        return last

    assert "bucket does not exist" in told("s3://nowhere/shots", "-o", tmp_path / "cut")
    assert "bucket does not exist" in told(shots, "-o", "s3://nowhere/cut")
    assert "no storage that vcut knows" in told("foo://x/y")
    assert "say where they go with --out" in told(f"s3://{bucket.name}")
    bucket.server.denied = lambda request: True
    assert "Access Denied" in told(f"s3://{bucket.name}/shots", "-o", tmp_path / "cut")
    bucket.server.close()
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert "Could not connect" in told(f"s3://{bucket.name}/shots", "-o", tmp_path / "cut")
