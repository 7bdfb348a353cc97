"""The contact sheet: a row a frame, the frame itself first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from vcut.inspection.heat import heat
from vcut.inspection.panels import Panel
from vcut.masks.labels import resize_labels
from vcut.tiles import contour, tile

TILE_HEIGHT = 180

OUTLINE = (0, 255, 210)
"""A colour that no heat map has."""


def row(
    rgb: np.ndarray, labels: np.ndarray, captions: Sequence[str], panels: Sequence[Panel], visible: tuple[float, float]
) -> list[Image.Image]:
    """The tiles of one frame: the frame, then its planes, each with its caption and the values of its darkest and
    brightest colour. On each is the outline of the objects; on a plane of one object that of this one.

    Args:
        rgb: H,W,3 uint8.
        labels: H,W uint8, what was found in it.
        captions: the frame's, two lines.
        panels: its planes.
        visible: the parts of a plane's height and width that are the frame.
    """
    size = (max(1, round(rgb.shape[1] * TILE_HEIGHT / rgb.shape[0])), TILE_HEIGHT)
    labels = resize_labels(labels, size)
    frame = np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    frame[contour(labels)] = OUTLINE
    tiles = [tile(frame, captions)]
    for panel in panels:
        picture = heat(_enlarged(panel.values, size, visible), panel.low, panel.high)
        shown = labels if panel.identifier is None else np.where(labels == panel.identifier, labels, 0)
        picture[contour(shown)] = OUTLINE
        tiles.append(tile(picture, [panel.caption, f"{panel.low:.3g} to {panel.high:.3g}"]))
    return tiles


def _enlarged(values: np.ndarray, size: tuple[int, int], visible: tuple[float, float]) -> np.ndarray:
    """The part of a plane that is the frame at the size (width, height) of tiles, bilinear."""
    height, width = values.shape
    box = (0, 0, width * visible[1], height * visible[0])
    return np.array(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR, box=box))
