"""One process that cuts clip after clip, with its share of the machine's threads and a GPU of its own where it can."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as StopEvent
from typing import Any

from vcut.batch.plan import Job
from vcut.errors import ResumeError, VcutError
from vcut.options import SegmentOptions

EVERY = 0.2
"""Seconds between two messages about a clip's progress."""


@dataclass(frozen=True)
class Message:
    """What is told of a clip: ``given`` to a worker, ``start`` (frames expected or None), ``frame`` (frames done),
    ``notice`` (a sentence), and at its end ``ended`` (a row of the record) or ``stopped``."""

    kind: str
    value: Any = None


def work(pipe: Connection, stop: StopEvent, threads: int, device: str | None) -> None:
    """Takes jobs from the pipe until ``None`` comes, and tells what becomes of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    import torch

    torch.set_num_threads(threads)
    parent = os.getppid()

    def alive() -> None:
        if stop.is_set() or os.getppid() != parent:
            raise KeyboardInterrupt

    while True:
        try:
            job = pipe.recv()
            if job is None:
                return
            pipe.send(cut(job, lambda message: pipe.send(message), alive, device))
        except (EOFError, BrokenPipeError):
            return


def cut(
    job: Job, tell: Callable[[Message], None], alive: Callable[[], None] = lambda: None, device: str | None = None
) -> Message:
    """Cuts one clip; whatever goes wrong with it is in the answer.

    Args:
        job: one that can be cut.
        tell: told of its progress.
        alive: called after every frame; raises KeyboardInterrupt to stop.
        device: instead of an ``auto`` or ``cuda`` of the options.
    """
    import time

    from vcut.pipeline import Summary, segment_video
    from vcut.report import facts
    from vcut.video.place import sweep

    assert job.options is not None
    options = job.options
    if device and options.device in ("auto", "cuda"):
        options = replace(options, device=device)
    told = 0.0

    def advanced(frames: int) -> None:
        nonlocal told
        alive()
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            tell(Message("frame", frames))

    def run(options: SegmentOptions) -> Summary:
        return segment_video(
            options,
            on_start=lambda info, outputs: tell(Message("start", options.span.length(info.frames_estimate, info.rate))),
            on_frame=advanced,
            on_notice=lambda text: tell(Message("notice", text)),
        )

    begin = time.monotonic()
    try:
        alive()
        if job.again:
            for out in job.outputs:
                sweep(out)
        try:
            summary = run(options)
        except ResumeError:
            if not job.again:
                raise
            summary = run(replace(options, resume=False))  # a machine of another kind: from the beginning
    except KeyboardInterrupt:
        return Message("stopped")
    except VcutError as error:
        row = {"status": "failed", "error": str(error), "exit_code": error.exit_code}
    except Exception as error:  # a bug of ours, or of a library, must not end the batch
        text = " ".join(f"{type(error).__name__}: {error}".split())
        row = {"status": "failed", "error": f"an error inside vcut ({text})", "exit_code": 1}
    else:
        found = facts(summary)
        kept = ("outputs", "frames", "frames_resumed", "objects", "model", "losses", "notices")
        row = {"status": "partial" if summary.losses else "done", **{name: found[name] for name in kept}}
    return Message("ended", {**row, "seconds": round(time.monotonic() - begin, 3)})
