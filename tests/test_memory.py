"""The peak of a process's memory, and measuring it anew."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HELD = """
import json
import numpy as np
from vcut.memory import forget_peak, peak_bytes

before = peak_bytes("cpu")
held = np.ones(400_000_000, np.uint8)
large = peak_bytes("cpu")
del held
later = peak_bytes("cpu")
forget_peak("cpu")
print(json.dumps([before, large, later, peak_bytes("cpu")]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a peak be forgotten")
def test_a_peak_is_of_what_came_after_it_was_forgotten() -> None:
    # in a process of its own: what other tests hold and let go of comes and goes at any time
    shown = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True).stdout
    before, large, later, forgotten = json.loads(shown)
    assert large > before + 350e6
    assert abs(later - large) < 5e6  # gone, and still the most; the kernel counts in batches
    assert 5e6 < forgotten < large - 350e6
