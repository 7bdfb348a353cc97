"""``vcut train`` as a user runs it: started, stopped with Ctrl-C, gone on with."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from vcut.weights.file import read_header

TINY = ("--start", "gam-s", "--steps", "500", "--batch", "1", "--size", "64", "--clip", "2", "--long-clip", "2")


def command(data: Path, folder: Path, *more: str) -> list[str]:
    places = ("--run", str(folder / "run"), "--data", str(data), "--packed", str(folder / "packed"))
    return [sys.executable, "-m", "vcut", "train", *places, "--device", "cpu", *more]


def rows(folder: Path) -> list[dict[str, str]]:
    log = folder / "run" / "log.csv"
    if not log.is_file():
        return []
    with log.open(newline="") as file:
        return list(csv.DictReader(file))


def test_ctrl_c_keeps_all_steps_and_the_same_command_goes_on(data, tmp_path):
    # a session of its own: the signal reaches the trainer and its loader, as from a terminal
    process = subprocess.Popen(
        command(data, tmp_path, *TINY), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not rows(tmp_path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 0, messages
    assert "not at its end" in messages and "Traceback" not in messages
    weights = tmp_path / "run" / "weights.safetensors"
    first = int(read_header(weights)["clips"])
    assert first >= 20
    done = subprocess.run(command(data, tmp_path, "--minutes", "0.001"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(read_header(weights)["clips"]) == first + 1


def test_a_run_without_trunks_is_refused_in_one_line(data, tmp_path):
    done = subprocess.run(command(data, tmp_path, "--steps", "2"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: a new run would start from random trunks; give --backbones")
    assert not (tmp_path / "run").exists()
