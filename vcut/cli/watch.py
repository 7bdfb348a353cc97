"""Three ways to follow a run: a progress bar, lines of JSON for programs, and silence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vcut.cli import console
from vcut.errors import VcutError

if TYPE_CHECKING:
    from vcut.pipeline import Summary
    from vcut.video.probe import VideoInfo
    from vcut.video.span import Span


class QuietWatch:
    """Says nothing; a context manager around a run, and what the others build on."""

    def started(self, info: VideoInfo, outputs: list[Path]) -> None:
        """Work begins."""

    def advanced(self, frames: int) -> None:
        """So many frames are done."""

    def noticed(self, text: str) -> None:
        """Something that the user should see."""

    def ended(self, summary: Summary) -> None:
        """The output is there."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over, with an error or without."""


class BarWatch(QuietWatch):
    """A progress bar and a line at the end, on stderr.

    Args:
        span: the part of the clip that is cut.
        title: before the bar.
        verbose: also tell of the source, the network and the time by stage.
    """

    def __init__(self, span: Span, title: str, verbose: bool = False) -> None:
        self._span = span
        self._verbose = verbose
        self._progress = console.progress("frames")
        self._task = self._progress.add_task(title, total=None, rate="")

    def started(self, info: VideoInfo, outputs: list[Path]) -> None:
        total = self._span.length(info.frames_estimate, info.rate)
        self._progress.update(self._task, total=total and max(total, 1))
        if self._verbose:
            rate = f"{float(info.rate):g} frames/s" if info.rate else "no frame rate"
            sound = "sound" if info.has_audio else "no sound"
            console.notice(f"{info.path}: {info.width} x {info.height}, {rate}, {info.depth} bits, {sound}")
            for out in outputs:
                console.notice(f"writing {out}")
        self._progress.start()

    def advanced(self, frames: int) -> None:
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, completed=frames, rate=f"{speed:.1f} fps" if speed else "")

    def noticed(self, text: str) -> None:
        console.notice(text)

    def ended(self, summary: Summary) -> None:
        self._stop()
        network = summary.stages["network"]
        done = summary.frames - summary.resumed
        fps = f", network {done / network:.1f} frames/s" if done and network else ""
        resumed = f" ({summary.resumed} from before)" if summary.resumed else ""
        console.done(
            f"{', '.join(map(str, summary.outputs))}: {summary.frames} frames{resumed}, "
            f"{len(summary.objects)} object(s), {', '.join(dict.fromkeys(summary.formats))}; "
            f"{summary.seconds:.1f} s{fps} on {summary.runtime}"
        )
        if self._verbose:
            stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary.stages.items())
            console.notice(f"seconds by stage (decode and write run beside the others): {stages}")
            console.notice(
                f"{summary.architecture} from {summary.weights}, context {summary.memory_bytes / 1e6:.1f} MB"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress.live.is_started:  # else rich writes an empty line
            self._progress.stop()


class JsonWatch(QuietWatch):
    """One JSON object a line on stdout: ``start``, ``frame``, ``notice``, then ``done`` or ``error``."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def started(self, info: VideoInfo, outputs: list[Path]) -> None:
        from vcut.report import source_facts

        total = self._span.length(info.frames_estimate, info.rate)
        _emit("start", input=source_facts(info), outputs=[str(out) for out in outputs], frames_estimate=total)

    def advanced(self, frames: int) -> None:
        _emit("frame", frames=frames)

    def noticed(self, text: str) -> None:
        _emit("notice", text=text)

    def ended(self, summary: Summary) -> None:
        from vcut.report import facts

        _emit("done", status="partial" if summary.losses else "done", **facts(summary))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, VcutError):
            _emit("error", message=str(error), exit_code=error.exit_code)
        elif isinstance(error, KeyboardInterrupt):
            _emit("error", message="stopped", exit_code=130)


def _emit(event: str, **values: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")
    sys.stdout.flush()
