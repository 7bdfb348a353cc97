"""One process that cuts clip after clip, with its share of the machine's threads and a GPU of its own where it can."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as StopEvent
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcut.batch.plan import Job
from vcut.errors import ResumeError, VcutError
from vcut.fresh import inside
from vcut.options import SegmentOptions

if TYPE_CHECKING:
    from vcut.video.probe import VideoInfo

EVERY = 0.2
"""Seconds between two messages about a clip's progress."""


@dataclass(frozen=True)
class Message:
    """What is told of a clip: ``given`` to a worker, ``start`` (frames expected or None), ``frame`` (frames done),
    ``writing`` (the frames of a clip in chunks are all known, and are gone through once more), ``notice`` (a sentence),
    and at last ``ended`` (a row of the record), ``stopped``, or ``handed`` back to go on with."""

    kind: str
    value: Any = None


LAST = ("ended", "stopped", "handed")
"""After these a worker is free."""


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

    from vcut.advance import advance
    from vcut.batch.here import Here
    from vcut.pipeline import Watcher, segment_video
    from vcut.report import facts

    here = Here(job)
    told = 0.0

    def started(info: VideoInfo, outputs: list[Path]) -> None:
        here.check(outputs)
        tell(Message("start", here.options.span.length(info.frames_estimate, info.rate)))

    def advanced(frames: int) -> None:
        nonlocal told
        alive()
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            tell(Message("frame", frames))

    watcher = Watcher(started, advanced, lambda text: tell(Message("notice", here.told(text))))

    def run(options: SegmentOptions, chunk: int | None) -> dict[str, Any] | None:
        """Cuts the clip, or a chunk; the row of the record, ``None`` when there is more to do."""
        if chunk:
            if not advance(options, chunk, watcher):
                return None
            here.bring_frames()
            tell(Message("writing"))
            options = replace(options, resume=True)
        summary = segment_video(options, **vars(watcher))
        found = facts(summary)
        here.put(summary.outputs)
        kept = ("outputs", "frames", "frames_resumed", "objects", "model", "losses", "notices")
        return {"status": "partial" if summary.losses else "done", **{name: found[name] for name in kept}}

    begin = time.monotonic()
    try:
        alive()
        with here:
            options = here.options
            if device and options.device in ("auto", "cuda"):
                options = replace(options, device=device)
            try:
                row = run(options, job.chunk)
            except ResumeError:
                if not job.again:
                    raise
                row = run(replace(options, resume=False), None)  # a machine of another kind: from the beginning
        if row is None:
            return Message("handed")
        row = {name: _told(value, here.told) for name, value in row.items()}
    except KeyboardInterrupt:
        return Message("stopped")
    except VcutError as error:
        row = {"status": "failed", "error": here.told(str(error)), "exit_code": error.exit_code}
    except Exception as error:  # a bug of ours, or of a library, must not end the batch
        row = {"status": "failed", "error": inside(error), "exit_code": 1}
    return Message("ended", {**row, "seconds": round(time.monotonic() - begin, 3)})


def _told(value: Any, change: Callable[[str], str]) -> Any:
    """A plain value with all texts in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _told(part, change) for name, part in value.items()}
    return [_told(part, change) for part in value] if isinstance(value, list) else value
