"""The path of a clip: decode > preprocess > encode > read context > decode mask > aggregate > write.

Decoding runs ahead and writing behind in threads of their own; between them one frame at a time goes through the model,
so no more than a few frames are held however long the clip is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vcut.engine.propagator import Propagator
from vcut.engine.queues import WriteBehind, read_ahead
from vcut.engine.runtime import choose_runtime
from vcut.errors import InputError
from vcut.masks.labels import read_mask
from vcut.options import SegmentOptions
from vcut.video.formats import default_output, resolve_format
from vcut.video.probe import VideoInfo
from vcut.video.reader import open_source
from vcut.video.writer import Cutout, open_writer
from vcut.weights import load_model


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        output: what was written.
        format: its format's name.
        info: facts of the source.
        objects: ids of the objects that were cut.
        frames: how many.
        seconds: wall time from the first frame read to the last written.
        model_seconds: of these, time in the model (preprocessing to label map).
        runtime: device and number format.
        memory_bytes: what the model remembers of the clip, bytes.
        losses: what of the source could not be read; the output holds the rest.
    """

    output: Path
    format: str
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
    on_start: Callable[[VideoInfo, Path], None] | None = None,
    on_frame: Callable[[int], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> Summary:
    """Carries the mask of the first frame through a clip and writes the result.

    Args:
        options: what to cut, with what, to where.
        on_start: told of the source and the output when work begins.
        on_frame: told the number of frames done, after each.
        on_notice: told sentences that the user should see.

    Raises:
        VcutError: one of its children, in one line; nothing is left under the output's name then.
    """
    notice = on_notice or (lambda text: None)
    fmt = resolve_format(options.format, options.output)
    output = options.output or default_output(options.input, fmt)
    runtime = choose_runtime(options.device, options.dtype)
    with open_source(options.input, options.rate) as source:
        info = source.info
        mask = read_mask(options.mask, (info.width, info.height))
        for text in mask.notices:
            notice(text)
        writer = open_writer(output, fmt, info, options.overwrite)
        propagator = Propagator(load_model(options.weights), runtime, options.size)
        if on_start:
            on_start(info, output)
        frames, model_seconds, begin = 0, 0.0, time.perf_counter()
        with writer, WriteBehind(writer.write) as behind:
            for frame in read_ahead(source):
                if frame.index < options.start:
                    continue
                started = time.perf_counter()
                step = propagator.step(frame.rgb) if frames else propagator.start(frame.rgb, mask.labels)
                model_seconds += time.perf_counter() - started
                behind.put(Cutout(frame, step.labels, step.alpha))
                frames += 1
                if on_frame:
                    on_frame(frames)
            if not frames:
                raise InputError(f"{options.input} has no frame {options.start}", "give a smaller --start")
        for text in propagator.notices:
            notice(text)
        return Summary(
            output=output,
            format=fmt.name,
            info=info,
            objects=mask.ids,
            frames=frames,
            seconds=time.perf_counter() - begin,
            model_seconds=model_seconds,
            runtime=propagator.runtime.name,
            memory_bytes=propagator.memory_bytes,
            losses=tuple(source.warnings),
        )
