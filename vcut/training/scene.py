"""A clip as it is drawn: layers, how each moves, what the camera does. Plain data; :mod:`vcut.training.render` makes
the pictures of many at once, on whatever device trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcut.training.pictures import Pictures


@dataclass
class Path:
    """Pose of a layer in each of T frames.

    Shapes: ``anchor``: T,2 (x, y) in layer pixels; ``centre``: T,2 (x, y) place in the output of the anchor, in -1..1;
    ``linear``: T,2,2, layer pixels for one unit of output; ``warp``: T,2,KNOTS,KNOTS in output units.
    """

    anchor: np.ndarray
    centre: np.ndarray
    linear: np.ndarray
    warp: np.ndarray


Ids = tuple[int, int]
"""The least and the greatest id of what counts as one thing in a mask."""

MARKED: Ids = (1, 255)
"""Whatever is marked."""

ALL: Ids = (0, 255)
"""All of a picture."""


@dataclass(frozen=True)
class Box:
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass
class Layer:
    """A picture, or an object cut out of one.

    Attributes:
        pictures: where it is from.
        chosen: T0 numbers of those; T0 is 1 for a still, T for video.
        box: what is seen of them.
        ids: what is marked there and shown, thing by thing.
        things: their numbers in the scene; 0 for what can never be a target.
        path: where it is; its pixels are those of the box.
        whole: covers all of the output (reflected at its borders); else only where things are.
        behind: goes behind the things that are there already.
        shown: T booleans.
        tint: 3,4 colour change of its own, or none.
    """

    pictures: Pictures
    chosen: np.ndarray
    box: Box
    ids: tuple[Ids, ...]
    things: tuple[int, ...]
    path: Path
    whole: bool = False
    behind: bool = False
    shown: np.ndarray | None = None
    tint: np.ndarray | None = None


@dataclass
class Camera:
    """What happens to the finished frames.

    Attributes:
        colour: 3,4 colour change of the clip.
        gains: T,3 of the channels in each frame (flicker).
        shrink: the frames are shrunk by this and enlarged again; 1 is sharp.
        streaks: T,2 (x, y) pixels of motion blur in each frame.
        noise: standard deviation, of 1.
        quality: of JPEG, 1 to 100; 0 is none.
        seed: of the noise.
    """

    colour: np.ndarray
    gains: np.ndarray
    shrink: float = 1.0
    streaks: np.ndarray | None = None
    noise: float = 0.0
    quality: int = 0
    seed: int = 0


@dataclass
class Scene:
    """A clip to be rendered.

    Attributes:
        layers: back to front, the first one whole.
        order: numbers of all things, those to be targets first.
        targets: how many of them, at most, become targets: the first in ``order`` that the first frame shows.
        camera: see :class:`Camera`.
    """

    layers: list[Layer]
    order: tuple[int, ...]
    targets: int
    camera: Camera
