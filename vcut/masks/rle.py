"""COCO's run-length code of a mask: runs down the columns, zeros first, packed into a string."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def encode(mask: np.ndarray) -> dict[str, list[int] | str]:
    """A mask as COCO's compressed object: ``{"size": [height, width], "counts": string}``.

    Args:
        mask: H x W; everything that is not 0 belongs to it.
    """
    return {"size": [int(side) for side in mask.shape], "counts": pack(counts_of(mask))}


def decode(code: dict) -> np.ndarray:
    """The mask of an object that :func:`encode` or pycocotools made: H x W bool.

    ``counts`` may be the packed string (str or bytes) or a list of runs.

    Raises:
        ValueError: the runs do not fill the size.
    """
    height, width = code["size"]
    counts = code["counts"]
    if isinstance(counts, str | bytes):
        counts = unpack(counts)
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(f"the runs of a mask fill {sum(counts)} pixels, not {height} x {width}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def counts_of(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of 0, 1, 0, ... in column-major order; the first is 0 where the mask begins with 1."""
    flat = (np.asarray(mask) != 0).ravel(order="F")
    if not flat.size:
        return []
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *runs] if flat[0] else runs


def pack(counts: Sequence[int]) -> str:
    """Runs as COCO's string: from the fourth on the difference to the one two before, five bits a character.

    Bit 5 of a character says that more follow, bit 4 of the last is the sign, and 48 makes it printable.
    """
    characters = bytearray()
    for place, run in enumerate(counts):
        value = run - counts[place - 2] if place > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(48 + bits + (0x20 if more else 0))
    return characters.decode("ascii")


def unpack(text: str | bytes) -> list[int]:
    """The runs of a string of :func:`pack` or of pycocotools."""
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii") if isinstance(text, str) else text:
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts
