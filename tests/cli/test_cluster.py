"""A batch on a Ray cluster of two machines (on this one): a worker and a machine die midway, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import ray
from tools import vcut

from vcut.batch.cluster import Cluster, ClusterOptions
from vcut.batch.find import find_clips
from vcut.batch.plan import plan
from vcut.batch.pool import Pool
from vcut.batch.run import Batch

CLIPS = 6


@pytest.fixture
def shots(scene, tmp_path) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(CLIPS):
        shutil.copy(scene.clip, folder / f"{number}.mp4")
        shutil.copy(scene.mask, folder / f"{number}.png")
    return folder


def batch(shots: Path, out: Path) -> Batch:
    return Batch(plan(find_clips(shots), out, {"format": "labels", "size": 64, "device": "cpu"}), out)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "batch.json"
    }


def test_a_worker_and_a_machine_die_and_nothing_is_lost_or_done_twice(machines, shots, tmp_path):
    cluster, nodes = machines
    ended: list[str] = []

    def tell(job, message):
        if message.kind == "ended":
            ended.append(job.name)
            if len(ended) == 1:
                cluster.remove_node(nodes[0], allow_graceful=False)
            if len(ended) == 2:
                kill_one_worker()

    work = batch(shots, tmp_path / "cluster")
    work.run(tell, lambda jobs: Cluster(ClusterOptions(cluster.address, cpus=1)))
    assert sorted(ended) == [f"{number}.mp4" for number in range(CLIPS)]
    assert dict(work.outcome()) == {"done": CLIPS} and not work.failures()

    alone = batch(shots, tmp_path / "alone")
    alone.run(lambda job, message: None, lambda jobs: Pool(1, threads=1))
    assert files(tmp_path / "cluster") == files(tmp_path / "alone")
    assert sorted(os.listdir(tmp_path / "cluster")) == [*(f"{n}_labels" for n in range(CLIPS)), "batch.json"]

    again = batch(shots, tmp_path / "cluster")
    assert again.left() == []


def test_a_clip_in_chunks_goes_on_elsewhere_when_its_worker_dies(machines, shots, tmp_path):
    cluster, _ = machines
    told: list[str] = []

    def tell(job, message):
        told.append(message.kind)
        if message.kind == "handed" and told.count("handed") == 3:
            kill_one_worker()

    work = batch(shots, tmp_path / "cluster")
    work.run(tell, lambda jobs: Cluster(ClusterOptions(cluster.address, cpus=1)), chunk=4)
    assert dict(work.outcome()) == {"done": CLIPS} and told.count("handed") >= 2 * CLIPS

    alone = batch(shots, tmp_path / "alone")
    alone.run(lambda job, message: None, lambda jobs: Pool(1, threads=1))
    assert files(tmp_path / "cluster") == files(tmp_path / "alone")
    assert sorted(os.listdir(tmp_path / "cluster")) == [*(f"{n}_labels" for n in range(CLIPS)), "batch.json"]


def kill_one_worker() -> None:
    """SIGKILL to one of the processes that are at a clip."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(b"ray::") and b"cut" in command:
                os.kill(int(entry.name), signal.SIGKILL)
                return


def test_without_a_cluster_or_room_it_says_so(machines, shots, tmp_path):
    cluster, _ = machines
    common = ("batch", shots, "-o", tmp_path / "out", "-f", "rle", "--engine", "ray")
    result = vcut(*common, "--address", cluster.address, "--cpus-per-worker", 64)
    assert result.exit_code == 7 and "no room for a worker of 64 CPUs" in result.stderr
    ray.shutdown()
    result = vcut(*common, "--address", "127.0.0.1:1")
    assert result.exit_code == 7 and "no Ray cluster at '127.0.0.1:1'" in result.stderr
