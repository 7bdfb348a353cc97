"""Write cut-outs, frame by frame, in one format or several; nothing half-written has a final name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from vcut.errors import OutputError
from vcut.video import place
from vcut.video.animation import AnimationWriter
from vcut.video.audio import Sound
from vcut.video.background import Background
from vcut.video.cutout import Cutout, for_object
from vcut.video.formats import Format, object_outputs
from vcut.video.lines import LinesWriter
from vcut.video.metadata import Metadata
from vcut.video.movie import VideoWriter
from vcut.video.output import Writer
from vcut.video.probe import VideoInfo
from vcut.video.sequence import SequenceWriter
from vcut.video.span import WHOLE, Span

__all__ = ["Cutout", "Writer", "Writers", "for_object", "open_writer", "open_writers"]


def open_writer(
    out: str | Path,
    fmt: Format,
    info: VideoInfo,
    overwrite: bool = False,
    *,
    background: Background | None = None,
    sound: Sound | None = None,
    metadata: Metadata | None = None,
    span: Span = WHOLE,
    only: int | None = None,
    threads: int = 0,
) -> Writer:
    """Check where the output goes and return its writer; nothing is made there before ``with`` is entered.

    Args:
        out: the file, or for sequences the folder. Missing parent folders are made.
        fmt: a row of :mod:`vcut.video.formats`.
        info: the source that the frames come from.
        overwrite: replace a former output, at the end.
        background: what composites are laid over; the caller closes it.
        sound: what a video is to sound like, closed by the writer; formats that hold none leave it alone.
        metadata: tags and chapters that videos carry over.
        span: the part of the source that is written.
        only: write this object alone.
        threads: of a video's encoder; 0 for as many as there are cores.

    Raises:
        OutputError: the name does not fit the format, ``out`` is the source, exists, or cannot be written.
        OptionError: the format needs a background.
    """
    out = Path(out)
    place.prepare(out, fmt, info.path, overwrite)
    if fmt.kind == "video":
        return VideoWriter(
            out,
            fmt,
            info,
            overwrite,
            only,
            background=background,
            sound=sound,
            metadata=metadata,
            span=span,
            threads=threads,
        )
    kinds = {"sequence": SequenceWriter, "animation": AnimationWriter, "lines": LinesWriter}
    return kinds[fmt.kind](out, fmt, info, overwrite, only)


def open_writers(
    outputs: Sequence[tuple[Format, Path]],
    info: VideoInfo,
    overwrite: bool = False,
    *,
    background: Background | None = None,
    sound: Callable[[], Sound] | None = None,
    metadata: Metadata | None = None,
    span: Span = WHOLE,
    split: Sequence[int] | None = None,
    names: Mapping[int, str] | None = None,
    threads: int = 0,
) -> Writers:
    """Check where the outputs go and return one writer of them all.

    Args:
        outputs: formats and where they go, as :func:`vcut.video.formats.resolve_outputs` gives them.
        sound: makes the sound of one video; called for each that can hold it.
        split: ids of objects that get an output of their own, in each format; None for all together.
        names: what objects are called, for the names of split outputs.
        info, overwrite, background, metadata, span, threads: see :func:`open_writer`.

    Raises:
        OutputError: one of the outputs cannot be written; nothing is begun then.
        OptionError: a format needs a background.
    """
    rows: list[tuple[Format, Path, int | None]] = []
    for fmt, out in outputs:
        if split is None:
            rows.append((fmt, out, None))
        else:
            rows += [(fmt, path, identifier) for identifier, path in object_outputs(out, split, names).items()]
    _check_apart([out for _, out, _ in rows])
    return Writers(
        [
            open_writer(
                out,
                fmt,
                info,
                overwrite,
                background=background,
                sound=sound() if sound and fmt.sound else None,
                metadata=metadata,
                span=span,
                only=only,
                threads=threads,
            )
            for fmt, out, only in rows
        ]
    )


class Writers:
    """Several writers that take the same cut-outs: a context manager, like each of them.

    All or nothing: outputs get their names when all of them are whole, and after an error none appears. Only when the
    very move to a name fails, those moved before it stay.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = list(writers)
        self._entered: list[Writer] = []

    @property
    def outputs(self) -> list[Path]:
        """Where the results go."""
        return [writer.out for writer in self._writers]

    @property
    def formats(self) -> list[Format]:
        """The format of each output."""
        return [writer.format for writer in self._writers]

    def write(self, cutout: Cutout) -> None:
        """Write one frame to each output.

        Raises:
            OutputError: one cannot be encoded or stored.
            ValueError: an array of ``cutout`` has not the size of the source.
        """
        for writer in self._writers:
            writer.write(cutout)

    def __enter__(self) -> Self:
        try:
            for writer in self._writers:
                self._entered.append(writer.__enter__())
        except BaseException:
            self._give_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._give_up()
            return
        try:
            for writer in self._writers:
                writer.finish()
            for writer in self._writers:
                writer.check()
            for writer in self._writers:
                writer.publish()
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        with ExitStack() as stack:
            for writer in self._entered:
                stack.callback(writer.give_up)


def _check_apart(outputs: Sequence[Path]) -> None:
    """Check that no output is, or lies in, another one."""
    absolute = [out.resolve() for out in outputs]
    for place_of, out in enumerate(absolute):
        for other in absolute[:place_of] + absolute[place_of + 1 :]:
            if out == other or other in out.parents:
                raise OutputError(f"two outputs go to {other}", "give each a place of its own")
