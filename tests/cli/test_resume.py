"""A run that was killed goes on with --resume, and ends as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from tools import RABBIT, ROOT, example, vcut

COMMON = ("segment", example("bigbuckbunny.mp4"), "-m", RABBIT, "--size", "128", "--start", "56", "--device", "cpu")


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def pictures(video: Path) -> list[bytes]:
    with av.open(video) as container:
        return [frame.to_ndarray(format="rgba").tobytes() for frame in container.decode(video=0)]


OFTEN = "import vcut.journal; vcut.journal.SECONDS = 0.3; from vcut.cli import main; main()"
"""The command, with a state before a fast machine is at the end of so short a clip."""


def kill_when_it_has_a_state(arguments: tuple[object, ...], journal: Path) -> None:
    command = [sys.executable, "-c", OFTEN, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (journal / "state.pt").is_file():
            assert process.poll() is None, "the run was over before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    result = vcut(*COMMON, "-f", "labels,ffv1", "-o", out / "cut")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["cut_ffv1.mkv", "cut_labels"]
    return out


def test_after_kill_9_resume_gives_identical_results(whole, tmp_path):
    run = (*COMMON, "-f", "labels,ffv1", "-o", tmp_path / "cut")
    kill_when_it_has_a_state(run, tmp_path / ".cut_labels.vcut-run")
    assert not (tmp_path / "cut_labels").exists() and not (tmp_path / "cut_ffv1.mkv").exists()
    result = vcut(*run, "--resume")
    assert result.exit_code == 0, result.output
    assert "from before" in result.stderr
    assert files(tmp_path / "cut_labels") == files(whole / "cut_labels")
    assert pictures(tmp_path / "cut_ffv1.mkv") == pictures(whole / "cut_ffv1.mkv")
    assert not (tmp_path / ".cut_labels.vcut-run").exists()


def test_a_stopped_run_is_not_gone_on_with_other_options(tmp_path):
    run = (*COMMON, "-o", tmp_path / "cut")
    kill_when_it_has_a_state(run, tmp_path / ".cut.vcut-run")
    result = vcut(*run, "--resume", "--end", "70")
    assert result.exit_code == 3 and "had another --start or --end" in result.stderr
    assert (tmp_path / ".cut.vcut-run" / "state.pt").is_file()  # still there for the right command


def test_resume_without_a_stopped_run_begins(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", "--resume")
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["cut"]
