"""Play a sequence back and forth, to see whether a tracker loses its way on long clips."""

from __future__ import annotations

from dataclasses import replace

from vcut.errors import OptionError
from vcut.evaluation.dataset import Sequence

LEAST_FRAMES = 150
"""Fewer leave no room for a window after the one around :data:`CENTRE`."""

CENTRE = 100
"""The frame of the loop that the first window lies around."""

WIDTH = 25
"""Scored frames in a window, where there are so many."""

REACH = 50
"""Frames that the first window reaches at most before and after :data:`CENTRE`."""

EARLY, LATE = f"J@{CENTRE}", "J@end"
"""The windows' names in reports."""


def looped(sequence: Sequence, frames: int) -> Sequence:
    """A sequence that plays another one forwards and backwards: frames 0, 1, ... T-1, T-2, ... 1, 0, 1, ...

    Frame 0 is the first annotated one. Each visit of an annotated frame but the very first is annotated, so it is
    judged (the last one of a dense loop is not, as of any dense sequence). Only paths are held, no frames.

    Two windows of it are reported apart, :data:`EARLY` and :data:`LATE`:

    * the early one is the :data:`WIDTH` scored frames nearest to frame :data:`CENTRE` of the loop: 88 to 112 when
      every frame is annotated. A sparse sequence gives those it has within :data:`REACH`.
    * the late one is the early one some periods of 2 (T-1) frames later, as many as fit: the last time that the same
      frames are played in the same direction, so that nothing but time lies between the two. Where none fits
      without an overlap, it is the last scored frames, as many, so far as they come after the early window.

    Args:
        sequence: as :func:`~vcut.evaluation.dataset.find_sequences` found it.
        frames: how many to play, at least :data:`LEAST_FRAMES`.

    Raises:
        OptionError: too few frames, in general or for a window of this sequence; or a sequence of one frame.
    """
    if frames < LEAST_FRAMES:
        raise OptionError(f"--frames {frames} is too few to see a drift", f"give {LEAST_FRAMES} or more")
    period = 2 * (len(sequence.frames) - sequence.start - 1)
    if not period:
        raise OptionError(f"sequence {sequence.name} has one frame, nothing to play", "score it without --frames")
    visits = [sequence.start + min(step % period, -step % period) for step in range(frames)]
    loop = replace(
        sequence,
        frames=[sequence.frames[visit] for visit in visits],
        annotations={
            step: sequence.annotations[visit] for step, visit in enumerate(visits) if visit in sequence.annotations
        },
    )
    early = _early(loop.scored)
    if not early:
        raise OptionError(
            f"sequence {sequence.name} has no annotated frame within {REACH} of frame {CENTRE}",
            "score it without --frames",
        )
    late = _late(early, loop.scored, period)
    if not late:
        raise OptionError(
            f"--frames {frames} is too few for {sequence.name}: no annotated frame comes after frame {early[-1]}",
            "give more",
        )
    return replace(loop, windows={EARLY: early, LATE: late})


def _early(scored: list[int]) -> tuple[int, ...]:
    near = [step for step in scored if abs(step - CENTRE) <= REACH]
    return tuple(sorted(sorted(near, key=lambda step: abs(step - CENTRE))[:WIDTH]))


def _late(early: tuple[int, ...], scored: list[int], period: int) -> tuple[int, ...]:
    shift = (scored[-1] - early[-1]) // period * period
    if shift > early[-1] - early[0]:
        return tuple(step + shift for step in early)
    return tuple(step for step in scored if step > early[-1])[-len(early) :]
