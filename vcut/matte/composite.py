"""Clips whose alpha and foreground colours are known: real cut-outs moved over real backgrounds.

A cut-out of real alpha (``static/stamps``, ``static/am2k_demo``) is enlarged, its colours are carried outwards from
where it is opaque, and it is moved over a background that pans. ``frame = alpha * colours + (1 - alpha) * background``
holds but for the camera's noise and compression, so alpha and colours are truths whatever their origin. In the last
frames everything stands still and only the noise changes: what alpha does there is flicker.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from vcut.errors import InputError, OptionError

SETS = ("am2k_demo", "stamps")
"""Sets of real alpha: animals with fur, and things of all kinds cut out by hand."""

LEAST_SIDE = 130
LEAST_SOFTNESS = 8.0
"""Cut-outs below are left out: too small to be enlarged, or of hard edges (half-transparent pixels by the root of the
opaque ones)."""

HALVES = ("tune", "held-out")
"""Every second picture of a set, by name: one half to choose constants on, the other to report on."""

MOVING = 4
"""Frames with motion, the given one among them; the rest stand still."""

NOISE = 1.5
"""Standard deviation of the camera's noise, of 255."""

JPEG = 92
"""Quality that frames are stored at, colour at half the resolution (4:2:0), as a camera does."""


@dataclass(frozen=True)
class CutOut:
    """A picture with real alpha.

    Attributes:
        name: set/name.
        image, alpha: its files.
    """

    name: str
    image: Path
    alpha: Path


@dataclass(frozen=True)
class Composite:
    """One frame and its truth.

    Shapes: ``rgb``: H,W,3 uint8; ``alpha``: H,W float in 0..1; ``colours``: 3,H,W float in 0..1, the object's own.

    Attributes:
        still: nothing but noise has changed since the frame before.
    """

    rgb: np.ndarray
    alpha: Tensor
    colours: Tensor
    still: bool


def find_cutouts(data: Path, half: str) -> list[CutOut]:
    """The usable cut-outs of one half: of both sets in turn, those of a set spread over the names.

    Args:
        data: folder that holds ``static/<set>/images`` and ``alpha``.
        half: one of :data:`HALVES`.

    Raises:
        OptionError: an unknown half.
        InputError: there is no cut-out.
    """
    if half not in HALVES:
        raise OptionError(f"unknown half '{half}'", f"known ones: {', '.join(HALVES)}")
    sets = []
    for name in SETS:
        alphas = [path for path in sorted((data / "static" / name / "alpha").glob("*.png")) if _usable(path)]
        pictures = [CutOut(f"{name}/{path.stem}", _image_of(path), path) for path in alphas[HALVES.index(half) :: 2]]
        sets.append(_spread(pictures))
    found = _in_turn(sets)
    if not found:
        raise InputError(f"no pictures with alpha in {data}", f"expected {data}/static/{SETS[0]}/alpha/*.png")
    return found


def compose(cutout: CutOut, data: Path, height: int, length: int = 2 * MOVING - 1) -> Iterator[Composite]:
    """The frames of one clip, the same on every call.

    Args:
        cutout: what moves.
        data: folder that holds ``backgrounds/<set>/images``.
        height: lines of the frames; they are 16:9.
        length: number of frames; those after :data:`MOVING` stand still.

    Raises:
        InputError: a picture cannot be read, or there is no background.
    """
    rng = np.random.default_rng(zlib.crc32(cutout.name.encode()))
    width = round(height * 16 / 9 / 2) * 2
    backgrounds = sorted((data / "backgrounds").glob("*/images/*"))
    if not backgrounds:
        raise InputError(f"no backgrounds in {data}", f"expected {data}/backgrounds/<set>/images")
    ground = _ground(_read(backgrounds[int(rng.integers(len(backgrounds)))], "RGB"), height, width)
    layer, place = _layer(cutout, rng, height, width)
    unit = height / 100
    pan, drift = rng.normal(0, 0.25 * unit, 2), rng.normal(0, 0.5 * unit, 2)
    turn, zoom = np.radians(rng.normal(0, 0.6)), rng.normal(0, 0.006)
    for t in range(length):
        step = min(t, MOVING - 1)
        seen = _see(layer, place, drift * step, turn * step, np.exp(zoom * step), height, width)
        colours, alpha = seen[:3].clamp_(0, 1), seen[3].clamp_(0, 1)
        behind = _see(ground, (width / 2, height / 2), pan * step, 0.0, 1.0, height, width)
        frame = torch.lerp(behind, colours, alpha) * 255
        noise = torch.from_numpy(rng.standard_normal(frame.shape, np.float32)) * NOISE
        rgb = (frame + noise).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0)
        yield Composite(_stored(rgb.numpy()), alpha, colours, still=t >= MOVING)


def extend(colours: Tensor, alpha: Tensor) -> Tensor:
    """Colours of an object everywhere, carried outwards from where it is opaque.

    Means over growing neighbourhoods, each weighted by ``alpha ** 8``; the smallest that has weight counts.

    Args:
        colours: 3,h,w, right where ``alpha`` is near 1.
        alpha: h,w in 0..1.
    """
    sure = (alpha**8)[None, None]
    result = torch.zeros_like(colours)[None]
    missing = torch.ones_like(sure)
    reach = 1
    while reach < 2 * max(alpha.shape):
        kernel, pad = 2 * reach + 1, reach
        size = _pooled(alpha.shape, reach)
        weights = functional.adaptive_avg_pool2d(sure, size)
        means = functional.adaptive_avg_pool2d(sure * colours, size)
        if reach == 1:
            weights = functional.avg_pool2d(weights, kernel, 1, pad)
            means = functional.avg_pool2d(means, kernel, 1, pad)
        weights, means = (
            functional.interpolate(x, alpha.shape, mode="bilinear", align_corners=False) for x in (weights, means)
        )
        known = missing * (weights / 0.05).clamp(0, 1)
        result += known * means / weights.clamp(min=1e-6)
        missing -= known
        reach *= 2
    result /= (1 - missing).clamp(min=1e-6)
    opaque = ((alpha - 0.9) / 0.08).clamp(0, 1)
    return torch.lerp(result[0], colours, opaque)


