"""Carries a mask through a clip as ``vcut segment`` does, and writes a sheet of what the network holds on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vcut.atomic import replacing
from vcut.engine.loaded import shared_model
from vcut.engine.runtime import choose_runtime
from vcut.errors import OptionError, OutputError
from vcut.inspection.asked import Asked, check_there, spread
from vcut.inspection.channels import choose
from vcut.inspection.inspector import Inspector
from vcut.inspection.panels import Panel, panels
from vcut.inspection.sheet import row
from vcut.masks.labels import keep_objects, read_mask
from vcut.options import DEFAULT_SIZE, check_size
from vcut.tiles import arrange
from vcut.video.pipe import PIPE
from vcut.video.reader import open_source
from vcut.video.source import Source
from vcut.video.span import Moment, Span
from vcut.weights import resolve
from vcut.work import seen

MOST_COLUMNS = 32


@dataclass(frozen=True)
class InspectOptions:
    """Options of ``vcut inspect``; what has no line here is as in :class:`vcut.options.SegmentOptions`.

    Attributes:
        output: the .png to write; ``clip_inspect.png`` beside the source when ``None``.
        frames: numbers in the source, ascending; a few evenly spaced when ``None``.
        start: the frame, or seconds, that the mask is of; what is before is left out.

    Raises:
        OptionError: a value that makes no sense.
        OutputError: not a .png, the source or the mask itself, there already, or in no folder to write to.
    """

    input: Path
    mask: Path
    output: Path | None = None
    frames: tuple[int, ...] | None = None
    start: Moment = 0
    objects: tuple[int, ...] | None = None
    weights: str | None = None
    size: int = DEFAULT_SIZE
    device: str = "auto"
    dtype: str = "auto"
    deinterlace: bool | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.output is None and self.input == PIPE:
            raise OptionError("a clip from a pipe has no name to go by", "say where the sheet goes with --output")
        path = self.path
        if path.suffix.lower() != ".png":
            raise OutputError(f"{path} is not a .png", "a sheet is a PNG file: name it .png")
        if path.exists():
            if any(given.exists() and path.samefile(given) for given in (self.input, self.mask)):
                raise OutputError(f"the output {path} is the clip or the mask itself", "choose another output")
            if path.is_dir() or not self.overwrite:
                raise OutputError(f"{path} exists already", "give --overwrite to replace a file")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            raise OutputError(f"cannot write {path}: {folder} is no folder to write to", "choose another output")

    @property
    def path(self) -> Path:
        """Where the sheet goes."""
        if self.output is not None:
            return self.output
        source = self.input if self.input.name else self.input.resolve()
        return source.with_name(f"{source.name if source.is_dir() else source.stem}_inspect.png")


@dataclass(frozen=True)
class Inspected:
    """A sheet: where it is, the numbers of its frames, and its columns after the frame's own."""

    path: Path
    frames: tuple[int, ...]
    columns: tuple[str, ...]


def inspect_clip(
    options: InspectOptions,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
    on_notice: Callable[[str], None] = lambda text: None,
) -> Inspected:
    """Writes the sheet: a row for each frame that is asked for, with the frame first.

    What a network has to show are the maps of its ``inspect`` (:class:`vcut.models.base.SegmentationModel`). Of a map
    with many channels a few are shown, the same in all rows: chosen on the first frame, whose mask is the user's
    (:func:`vcut.inspection.channels.choose`).

    Args:
        options: of what, and where.
        on_frame: told how many frames are done, and of about how many.
        on_notice: told sentences that the user should see.

    Raises:
        VcutError: one of its children, in one line; there is no sheet then.
    """
    runtime = choose_runtime(options.device, options.dtype)
    span = Span(options.start)
    with open_source(options.input, span=span, deinterlace=options.deinterlace) as source:
        if options.frames is not None:
            check_there(source, span, options.frames)
        mask = read_mask(options.mask, (source.info.width, source.info.height))
        if options.objects:
            mask = keep_objects(mask, options.objects)
        for text in mask.notices:
            on_notice(text)
        model, ready = shared_model(resolve(options.weights), runtime)
        inspector = Inspector(model, runtime, options.size, ready=ready)
        found = [*_rows(options, source, inspector, mask.labels, on_frame)]
        for text in (*inspector.notices, *source.warnings):
            on_notice(text)
    tiles = [tile for _, _, tiles in found for tile in tiles]
    with replacing(options.path) as temporary:
        arrange(tiles, len(tiles) // len(found)).save(temporary, format="PNG")
    columns = tuple(panel.caption for panel in found[0][1])
    return Inspected(options.path, tuple(index for index, _, _ in found), columns)


def _rows(
    options: InspectOptions,
    source: Source,
    inspector: Inspector,
    labels: np.ndarray,
    on_frame: Callable[[int, int], None],
) -> Iterator[tuple[int, list[Panel], list[Image.Image]]]:
    """The rows of the sheet: each frame's number, planes and tiles."""
    asked, channels, begin, index = None, {}, 0, 0
    for frame in source:
        rgb, index = seen(frame, source.info), frame.index
        if asked is None:
            asked, begin = _asked(options, source, index), index
            due = asked.due(index)
            step = inspector.start(rgb, labels)
            channels = {found.name: choose(found, inspector.masks) for found in inspector.maps}
            columns = len(panels(inspector.maps, channels, step.ids))
            if columns > MOST_COLUMNS:
                raise OptionError(
                    f"{columns} maps of {len(step.ids)} objects are too many for a sheet", "choose some with --objects"
                )
        else:
            due = asked.due(index)
            step = inspector.look(rgb) if due else inspector.step(rgb)
        if due:
            planes = panels(inspector.maps, channels, step.ids)
            captions = f"frame {index}", inspector.model.architecture
            yield index, planes, row(rgb, step.labels, captions, planes, inspector.visible)
        on_frame(index - begin + 1, asked.last - begin + 1)
        if not asked.left:
            return
    asked.end(index)


def _asked(options: InspectOptions, source: Source, first: int) -> Asked:
    """The frames to show of a clip that begins with frame ``first``."""
    if options.frames is None:
        return Asked(spread(source, Span(options.start), first), exact=False)
    if options.frames[0] < first:
        raise OptionError(
            f"--frames names {options.frames[0]}, which is before the frame that the mask is of, {first}",
            "give numbers from there on",
        )
    return Asked(options.frames, exact=True)
