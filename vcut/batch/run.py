"""Run a batch: leave out what is done, cut the rest, keep the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vcut.batch.plan import Job
from vcut.batch.record import FAILED, NAME, RUNNING, Record
from vcut.batch.worker import Message
from vcut.weights import resolve
from vcut.weights.digest import sha256_once

Teller = Callable[[Job, Message], None]


class Engine(Protocol):
    """Workers, here or elsewhere."""

    def run(self, jobs: Iterable[Job], tell: Teller) -> None:
        """Cuts all clips, telling of each what its worker says."""


@dataclass(frozen=True)
class Task:
    """A job and what was known of it before: ``done``, ``partial``, ``failed``, ``impossible``, or ``None``."""

    job: Job
    before: str | None


class Batch:
    """Jobs and their record.

    Args:
        jobs: see :func:`vcut.batch.plan.plan`.
        out: folder of the record.

    Attributes:
        tasks: the jobs, with what is known of them.
        record: see there.

    Raises:
        WeightsError: weights that an option names are not there.
        InputError: ``out`` holds a record that is none.
    """

    def __init__(self, jobs: Sequence[Job], out: Path) -> None:
        names = {job.options.weights for job in jobs if job.options}
        self.record = Record(out / NAME, {name: sha256_once(resolve(name)) for name in names})
        self.tasks = [Task(job, "impossible" if job.problem else self.record.state(job)) for job in jobs]

    def left(self, retry_failed: bool = False) -> list[Job]:
        """The jobs that are to be done now."""
        wanted = (None, FAILED) if retry_failed else (None,)
        return [task.job for task in self.tasks if task.before in wanted]

    def run(
        self,
        tell: Teller,
        engine: Callable[[int], Engine],
        *,
        resume: bool = False,
        retry_failed: bool = False,
        chunk: int | None = None,
    ) -> None:
        """Does what is left.

        Args:
            tell: told of each clip what its worker says.
            engine: makes workers for so many jobs.
            resume: go on with clips that were stopped, instead of beginning them anew.
            retry_failed: also those that failed before.
            chunk: frames after which a clip is handed on to the next worker.
        """
        for task in self.tasks:
            if task.job.problem:
                self.record.clips[task.job.name] = {"status": FAILED, "error": task.job.problem, "exit_code": 1}
        self.record.write()

        def told(job: Job, message: Message) -> None:
            if message.kind == "given":
                # from now on what appears at its outputs is ours, even if nobody lives to note its end
                self.record.put(job, {"status": RUNNING})
            elif message.kind == "ended":
                self.record.put(job, message.value)
            tell(job, message)

        jobs = [self._ready(job, resume, chunk) for job in self.left(retry_failed)]
        if jobs:
            engine(len(jobs)).run(jobs, told)

    def outcome(self) -> Counter[str]:
        """How many clips there are of each status; ``left`` are those not done yet."""
        states = [self.record.clips.get(task.job.name, {}).get("status", RUNNING) for task in self.tasks]
        return Counter("left" if state == RUNNING else state for state in states)

    def failures(self) -> list[tuple[str, str]]:
        """Name and reason of each clip that could not be cut."""
        rows = [(task.job.name, self.record.clips.get(task.job.name, {})) for task in self.tasks]
        return [(name, row["error"]) for name, row in rows if row.get("status") == FAILED]

    def _ready(self, job: Job, resume: bool, chunk: int | None) -> Job:
        """A job that may replace what is at its outputs, where that is an earlier result of this batch."""
        assert job.options is not None
        ours = self.record.ours(job)
        options = replace(job.options, resume=resume, overwrite=job.options.overwrite or ours)
        return replace(job, options=options, again=ours, chunk=chunk)
