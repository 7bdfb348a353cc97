"""Packs training pictures and videos once into memory-mapped files, so that loading never waits for a decoder.

A pack is two files: ``NAME.bin``, raw bytes (for each picture H x W x 4: R, G, B and object id), and ``NAME.npz``,
where each picture starts, its size, the clip it belongs to (its own for a still), and the pixel count of each object.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from vcut.atomic import replacing
from vcut.errors import InputError
from vcut.training.pictures import Pictures

MAX_IDS = 32

FORMAT = b"vcut-pack-2"


@dataclass(frozen=True)
class Picture:
    """One picture on its way into a pack: file of the image, file of its mask (or alpha), or none, and its clip's
    name."""

    image: Path
    mask: Path | None
    clip: str


class Pack(Pictures):
    """A packed set, memory-mapped; what is written to it stays in memory.

    Attributes:
        clips: for each clip the indices of its pictures, in order.
        areas: P,32 pixel counts of object ids 0..31 of each picture.
    """

    def __init__(self, base: Path) -> None:
        index = np.load(base.with_suffix(".npz"))
        pixels = np.memmap(base.with_suffix(".bin"), np.uint8, "c").reshape(-1, 4)  # torch wants it writable
        super().__init__(pixels, index["offsets"], index["sizes"])
        self.areas = index["areas"]
        clip = index["clips"]
        self.clips = [np.flatnonzero(clip == c) for c in range(int(clip.max()) + 1)] if len(clip) else []

    def objects(self, index: int, low: float = 0.01, high: float = 0.7) -> list[int]:
        """Ids whose share of the picture is between ``low`` and ``high``."""
        share = self.areas[index] / np.prod(self.sizes[index])
        return [int(i) for i in np.flatnonzero((share > low) & (share < high)) if i > 0]


def still_pictures(root: Path) -> Iterator[Picture]:
    """``root/static/<set>/images`` with ``masks`` or ``alpha``."""
    for images in sorted((root / "static").glob("*/images")):
        for image in sorted(images.iterdir()):
            for kind in ("masks", "alpha"):
                mask = images.parent / kind / f"{image.stem}.png"
                if mask.is_file():
                    yield Picture(image, mask, str(image))


def backgrounds(root: Path) -> Iterator[Picture]:
    """``root/backgrounds/<set>/images``."""
    for image in sorted((root / "backgrounds").glob("*/images/*")):
        yield Picture(image, None, str(image))


def video_frames(root: Path) -> Iterator[Picture]:
    """``root/video/<set>/JPEGImages/<clip>`` with ``Annotations``."""
    for folder in sorted((root / "video").glob("*/JPEGImages/*")):
        for image in sorted(folder.iterdir()):
            mask = folder.parents[1] / "Annotations" / folder.name / f"{image.stem}.png"
            if mask.is_file():
                yield Picture(image, mask, folder.name)


def _ids(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Object ids of a mask file: indexed as they are; grey or alpha at half."""
    with Image.open(path) as mask:
        if mask.size != size:
            mask = mask.resize(size, Image.Resampling.NEAREST)
        if mask.mode == "P":
            ids = np.array(mask)
            ids[(ids >= MAX_IDS)] = 0
            return ids
        grey = mask.getchannel("A") if "A" in mask.getbands() else mask.convert("L")
        return (np.array(grey) > 127).astype(np.uint8)


def fingerprint(pictures: Iterable[Picture], root: Path) -> str:
    """Names and sizes of the files of a set, in one hash: another one means that the set has changed, or the format."""
    digest = hashlib.sha256(FORMAT)
    for picture in pictures:
        for file in (picture.image, picture.mask):
            if file is not None:
                digest.update(f"{file.relative_to(root)} {file.stat().st_size}\n".encode())
    return digest.hexdigest()


def write_pack(base: Path, pictures: Iterable[Picture], mark: str = "") -> int:
    """Packs pictures under ``base`` (.bin, .npz), written under temporary names first; returns how many.

    They are decoded on all cores. ``mark``: their :func:`fingerprint`, kept with them.
    """
    pictures = list(pictures)
    if not pictures:
        raise InputError(f"nothing to pack for {base.name}", "is --data the folder that holds static/ and video/?")
    sizes = np.array([_size(picture.image) for picture in pictures])
    ends = sizes.prod(1).cumsum()
    offsets = np.concatenate([[0], ends[:-1]])
    names: dict[str, int] = {}
    clips = [names.setdefault(picture.clip, len(names)) for picture in pictures]
    cores = os.cpu_count() or 1
    with (
        replacing(base.with_suffix(".bin")) as temporary,
        ProcessPoolExecutor(cores, get_context("spawn")) as pool,  # a fork of threads that hold locks could hang
    ):
        with temporary.open("wb") as file:
            file.truncate(4 * int(ends[-1]))
        areas = list(pool.map(_write, repeat(temporary), pictures, offsets.tolist(), chunksize=16))
    with replacing(base.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez(file, offsets=offsets, sizes=sizes, clips=clips, areas=areas, mark=mark)
    return len(pictures)


def _size(image: Path) -> tuple[int, int]:
    """Height and width, from the file's header."""
    with Image.open(image) as opened:
        return opened.height, opened.width


def _write(path: Path, picture: Picture, offset: int) -> np.ndarray:
    """Writes one picture into a pack from a pixel on; returns its :attr:`Pack.areas`."""
    with Image.open(picture.image) as image:
        rgb = np.array(image.convert("RGB"))
    h, w = rgb.shape[:2]
    ids = np.zeros((h, w), np.uint8) if picture.mask is None else _ids(picture.mask, (w, h))
    with path.open("r+b") as file:
        file.seek(4 * offset)
        file.write(np.dstack([rgb, ids]).tobytes())
    return np.bincount(ids.ravel(), minlength=MAX_IDS)


SOURCES = {"stills": still_pictures, "backgrounds": backgrounds, "video": video_frames}


def open_packs(data: Path, packed: Path) -> dict[str, Pack]:
    """The three packs of a data folder, made in ``packed`` on first use and when the data has changed.

    Raises:
        InputError: the folder holds nothing to pack.
    """
    for name, source in SOURCES.items():
        pictures = list(source(data))
        mark = fingerprint(pictures, data)
        if _mark(packed / f"{name}.npz") != mark:
            write_pack(packed / name, pictures, mark)
    return {name: Pack(packed / name) for name in SOURCES}


def _mark(index: Path) -> str | None:
    """The fingerprint that a pack was made with."""
    if not index.is_file() or not index.with_suffix(".bin").is_file():
        return None
    with np.load(index) as content:
        return str(content["mark"]) if "mark" in content else None
