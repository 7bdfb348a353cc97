"""The peak of a process's memory, and measuring it anew."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from vcut.memory import forget_peak, peak_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a peak be forgotten")
def test_a_peak_is_of_what_came_after_it_was_forgotten() -> None:
    forget_peak("cpu")  # of other tests in this process
    before = peak_bytes("cpu")
    held = np.ones(400_000_000, np.uint8)
    large = peak_bytes("cpu")
    del held
    assert large > before + 350e6
    assert abs(peak_bytes("cpu") - large) < 5e6  # gone, and still the most; the kernel counts in batches
    forget_peak("cpu")
    assert 5e6 < peak_bytes("cpu") < large - 350e6
