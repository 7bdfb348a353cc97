"""The path of a clip: decode > preprocess > encode > read context > decode mask > aggregate > write.

Decoding runs ahead and writing behind in threads of their own; between them one frame at a time goes through the model,
so no more than a few frames are held however long the clip is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vcut.engine.propagator import Propagator, Step
from vcut.engine.queues import WriteBehind, read_ahead
from vcut.engine.runtime import choose_runtime
from vcut.masks.labels import keep_objects, read_mask
from vcut.options import SegmentOptions
from vcut.video.audio import Sound
from vcut.video.background import open_background
from vcut.video.cutout import Cutout, through
from vcut.video.depth import at_depth
from vcut.video.formats import resolve_outputs
from vcut.video.metadata import Metadata
from vcut.video.probe import VideoInfo
from vcut.video.reader import open_source
from vcut.video.source import Frame
from vcut.video.writer import open_writers
from vcut.weights import load_model


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        outputs: what was written.
        formats: names of the formats.
        info: facts of the source.
        objects: ids of the objects that were cut.
        frames: how many.
        seconds: wall time from the first frame read to the last written.
        model_seconds: of these, time in the model (preprocessing to label map).
        runtime: device and number format.
        memory_bytes: what the model remembers of the clip, bytes.
        losses: what of the source could not be read; the output holds the rest.
    """

    outputs: tuple[Path, ...]
    formats: tuple[str, ...]
    info: VideoInfo
    objects: tuple[int, ...]
    frames: int
    seconds: float
    model_seconds: float
    runtime: str
    memory_bytes: int
    losses: tuple[str, ...]


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
    notice = on_notice or (lambda text: None)
    outputs = resolve_outputs(options.format, options.output, options.input, options.background is not None)
    deep = any(fmt.depth > 8 for fmt, _ in outputs)
    runtime = choose_runtime(options.device, options.dtype)
    with ExitStack() as stack:
        background = stack.enter_context(open_background(options.background)) if options.background else None
        source = stack.enter_context(
            open_source(options.input, options.rate, deep=deep, span=options.span, deinterlace=options.deinterlace)
        )
        info = source.info
        mask = read_mask(options.mask, (info.width, info.height))
        if options.objects:
            mask = keep_objects(mask, options.objects)
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
        )
        propagator = Propagator(load_model(options.weights), runtime, options.size)
        for text in mask.notices:
            notice(text)
        if on_start:
            on_start(info, writers.outputs)
        frames, model_seconds, begin = 0, 0.0, time.perf_counter()
        with writers, WriteBehind(writers.write) as behind:
            for frame in read_ahead(source):
                started = time.perf_counter()
                rgb = at_depth(frame.rgb, False)
                step = propagator.step(rgb) if frames else propagator.start(rgb, mask.labels)
                cutout = _cutout(frame, step, options.split)
                model_seconds += time.perf_counter() - started
                behind.put(cutout)
                frames += 1
                if on_frame:
                    on_frame(frames)
            for text in sounds[0].notices if sounds else metadata.notices:
                notice(text)
        for text in propagator.notices:
            notice(text)
        return Summary(
            outputs=tuple(writers.outputs),
            formats=tuple(fmt.name for fmt, _ in outputs),
            info=info,
            objects=mask.ids,
            frames=frames,
            seconds=time.perf_counter() - begin,
            model_seconds=model_seconds,
            runtime=propagator.runtime.name,
            memory_bytes=propagator.memory_bytes,
            losses=(*source.warnings, *(sounds[0].warnings if sounds else ())),
        )


def _cutout(frame: Frame, step: Step, split: bool) -> Cutout:
    """What is written of a frame: all objects together, and each one where they are split."""
    objects = {i: through(alpha, frame.alpha) for i, alpha in step.objects.items()} if split else None
    return Cutout(frame, step.labels, through(step.alpha, frame.alpha), objects=objects)
