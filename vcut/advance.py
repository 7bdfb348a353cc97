"""Part of a clip's way through the network, so that one machine can go on where another has left off."""

from __future__ import annotations

from contextlib import ExitStack

from vcut.engine.queues import read_ahead
from vcut.errors import OptionError
from vcut.options import SegmentOptions
from vcut.pipeline import Watcher
from vcut.video.writer import open_writers
from vcut.work import open_clip, open_network, seen


def advance(options: SegmentOptions, frames: int, watcher: Watcher) -> bool:
    """Takes the next frames of a clip through the network, and keeps what it finds beside the output for ``resume``.

    No mattes are made and nothing is written. :func:`vcut.pipeline.segment_video` with ``resume`` does that in the end,
    with the result that it would have had alone.

    Args:
        options: as of the whole run; with ``resume`` the frames are those after what is known.
        frames: how many.
        watcher: told of progress, in frames of the clip.

    Returns:
        Whether all frames of the clip are known now.

    Raises:
        VcutError: one of its children, in one line.
    """
    with ExitStack() as stack:
        clip = open_clip(options, stack, watcher.on_notice)
        info = clip.source.info
        split = clip.mask.ids if options.split else None
        writers = open_writers(  # which checks whether the result may be written
            clip.outputs, info, options.overwrite, background=clip.background, split=split, names=clip.names
        )
        network = stack.enter_context(open_network(options, clip, watcher.on_notice, keep=True))
        if network.journal is None:
            raise OptionError("a clip from a pipe cannot be cut in chunks", "leave --chunk out")
        watcher.on_start(info, writers.outputs)
        ended = True
        for number, frame in enumerate(read_ahead(clip.source)):
            if number == network.known + frames:
                ended = False
                break
            if number < network.known:
                network.skip()
            else:
                network.journal.keep(network.kept(network.step(seen(frame, info))))
            watcher.on_frame(number + 1)
        network.save()
        return ended
