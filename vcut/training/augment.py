"""Motion, deformation and looks of simulated clips.

A layer (a picture, or an object cut out of one) is sampled for every frame of a clip through its own moving coordinate
grid: an affine pose that drifts, and a smooth warp of 4 x 4 knots that drifts too. Everything is drawn from one numpy
generator, so that a clip is determined by its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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


@dataclass
class Path2D:
    """Pose of a layer in each of T frames.

    Shapes: ``centre``: T,2 (x, y) place in the output of the layer's anchor, in -1..1; ``linear``: T,2,2, layer
    pixels for one unit of output; ``warp``: T,2,KNOTS,KNOTS in output units.
    """

    centre: np.ndarray
    linear: np.ndarray
    warp: np.ndarray


def _walk(rng: np.random.Generator, frames: int, spread: float, shape: tuple[int, ...] = ()) -> np.ndarray:
    """T,*shape positions from 0 on: a constant velocity and as much jitter."""
    velocity = rng.normal(0, spread * 0.7, (1, *shape))
    steps = velocity + rng.normal(0, spread * 0.7, (frames, *shape))
    steps[0] = 0
    return steps.cumsum(0)


def draw_path(
    rng: np.random.Generator, frames: int, motion: Motion, start: tuple[float, float], extent: tuple[float, float]
) -> Path2D:
    """A random walk of poses.

    Args:
        frames: T.
        motion: pace of the walk.
        start: where the anchor begins, in -1..1.
        extent: layer pixels (x, y) that half the output's side spans in the first frame.
    """
    turn = np.radians(rng.uniform(-20, 20) * (rng.random() < 0.5) + _walk(rng, frames, motion.turn))
    zoom = np.exp(_walk(rng, frames, motion.scale)).clip(0.5, 2.0)
    shear = rng.uniform(-0.1, 0.1) + _walk(rng, frames, motion.shear).clip(-0.4, 0.4)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.stack([np.stack([cos, -sin + shear], -1), np.stack([sin, cos], -1)], -2) * zoom[:, None, None]
    linear = linear * np.array([[extent[0] * flip], [extent[1]]])
    centre = np.array(start) + _walk(rng, frames, 2 * motion.shift, (2,))
    warp = rng.normal(0, motion.warp, (1, 2, KNOTS, KNOTS)) + _walk(rng, frames, motion.warp, (2, KNOTS, KNOTS))
    return Path2D(centre, linear, warp)


def sample(planes: Tensor, anchor: tuple[float, float], path: Path2D, size: int, padding: str) -> Tensor:
    """Sees a layer through its path.

    Args:
        planes: C,h,w float.
        anchor: (x, y), pixel of the layer that sits at ``path.centre``.
        path: its poses in T frames.
        size: side of the output.
        padding: ``reflection`` for whole pictures, ``zeros`` for cut-outs.

    Returns:
        T,C,size,size.
    """
    frames = len(path.centre)
    h, w = planes.shape[-2:]
    axis = (torch.arange(size, dtype=torch.float32) + 0.5) / size * 2 - 1
    unit = torch.stack([axis.expand(size, size), axis[:, None].expand(size, size)])[None].repeat(frames, 1, 1, 1)
    knots = torch.from_numpy(path.warp).float()
    unit = unit + functional.interpolate(knots, size=(size, size), mode="bicubic", align_corners=True)
    unit = unit - torch.from_numpy(path.centre).float()[:, :, None, None]
    pixels = torch.einsum("tij,tjhw->thwi", torch.from_numpy(path.linear).float(), unit)
    grid = (pixels + torch.tensor(anchor, dtype=torch.float32)) / torch.tensor([w, h]) * 2 - 1
    spread = planes[None].expand(frames, -1, -1, -1)
    return functional.grid_sample(spread, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def colour_matrix(rng: np.random.Generator, strength: float) -> Tensor:
    """3,4 affine colour change: contrast, saturation, hue, channel gains, brightness."""
    grey = np.full((3, 3), 1 / 3)
    saturation = 1 + strength * rng.uniform(-0.6, 0.6) if rng.random() > 0.04 * strength else 0.0
    matrix = saturation * np.eye(3) + (1 - saturation) * grey
    angle = strength * rng.normal(0, 0.15)
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    hue = np.eye(3) * np.cos(angle) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    gains = 1 + strength * (rng.uniform(-0.3, 0.3) + rng.uniform(-0.08, 0.08, 3))
    matrix = gains[:, None] * (hue @ matrix)
    offset = strength * rng.uniform(-0.15, 0.15) + 0.5 * (1 - gains)
    return torch.from_numpy(np.concatenate([matrix, offset[:, None]], 1)).float()


def recolour(frames: Tensor, matrix: Tensor) -> Tensor:
    """Applies a :func:`colour_matrix` to T,3,H,W in 0..1."""
    return (torch.einsum("ij,tjhw->tihw", matrix[:, :3], frames) + matrix[:, 3, None, None]).clamp(0, 1)


def degrade(rng: np.random.Generator, frames: Tensor) -> Tensor:
    """Flicker, blur and noise of a camera, T,3,H,W in 0..1."""
    flicker = torch.from_numpy(rng.normal(1, 0.03, (len(frames), 1, 1, 1))).float()
    frames = frames * flicker
    if rng.random() < 0.25:
        shrink = float(rng.uniform(0.35, 0.8))
        small = functional.interpolate(frames, scale_factor=shrink, mode="bilinear", antialias=True)
        frames = functional.interpolate(small, size=frames.shape[-2:], mode="bilinear")
    if rng.random() < 0.25:
        seed = int(rng.integers(2**31))
        noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(seed))
        frames = frames + float(rng.uniform(0.005, 0.04)) * noise
    return frames.clamp(0, 1)
