"""The examples run from a clone."""

from __future__ import annotations

import subprocess
import sys

from tools import ROOT, example


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_clip_names_a_file():
    found = run(ROOT / "examples" / "clip.py")
    assert found.stdout.strip() == str(example("bigbuckbunny.mp4"))
    assert run(ROOT / "examples" / "clip.py", "nothing.mp4").returncode != 0


def test_library_use_reports_every_frame(scene):
    result = run(ROOT / "examples" / "library_use.py", scene.clip, scene.mask)
    lines = result.stdout.splitlines()
    assert len(lines) == 10 and lines[0].startswith("frame 0: object 1 covers"), result.stderr
