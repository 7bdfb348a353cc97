"""What a run is asked to do: one place that checks, for the command line and the library."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vcut.errors import OptionError

MIN_SIZE = 64
MAX_SIZE = 4320
DEFAULT_SIZE = 480


@dataclass(frozen=True)
class SegmentOptions:
    """Options of ``vcut segment``.

    Attributes:
        input: a video file, a folder of pictures, or one picture.
        mask: mask of the first frame (see ``start``).
        output: file or folder to write; told from ``input`` and ``format`` when ``None``.
        format: a name in :mod:`vcut.video.formats`; told from ``output`` when ``None``.
        size: shorter side of the picture the model sees, pixels.
        device, dtype: see :func:`vcut.engine.runtime.choose_runtime`.
        weights: manifest name, file or ``hf://``; the default weights when ``None``.
        rate: frames per second of a folder of pictures.
        start: number of the frame, from 0, that the mask belongs to; the frames before it are left out.
        overwrite: replace an output that is there.

    Raises:
        OptionError: a value that makes no sense.
    """

    input: Path
    mask: Path
    output: Path | None = None
    format: str | None = None
    size: int = DEFAULT_SIZE
    device: str = "auto"
    dtype: str = "auto"
    weights: str | None = None
    rate: Fraction = Fraction(25)
    start: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.start < 0:
            raise OptionError(f"--start {self.start} is before the first frame", "frames are numbered from 0")
        if self.rate <= 0:
            raise OptionError(
                f"--rate {self.rate} is not a frame rate", "give frames per second, e.g. 25 or 30000/1001"
            )


def check_size(size: int) -> None:
    """Raises OptionError when ``size`` cannot be the shorter side of what a model sees."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise OptionError(f"--size {size} is out of range", f"give {MIN_SIZE} to {MAX_SIZE} pixels")


def parse_rate(text: str) -> Fraction:
    """``25``, ``29.97`` or ``30000/1001`` as an exact number."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"--rate '{text}' is not a number", "give frames per second, e.g. 25 or 30000/1001") from None
