"""Narrow pictures: encoders that work on many columns at once must not write beyond their memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vcut.video.formats import FORMATS, Format

VIDEO = [row for row in FORMATS.values() if row.kind == "video"]
TIMES = 12

WRITE = """
import sys
from pathlib import Path
import numpy as np
from vcut.video.background import Colour
from vcut.video.cutout import Cutout
from vcut.video.formats import FORMATS
from vcut.video.reader import open_source
from vcut.video.writer import open_writer
clip, out, fmt, times = Path(sys.argv[1]), Path(sys.argv[2]), FORMATS[sys.argv[3]], int(sys.argv[4])
with open_source(clip) as source:
    info, frames = source.info, list(source)
opaque = np.full(frames[0].rgb.shape[:2], 255, np.uint8)
for _ in range(times):
    with open_writer(out, fmt, info, True, background=Colour((40, 120, 200))) as writer:
        for frame in frames:
            writer.write(Cutout(frame, np.ones_like(opaque), opaque))
"""


@pytest.mark.parametrize("width", [18, 36, 44])
@pytest.mark.parametrize("fmt", VIDEO, ids=lambda row: row.name)
def test_narrow_pictures_leave_the_memory_whole(
    make_clip: Callable[..., Path], tmp_path: Path, fmt: Format, width: int
) -> None:
    """glibc ends a process (signal 6) whose heap was written over; one file often goes well, a dozen do not."""
    random = np.random.default_rng(width)
    pictures = list(random.integers(0, 256, (6, 40, width, 3), np.uint8))
    clip = make_clip(tmp_path / "clip.mkv", pictures=pictures, codec="ffv1", pixel_format="yuv444p")
    out = tmp_path / f"out{fmt.suffix}"
    command = [sys.executable, "-c", WRITE, str(clip), str(out), fmt.name, str(TIMES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert out.stat().st_size > 0
