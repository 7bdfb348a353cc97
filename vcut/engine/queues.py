"""Threads at both ends of the loop: frames are decoded ahead and results written behind, a few at a time.

An error in a thread travels to the main loop and is raised there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")

DEPTH = 3
"""Frames that wait between two stages."""


class _End:
    """Marks the end of a stream; carries the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(source: Iterable[Item], depth: int = DEPTH) -> Iterator[Item]:
    """The items of ``source``, fetched by a thread that is at most ``depth`` ahead. Raises what the source raises."""
    waiting: queue.Queue[Item | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in source:
                if not put(item):
                    return
            put(_End())
        except BaseException as error:
            put(_End(error))

    thread = threading.Thread(target=work, name="vcut-read", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class _Hand(Generic[Item]):
    """What hands items on."""

    def share(self, items: Iterable[Read]) -> Iterable[Read]:
        """What is read meanwhile, as it is."""
        return items


class WriteAtOnce(_Hand[Item]):
    """Hands items to ``write`` in the thread that has them; to be used as :class:`WriteBehind` is."""

    def __init__(self, write: Callable[[Item], None]) -> None:
        self.put = write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class WriteBehind(_Hand[Item]):
    """Hands items to ``write`` in a thread, at most ``depth`` waiting.

    A context manager: leaving it waits for what is queued (or drops it when an error is on its way out), then
    raises what
    ``write`` raised.
    """

    def __init__(self, write: Callable[[Item], None], depth: int = DEPTH) -> None:
        self._write = write
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._drop = False
        self._thread = threading.Thread(target=self._work, name="vcut-write", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def put(self, item: Item) -> None:
        """Queues an item; raises the error of an earlier one."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    @property
    def at_work(self) -> bool:
        """Whether something is not written yet."""
        return self._waiting.unfinished_tasks > 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop = kind is not None
        self._waiting.put(_End())
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None and not self._drop:
                try:
                    self._write(item)
                except BaseException as error:
                    self._error = error
            self._waiting.task_done()
