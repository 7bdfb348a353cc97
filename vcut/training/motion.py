"""Random motion: an affine pose that drifts, and a smooth warp of 4 x 4 knots that drifts too."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vcut.training.scene import Path

KNOTS = 4


@dataclass(frozen=True)
class Motion:
    """How far things move from frame to frame; shifts are shares of the frame's side, turns are degrees."""

    shift: float
    turn: float
    scale: float
    shear: float
    warp: float


def draw_motion(rng: np.random.Generator) -> Motion:
    """From nearly still to violent; small motions are the more frequent."""
    pace = float(np.exp(rng.uniform(np.log(0.15), np.log(1.6))))
    return Motion(shift=0.08 * pace, turn=9 * pace, scale=0.08 * pace, shear=0.05 * pace, warp=0.025 * pace)


def zooming(motion: Motion) -> Motion:
    """The same motion towards or away from the camera."""
    return replace(motion, scale=max(motion.scale, 0.06) * 2.5)


def walk(rng: np.random.Generator, frames: int, spread: float, shape: tuple[int, ...] = ()) -> np.ndarray:
    """T,*shape positions from 0 on: a constant velocity and as much jitter."""
    velocity = rng.normal(0, spread * 0.7, (1, *shape))
    steps = velocity + rng.normal(0, spread * 0.7, (frames, *shape))
    steps[0] = 0
    return steps.cumsum(0)


def draw_path(
    rng: np.random.Generator,
    times: np.ndarray,
    motion: Motion,
    anchor: tuple[float, float],
    start: tuple[float, float],
    extent: tuple[float, float],
    flip: bool | None = None,
) -> Path:
    """A random walk of poses.

    Args:
        times: T ascending numbers from 0 on: how many steps of the walk lie before each frame.
        motion: pace of the walk.
        anchor: the layer's pixel that ``start`` is about.
        start: where the anchor begins, in -1..1.
        extent: layer pixels (x, y) that half the output's side spans in the first frame.
        flip: mirrored; drawn when left out.
    """
    frames = int(times[-1]) + 1
    turn = np.radians(rng.uniform(-20, 20) * (rng.random() < 0.5) + walk(rng, frames, motion.turn))
    zoom = np.exp(walk(rng, frames, motion.scale)).clip(0.4, 2.5)
    shear = rng.uniform(-0.1, 0.1) + walk(rng, frames, motion.shear).clip(-0.4, 0.4)
    mirror = rng.random() < 0.5 if flip is None else flip
    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.stack([np.stack([cos, -sin + shear], -1), np.stack([sin, cos], -1)], -2) * zoom[:, None, None]
    linear = linear * np.array([[extent[0] * (-1.0 if mirror else 1.0)], [extent[1]]])
    centre = np.array(start) + walk(rng, frames, 2 * motion.shift, (2,))
    warp = rng.normal(0, motion.warp, (1, 2, KNOTS, KNOTS)) + walk(rng, frames, motion.warp, (2, KNOTS, KNOTS))
    anchors = np.broadcast_to(np.array(anchor, float), (len(times), 2))
    return Path(anchors, centre[times], linear[times], warp[times])
