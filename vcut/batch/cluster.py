"""Jobs on a Ray cluster: Ray places the workers, restarts nothing by itself, and says who is gone.

Each worker is an actor with its share of CPUs and GPUs and one clip at a time, so that no more clips are under way than
workers. A clip whose worker or machine dies goes to another one, which goes on where the state was saved last (outputs
lie on storage that all machines share).
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vcut.batch.plan import Job
from vcut.batch.worker import Message, cut
from vcut.errors import DeviceError, OptionError

if TYPE_CHECKING:
    from ray.actor import ActorHandle

POLL = 1.0
"""Seconds between two looks at how far the clips are."""

GRACE = 60.0
"""Seconds that workers get to leave a clip after Ctrl-C."""

ATTEMPTS = 3
"""Workers that may die over one clip before it counts as failed."""


@dataclass(frozen=True)
class ClusterOptions:
    """What workers get.

    Attributes:
        address: of the cluster, as Ray writes it; ``auto`` finds one that runs here.
        workers: how many at most; 0 for as many as fit.
        cpus: cores of each, and its threads.
        gpus: GPUs of each, a fraction for several on one; ``None`` for one each where there are any.
    """

    address: str = "auto"
    workers: int = 0
    cpus: float = 2
    gpus: float | None = None


@dataclass
class _Seat:
    """An actor, and what is awaited of it: that it is ready, or the clip it is at."""

    actor: ActorHandle
    future: Any
    job: Job | None = None


class Cluster:
    """Workers on a Ray cluster.

    Args:
        options: see there.

    Raises:
        OptionError: ray is not installed.
        DeviceError: no cluster can be reached, or none of its machines has room for a worker.
    """

    def __init__(self, options: ClusterOptions) -> None:
        try:
            import ray
        except ImportError:
            raise OptionError("--engine ray needs Ray", "pip install 'vcut-video[ray]'") from None
        self._ray = ray
        self._options = options
        if not ray.is_initialized():
            try:
                _knock(options.address)  # where nobody listens, Ray ends the process
                ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, RuntimeError, ValueError) as error:
                text = " ".join(str(error).split())[:160]
                raise DeviceError(
                    f"no Ray cluster at '{options.address}' ({text})", "start one: ray start --head"
                ) from error
        there = ray.cluster_resources()
        self._gpus = options.gpus if options.gpus is not None else 1.0 if there.get("GPU") else 0.0
        room = there.get("GPU", 0) / self._gpus if self._gpus else there.get("CPU", 0) / options.cpus
        self._most = min(options.workers or int(room), int(room))
        if self._most < 1:
            raise DeviceError(
                f"the Ray cluster has no room for a worker of {options.cpus:g} CPUs and {self._gpus:g} GPUs",
                "give --cpus-per-worker and --gpus-per-worker that fit",
            )

    def run(self, jobs: Iterable[Job], tell: Callable[[Job, Message], None]) -> None:
        """Cuts all clips; see :meth:`vcut.batch.pool.Pool.run`."""
        waiting, lost = list(jobs)[::-1], Counter[str]()
        seats: list[_Seat] = []
        try:
            while waiting or any(seat.job for seat in seats):
                while len(seats) < min(self._most, len(waiting) + sum(seat.job is not None for seat in seats)):
                    seats.append(self._open())
                ready, _ = self._ray.wait([seat.future for seat in seats], num_returns=1, timeout=POLL)
                for seat in [seat for seat in seats if seat.future in ready]:
                    try:
                        answer = self._ray.get(seat.future)
                    except self._ray.exceptions.RayError as error:
                        seats.remove(seat)
                        self._lose(seat, error, waiting, lost, tell)
                        continue
                    if seat.job is not None:
                        tell(seat.job, answer)
                        if answer.kind == "handed":
                            waiting.insert(0, seat.job.going_on())
                    if not self._next(seat, waiting, tell):
                        seats.remove(seat)
                self._look(seats, tell)
        except BaseException:
            self._stop(seats, tell)
            raise
        finally:
            for seat in seats:
                self._ray.kill(seat.actor)

    def _open(self) -> _Seat:
        actor = (
            self._ray.remote(_Cutter)
            .options(num_cpus=self._options.cpus, num_gpus=self._gpus, max_concurrency=2, max_restarts=0)
            .remote(max(1, int(self._options.cpus)))
        )
        return _Seat(actor, actor.ready.remote())

    def _next(self, seat: _Seat, waiting: list[Job], tell: Callable[[Job, Message], None]) -> bool:
        """Gives a worker its next clip; false when there is none, and the worker is let go."""
        seat.job = waiting.pop() if waiting else None
        if seat.job is None:
            self._ray.kill(seat.actor)
            return False
        tell(seat.job, Message("given"))
        seat.future = seat.actor.cut.remote(seat.job)
        return True

    def _lose(
        self,
        seat: _Seat,
        error: Exception,
        waiting: list[Job],
        lost: Counter[str],
        tell: Callable[[Job, Message], None],
    ) -> None:
        """A worker is gone: its clip goes to the next one that is free."""
        with suppress(Exception):
            self._ray.kill(seat.actor)
        job = seat.job
        if job is None or job.options is None:
            return
        lost[job.name] += 1
        if lost[job.name] < ATTEMPTS:
            tell(job, Message("notice", "its worker is gone; another one goes on"))
            waiting.append(replace(job, options=replace(job.options, overwrite=True)).going_on())
            return
        text = f"{ATTEMPTS} workers died over it ({type(error).__name__})"
        tell(job, Message("ended", {"status": "failed", "error": text, "exit_code": 1, "seconds": 0.0}))

    def _look(self, seats: list[_Seat], tell: Callable[[Job, Message], None]) -> None:
        """Tells how far each clip is."""
        asked = {seat.actor.said.remote(): seat for seat in seats if seat.job is not None}
        if not asked:
            return
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=POLL)
        for future in ready:
            seat = asked[future]
            with suppress(self._ray.exceptions.RayError):
                for message in self._ray.get(future):
                    if seat.job is not None:
                        tell(seat.job, message)

    def _stop(self, seats: list[_Seat], tell: Callable[[Job, Message], None]) -> None:
        """After Ctrl-C: lets each worker leave its clip at the next frame."""
        busy = [seat for seat in seats if seat.job is not None]
        for seat in busy:
            seat.actor.stop.remote()
        ready, _ = (
            self._ray.wait([seat.future for seat in busy], num_returns=len(busy), timeout=60) if busy else ([], [])
        )
        for seat in busy:
            if seat.future in ready and seat.job is not None:
                with suppress(self._ray.exceptions.RayError):
                    tell(seat.job, self._ray.get(seat.future))


def _knock(address: str) -> None:
    """Raises OSError where nobody answers at ``host:port``."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=5).close()


class _Cutter:
    """A worker on a machine of the cluster; one thread cuts, another answers how far it is."""

    def __init__(self, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._said: list[Message] = []
        self._stopping = False

    def ready(self) -> bool:
        return True

    def cut(self, job: Job) -> Message:
        return cut(job, self._said.append, self._alive)

    def said(self) -> list[Message]:
        said, self._said[:] = list(self._said), []
        return said

    def stop(self) -> None:
        self._stopping = True

    def _alive(self) -> None:
        if self._stopping:
            raise KeyboardInterrupt
