"""Threads at both ends of the loop."""

from __future__ import annotations

import threading
import time

import pytest

from vcut.engine.queues import WriteBehind, read_ahead


def test_read_ahead_keeps_order_and_stays_a_few_ahead():
    made = []

    def source():
        for i in range(50):
            made.append(i)
            yield i

    seen = []
    for item in read_ahead(source(), depth=2):
        time.sleep(0.001)
        assert len(made) <= item + 5
        seen.append(item)
    assert seen == list(range(50))


def test_read_ahead_raises_the_sources_error_after_what_came_before():
    def source():
        yield 1
        raise ValueError("torn")

    stream = read_ahead(source())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="torn"):
        next(stream)


def test_read_ahead_ends_its_thread_when_left_early():
    def source():
        i = 0
        while True:
            yield i
            i += 1

    stream = read_ahead(source())
    assert next(stream) == 0
    stream.close()
    assert not any(thread.name == "vcut-read" for thread in threading.enumerate())


def test_write_behind_writes_all_in_order_before_it_is_left():
    written = []
    with WriteBehind(lambda item: (time.sleep(0.001), written.append(item))) as behind:
        for i in range(30):
            behind.put(i)
    assert written == list(range(30))


def test_write_behind_raises_the_writers_error_without_hanging():
    def write(item):
        if item == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), WriteBehind(write, depth=1) as behind:
        for i in range(100):
            behind.put(i)


def test_write_behind_drops_what_waits_when_the_loop_fails():
    written = []
    gate = threading.Event()

    def write(item):
        gate.wait(5)
        written.append(item)

    with pytest.raises(KeyboardInterrupt), WriteBehind(write) as behind:
        for i in range(3):
            behind.put(i)
        threading.Timer(0.2, gate.set).start()
        raise KeyboardInterrupt
    assert len(written) <= 1
