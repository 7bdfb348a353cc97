"""What contact sheets are made of: tiles with captions, outlines of objects, and rows of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CAPTION_HEIGHT = 20
GAP = 8
"""Pixels around tiles, captions included."""

LEAST_WIDTH = 190
"""Of a tile, so that the longest usual caption fits below a portrait; a longer one widens its tile."""

PAPER, INK = (24, 24, 24), (230, 230, 230)
_FONT_SIZE = 13


def tile(picture: np.ndarray, captions: Sequence[str]) -> Image.Image:
    """A picture with lines of text under it.

    Args:
        picture: h,w,3 uint8.
        captions: a line each.
    """
    height, width = picture.shape[:2]
    width = max(width, LEAST_WIDTH, *(ceil(_font().getlength(text)) for text in captions))
    made = Image.new("RGB", (width, height + len(captions) * CAPTION_HEIGHT), PAPER)
    made.paste(Image.fromarray(picture))
    for line, text in enumerate(captions):
        write(made, text, height + line * CAPTION_HEIGHT)
    return made


def write(on: Image.Image, text: str, top: int, colour: tuple[int, int, int] = INK, right: bool = False) -> None:
    """Writes a caption into the row of :data:`CAPTION_HEIGHT` pixels that begins at ``top``."""
    x, anchor = (on.width - 1, "rm") if right else (0, "lm")
    middle = top + CAPTION_HEIGHT // 2
    ImageDraw.Draw(on).text((x, middle), text, fill=colour, font=_font(), anchor=anchor)


def contour(labels: np.ndarray) -> np.ndarray:
    """H x W bool: the pixels of objects with another label above, below, left or right of them."""
    edge = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge & (labels > 0)


def arrange(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Tiles of one height in rows of ``columns``, left to right and down."""
    width, height = max(tile.width for tile in tiles) + GAP, tiles[0].height + GAP
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), PAPER)
    for place, part in enumerate(tiles):
        sheet.paste(part, (GAP + place % columns * width, GAP + place // columns * height))
    return sheet


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(_FONT_SIZE)
