"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

Item = TypeVar("Item")

Stages = Callable[[str], AbstractContextManager[None]]
"""What a stage runs inside, by its name: :class:`StageTimes`, or what counts something else."""


class StageTimes:
    """Seconds by stage. A stage is timed in one thread only; stages of different threads overlap.

    Args:
        wait: called before the clock is read: on a GPU, which works on while Python goes ahead, what waits for it.

    Attributes:
        seconds: of each stage so far.
    """

    def __init__(self, wait: Callable[[], None] | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._wait = wait

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Adds the time inside to a stage."""
        begin = self._now()
        try:
            yield
        finally:
            self.seconds[stage] += self._now() - begin

    def _now(self) -> float:
        if self._wait:
            self._wait()
        return time.perf_counter()

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; the time that each takes to come is added to a stage."""
        iterator = iter(items)
        while True:
            with self(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
