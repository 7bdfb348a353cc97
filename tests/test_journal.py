"""What a journal keeps of a frame comes back to the bit."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from vcut.engine.step import LEVELS
from vcut.journal import pack, unpack


def background(objects: int, height: int, width: int) -> np.ndarray:
    levels = np.zeros((objects + 1, height, width), np.uint16)
    levels[0] = LEVELS
    return levels


@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.parametrize("part", [np.s_[:, :0], np.s_[:, 5:6, 7:8], np.s_[:, 3:], np.s_[:, :, :4], np.s_[:]])
def test_any_levels_come_back(objects: int, part: tuple[slice, ...]) -> None:
    levels = background(objects, 11, 17)
    levels[part] = np.random.default_rng(objects).integers(0, LEVELS + 1, levels[part].shape)
    found = unpack(pack(levels))
    assert found.dtype == np.uint16 and np.array_equal(found, levels)


def test_a_sliver_that_rounds_to_nothing_of_each_object_is_kept() -> None:
    levels = background(3, 8, 8)
    levels[0, 2, 3] -= 1  # three times 0.4 of a step
    assert np.array_equal(unpack(pack(levels)), levels)


def test_a_small_object_takes_little_room() -> None:
    levels = background(1, 480, 854)
    rows, columns = np.indices((60, 80))
    inside = (LEVELS / (1 + np.exp(((rows - 30) ** 2 + (columns - 40) ** 2 - 600) / 20))).astype(np.uint16)
    levels[1, 100:160, 200:280] = inside
    levels[0] -= levels[1]
    assert np.array_equal(unpack(pack(levels)), levels)
    assert len(pack(levels)) < 0.7 * len(zlib.compress(levels.tobytes(), 1))


@pytest.mark.parametrize("spoilt", [lambda data: data[:20], lambda data: data[:-9], lambda data: data[:60] + data[70:]])
def test_what_is_damaged_is_not_taken_for_a_frame(spoilt) -> None:
    levels = background(2, 30, 40)
    levels[1:, 5:25, 5:35] = np.random.default_rng(2).integers(0, LEVELS // 2, (2, 20, 30))
    with pytest.raises((ValueError, struct.error, zlib.error)):
        unpack(spoilt(pack(levels)))
