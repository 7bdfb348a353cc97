"""Where the source and the model's picture meet: the window an object lies in, and the pixels whose alpha is open.

Everything that looks at neighbourhoods happens at the model's resolution, inside the window; at the source's resolution
only the pixels of the band around edges are touched, one by one, as a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

CELL = 4
"""Side of the cells that colours are gathered in, pixels of the model's picture."""

SEEN = 0.02
"""Probabilities below count as nothing."""

MARGIN = 6 * CELL
"""Surroundings of an object that belong to its window, pixels of the model's picture."""


@dataclass(frozen=True)
class Field:
    """An object's window in the model's picture, padded at the bottom and right to multiples of :data:`CELL`.

    Attributes:
        window: its rows and columns in the whole picture, without padding.
        picture: 3,h,w in 0..1.
        probability: h,w.
        scale: rows and columns of the model's picture in one of the source.
    """

    window: tuple[slice, slice]
    picture: Tensor
    probability: Tensor
    scale: tuple[float, float]

    def cut(self, plane: Tensor) -> Tensor:
        """h,w: this window of a plane of the whole picture; 0 in the padding."""
        part = plane[self.window]
        h, w = self.probability.shape
        return functional.pad(part, (0, w - part.shape[1], 0, h - part.shape[0]))

    def put(self, part: Tensor, plane: Tensor) -> None:
        """Writes h,w into this window of a plane of the whole picture."""
        inner = plane[self.window]
        inner.copy_(part[: inner.shape[0], : inner.shape[1]])


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
        picture: 3,h,w, the whole frame as the model saw it.
        probability: h,w.
        source: height and width of the source.
        margin: surroundings to include.
    """
    height, width = probability.shape
    seen = probability > SEEN
    rows, columns = seen.any(1).nonzero(), seen.any(0).nonzero()
    if not len(rows):
        return None
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom, right = min(height, int(rows[-1]) + 1 + margin), min(width, int(columns[-1]) + 1 + margin)
    window = (slice(top, bottom), slice(left, right))
    pads = (0, -(right - left) % CELL, 0, -(bottom - top) % CELL)
    planes = torch.cat([picture[:, *window], probability[None, *window]])
    planes = functional.pad(planes[None], pads, mode="replicate")[0] if any(pads) else planes
    return Field(window, planes[:3], planes[3], (height / source[0], width / source[1]))


def spread(field: Field, mask: Tensor, source: tuple[int, int]) -> tuple[slice, slice, Tensor]:
    """A mask h,w of the field at the source's size: rows and columns of the source, and the mask there (nearest)."""
    top, left = (side.start for side in field.window)
    rows = _covered(top, mask.shape[0], field.scale[0], source[0], mask.device)
    columns = _covered(left, mask.shape[1], field.scale[1], source[1], mask.device)
    near_rows = ((rows + 0.5) * field.scale[0]).long() - top
    near_columns = ((columns + 0.5) * field.scale[1]).long() - left
    near = mask[near_rows.clamp_(0, mask.shape[0] - 1)][:, near_columns.clamp_(0, mask.shape[1] - 1)]
    return _slice(rows), _slice(columns), near


def list_band(field: Field, mask: Tensor, rgb: Tensor) -> Band:
    """The source's pixels where a mask (h,w bool) of the field is set.

    Args:
        field: the window.
        mask: what to list.
        rgb: H,W,3 uint8, the source.
    """
    height, width = rgb.shape[:2]
    rows, columns, near = spread(field, mask, (height, width))
    y, x = near.nonzero().unbind(1)
    y, x = y + rows.start, x + columns.start
    (h, w), (top, left) = mask.shape, (side.start for side in field.window)
    across = ((x + 0.5) * field.scale[1] - left) * (2 / w) - 1
    down = ((y + 0.5) * field.scale[0] - top) * (2 / h) - 1
    index = y * width + x
    colours = rgb.view(-1, 3).index_select(0, index)
    # A copy turns and widens at once: on a CPU an eighth of the time of the one after the other.
    planes = torch.empty(3, len(index), device=rgb.device).copy_(colours.T).div_(255)
    return Band(index, torch.stack([across, down], -1)[None, None], planes)


def lay_out(field: Field, asked: Tensor, frame: Tensor, alpha: Tensor) -> tuple[slice, slice, Band]:
    """Writes 0 or 1, what the probability says, into an object's window of the source, and lists its open pixels.

    Args:
        field: the window.
        asked: h,w bool, where alpha is still to be found.
        frame: H,W,3 uint8, the source.
        alpha: H,W, written in the window alone.

    Returns:
        the window's rows and columns of the source, and the pixels asked for, all of them within it.
    """
    rows, columns, inside = spread(field, field.probability > 0.5, (frame.shape[0], frame.shape[1]))
    alpha[rows, columns] = inside.to(alpha.dtype)
    return rows, columns, list_band(field, asked, frame)


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
        side: of the squares.
    """
    weights = weights[:, None]
    rows = planes[:, ::side] * weights[:, :, ::side]
    for i in range(1, side):
        rows.addcmul_(planes[:, i::side], weights[:, :, i::side])
    return sum(rows[..., i::side] for i in range(side)) / side**2


def box(planes: Tensor) -> Tensor:
    """*,h,w: means of the 3 x 3 around each pixel, 0 beyond the rim: on a CPU a tenth of the time of ``avg_pool2d``."""
    padded = functional.pad(planes, (1, 1, 1, 1))
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
        pooled = functional.avg_pool2d(cells, side, ceil_mode=True) if side > 1 else cells
        pooled = box(pooled)
        if side > 1:
            size = (pooled.shape[2] * side, pooled.shape[3] * side)
            pooled = functional.interpolate(pooled, size, mode="bilinear", align_corners=False)
        total.add_(pooled[..., : cells.shape[2], : cells.shape[3]], alpha=share)
    return total


def _covered(first: int, count: int, scale: float, size: int, device: torch.device) -> Tensor:
    """The source's rows (or columns) whose centres lie in ``count`` of the model's, from ``first`` on."""
    start = max(0, round(first / scale))
    stop = min(size, round((first + count) / scale))
    return torch.arange(start, stop, device=device)


def _slice(places: Tensor) -> slice:
    start = int(places[0]) if len(places) else 0
    return slice(start, start + len(places))
