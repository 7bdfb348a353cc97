"""The path of a clip: decode > preprocess > encode > read context > decode mask > aggregate > matte > write.

Decoding runs ahead, and matte and writing behind, in threads of their own where there are cores for it; between them
one frame at a time goes through the model, so no more than a few frames are held however long the clip is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from vcut.engine.cores import EXACT, WriteBeside, half_of_threads
from vcut.engine.queues import WriteAtOnce, WriteBehind, read_ahead
from vcut.engine.runtime import Runtime
from vcut.engine.step import Step
from vcut.errors import VcutError
from vcut.journal import Journal, Kept
from vcut.matte.cutter import Cutter
from vcut.options import SegmentOptions
from vcut.report import write_report
from vcut.times import StageTimes
from vcut.video.audio import Sound
from vcut.video.cutout import Cutout
from vcut.video.metadata import Metadata
from vcut.video.probe import VideoInfo
from vcut.video.source import Frame
from vcut.video.writer import Writers, open_writers
from vcut.work import open_clip, open_network, seen

FEW_CORES = 4
"""With no more of them, a CPU has none to spare for what is done beside the network (:mod:`vcut.engine.cores`)."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        outputs: what was written.
        formats: the name of each output's format.
        info: facts of the source.
        objects: ids of the objects that were cut, and their names where they have one.
        frames: how many.
        resumed: how many of them were known from a run that was stopped.
        seconds: wall time from the first frame read to the last written.
        stages: seconds by stage: ``decode`` runs beside ``network`` (preprocessing to probabilities), and so may
            ``matte`` and ``write`` (:func:`hands`); ``wait`` is what was waited for the writers. On a GPU, ``network``
            is the time to give it its work, and its own is in ``matte``.
        architecture, weights: of the network; the file.
        runtime: device and number format.
        memory_bytes: what the model remembers of the clip, bytes.
        notices: what was guessed or changed on the way.
        losses: what of the source could not be read; the output holds the rest.
    """

    outputs: tuple[Path, ...]
    formats: tuple[str, ...]
    info: VideoInfo
    objects: Mapping[int, str | None]
    frames: int
    resumed: int
    seconds: float
    stages: Mapping[str, float]
    architecture: str
    weights: Path
    runtime: str
    memory_bytes: int
    notices: tuple[str, ...]
    losses: tuple[str, ...]


@dataclass(frozen=True)
class Watcher:
    """What is to be called while a run goes on.

    Attributes:
        on_start: told of the source and the outputs when work begins.
        on_frame: told the number of frames done, after each.
        on_notice: told sentences that the user should see.
    """

    on_start: Callable[[VideoInfo, list[Path]], None] = lambda info, outputs: None
    on_frame: Callable[[int], None] = lambda frames: None
    on_notice: Callable[[str], None] = lambda text: None


def segment_video(
    options: SegmentOptions,
    *,
    on_start: Callable[[VideoInfo, list[Path]], None] | None = None,
    on_frame: Callable[[int], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> Summary:
    """Carries the mask of the first frame through a clip and writes the result.

    Args:
        options: what to cut, with what, to where.
        on_start: told of the source and the outputs when work begins.
        on_frame: told the number of frames done, after each.
        on_notice: told sentences that the user should see.

    Raises:
        VcutError: one of its children, in one line; nothing is left under the outputs' names then.
    """
    given = {"on_start": on_start, "on_frame": on_frame, "on_notice": on_notice}
    watcher = Watcher(**{name: call for name, call in given.items() if call})
    try:
        summary = _segment(options, watcher)
    except VcutError as error:
        if options.report:
            write_report(options.report, options, error=error)
        raise
    if options.report:
        write_report(options.report, options, summary)
    return summary


def _segment(options: SegmentOptions, watcher: Watcher) -> Summary:
    notices: list[str] = []

    def notice(text: str) -> None:
        notices.append(text)
        watcher.on_notice(text)

    with ExitStack() as stack:
        clip = open_clip(options, stack, notice)
        info, mask = clip.source.info, clip.mask
        metadata, sounds = Metadata.read(options.input), []

        def sound() -> Sound:
            sounds.append(Sound(options.input))
            return sounds[-1]

        cutting_by, writing_by = hands(clip.runtime)
        writers = open_writers(
            clip.outputs,
            info,
            options.overwrite,
            background=clip.background,
            sound=sound if options.audio else None,
            metadata=metadata,
            span=options.span,
            split=mask.ids if options.split else None,
            names=clip.names,
            threads=half_of_threads() if cutting_by is WriteBeside else 0,
        )
        network = stack.enter_context(open_network(options, clip, notice))
        for text in mask.notices:
            notice(text)
        watcher.on_start(info, writers.outputs)
        times = StageTimes()
        formats = [fmt for fmt, _ in clip.outputs]
        soft, sharp = any(fmt.soft for fmt in formats), any(fmt.sharp for fmt in formats)
        edges = dataclasses.replace(options.edges, separate=options.split) if soft else None
        cutter = Cutter(edges, any(fmt.depth == 16 for fmt in formats), sharp)
        output = _Output(writers, network.journal, times)

        def cut(item: tuple[Frame, Step, Kept | None]) -> None:
            frame, step, kept = item
            with times("matte"):
                cutout = cutter(frame, step)
            with times("wait"):
                behind.put((cutout, kept))

        frames = 0
        with times("total"), writers, writing_by(output.write) as behind, cutting_by(cut) as cutting:
            source = times.each("decode", clip.source)
            for frame in read_ahead(source if _may_wait(options.input) else cutting.share(source)):
                with times("network"):
                    step = network.step(seen(frame, info))
                    kept = network.kept(step)
                cutting.put((frame, step, kept))
                frames += 1
                watcher.on_frame(frames)
            for text in sounds[0].notices if sounds else metadata.notices:
                notice(text)
        for text in network.propagator.notices:
            notice(text)
        seconds = times.seconds.pop("total")
        return Summary(
            outputs=tuple(writers.outputs),
            formats=tuple(fmt.name for fmt in writers.formats),
            info=info,
            objects={i: clip.names.get(i) for i in mask.ids},
            frames=frames,
            resumed=min(frames, network.known),
            seconds=seconds,
            stages=dict(times.seconds),
            architecture=network.propagator.model.architecture,
            weights=network.weights,
            runtime=network.propagator.runtime.name,
            memory_bytes=network.propagator.memory_bytes,
            notices=tuple(notices),
            losses=(*clip.source.warnings, *(sounds[0].warnings if sounds else ())),
        )


def _may_wait(source: Path) -> bool:
    """Whether the next frame may be long in coming, without work: one that others write into a pipe."""
    return str(source) == "-" or source.is_fifo()


Hand = type[WriteAtOnce] | type[WriteBehind] | type[WriteBeside]


def hands(runtime: Runtime) -> tuple[Hand, Hand]:
    """What hands a frame on from the network to the matte, and from there to the writers.

    A GPU goes on with the next frame while the matte of this one is waited for, and while it is written. So does a CPU
    with cores to spare while a frame is written. One of few leaves half of them to matte and writers together, or does
    all in turns, where results would change with the number of threads.
    """
    if runtime.device.type != "cpu":
        return WriteBehind, WriteBehind
    threads = torch.get_num_threads()
    if threads > FEW_CORES:
        return WriteAtOnce, WriteBehind
    shares = runtime.dtype in EXACT and threads > 1
    return WriteBeside if shares else WriteAtOnce, WriteAtOnce


class _Output:
    """What happens to a frame behind the network: it is kept, and written."""

    def __init__(self, writers: Writers, journal: Journal | None, times: StageTimes) -> None:
        self._writers = writers
        self._journal = journal
        self._times = times

    def write(self, item: tuple[Cutout, Kept | None]) -> None:
        cutout, kept = item
        with self._times("write"):
            if kept and self._journal:
                self._journal.keep(kept)
            self._writers.write(cutout)
