"""A clip as it is drawn: layers, how each moves, what the camera does. Plain data; :mod:`vcut.training.render` makes
the pictures of many at once, on whatever device trains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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


@dataclass
class Layer:
    """A picture, or an object cut out of one.

    Attributes:
        rgb: T0,h,w,3 uint8; T0 is 1 for a still, T for video.
        ids: T0,h,w uint8: 0 nothing, k the k-th of ``things``.
        things: numbers in the scene of what ``ids`` shows; 0 for what can never be a target.
        path: where it is.
        whole: covers all of the output (reflected at its borders); else only where ``ids`` is not 0.
        behind: goes behind the things that are there already.
        shown: T booleans.
        tint: 3,4 colour change of its own, or none.
    """

    rgb: np.ndarray
    ids: np.ndarray
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
