"""A small training set: drawn pictures, a background, a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vcut.masks.palette import save_indexed
from vcut.training.pack import Pack, open_packs


def picture(rng: np.random.Generator, centre: tuple[int, int]) -> tuple[Image.Image, np.ndarray]:
    """A bright disc with stripes before noise, 120 x 90, and its mask."""
    ground = Image.fromarray(rng.integers(0, 90, (90, 120, 3), np.uint8))
    mask = Image.new("L", ground.size)
    box = (centre[0] - 22, centre[1] - 18, centre[0] + 22, centre[1] + 18)
    ImageDraw.Draw(mask).ellipse(box, fill=1)
    body = Image.new("RGB", ground.size, tuple(int(v) for v in rng.integers(150, 256, 3)))
    pen = ImageDraw.Draw(body)
    for x in range(0, 120, 12):
        pen.line((x, 0, x, 90), fill=(250, 250, 40), width=3)
    ground.paste(body, (0, 0), mask.point(lambda v: 255 * v))
    return ground, np.array(mask)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder in the layout of the training data."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for folder in ("static/discs/images", "static/discs/masks", "static/cut/images", "static/cut/alpha"):
        (root / folder).mkdir(parents=True)
    for i in range(6):
        image, mask = picture(rng, (60, 45))
        image.save(root / "static/discs/images" / f"{i}.webp", quality=90)
        save_indexed(root / "static/discs/masks" / f"{i}.png", mask)
    image, mask = picture(rng, (50, 40))
    image.save(root / "static/cut/images/a.webp")
    Image.fromarray(mask * 255).save(root / "static/cut/alpha/a.png")
    (root / "backgrounds/noise/images").mkdir(parents=True)
    Image.fromarray(rng.integers(0, 90, (90, 120, 3), np.uint8)).save(root / "backgrounds/noise/images/n.webp")
    for folder in ("JPEGImages/walk", "Annotations/walk"):
        (root / "video/some" / folder).mkdir(parents=True)
    for i in range(8):
        image, mask = picture(np.random.default_rng(5), (30 + 6 * i, 45))
        image.save(root / "video/some/JPEGImages/walk" / f"{i:05d}.webp")
        save_indexed(root / "video/some/Annotations/walk" / f"{i:05d}.png", mask)
    return root


@pytest.fixture(scope="session")
def packs(data, tmp_path_factory) -> dict[str, Pack]:
    return open_packs(data, tmp_path_factory.mktemp("packed"))
