"""Where the source and the model's picture meet: the window an object lies in, and the pixels whose alpha is open.

Everything that looks at neighbourhoods happens at the model's resolution, inside the window; at the source's resolution
only the pixels of the band around edges are touched, one by one, as a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from vcut.models.parts.constant import constants

CELL = 4
"""Side of the cells that colours are gathered in, pixels of the model's picture."""

SEEN = 0.02
"""Probabilities below count as nothing."""

WIDE_KEPT = 256
"""Matrices of wide neighbourhoods that are kept: windows have a few sizes, and change them from frame to frame."""

MARGIN = 6 * CELL
"""Surroundings of an object that belong to its window, pixels of the model's picture."""


@dataclass(frozen=True)
class Field:
    """An object's window in the model's picture, padded at the bottom and right to multiples of :data:`CELL`.

    Attributes:
        window: its rows and columns in the whole picture, without padding.
        picture: 3,h,w in 0..1.
        probability: h,w.
        source: height and width of the source.
        scale: rows and columns of the model's picture in one of the source.
    """

    window: tuple[slice, slice]
    picture: Tensor
    probability: Tensor
    source: tuple[int, int]
    scale: tuple[float, float]

    @property
    def covers(self) -> tuple[slice, slice]:
        """The rows and columns of the source whose centres lie in the window."""
        sides = zip(self.window, self.probability.shape, self.scale, self.source, strict=True)
        rows, columns = (
            slice(max(0, round(side.start / scale)), min(size, round((side.start + length) / scale)))
            for side, length, scale, size in sides
        )
        return rows, columns

    def cut(self, planes: Tensor) -> Tensor:
        """*,h,w: this window of planes of the whole picture; in the padding, its last row and column."""
        return _padded(planes[..., *self.window])

    def put(self, part: Tensor, planes: Tensor) -> None:
        """Writes *,h,w into this window of planes of the whole picture."""
        inner = planes[..., *self.window]
        inner.copy_(part[..., : inner.shape[-2], : inner.shape[-1]])


@dataclass(frozen=True)
class Band:
    """Pixels of the source, listed.

    Attributes:
        index: n, their places in the flattened picture.
        grid: 1,1,n,2, where they lie in the field's planes, as ``grid_sample`` takes it.
        rgb: 3,n in 0..1.
    """

    index: Tensor
    grid: Tensor
    rgb: Tensor

    def sample(self, planes: Tensor) -> Tensor:
        """C,n: planes C,a,b that cover the field, at these pixels, bilinear."""
        return functional.grid_sample(planes[None], self.grid, padding_mode="border", align_corners=False)[0, :, 0]


def find_field(picture: Tensor, probability: Tensor, source: tuple[int, int], margin: int = MARGIN) -> Field | None:
    """The window of an object; ``None`` where there is none.

    Args:
        picture: 3,h,w in 0..255, the whole frame as the model saw it (:func:`vcut.engine.preprocess.shrunk`).
        probability: h,w.
        source: height and width of the source.
        margin: surroundings to include.
    """
    height, width = probability.shape
    rows, columns = ((probability.amax(axis) > SEEN).nonzero() for axis in (1, 0))
    if not len(rows):
        return None
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom, right = min(height, int(rows[-1]) + 1 + margin), min(width, int(columns[-1]) + 1 + margin)
    window = (slice(top, bottom), slice(left, right))
    part = picture[:, *window]
    colours = _padded(torch.empty(part.shape, device=part.device).copy_(part).div_(255))
    scale = (height / source[0], width / source[1])
    return Field(window, colours, _padded(probability[window]).contiguous(), source, scale)


def lay_out(field: Field, asked: Tensor, frame: Tensor, alpha: Tensor) -> Band:
    """Writes 0 or 1, what the probability says, into an object's window of the source, and lists its open pixels.

    Args:
        field: the window.
        asked: h,w bool, where alpha is still to be found.
        frame: H,W,3 uint8, the source.
        alpha: H,W, written where the window covers it alone.

    Returns:
        the pixels asked for, all of them there.
    """
    near = _spread(field, (field.probability > 0.5).to(torch.uint8) + 2 * asked.to(torch.uint8))
    alpha[field.covers] = (near & 1).to(alpha.dtype)
    return _list_band(field, near > 1, frame)


def _spread(field: Field, plane: Tensor) -> Tensor:
    """A plane h,w of the field where it covers the source, each pixel from the nearest."""
    rows, columns = (
        ((torch.arange(side.start, side.stop, device=plane.device) + 0.5) * scale).long().sub_(inner.start)
        for side, scale, inner in zip(field.covers, field.scale, field.window, strict=True)
    )
    rows, columns = rows.clamp_(0, plane.shape[0] - 1), columns.clamp_(0, plane.shape[1] - 1)
    # Across first, where there are fewer rows: on a CPU a third of the time of both by one pair of indices.
    return plane.index_select(1, columns).index_select(0, rows)


