"""What a run works with, opened and checked: the clip and its mask, the network and what is known of the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcut.engine.loaded import shared_model
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime, choose_runtime
from vcut.engine.step import Step
from vcut.errors import DeviceError, OutputError
from vcut.identity import identify
from vcut.journal import Journal, Kept, journal_of
from vcut.masks.labels import Labels, keep_objects, read_mask
from vcut.masks.names import read_names, sidecar
from vcut.models.base import SegmentationModel
from vcut.options import SegmentOptions
from vcut.video.background import Background, open_background
from vcut.video.depth import at_depth
from vcut.video.formats import Format, resolve_outputs
from vcut.video.hdr import ToneMapped, is_hdr, tone_map
from vcut.video.probe import VideoInfo
from vcut.video.reader import open_source
from vcut.video.source import Frame, Source
from vcut.weights import resolve


@dataclass(frozen=True)
class Clip:
    """A clip and what is asked of it.

    Attributes:
        outputs: formats and where they go, before objects are split.
        runtime: where the network is to run.
        background: what composites are laid over.
        source: the frames.
        mask: of the first of them, with the objects that are cut.
        names: of objects, by id.
    """

    outputs: Sequence[tuple[Format, Path]]
    runtime: Runtime
    background: Background | None
    source: Source
    mask: Labels
    names: Mapping[int, str]


def open_clip(options: SegmentOptions, stack: ExitStack, notice: Callable[[str], None]) -> Clip:
    """Opens a clip; ``stack`` closes it, and ``notice`` is told what the user should know.

    Raises:
        VcutError: one of its children, where something cannot be read or does not go together.
    """
    outputs = resolve_outputs(options.format, options.output, options.input, options.background is not None)
    runtime = choose_runtime(options.device, options.dtype)
    background = stack.enter_context(open_background(options.background)) if options.background else None
    source = stack.enter_context(_open_source(options, any(fmt.depth > 8 for fmt, _ in outputs), notice))
    mask = read_mask(options.mask, (source.info.width, source.info.height))
    if options.objects:
        mask = keep_objects(mask, options.objects)
    names_file = options.names or sidecar(options.mask)
    names = read_names(names_file) if names_file else {}
    return Clip(outputs, runtime, background, source, mask, names)


@contextmanager
def open_network(
    options: SegmentOptions, clip: Clip, notice: Callable[[str], None], keep: bool = False
) -> Iterator[Network]:
    """The network for a clip, with what is known of it already; ``keep`` leaves that there at the end.

    Raises:
        VcutError: the weights cannot be had, or what a stopped run has left does not fit.
    """
    weights = resolve(options.weights)
    model, ready = shared_model(weights, clip.runtime, options.scales)
    if options.finetune:
        model, ready = _finetuned(model, options, clip, notice), None
    propagator = Propagator(model, clip.runtime, options.size, ready=ready, rule=options.aggregation, roi=options.roi)
    identity = identify(options, clip.source.info, clip.mask, weights, clip.runtime)
    with _journal(options, clip.outputs[0][1], identity, notice, keep) as journal:
        yield Network(propagator, weights, clip.mask, journal)


def _finetuned(
    model: SegmentationModel, options: SegmentOptions, clip: Clip, notice: Callable[[str], None]
) -> SegmentationModel:
    """The model, fine-tuned on the clip's first frame, which is read for that apart."""
    from vcut.training.first_frame import finetune

    notice(f"fine-tuning on the first frame, {options.finetune} steps")
    with _open_source(options, False, lambda text: None) as source:
        rgb = seen(next(iter(source)), source.info)
    return finetune(model, rgb, clip.mask.labels, options.finetune, clip.runtime.device)


class Network:
    """The network, frame after frame; for the frames that a stopped run has done, what it found.

    Attributes:
        propagator: what carries the masks.
        weights: its file.
        journal: what is kept of the run; ``None`` where that makes no sense.
        known: how many frames have been done before.
    """

    def __init__(self, propagator: Propagator, weights: Path, mask: Labels, journal: Journal | None) -> None:
        self.propagator = propagator
        self.weights = weights
        self.journal = journal
        self._mask = mask
        self._done = 0
        self.known = journal.frames if journal else 0
        if journal and journal.state is not None:
            propagator.restore(journal.state)

    def step(self, rgb: np.ndarray) -> Step:
        """The next frame's, H,W,3 uint8."""
        number, self._done = self._done, self._done + 1
        if number < self.known:
            return self.propagator.recall(rgb, self.journal.read(number), None if number else self._mask.labels)
        return self.propagator.step(rgb) if number else self.propagator.start(rgb, self._mask.labels)

    def skip(self) -> None:
        """Passes over a frame that is known."""
        self._done += 1

    def kept(self, step: Step) -> Kept | None:
        """What is to be kept of the last step; ``None`` when it is already, or nothing is."""
        if self.journal is None or self._done <= self.known:
            return None
        state = self.propagator.state() if self.journal.due() else None
        return Kept(self._done - 1, step, state)

    def save(self) -> None:
        """Keeps the state after the last step, for a run that goes on there."""
        self.journal.save(self._done, self.propagator.state())


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


def seen(frame: Frame, info: VideoInfo) -> np.ndarray:
    """H,W,3 uint8: a frame as the network is to see it."""
    if is_hdr(info.colour):
        return tone_map(frame.rgb, info.colour.transfer)
    return at_depth(frame.rgb, False)


@contextmanager
def _journal(
    options: SegmentOptions, out: Path, identity: Mapping[str, str], notice: Callable[[str], None], keep: bool
) -> Iterator[Journal | None]:
    """What lets a run go on after it was stopped, beside its first output; it stays where that makes sense.

    A pipe cannot be read twice, and has none. ``keep`` leaves it there after a run without error, too.
    """
    if str(options.input) == "-":
        yield None
        return
    journal = Journal(journal_of(out), identity, options.resume)
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
    if not keep:
        journal.remove()
