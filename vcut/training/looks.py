"""Colours and camera: drawn clip by clip, applied to many clips at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vcut.training.scene import Camera

STREAK = 15
"""Side of the motion blur's kernel, pixels."""

# Annex K of the JPEG standard (ITU-T T.81), quality 50
LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
CHROMINANCE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


def colour_matrix(rng: np.random.Generator, strength: float) -> np.ndarray:
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
    return np.concatenate([matrix, offset[:, None]], 1)


def recolour(frames: Tensor, matrix: Tensor) -> Tensor:
    """Applies colour changes, B,3,4, to B,T,3,H,W in 0..1."""
    matrix = matrix.to(frames)
    return (torch.einsum("bij,btjhw->btihw", matrix[..., :3], frames) + matrix[:, None, :, 3, None, None]).clamp_(0, 1)


def draw_camera(rng: np.random.Generator, frames: int, kinds: Collection[str]) -> Camera:
    """A camera's faults over T frames; ``kinds`` names those that may occur (see ``AUGMENTATIONS``)."""
    gains = rng.normal(1, 0.02, (frames, 1)).repeat(3, 1)
    if "flicker" in kinds and rng.random() < 0.25:
        drift = np.cumsum(rng.normal(0, 0.06, (frames, 1)), 0) + rng.normal(0, 0.05, (frames, 1))
        gains = gains * np.exp(drift + rng.normal(0, 0.02, (frames, 3))).clip(0.5, 1.6)
    camera = Camera(colour_matrix(rng, 0.7), gains, seed=int(rng.integers(2**31)))
    if rng.random() < 0.25:
        camera.shrink = float(rng.uniform(0.35, 0.8))
    if rng.random() < 0.25:
        camera.noise = float(rng.uniform(0.005, 0.04))
    if "motion-blur" in kinds and rng.random() < 0.2:
        angle = rng.uniform(0, math.pi) + rng.normal(0, 0.3, frames)
        length = rng.uniform(2, STREAK - 1) * rng.random(frames) * (rng.random(frames) < 0.7)
        camera.streaks = np.stack([length * np.cos(angle), length * np.sin(angle)], 1)
    if "jpeg" in kinds and rng.random() < 0.3:
        camera.quality = int(rng.integers(12, 70))
    return camera


def expose(frames: Tensor, colour: Tensor, gains: Tensor, streaks: Tensor, cameras: Sequence[Camera]) -> Tensor:
    """What cameras make of B,T,3,H,W in 0..1; their ``colour``, ``gains`` and ``streaks`` are stacked, and there."""
    frames = recolour(frames, colour) * gains[..., None, None]
    for i, camera in enumerate(cameras):
        clip = frames[i]
        if camera.shrink < 1:
            small = functional.interpolate(clip, scale_factor=camera.shrink, mode="bilinear", antialias=True)
            clip = functional.interpolate(small, size=clip.shape[-2:], mode="bilinear")
        if camera.streaks is not None:
            clip = smear(clip, streaks[i])
        if camera.noise:
            generator = torch.Generator(clip.device).manual_seed(camera.seed)
            clip = clip + camera.noise * torch.randn(clip.shape, generator=generator, device=clip.device)
        if camera.quality:
            clip = compress(clip.clamp(0, 1), camera.quality)
        frames[i] = clip
    return frames.clamp_(0, 1)


def smear(frames: Tensor, streaks: Tensor) -> Tensor:
    """Motion blur: T,3,H,W, each frame along its own streak T,2 (x, y) in pixels, at most ``STREAK`` long."""
    axis = torch.arange(STREAK, device=frames.device, dtype=frames.dtype) - STREAK // 2
    length = streaks.norm(dim=1)[:, None, None]
    angle = torch.atan2(streaks[:, 1], streaks[:, 0])[:, None, None]
    x, y = angle.cos(), angle.sin()
    along = x * axis + y * axis[:, None]
    across = y * axis - x * axis[:, None]
    kernel = (length / 2 + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(0, 1)
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    half = STREAK // 2
    padded = functional.pad(frames.transpose(0, 1), (half, half, half, half), mode="reflect")
    return functional.conv2d(padded, kernel[:, None], groups=len(kernel)).transpose(0, 1)


@lru_cache(maxsize=4)
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The 8 x 8 cosine transform, quantisation of (Y, Cb, Cr) at quality 50, and RGB to YCbCr and back."""
    n = torch.arange(8, dtype=torch.float64)
    cosine = torch.cos((2 * n + 1) * n[:, None] * math.pi / 16) * 0.5
    cosine[0] /= math.sqrt(2)
    y, c = (torch.tensor([int(v) for v in t.split()]).view(8, 8) for t in (LUMINANCE, CHROMINANCE))
    colours = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    tables = cosine.float(), torch.stack([y, c, c]).float(), colours, torch.linalg.inv(colours)
    return tuple(table.to(device) for table in tables)


def compress(frames: Tensor, quality: int) -> Tensor:
    """The loss of JPEG (no chroma subsampling): T,3,H,W in 0..1, H and W multiples of 8, quality 1 to 100."""
    cosine, table, colours, back = _tables(frames.device)
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    table = (table * scale).round().clamp(1, 255)[None, :, None, :, None, :]
    length, _, height, width = frames.shape
    yuv = torch.einsum("ij,tjhw->tihw", colours, frames * 255 - 128)
    blocks = yuv.reshape(length, 3, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ia,tcyaxb,jb->tcyixj", cosine, blocks, cosine)
    waves = (waves / table).round() * table
    yuv = torch.einsum("ia,tcyixj,jb->tcyaxb", cosine, waves, cosine).reshape(frames.shape)
    return (torch.einsum("ij,tjhw->tihw", back, yuv) + 128) / 255
