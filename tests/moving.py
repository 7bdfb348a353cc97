"""A made-up clip that trained networks follow."""

from __future__ import annotations

import numpy as np


def disc(
    places: list[tuple[int, int]], height: int = 320, width: int = 640, radius: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    """T,H,W,3 uint8 frames and T,H,W uint8 labels: a red disc with dots before grey blotches; its centres y, x."""
    rng = np.random.default_rng(1)
    ground = np.kron(rng.integers(60, 190, (height // 16, width // 16, 1), np.uint8), np.ones((16, 16, 3), np.uint8))
    frames, labels = [], []
    ys, xs = np.mgrid[:height, :width]
    for y, x in places:
        inside = (ys - y) ** 2 + (xs - x) ** 2 < radius**2
        dots = ((ys - y) // 8 + (xs - x) // 8) % 2 == 0
        frame = ground.copy()
        frame[inside] = (200, 30, 30)
        frame[inside & dots] = (250, 90, 60)
        frames.append(frame)
        labels.append(inside.astype(np.uint8))
    return np.stack(frames), np.stack(labels)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return (a & b).sum() / max(1, (a | b).sum())
