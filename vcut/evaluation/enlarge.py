"""Show a sequence larger than it is, to see how a tracker does at a resolution that there are no annotations of."""

from __future__ import annotations

from dataclasses import replace

from vcut.errors import OptionError
from vcut.evaluation.dataset import Sequence
from vcut.options import MAX_SIZE


def enlarged(sequence: Sequence, side: int) -> Sequence:
    """A sequence whose frames, and the first annotation with them, are enlarged before a tracker sees them.

    What it gives back is brought to the size of the annotations and judged there, so scores compare with those of
    the sequence as it is. Enlarging adds no detail: it asks what a tracker makes of the size alone.

    Args:
        sequence: as :func:`~vcut.evaluation.dataset.find_sequences` found it.
        side: shorter side of the frames, pixels.

    Raises:
        OptionError: ``side`` is less than the frames' shorter side, or too large.
        InputError: the first frame cannot be read.
    """
    width, height = sequence.size()
    least = min(width, height)
    if not least <= side <= MAX_SIZE:
        raise OptionError(
            f"--enlarge {side} is out of range for the frames of {sequence.name}, {width} x {height}",
            f"give {least} to {MAX_SIZE} pixels",
        )
    return replace(sequence, side=side)
