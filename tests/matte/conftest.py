"""Pictures whose alpha is known, and what a network would say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

HEIGHT, WIDTH = 360, 480
SCALE = 3
"""The model's picture is smaller by this."""


@dataclass(frozen=True)
class Truth:
    """A frame, H,W,3 uint8, with its true alpha (H,W) and colours (3), and a soft map 2,h,w of it."""

    rgb: np.ndarray
    alpha: Tensor
    colour: Tensor
    probabilities: Tensor


def disc(x: float = 240.0, y: float = 180.0, radius: float = 80.0) -> Tensor:
    """H,W: an anti-aliased disc."""
    rows, columns = torch.arange(HEIGHT)[:, None] + 0.5, torch.arange(WIDTH)[None] + 0.5
    return (radius + 0.5 - torch.hypot(columns - x, rows - y)).clamp(0, 1)


def texture(seed: int = 0) -> Tensor:
    """3,H,W: bluish, uneven at several scales."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(3, HEIGHT, WIDTH)
    for cells in (4, 16, 64):
        noise = torch.rand(1, 3, cells, cells, generator=generator)
        total += functional.interpolate(noise, (HEIGHT, WIDTH), mode="bicubic", align_corners=False)[0] / 3
    return (total * 0.5 + torch.tensor([0.0, 0.1, 0.4])[:, None, None]).clamp(0, 1)


def soft_map(alpha: Tensor, blur: int = 7) -> Tensor:
    """2,h,w: an alpha at the model's resolution, blurred as a network's guess is."""
    small = functional.interpolate(alpha[None, None], scale_factor=1 / SCALE, mode="area")
    small = functional.avg_pool2d(small, blur, 1, blur // 2, count_include_pad=False)[0]
    return torch.cat([1 - small, small])


def show(alpha: Tensor, ground: Tensor, noise: int | None = None) -> Truth:
    """An orange thing of this alpha over a background, with a camera's noise of this seed."""
    colour = torch.tensor([0.9, 0.5, 0.15])
    frame = torch.lerp(ground, colour[:, None, None].expand_as(ground), alpha) * 255
    if noise is not None:
        frame = frame + 2 * torch.randn(frame.shape, generator=torch.Generator().manual_seed(noise))
    rgb = frame.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return Truth(rgb, alpha, colour, soft_map(alpha))


@pytest.fixture(scope="session")
def scene() -> Truth:
    """A disc over texture."""
    return show(disc(), texture())


@pytest.fixture(scope="session")
def strands() -> Truth:
    """A disc with hairs of one to two pixels all around."""
    rows, columns = torch.arange(HEIGHT)[:, None] + 0.5, torch.arange(WIDTH)[None] + 0.5
    angle, radius = torch.atan2(rows - 180, columns - 240), torch.hypot(columns - 240, rows - 180)
    hair = ((angle * 60).cos() * 1.2 - 0.2).clamp(0, 1) * ((92 - radius) / 12).clamp(0, 1) * (radius > 75)
    return show(torch.maximum(disc(), hair), texture())


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Cut-outs with soft edges and backgrounds, in the layout of the training data."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("static/stamps/images", "static/stamps/alpha", "backgrounds/drawn/images"):
        (root / folder).mkdir(parents=True)
    for i in range(4):
        soft = functional.avg_pool2d(disc(radius=100 + 10 * i)[None, None], 9, 1, 4)[0, 0]
        crop = (slice(50, 310), slice(100, 380))
        Image.fromarray((soft[crop] * 255).byte().numpy()).save(root / "static/stamps/alpha" / f"disc{i}.png")
        stripes = np.zeros((260, 280, 3), np.uint8) + np.array([230, 130, 40], np.uint8)
        stripes[:, :: 8 + i] = 60
        Image.fromarray(stripes).save(root / "static/stamps/images" / f"disc{i}.png")
        ground = (texture(i) * 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(ground).save(root / "backgrounds/drawn/images" / f"g{i}.png")
    return root
