"""What edges are to look like. No torch: the command line checks options before it loads anything."""

from __future__ import annotations

from dataclasses import dataclass

from vcut.errors import OptionError

EDGES = ("soft", "crisp")
MOST_GROW, MOST_FEATHER = 100.0, 200.0


@dataclass(frozen=True)
class MatteOptions:
    """What edges are to look like.

    Attributes:
        edge: ``soft``, as it is in the picture, or ``crisp``, a clean anti-aliased line.
        grow: pixels of the source that edges are moved outwards; inwards below 0.
        feather: pixels that an edge is softened over.
        separate: an alpha for each object; one for all together when false.
        steady: edges rest where the picture does.
        colours: foreground colours are freed of the background; else they are the frame's.

    Raises:
        OptionError: a value that makes no sense.
    """

    edge: str = "soft"
    grow: float = 0.0
    feather: float = 0.0
    separate: bool = False
    steady: bool = True
    colours: bool = True

    def __post_init__(self) -> None:
        if self.edge not in EDGES:
            raise OptionError(f"unknown --edge '{self.edge}'", f"known ones: {', '.join(EDGES)}")
        if not abs(self.grow) <= MOST_GROW:
            name = "shrink" if self.grow < 0 else "grow"
            raise OptionError(f"--{name} {abs(self.grow):g} is out of range", f"give 0 to {MOST_GROW:g} pixels")
        if not 0 <= self.feather <= MOST_FEATHER:
            raise OptionError(f"--feather {self.feather:g} is out of range", f"give 0 to {MOST_FEATHER:g} pixels")


DEFAULT_EDGES = MatteOptions()
