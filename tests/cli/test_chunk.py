"""Clips that go from worker to worker in chunks come out as if one had cut them in one go."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from tools import RABBIT, ROOT, example, vcut

SMALL = ("--size", "64", "--device", "cpu")
TWO = (*SMALL, "--workers", "2")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pictures(video: Path) -> list[bytes]:
    with av.open(video) as container:
        return [frame.to_ndarray(format="rgba64le").tobytes() for frame in container.decode(video=0)]


@pytest.fixture
def shots(scene, tmp_path) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    for name in "abc":
        shutil.copy(scene.clip, folder / f"{name}.mp4")
        shutil.copy(scene.mask, folder / f"{name}.png")
    return folder


def test_chunks_by_two_workers_give_what_one_go_gives(shots, tmp_path):
    command = ("batch", shots, "-f", "prores,labels", *TWO)
    assert vcut(*command, "-o", tmp_path / "whole").exit_code == 0
    result = vcut(*command, "-o", tmp_path / "parts", "--chunk", "4", "--json")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        kinds = [event["event"] for event in events if event["clip"] == name]
        assert kinds.count("given") == 3 and kinds.count("handed") == 2 and kinds[-1] == "ended"
    whole, parts = (files(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys() and len(parts) == 3 * 11 + 1
    labels = [name for name in whole if name.endswith(".png")]
    assert [parts[name] for name in labels] == [whole[name] for name in labels]
    for name in "abc":
        video = f"{name}_prores.mov"
        assert pictures(tmp_path / "parts" / video) == pictures(tmp_path / "whole" / video)


def test_after_kill_9_among_chunks_resume_gives_identical_labels(tmp_path):
    root, out = tmp_path / "shots", tmp_path / "out"
    root.mkdir()
    shutil.copy(example("bigbuckbunny.mp4"), root / "a.mp4")
    shutil.copy(RABBIT, root / "a.png")
    arguments = ["batch", root, "-f", "labels", *SMALL, "--start", "56", "--end", "86"]
    chunked = [*arguments, "-o", out, "--chunk", "12"]
    journal = out / ".a_labels.vcut-run"
    command = [sys.executable, "-m", "vcut", *map(str, chunked)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while not (journal / "00000014.z").is_file():  # in the second chunk
            assert process.poll() is None, "the batch was over before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (out / "a_labels").exists() and (journal / "state.pt").is_file()
    time.sleep(1)  # a worker whose parent is gone leaves at its next frame
    result = vcut(*chunked, "--resume", "--json")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert 1 < [event["event"] for event in events].count("given") < 4
    assert vcut(*arguments, "-o", tmp_path / "whole").exit_code == 0
    labels = files(out / "a_labels")
    assert labels == files(tmp_path / "whole" / "a_labels") and len(labels) == 30
    assert sorted(path.name for path in out.iterdir()) == ["a_labels", "batch.json"]
