"""A network leaves a core to what is done beside it, and finds the same as with all of them."""

from __future__ import annotations

import os
import threading
import time
from typing import ClassVar

import pytest
import torch
from moving import disc
from torch import nn

from vcut.cpu import SPIN, let_idle_threads_sleep
from vcut.engine.cores import EXACT, WriteBeside
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import choose_runtime
from vcut.weights import load_model

PLACES = [(100 + 4 * t, 120 + 10 * t) for t in range(5)]


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Spy(nn.Module):
    """Tells how many threads it runs with."""

    def forward(self, _: object) -> int:
        return torch.get_num_threads()


@pytest.mark.parametrize(("cores", "half", "left"), [(1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 2, 2)])
def test_half_of_the_cores_are_left_while_something_is_written_and_no_longer(cores, half, left):
    torch.set_num_threads(cores)
    spy, gate, there = Spy(), threading.Event(), []

    def write(_: object) -> None:
        there.append(torch.get_num_threads())
        assert gate.wait(30)

    with WriteBeside(write) as beside:
        assert spy(0) == cores
        beside.put("frame")
        assert spy(0) == left and spy(0) == left
        elsewhere = []
        other = threading.Thread(target=lambda: (torch.set_num_threads(cores), elsewhere.append(spy(0))))
        other.start()
        other.join()
        assert elsewhere == [cores]  # not in step with what is written here
        gate.set()
        while beside.at_work:
            pass
        assert spy(0) == cores
    assert there == [half]


@pytest.mark.parametrize("error", [None, OSError("disk full")])
def test_all_threads_are_back_afterwards(error):
    def write(_: object) -> None:
        if error:
            raise error

    def run() -> None:
        with WriteBeside(write) as beside:
            beside.put(0)
            Spy()(0)

    if error:
        with pytest.raises(OSError, match="disk full"):
            run()
    else:
        run()
    assert torch.get_num_threads() == 2 and Spy()(0) == 2


@pytest.mark.parametrize("name", ["gam-s", "gam", "gc"])
def test_results_do_not_depend_on_how_many_threads_there_are(name):
    runtime = choose_runtime("cpu")
    if runtime.dtype not in EXACT:
        pytest.skip("in fp32 they do, so threads are not shared")
    frames, labels = disc(PLACES)

    class Moody(WriteBeside):
        """At work in turns, from layer to layer."""

        turns: ClassVar[list[bool]]

        @property
        def at_work(self) -> bool:
            self.turns.append(self.turns.pop(0))
            return self.turns[0]

    def cut(turns: list[bool]) -> list[torch.Tensor]:
        Moody.turns = turns
        propagator = Propagator(load_model(name), runtime, size=320)
        with Moody(print):
            propagator.start(frames[0], labels[0])
            return [propagator.step(frame).probabilities for frame in frames[1:]]

    expected = cut([False])
    for turns in ([True], [False, True, True, True, False]):
        assert all(torch.equal(mine, other) for mine, other in zip(cut(turns), expected, strict=True))


@pytest.mark.parametrize("given", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "passive"}])
def test_idle_threads_sleep_soon_unless_the_user_says_otherwise(monkeypatch, given):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    let_idle_threads_sleep()
    found = {name: os.environ[name] for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY") if name in os.environ}
    assert found == (given or {"GOMP_SPINCOUNT": str(SPIN)})


def test_what_is_read_takes_turns_with_what_is_written_and_counts_as_work():
    spy, reading, read_on, there = Spy(), threading.Event(), threading.Event(), []

    def source():
        there.append(beside.at_work)
        reading.set()
        assert read_on.wait(30)
        yield "frame"

    def write(item: str) -> None:
        there.append(item)

    with WriteBeside(write) as beside:
        assert not beside.at_work and spy(0) == 2
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.extend(beside.share(source())))
        reader.start()
        assert reading.wait(30)
        assert spy(0) == 1
        beside.put("written")
        time.sleep(0.1)
        assert there == [True]  # not written yet
        read_on.set()
        reader.join()
        assert found == ["frame"]
    assert there == [True, "written"]


def test_an_error_of_what_is_read_leaves_the_turn_to_the_writer():
    def source():
        yield 1
        raise OSError("gone")

    written: list[int] = []
    with WriteBeside(written.append) as beside:
        items = beside.share(source())
        assert next(items) == 1
        with pytest.raises(OSError, match="gone"):
            next(items)
        assert not beside.at_work
        beside.put(2)
    assert written == [2]