def _list_band(field: Field, mask: Tensor, frame: Tensor) -> Band:
    """The source's pixels where a mask of what the field covers is set."""
    rows, columns = field.covers
    y, x = mask.nonzero().unbind(1)
    y, x = y + rows.start, x + columns.start
    (h, w), (top, left) = field.probability.shape, (side.start for side in field.window)
    across = ((x + 0.5) * field.scale[1] - left) * (2 / w) - 1
    down = ((y + 0.5) * field.scale[0] - top) * (2 / h) - 1
    index = y * field.source[1] + x
    colours = frame.view(-1, 3).index_select(0, index)
    # A copy turns and widens at once: on a CPU an eighth of the time of the one after the other.
    planes = torch.empty(3, len(index), device=frame.device).copy_(colours.T).div_(255)
    return Band(index, torch.stack([across, down], -1)[None, None], planes)


def widest(planes: Tensor, distance: int) -> Tensor:
    """The largest value within so many pixels across and down of each pixel of planes *,h,w.

    By shifts that double what is covered: on a CPU a tenth of the time of ``max_pool2d``, which asks about every pixel
    of a window.
    """
    for axis in (-1, -2):
        length = planes.shape[axis]
        most, covered = min(distance, length - 1), 0
        while covered < most:
            shift = min(covered + 1, most - covered)
            shifted = planes.clone()
            for target, source in ((shift, 0), (0, shift)):
                part = shifted.narrow(axis, target, length - shift)
                torch.maximum(part, planes.narrow(axis, source, length - shift), out=part)
            planes, covered = shifted, covered + shift
    return planes


def pool(planes: Tensor, weights: Tensor, side: int) -> Tensor:
    """S,C,h/side,w/side: means over squares of planes C,h,w times each of weights S,h,w.

    Row by row, so that their products are never there at once: on a CPU a third of the time of ``avg_pool2d``.

    Args:
        planes, weights: h and w are multiples of ``side``.
        side: of the squares, a power of two.
    """
    weights = weights[:, None]
    rows = planes[:, ::side] * weights[:, :, ::side]
    for i in range(1, side):
        rows.addcmul_(planes[:, i::side], weights[:, :, i::side])
    return _across(rows, side).div_(side**2)


def shrink(planes: Tensor, side: int) -> Tensor:
    """*,h/side,w/side: means over squares of planes *,h,w, which are multiples of ``side``."""
    rows = sum(planes[..., i::side, :] for i in range(side))
    return _across(rows, side).div_(side**2)


def _across(rows: Tensor, side: int) -> Tensor:
    """*,h,w/side: sums of so many beside each other; a power of two."""
    while side > 1:
        rows, side = rows[..., ::2] + rows[..., 1::2], side // 2
    return rows


def box(planes: Tensor, rim: Literal["constant", "replicate"] = "constant") -> Tensor:
    """C,h,w: means of the 3 x 3 around each pixel: on a CPU a tenth of the time of ``avg_pool2d``.

    Args:
        planes: C,h,w, or B,C,h,w.
        rim: beyond it there is 0, or what the rim has.
    """
    padded = functional.pad(planes, (1, 1, 1, 1), mode=rim)
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9


def gather(cells: Tensor, levels: tuple[tuple[int, float], ...]) -> Tensor:
    """B,C,a,b: sums over neighbourhoods of every cell.

    Args:
        cells: B,C,a,b.
        levels: of each neighbourhood, the side of its own cells, and its weight.
    """
    total = torch.zeros_like(cells)
    for side, share in levels:
        total.add_(box(cells) if side == 1 else _gather_wide(cells, side), alpha=share)
    return total


def _gather_wide(cells: Tensor, side: int) -> Tensor:
    """B,C,a,b: of cells put together to squares, means with the eight squares around each, bilinear between them.

    All that is linear, across as well as down, and the squares are few: products of small matrices.
    """
    (down, back_down), (across, back_across) = (_wide(length, side, cells.device) for length in cells.shape[-2:])
    return back_down @ (down @ (cells @ across.T)) @ back_across.T


@constants(WIDE_KEPT)
def _wide(length: int, side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """In one direction: n,length, from cells to n squares and their neighbours (0 beyond the rim); length,n, back."""
    count = -(-length // side)
    squares = torch.arange(count, device=device)[:, None]
    within = (squares == torch.arange(length, device=device) // side).float()
    means = within / within.sum(1, keepdim=True)
    near = ((squares - squares.T).abs() <= 1).float() / 3
    one = torch.eye(count, device=device)[None]
    back = functional.interpolate(one, count * side, mode="linear", align_corners=False)[0, :, :length].T
    return near @ means, back.contiguous()


def _padded(planes: Tensor) -> Tensor:
    """*,h,w to multiples of :data:`CELL`, by repeating the last row and column; as they are where they fit."""
    h, w = planes.shape[-2:]
    bottom, right = -h % CELL, -w % CELL
    if not bottom and not right:
        return planes
    result = planes.new_empty(*planes.shape[:-2], h + bottom, w + right)
    result[..., :h, :w] = planes
    result[..., :h, w:] = planes[..., -1:]
    result[..., h:, :] = result[..., h - 1 : h, :]
    return result
