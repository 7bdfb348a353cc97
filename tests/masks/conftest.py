"""Pictures of masks, drawn at test time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 120, 160


@pytest.fixture
def two_objects() -> np.ndarray:
    """Labels 120 x 160: a disk of id 1 and a block of id 2 that touch, on background."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[(rows - 60) ** 2 + (columns - 50) ** 2 <= 30**2] = 1
    labels[40:80, 78:120] = 2
    return labels


@pytest.fixture
def soft_disk() -> np.ndarray:
    """Grey 120 x 160: a white disk on black, anti-aliased by averaging a four times larger drawing."""
    rows, columns = np.mgrid[: 4 * HEIGHT, : 4 * WIDTH]
    sharp = (rows - 241) ** 2 + (columns - 323) ** 2 <= 123**2
    return np.round(255 * sharp.reshape(HEIGHT, 4, WIDTH, 4).mean(axis=(1, 3))).astype(np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Save an array (or a picture) as a picture file and give its path; ``mode`` P keeps pixels as
    indices."""

    def save_picture(pixels: np.ndarray | Image.Image, name: str = "mask.png", mode: str | None = None) -> Path:
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        if mode == "P":
            picture.putpalette([255, 0, 255] * 256)
        elif mode is not None:
            picture = picture.convert(mode)
        path = tmp_path / name
        picture.save(path)
        return path

    return save_picture
