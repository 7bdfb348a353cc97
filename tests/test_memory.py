"""The peak of a process's memory, and measuring it anew."""

from __future__ import annotations

import sys

import calls
import pytest

from vcut.fresh import call_fresh


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a peak be forgotten")
def test_a_peak_is_of_what_came_after_it_was_forgotten() -> None:
    # in a process of its own: what other tests hold and let go of comes and goes at any time
    before, large, later, forgotten = call_fresh(calls.hold, 400_000_000)
    assert large > before + 350e6
    assert abs(later - large) < 5e6  # gone, and still the most; the kernel counts in batches
    assert 5e6 < forgotten < large - 350e6
