"""Small annotated data sets, written at test time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.masks.palette import save_indexed


@pytest.fixture
def write_sequence(tmp_path: Path) -> Callable[..., Path]:
    """Write a sequence of grey frames and indexed annotations into ``tmp_path`` and give that folder."""

    def write(
        name: str,
        annotations: Mapping[int, np.ndarray],
        frames: int,
        resolution: str = "",
        size: tuple[int, int] | None = None,
    ) -> Path:
        frame_folder = tmp_path / "JPEGImages" / resolution / name
        annotation_folder = tmp_path / "Annotations" / resolution / name
        frame_folder.mkdir(parents=True)
        annotation_folder.mkdir(parents=True)
        height, width = next(iter(annotations.values())).shape if annotations else (12, 16)
        for index in range(frames):
            Image.new("RGB", size or (width, height), (90, 90, 90)).save(frame_folder / f"{index:05d}.jpg")
        for index, labels in annotations.items():
            save_indexed(annotation_folder / f"{index:05d}.png", labels)
        return tmp_path

    return write


def moving_block(frame: int, step: int = 2) -> np.ndarray:
    """Labels 48 x 64: object 1 slides right by ``step`` a frame, object 3 stands still."""
    labels = np.zeros((48, 64), np.uint8)
    labels[10:26, 4 + step * frame : 20 + step * frame] = 1
    labels[32:44, 8:24] = 3
    return labels


@pytest.fixture
def dense_root(write_sequence: Callable[..., Path]) -> Path:
    """One dense sequence, ``slide``, of ten frames."""
    return write_sequence("slide", {index: moving_block(index) for index in range(10)}, 10)
