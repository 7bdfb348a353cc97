"""Runs commands in worker processes, with a deadline for each; a worker that hangs or dies is replaced."""

from __future__ import annotations

import json
import os
import queue
import selectors
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).resolve().parents[2]

STARTING = 600
"""Seconds that importing torch may take."""

Job = tuple[list[str], str]


class Worker:
    """One process of :mod:`contract.worker`.

    Args:
        log: where it writes why it died, if it does.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            )
        if self._line(STARTING) != b"ready\n":
            self._process.kill()
            raise RuntimeError(f"the worker does not start: {log.read_text()[-3000:]}")

    def run(self, job: Job, seconds: float) -> dict[str, Any]:
        """The worker's answer; or ``{"ended": why}`` when there is none, and the worker is dead then."""
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._line(seconds)
        if answer is None:
            self._process.kill()
            self._process.wait()
            return {"ended": f"no end after {seconds} s"}
        if not answer:
            return {"ended": f"killed by signal {-self._process.wait()}: {self._log.read_text()[-3000:]}"}
        return json.loads(answer)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it; it has nothing to do."""
        self._process.stdin.close()
        self._process.wait(60)

    def _line(self, seconds: float) -> bytes | None:
        """The next line; empty where the process is gone, None where it says nothing in time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return None
        return self._process.stdout.readline()


def run_all(jobs: Sequence[Job], folder: Path, seconds: float, workers: int = 2) -> list[dict[str, Any]]:
    """The answers to all jobs, in their order."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    answers: list[dict[str, Any]] = [{}] * len(jobs)

    def work(which: int) -> None:
        worker = None
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                break
            if worker is None or not worker.alive:
                worker = Worker(folder / f"worker_{which}.log")
            answers[number] = worker.run(jobs[number], seconds)
        if worker is not None and worker.alive:
            worker.close()

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, range(workers)))
    return answers
