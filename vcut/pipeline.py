"""The path of a clip: decode > preprocess > encode > read context > decode mask > aggregate > matte > write.

Decoding runs ahead and writing behind in threads of their own; between them one frame at a time goes through the model,
so no more than a few frames are held however long the clip is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vcut.engine.loaded import shared_model
from vcut.engine.propagator import Propagator, Step
from vcut.engine.queues import WriteBehind, read_ahead
from vcut.engine.runtime import choose_runtime
from vcut.errors import DeviceError, OutputError, VcutError
from vcut.identity import identify
from vcut.journal import Journal
from vcut.masks.labels import Labels, keep_objects, read_mask
from vcut.masks.names import read_names, sidecar
from vcut.matte.cutter import Cutter
from vcut.options import SegmentOptions
from vcut.report import write_report
from vcut.times import StageTimes
from vcut.video.audio import Sound
from vcut.video.background import open_background
from vcut.video.cutout import Cutout
from vcut.video.depth import at_depth
from vcut.video.formats import resolve_outputs
from vcut.video.hdr import ToneMapped, is_hdr, tone_map
from vcut.video.metadata import Metadata
from vcut.video.probe import VideoInfo
from vcut.video.reader import open_source
from vcut.video.source import Frame, Source
from vcut.video.writer import Writers, open_writers
from vcut.weights import resolve


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
        stages: seconds by stage: ``decode`` and ``write`` run in threads beside ``network`` (preprocessing to
            probabilities) and ``matte``; ``wait`` is what these two waited for the writers.
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
    outputs = resolve_outputs(options.format, options.output, options.input, options.background is not None)
    deep = any(fmt.depth > 8 for fmt, _ in outputs)
    runtime = choose_runtime(options.device, options.dtype)
    notices: list[str] = []

    def notice(text: str) -> None:
        notices.append(text)
        watcher.on_notice(text)

    with ExitStack() as stack:
        background = stack.enter_context(open_background(options.background)) if options.background else None
        source = stack.enter_context(_open_source(options, deep, notice))
        info = source.info
        mask = read_mask(options.mask, (info.width, info.height))
        if options.objects:
            mask = keep_objects(mask, options.objects)
        names_file = options.names or sidecar(options.mask)
        names = read_names(names_file) if names_file else {}
        metadata, sounds = Metadata.read(options.input), []

        def sound() -> Sound:
            sounds.append(Sound(options.input))
            return sounds[-1]

        writers = open_writers(
            outputs,
            info,
            options.overwrite,
            background=background,
            sound=sound if options.audio else None,
            metadata=metadata,
            span=options.span,
            split=mask.ids if options.split else None,
            names=names,
        )
        weights = resolve(options.weights)
        model, ready = shared_model(weights, runtime)
        propagator = Propagator(model, runtime, options.size, ready=ready)
        journal = stack.enter_context(
            _journal(options, writers, identify(options, info, mask, weights, runtime), notice)
        )
        for text in mask.notices:
            notice(text)
        watcher.on_start(info, writers.outputs)
        times = StageTimes()
        network = _Network(propagator, mask, journal)
        soft = any(fmt.soft for fmt, _ in outputs)
        edges = dataclasses.replace(options.edges, separate=options.split) if soft else None
        cutter = Cutter(edges, deep=any(fmt.depth == 16 for fmt, _ in outputs))
        output = _Output(writers, journal, times)
        frames = 0
        with times("total"), writers, WriteBehind(output.write) as behind:
            for frame in read_ahead(times.each("decode", source)):
                with times("network"):
                    step = network.step(_seen(frame, info))
                    kept = network.kept(step)
                with times("matte"):
                    cutout = cutter(frame, step)
                with times("wait"):
                    behind.put((cutout, kept))
                frames += 1
                watcher.on_frame(frames)
            for text in sounds[0].notices if sounds else metadata.notices:
                notice(text)
        for text in propagator.notices:
            notice(text)
        seconds = times.seconds.pop("total")
        return Summary(
            outputs=tuple(writers.outputs),
            formats=tuple(fmt.name for fmt in writers.formats),
            info=info,
            objects={i: names.get(i) for i in mask.ids},
            frames=frames,
            resumed=min(frames, network.known),
            seconds=seconds,
            stages=dict(times.seconds),
            architecture=propagator.model.architecture,
            weights=weights,
            runtime=propagator.runtime.name,
            memory_bytes=propagator.memory_bytes,
            notices=tuple(notices),
            losses=(*source.warnings, *(sounds[0].warnings if sounds else ())),
        )


def _open_source(options: SegmentOptions, deep: bool, notice: Callable[[str], None]) -> Source:
    source = open_source(
        options.input,
        options.rate,
        deep=deep or options.tone_map,
        span=options.span,
        deinterlace=options.deinterlace,
    )
    if not options.tone_map:
        return source
    if is_hdr(source.info.colour):
        return ToneMapped(source, deep)
    notice(f"{options.input} is not tagged as HDR (PQ or HLG): --tone-map changes nothing")
    return source


def _seen(frame: Frame, info: VideoInfo) -> np.ndarray:
    """H,W,3 uint8: a frame as the network is to see it."""
    if is_hdr(info.colour):
        return tone_map(frame.rgb, info.colour.transfer)
    return at_depth(frame.rgb, False)


@contextmanager
def _journal(
    options: SegmentOptions, writers: Writers, identity: Mapping[str, str], notice: Callable[[str], None]
) -> Iterator[Journal | None]:
    """What lets a run go on after it was stopped, beside its first output; it stays where that makes sense.

    A pipe cannot be read twice, and has none.
    """
    if str(options.input) == "-":
        yield None
        return
    out = writers.outputs[0]
    journal = Journal(out.with_name(f".{out.name}.vcut-run"), identity, options.resume)
    try:
        yield journal
    except (KeyboardInterrupt, OutputError, DeviceError):
        if journal.saved:
            notice(f"what was found so far is kept in {journal.folder}: the same command with --resume goes on")
        else:
            journal.remove()
        raise
    except BaseException:
        journal.remove()
        raise
    journal.remove()


@dataclass(frozen=True)
class _Kept:
    """What the journal takes of a frame: its number, its probabilities, and the state after it where it is time."""

    number: int
    levels: np.ndarray
    state: dict[str, Any] | None


class _Network:
    """The network, frame after frame; for the frames that a stopped run has done, what it found.

    Attributes:
        known: how many frames these are.
    """

    def __init__(self, propagator: Propagator, mask: Labels, journal: Journal | None) -> None:
        self._propagator = propagator
        self._mask = mask
        self._journal = journal
        self._done = 0
        self.known = journal.frames if journal else 0
        if journal and journal.state is not None:
            propagator.restore(journal.state)

    def step(self, rgb: np.ndarray) -> Step:
        """The next frame's, H,W,3 uint8."""
        number, self._done = self._done, self._done + 1
        if number < self.known:
            return self._propagator.recall(self._journal.read(number), None if number else self._mask.labels)
        return self._propagator.step(rgb) if number else self._propagator.start(rgb, self._mask.labels)

    def kept(self, step: Step) -> _Kept | None:
        """What is to be kept of the last step; ``None`` when it is already, or nothing is."""
        if self._journal is None or self._done <= self.known:
            return None
        state = self._propagator.state() if self._journal.due() else None
        return _Kept(self._done - 1, step.levels, state)


class _Output:
    """What happens to a frame behind the network: it is kept, and written."""

    def __init__(self, writers: Writers, journal: Journal | None, times: StageTimes) -> None:
        self._writers = writers
        self._journal = journal
        self._times = times

    def write(self, item: tuple[Cutout, _Kept | None]) -> None:
        cutout, kept = item
        with self._times("write"):
            if kept and self._journal:
                self._journal.write(kept.number, kept.levels)
                if kept.state is not None:
                    self._journal.save(kept.number + 1, kept.state)
            self._writers.write(cutout)