def _pooled(shape: torch.Size, reach: int) -> tuple[int, int]:
    return max(1, shape[0] // reach), max(1, shape[1] // reach)


def _usable(alpha: Path) -> bool:
    plane = np.asarray(_read(alpha, "L"))
    soft, solid = ((plane > 12) & (plane < 243)).sum(), (plane > 127).sum()
    return min(plane.shape) >= LEAST_SIDE and soft >= LEAST_SOFTNESS * np.sqrt(solid)


def _image_of(alpha: Path) -> Path:
    images = alpha.parent.parent / "images"
    found = next(images.glob(f"{alpha.stem}.*"), None)
    if found is None:
        raise InputError(f"{alpha} has no picture in {images}")
    return found


def _spread(items: list[CutOut]) -> list[CutOut]:
    """Another order, in which any number of first items is spread over all of them (van der Corput)."""
    bits = max(1, (len(items) - 1).bit_length())
    order = (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits))
    return [items[i] for i in order if i < len(items)]


def _in_turn(sets: list[list[CutOut]]) -> list[CutOut]:
    most = max(map(len, sets))
    return [items[i] for i in range(most) for items in sets if i < len(items)]


def _read(path: Path, mode: str) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert(mode)
    except OSError as error:
        raise InputError(f"picture {path} cannot be read", "is it damaged?") from error


def _tensor(picture: Image.Image) -> Tensor:
    """C,h,w in 0..1."""
    pixels = np.array(picture, np.float32) / 255
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())


def _ground(picture: Image.Image, height: int, width: int) -> Tensor:
    """A background larger than the frame: the picture and its mirror images, so that it is enlarged less."""
    tile = _tensor(picture)
    tile = torch.cat([tile, tile.flip(2)], 2)
    tile = torch.cat([tile, tile.flip(1)], 1)
    scale = 1.15 * max(height / tile.shape[1], width / tile.shape[2])
    return functional.interpolate(
        tile[None], scale_factor=scale, mode="bicubic", align_corners=False, recompute_scale_factor=True
    )[0].clamp_(0, 1)


def _layer(cutout: CutOut, rng: np.random.Generator, height: int, width: int) -> tuple[Tensor, tuple[float, float]]:
    """The enlarged cut-out, 4,h,w (colours, alpha), and where its centre is put (x, y).

    An object that leaves its picture is continued by its mirror image, and put where the frame's edge cuts it.
    """
    image, alpha = _tensor(_read(cutout.image, "RGB")), _tensor(_read(cutout.alpha, "L"))
    cut = [bool((side > 0.5).float().mean() > 0.1) for side in (alpha[0, -1], alpha[0, :, 0], alpha[0, :, -1])]
    scale = height * rng.uniform(0.6, 0.75) / alpha.shape[1]
    scale = min(scale, 0.6 * width / alpha.shape[2])
    size = (round(alpha.shape[1] * scale), round(alpha.shape[2] * scale))
    both = torch.cat([extend(image, alpha[0]), alpha])[None]
    both = functional.interpolate(both, size, mode="bicubic", align_corners=False).clamp_(0, 1)
    a = both[:, 3]
    both[:, 3] = a * a * (3 - 2 * a)  # enlarging has widened the edges: steeper again, ends kept
    margin = min(size) // 3
    pads = [margin * side for side in (cut[1], cut[2], False, cut[0])]
    layer = functional.pad(functional.pad(both, pads, mode="reflect"), [1, 1, 1, 1])
    free_x, free_y = width - size[1], height - size[0]
    x = width / 2 + rng.uniform(-0.2, 0.2) * free_x
    y = height / 2 + rng.uniform(-0.2, 0.2) * free_y
    if cut[1] != cut[2]:
        x = size[1] / 2 if cut[1] else width - size[1] / 2
    if cut[0]:
        y = height - size[0] / 2
    return layer[0], (x + (pads[1] - pads[0]) / 2, y + (pads[3] - pads[2]) / 2)


def _stored(rgb: np.ndarray) -> np.ndarray:
    """H,W,3 uint8 after compression."""
    with BytesIO() as file:
        Image.fromarray(rgb).save(file, "JPEG", quality=JPEG, subsampling="4:2:0")
        return np.array(Image.open(file))


def _see(
    layer: Tensor,
    place: tuple[float, float],
    shift: np.ndarray,
    turn: float,
    zoom: float,
    height: int,
    width: int,
) -> Tensor:
    """C,height,width: a layer with its centre at ``place + shift``, turned (radians) and zoomed about it."""
    h, w = layer.shape[1:]
    x = torch.arange(width) + 0.5 - place[0] - float(shift[0])
    y = (torch.arange(height) + 0.5 - place[1] - float(shift[1]))[:, None]
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    grid = torch.stack([(x * cos + y * sin) * 2 / w, (y * cos - x * sin) * 2 / h], -1).float()
    if layer.shape[0] == 3:
        return functional.grid_sample(layer[None], grid[None], padding_mode="reflection", align_corners=False)[0]
    seen = functional.grid_sample(layer[None], grid[None], padding_mode="border", align_corners=False)[0]
    inside = (grid.abs() < 1).all(-1)
    seen[3] *= inside
    return seen
