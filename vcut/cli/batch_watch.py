"""Ways to follow a batch: a bar for all clips and one for each that runs, lines of JSON, and silence."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from vcut.batch.plan import Job
from vcut.batch.worker import Message
from vcut.cli import console


class Silence:
    """Says nothing; what the others build on.

    Args:
        jobs: those that are to be done now.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def told(self, job: Job, message: Message) -> None:
        """A worker says something about a clip."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The batch is over."""


class BarsWatch(Silence):
    """Bars on stderr, and a line for each clip that ends."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(jobs)
        self._progress = console.progress("")
        self._all = self._progress.add_task("clips", total=len(jobs), rate="")
        self._tasks: dict[str, Any] = {}

    def told(self, job: Job, message: Message) -> None:
        progress = self._progress
        match message.kind:
            case "start":
                if job.name not in self._tasks:
                    self._tasks[job.name] = progress.add_task(job.name, total=message.value, rate="")
            case "frame":
                task = self._tasks[job.name]
                speed = progress.tasks[progress.task_ids.index(task)].speed
                progress.update(task, completed=message.value, rate=f"{speed:.1f} fps" if speed else "")
            case "writing":
                progress.reset(self._tasks[job.name], description=f"{job.name}, writing")
            case "handed":
                progress.update(self._tasks[job.name], rate="waits")
            case "notice":
                console.notice(f"{job.name}: {message.value}")
            case "ended":
                row = message.value
                if row["status"] == "failed":
                    console.error(f"{job.name}: {row['error']}")
                else:
                    lost = f"; {'; '.join(row['losses'])}" if row["losses"] else ""
                    console.done(f"{job.name}: {row['frames']} frames in {row['seconds']:.1f} s{lost}")
        if message.kind in ("ended", "stopped"):
            if job.name in self._tasks:
                progress.remove_task(self._tasks.pop(job.name))
            progress.advance(self._all)

    def __enter__(self) -> Self:
        if self.jobs:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress.live.is_started:
            self._progress.stop()


class JsonLines(Silence):
    """One JSON object a line on stdout: what each worker says."""

    def told(self, job: Job, message: Message) -> None:
        value = message.value if isinstance(message.value, dict) else {"value": message.value}
        line = {"clip": job.name, "event": message.kind, **value}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
