"""The cores of a CPU, shared between the network and what is done beside it.

The network takes all cores, and waits in each layer for the slowest of its threads: beside an encoder that takes a
tenth of two cores it needs half as long again. So what is done beside it has half of the cores, and while it is at work
the network leaves it these, from one layer to the next: between layers the number of threads may change at no cost
(0.15 us). Then no core waits, and a clip takes what its work takes. What it finds is the same whenever frames are
written: convolutions give the same bits with any number of threads, and the rest that counts has all of them all the
time (:mod:`vcut.models.parts.order`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from vcut.engine.queues import Item, Read, WriteBehind
from vcut.models.parts.order import fix_threads

EXACT = (torch.bfloat16, torch.int8)
"""Number formats in which convolutions give the same bits with any number of threads (fp32 sums in another order)."""


def half_of_threads() -> int:
    """Half of the threads that torch has here, at least one."""
    return max(1, torch.get_num_threads() // 2)


class WriteBeside(WriteBehind[Item]):
    """Hands items to ``write`` in a thread that has half of the cores; a network in this thread leaves it these
    meanwhile. What is read ahead for the network (:meth:`share`) has the same half, in turns with that.

    A context manager, as :class:`vcut.engine.queues.WriteBehind`; torch has the threads it had when it is left.
    """

    def __init__(self, write: Callable[[Item], None]) -> None:
        def in_turn(item: Item) -> None:
            with self._lane:
                write(item)

        super().__init__(in_turn, depth=1)
        self._all = torch.get_num_threads()
        self._half = half_of_threads()
        self._rest = max(1, self._all - self._half)
        self._lane = threading.Lock()
        self._reads = False

    def __enter__(self) -> Self:
        self._owner = threading.get_ident()
        self._hook = register_module_forward_pre_hook(self._leave_room)
        fix_threads(self._all)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._hook.remove()
            fix_threads(None)
            torch.set_num_threads(self._all)

    @property
    def at_work(self) -> bool:
        """Whether the other half of the cores is in use."""
        return self._reads or super().at_work

    def share(self, items: Iterable[Read]) -> Iterator[Read]:
        """The same items, each fetched while nothing is written; to be asked for in a thread of its own.

        To fetch one is to be work, not waiting: nothing is written meanwhile.
        """
        rest = iter(items)
        while True:
            with self._lane:
                self._reads = True
                try:
                    item = next(rest)
                except StopIteration:
                    return
                finally:
                    self._reads = False
            yield item

    def _work(self) -> None:
        torch.get_num_threads()  # at first asked in a thread, it takes over what another has set last
        torch.set_num_threads(self._half)
        super()._work()

    def _leave_room(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        """Before each part of a network of the thread that hands the items over."""
        if threading.get_ident() == self._owner:
            torch.set_num_threads(self._rest if self.at_work else self._all)
