"""A batch on a Ray cluster whose clips and results lie in S3, as they do where machines share no folder."""

from __future__ import annotations

from stored import SMALL, check_that_nothing_is_done_again, files, jobs, labels
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
    check_that_nothing_is_done_again(s3, command)
