"""A batch on a Ray cluster whose clips and results lie in S3, as they do where machines share no folder."""

from __future__ import annotations

from stored import SMALL, files, jobs, labels
from tools import vcut

from vcut.batch.pool import Pool
from vcut.batch.run import Batch


def test_a_batch_on_a_cluster_from_s3_to_s3_gives_what_one_process_gives(s3, machines, shots, tmp_path):
    cluster, _ = machines
    command = ("batch", s3.upload(shots), "-o", f"{s3.address}/cut", "-f", "labels", *SMALL)
    command += ("--engine", "ray", "--address", cluster.address, "--cpus-per-worker", 1)
    result = vcut(*command)
    assert result.exit_code == 0, result.output
    assert {row["status"] for row in s3.record("cut").values()} == {"done"}

    alone = Batch(jobs(shots, tmp_path / "cut"), tmp_path / "cut")
    alone.run(lambda job, message: None, lambda jobs: Pool(1, threads=1))
    made, local = s3.files("cut"), files(tmp_path / "cut")
    assert made.keys() == local.keys() and len(made) == 2 * 10 + 1
    assert labels(made) == labels(local)

    written: list[str] = []
    s3.server.denied = lambda asked: asked.writes and bool(written.append(asked.name))
    again = vcut(*command)
    assert again.exit_code == 0 and "0 tried now" in again.stderr
    assert written == ["cut/batch.json"] and labels(s3.files("cut")) == labels(made)
