"""COCO run lengths against what its own library writes."""

from __future__ import annotations

import numpy as np
import pytest

from vcut.masks.rle import counts_of, decode, encode, pack, unpack


def square(first: int, last: int, side: int = 25) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[first:last, first:last] = True
    return mask


@pytest.mark.parametrize(
    ("row", "counts"),
    [([0, 0, 1, 1, 1, 0, 1], [2, 3, 1, 1]), ([1, 1, 1, 1, 1, 1, 0], [0, 6, 1]), ([0, 0], [2]), ([1, 1], [0, 2])],
)
def test_runs_begin_with_zeros(row: list[int], counts: list[int]) -> None:
    assert counts_of(np.array([row])) == counts
    assert counts_of(np.array([row]).T) == counts


def test_runs_go_down_the_columns() -> None:
    assert counts_of(np.array([[0, 1, 0], [1, 1, 0]])) == [1, 3, 2]


@pytest.mark.parametrize(("mask", "text"), [(square(0, 5), "05d00000000d?"), (square(5, 10), "R45d00000000b;")])
def test_strings_are_those_of_pycocotools(mask: np.ndarray, text: str) -> None:
    assert encode(mask) == {"size": [25, 25], "counts": text}
    assert np.array_equal(decode({"size": [25, 25], "counts": text}), mask)
    assert np.array_equal(decode({"size": [25, 25], "counts": text.encode()}), mask)
    assert np.array_equal(decode({"size": [25, 25], "counts": counts_of(mask)}), mask)


def test_any_mask_comes_back() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        mask = random.random(random.integers(1, 60, 2)) < random.random()
        assert np.array_equal(decode(encode(mask)), mask)
        counts = random.integers(0, 10**6, 20).tolist()
        assert unpack(pack(counts)) == counts


def test_a_large_smooth_mask_is_short() -> None:
    rows, columns = np.indices((1080, 1920))
    mask = np.hypot(rows - 500, columns - 900) < 400
    code = encode(mask)
    assert len(code["counts"]) < 4000
    assert np.array_equal(decode(code), mask)


def test_runs_that_do_not_fill_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="fill 6 pixels, not 2 x 4"):
        decode({"size": [2, 4], "counts": [3, 3]})
