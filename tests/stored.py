"""Buckets on a server of this machine, and batches from and to them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tools import vcut

from vcut.batch.find import find_clips
from vcut.batch.plan import Job, plan
from vcut.batch.storage import place, remove
from vcut.batch.worker import cut

SMALL = ("--size", "64", "--device", "cpu")
COMMON = {"format": "labels", "size": 64, "device": "cpu"}


@dataclass(frozen=True)
class Asked:
    """A request that a server has got: for what file of a bucket, if one, and whether it is to be written."""

    name: str
    writes: bool


class Server(ABC):
    """Storage on this machine; requests for which ``denied`` is true are answered as without permission."""

    address: str

    def __init__(self) -> None:
        self.denied: Callable[[Asked], bool] = lambda asked: False

    @abstractmethod
    def close(self) -> None: ...


class Bucket(ABC):
    """What lies in a bucket of the server."""

    def __init__(self, server: Server, kind: str, name: str) -> None:
        self.server = server
        self.name = name
        self.address = f"{kind}://{name}"

    @abstractmethod
    def put(self, key: str, path: Path) -> None: ...

    @abstractmethod
    def files(self, under: str) -> dict[str, bytes]: ...

    @abstractmethod
    def remove(self, under: str) -> None: ...

    def record(self, under: str) -> dict[str, dict]:
        return json.loads(self.files(under)["batch.json"])["clips"]

    def upload(self, folder: Path) -> str:
        """Puts a folder by its name; its address."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(path.relative_to(folder.parent).as_posix(), path)
        return f"{self.address}/{folder.name}"


def jobs(folder: str | Path, out: str | Path, **options: object) -> list[Job]:
    return plan(find_clips(place(str(folder))), place(str(out)), {**COMMON, **options})


def row(job: Job) -> dict:
    answer = cut(job, lambda message: None)
    assert answer.kind == "ended"
    return answer.value


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def labels(files: dict[str, bytes]) -> dict[str, bytes]:
    """The pictures among files."""
    return {name: content for name, content in files.items() if name.endswith(".png")}


def told(*arguments: object) -> str:
    """The one line that a batch that cannot be done ends with."""
    result = vcut("batch", *arguments, *SMALL)
    assert result.exit_code in (2, 3, 6), result.output
    *before, last = result.stderr.strip().splitlines()  # before it a bar at most
    assert last.startswith("error: ") and len(before) <= 1, result.stderr
    return last


def check_that_nothing_is_half_put(bucket: Bucket, shots: Path, says: str) -> None:
    first, _ = jobs(shots, f"{bucket.address}/cut")
    for refused in (
        lambda asked: asked.writes and "vcut-tmp" in asked.name and "00005" in asked.name,
        lambda asked: asked.writes and "vcut-tmp" not in asked.name and "00005" in asked.name,
    ):
        bucket.server.denied = refused
        failed = row(first)
        assert failed["status"] == "failed" and says in failed["error"] and failed["exit_code"] == 6
        assert bucket.files("cut") == {}
    bucket.server.denied = lambda asked: False
    assert row(first)["status"] == "done"


def check_that_nothing_is_done_again(bucket: Bucket, command: tuple[object, ...]) -> None:
    """A batch that is done only brings its record up to date when it is run once more."""
    made, written = labels(bucket.files("cut")), []
    bucket.server.denied = lambda asked: asked.writes and bool(written.append(asked.name))
    again = vcut(*command)
    assert again.exit_code == 0 and "0 tried now" in again.stderr
    assert written == ["cut/batch.json"] and labels(bucket.files("cut")) == made


def check_chunks(bucket: Bucket, shots: Path, folder: Path) -> None:
    job = replace(jobs(bucket.upload(shots), f"{bucket.address}/cut")[0], chunk=4)
    whole = row(jobs(shots, folder)[0])
    for known in (4, 8):
        assert cut(job, lambda message: None).kind == "handed"
        assert len(bucket.files("cut/.a [1]_labels.vcut-run")) == known + 2 == len(bucket.files("cut"))
        job = job.going_on()
    done = row(job)
    assert done["status"] == "done" and done["frames_resumed"] == 10
    assert bucket.files("cut/a [1]_labels") == files(Path(whole["outputs"][0]["path"]))
    assert len(bucket.files("cut")) == 10


def check_that_a_record_is_not_lost(bucket: Bucket, shots: Path) -> None:
    """Where the record is there and cannot be read, a batch ends before it begins anew."""
    address, out = bucket.upload(shots), f"{bucket.address}/cut"
    bucket.put("cut/batch.json", shots / "a [1].json")  # its content is never seen
    before = bucket.files("cut")
    bucket.server.denied = lambda asked: asked.name == "cut/batch.json" and not asked.writes
    assert f"cannot reach {out}/batch.json" in told(address, "-o", out)
    bucket.server.denied = lambda asked: False
    assert bucket.files("cut") == before


def check_removal(bucket: Bucket, picture: Path) -> None:
    """Files go by their names, whatever is in those, and without a look at all that lies beside them each time."""
    names = [f"{name}/{number}.png" for name in ("a", "a [1]", "b*") for number in range(8)]
    for name in (*names, "a [2]/0.png", "bb/0.png", "a 1/0.png"):
        bucket.put(f"cut/{name}", picture)
    asked: list[str] = []
    bucket.server.denied = lambda request: bool(asked.append(request.name))
    folder = place(f"{bucket.address}/cut")
    remove([f"{folder.path}/{name}" for name in (*names, "a [1]/none.png", "none.png")], folder.fs)
    assert asked.count("") <= 3
    assert sorted(bucket.files("cut")) == ["a 1/0.png", "a [2]/0.png", "bb/0.png"]
