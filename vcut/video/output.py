"""What every writer does: take cut-outs in order into a hidden temporary, and give it its name when it is whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from vcut.errors import OutputError
from vcut.video import place
from vcut.video.cutout import Cutout, for_object
from vcut.video.formats import Format
from vcut.video.probe import VideoInfo


class Writer(ABC):
    """A context manager that takes cut-outs in order.

    Leaving it without an error finishes the output and gives it its name; with one, all is removed.

    Args:
        out: the file or folder.
        fmt: its format.
        info: the source of the frames.
        overwrite: whether a former output is replaced.
        only: the one object to write; None for all.
    """

    def __init__(
        self, out: Path, fmt: Format, info: VideoInfo, overwrite: bool = False, only: int | None = None
    ) -> None:
        self.out = out
        self.format = fmt
        self.info = info
        self.only = only
        self._overwrite = overwrite
        self._temporary = place.temporary_path(out, fmt)
        self._count = 0
        self._first_pts: int | None = None

    def write(self, cutout: Cutout) -> None:
        """Write one frame.

        Raises:
            OutputError: it cannot be encoded or stored.
            ValueError: an array of ``cutout`` has not the size of the source.
        """
        size = (self.info.height, self.info.width)
        arrays = [cutout.frame.rgb, cutout.rgb, cutout.alpha]
        if self.format.sharp or not callable(cutout.found):
            arrays.append(cutout.labels)
        if any(array.shape[:2] != size for array in arrays):
            raise ValueError(f"a cut-out of {cutout.frame.rgb.shape[:2]} does not fit a source of {size}")
        if self._first_pts is None:
            self._first_pts = cutout.frame.pts
        try:
            self._write(cutout if self.only is None else for_object(cutout, self.only))
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self._count += 1

    def finish(self) -> None:
        """Complete the temporary; it has not its name yet.

        Raises:
            OutputError: no frame was written, or the rest cannot be stored.
        """
        if not self._count:
            raise OutputError(f"no frame was written to {self.out}", "check the source")
        try:
            self._end(complete=True)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def check(self) -> None:
        """Check that :meth:`publish` may replace what is at the output's name.

        Raises:
            OutputError: it may not.
        """
        place.check_replaceable(self.out, self.format, self._overwrite)

    def publish(self) -> None:
        """Give the finished output its name.

        Raises:
            OutputError: something is there that may not be replaced, or the move fails.
        """
        place.publish(self._temporary, self.out, self.format, self._overwrite)

    def give_up(self) -> None:
        """Remove what was written so far."""
        with suppress(av.FFmpegError, OSError):
            self._end(complete=False)
        with suppress(OSError):
            place.discard(self._temporary)

    def __enter__(self) -> Self:
        try:
            self._begin()
        except (av.FFmpegError, OSError, ValueError) as error:
            self.give_up()
            raise self._failure(error) from error
        except BaseException:
            self.give_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.give_up()
            return
        try:
            self.finish()
            self.publish()
        except BaseException:
            self.give_up()
            raise

    def _since_first(self, cutout: Cutout) -> int:
        """Ticks of the frame's time base since the first frame written."""
        return cutout.frame.pts - self._first_pts

    def _seconds(self, cutout: Cutout) -> Fraction:
        """Seconds since the first frame written, exact."""
        return self._since_first(cutout) * cutout.frame.time_base

    @abstractmethod
    def _begin(self) -> None:
        """Make the temporary."""

    @abstractmethod
    def _write(self, cutout: Cutout) -> None:
        """Store one frame in the temporary."""

    @abstractmethod
    def _end(self, complete: bool) -> None:
        """Let go of the temporary; ``complete`` when all frames are there and the rest is to be written.

        It may be called again without ``complete`` after any failure.
        """

    def _failure(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(
            f"cannot write {self.out}: {reason}", "check the free space, or choose another output or format"
        )
