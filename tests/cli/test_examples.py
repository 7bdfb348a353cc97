"""The examples run from a clone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tools import RABBIT, ROOT, example, vcut

from vcut.weights.manifest import load_manifest


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


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory):
    """Cuts the rabbit out of 10 frames with a network; the last mask, H,W bool."""

    def cut(name):
        out = tmp_path_factory.mktemp("cut") / name
        part = ("--start", "56", "--end", "66", "--format", "labels", "--output", out)
        result = vcut("segment", example("bigbuckbunny.mp4"), "--mask", RABBIT, "--model", name, *part)
        assert result.exit_code == 0, result.output
        *_, last = sorted(out.iterdir())
        return np.array(Image.open(last)) > 0

    return cut


@pytest.fixture(scope="module")
def by_default(rabbit):
    return rabbit("gam-s")


@pytest.mark.parametrize("name", sorted(set(load_manifest()) - {"gam-s"}))
def test_every_network_keeps_hold_of_the_rabbit(rabbit, by_default, name):
    """It has what the default network has at the end, and little else."""
    last, expected = rabbit(name), by_default
    assert last.shape == expected.shape == (720, 1280)
    assert (last & expected).sum() > 0.9 * expected.sum()
    assert (last & expected).sum() > 0.9 * (last | expected).sum()
