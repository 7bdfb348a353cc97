"""Calls in processes of their own: what comes back, how they fail, that they are stopped, and whose memory is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import calls
import numpy as np
import pytest

from vcut.errors import InputError, VcutError
from vcut.fresh import call_fresh
from vcut.memory import peak_bytes


def test_what_is_told_and_what_is_returned() -> None:
    heard: list[Any] = []
    assert call_fresh(calls.add, 2, 3, hear=heard.append) == 5
    assert heard == ["adding", 2]


def test_a_large_process_does_not_make_its_child_look_large() -> None:
    held = np.ones(500_000_000, np.uint8)
    process, peak = call_fresh(calls.who)
    assert process != os.getpid() and 5e6 < peak < held.nbytes < peak_bytes("cpu")


def test_an_error_of_the_user_comes_whole() -> None:
    with pytest.raises(InputError) as caught:
        call_fresh(calls.refuse)
    assert (caught.value.what, caught.value.fix) == ("there is nothing here", "look elsewhere")


def test_other_errors_and_deaths_are_one_line() -> None:
    with pytest.raises(VcutError, match=r"an error inside vcut \(ZeroDivisionError: division by zero\)"):
        call_fresh(calls.divide)
    with pytest.raises(VcutError, match="killed, perhaps for want of memory"):
        call_fresh(calls.die, signal.SIGKILL)
    with pytest.raises(VcutError, match=r"its process died \(signal 6\)"):
        call_fresh(calls.die, signal.SIGABRT)


def test_stopped_it_tidies_up_and_is_gone(tmp_path: Path) -> None:
    heard: list[Any] = []

    def stop(said: Any) -> None:
        assert said[1].read_text() == "half"
        heard.append(said)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_fresh(calls.write_slowly, tmp_path / "whole.txt", hear=stop)
    ((process, _),) = heard
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
