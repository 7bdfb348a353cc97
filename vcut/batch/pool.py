"""Several workers on one machine: who is free gets the next clip, and who dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from vcut.batch.plan import Job
from vcut.batch.worker import LAST, Message, work
from vcut.fresh import cause_of_end

GRACE = 60.0
"""Seconds that workers get to leave a clip after Ctrl-C."""


@dataclass
class _Seat:
    process: SpawnProcess
    pipe: Connection
    job: Job | None = None


class Pool:
    """Worker processes; a context manager.

    Args:
        workers: how many.
        gpus: how many GPUs they are spread over; 0 for none.
        threads: of each; the machine's, shared out, when ``None``.
    """

    def __init__(self, workers: int, gpus: int = 0, threads: int | None = None) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._threads = threads or max(1, (os.cpu_count() or 1) // workers)
        self._gpus = gpus
        self._workers = workers
        self._seats: list[_Seat] = []

    def run(self, jobs: Iterable[Job], tell: Callable[[Job, Message], None]) -> None:
        """Cuts all clips, telling of each what its worker says.

        Ctrl-C lets workers stop at their next frame, so that ``--resume`` can go on there, and is raised again.
        """
        waiting = list(jobs)[::-1]
        self._seats = [self._open(number) for number in range(min(self._workers, len(waiting)))]
        try:
            for seat in self._seats:
                self._next(seat, waiting, tell)
            while any(seat.job for seat in self._seats):
                for pipe in wait([seat.pipe for seat in self._seats if seat.job]):
                    number = next(i for i, seat in enumerate(self._seats) if seat.pipe is pipe)
                    self._hear(number, waiting, tell)
        except BaseException:
            self._stop.set()
            self._drain(tell)
            raise
        finally:
            self._close()

    def _hear(self, number: int, waiting: list[Job], tell: Callable[[Job, Message], None]) -> None:
        seat = self._seats[number]
        assert seat.job is not None
        try:
            message = seat.pipe.recv()
        except (EOFError, OSError):
            seat.process.join()
            error = f"its worker died ({cause_of_end(seat.process.exitcode)})"
            message = Message("ended", {"status": "failed", "error": error, "exit_code": 1, "seconds": 0.0})
            job, seat = seat.job, self._open(number)
            self._seats[number] = seat
            tell(job, message)
            self._next(seat, waiting, tell)
            return
        tell(seat.job, message)
        if message.kind == "handed":
            waiting.insert(0, seat.job.going_on())
        if message.kind in LAST:
            self._next(seat, waiting, tell)

    def _next(self, seat: _Seat, waiting: list[Job], tell: Callable[[Job, Message], None]) -> None:
        seat.job = waiting.pop() if waiting else None
        if seat.job:
            tell(seat.job, Message("given"))
            seat.pipe.send(seat.job)

    def _open(self, number: int) -> _Seat:
        mine, theirs = self._context.Pipe()
        device = f"cuda:{number % self._gpus}" if self._gpus > 1 else None
        process = self._context.Process(
            target=work, args=(theirs, self._stop, self._threads, device), name=f"vcut-{number}", daemon=True
        )
        process.start()
        theirs.close()
        return _Seat(process, mine)

    def _drain(self, tell: Callable[[Job, Message], None]) -> None:
        """Hears out those who are at a clip; each says once more how it ended."""
        for seat in self._seats:
            while seat.job and seat.pipe.poll(GRACE):
                try:
                    message = seat.pipe.recv()
                except (EOFError, OSError):
                    break
                if message.kind in LAST:
                    tell(seat.job, message)
                    seat.job = None

    def _close(self) -> None:
        for seat in self._seats:
            with suppress(OSError):
                seat.pipe.send(None)
            seat.pipe.close()
        for seat in self._seats:
            seat.process.join(5)
            if seat.process.is_alive():
                seat.process.terminate()
                seat.process.join()
