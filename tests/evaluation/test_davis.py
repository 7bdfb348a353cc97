"""J, F and statistics against an independent reading of their definitions with scipy and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import disk

from vcut.evaluation.davis import boundary_f, jaccard, statistics


def reference_boundary(mask: np.ndarray) -> np.ndarray:
    """Where the 2 x 2 window that begins at a pixel is not of one value; at the border it repeats the border."""
    window = {"size": 2, "origin": -1, "mode": "nearest"}
    pixels = mask.astype(np.uint8)
    return ndimage.maximum_filter(pixels, **window) != ndimage.minimum_filter(pixels, **window)


def reference_f(prediction: np.ndarray, truth: np.ndarray, radius: int) -> float:
    drawn, wanted = reference_boundary(prediction), reference_boundary(truth)
    if not drawn.any() and not wanted.any():
        return 1.0
    if not drawn.any() or not wanted.any():
        return 0.0
    precision = (drawn & ndimage.binary_dilation(wanted, disk(radius))).sum() / drawn.sum()
    recall = (wanted & ndimage.binary_dilation(drawn, disk(radius))).sum() / wanted.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blob(seed: int, shape: tuple[int, int], smooth: float = 4) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), smooth)
    return noise > np.quantile(noise, 0.7)


def radius_of(shape: tuple[int, int], bound: float = 0.008) -> int:
    return math.ceil(bound * math.sqrt(shape[0] ** 2 + shape[1] ** 2))


@pytest.mark.parametrize("shape", [(48, 64), (120, 90), (37, 211), (240, 427)])
@pytest.mark.parametrize("seed", range(4))
def test_blobs(shape: tuple[int, int], seed: int) -> None:
    truth = blob(seed, shape)
    moved = np.roll(truth, (seed + 1, 2 * seed), axis=(0, 1)) ^ blob(seed + 50, shape, 1.5)
    for prediction in (moved, blob(seed + 100, shape)):
        assert boundary_f(prediction, truth) == pytest.approx(
            reference_f(prediction, truth, radius_of(shape)), abs=1e-12
        )
        assert jaccard(prediction, truth) == pytest.approx(
            (prediction * truth).sum() / np.maximum(prediction, truth).sum(), abs=1e-12
        )


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8, 13, 40])
def test_bounds_in_pixels(radius: int) -> None:
    prediction, truth = blob(7, (60, 80), 2), blob(8, (60, 80), 9)
    wanted = reference_f(prediction, truth, radius)
    assert boundary_f(prediction, truth, bound=radius) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("share", [0.004, 0.02, 0.05])
def test_bounds_as_share(share: float) -> None:
    prediction, truth = blob(9, (90, 130), 2), blob(10, (90, 130), 3)
    wanted = reference_f(prediction, truth, radius_of((90, 130), share))
    assert boundary_f(prediction, truth, bound=share) == pytest.approx(wanted, abs=1e-12)


def thin_shapes() -> dict[str, np.ndarray]:
    shapes = {
        name: np.zeros((50, 70), bool) for name in ("row", "column", "dot", "corner", "last", "frame", "diagonal")
    }
    shapes["row"][20, 5:60] = True
    shapes["column"][:, 30] = True
    shapes["dot"][25, 35] = True
    shapes["corner"][-1, -1] = True
    shapes["last"][-1, 10:40] = True
    shapes["last"][5:30, -1] = True
    shapes["frame"][[0, -1]] = True
    shapes["frame"][:, [0, -1]] = True
    shapes["diagonal"][np.arange(50), np.arange(50)] = True
    return shapes


@pytest.mark.parametrize("first", thin_shapes())
@pytest.mark.parametrize("second", thin_shapes())
def test_thin_shapes_and_borders(first: str, second: str) -> None:
    prediction, truth = thin_shapes()[first], thin_shapes()[second]
    assert boundary_f(prediction, truth) == pytest.approx(reference_f(prediction, truth, 1), abs=1e-12)
    assert boundary_f(prediction, truth, bound=4) == pytest.approx(reference_f(prediction, truth, 4), abs=1e-12)


def test_480p_takes_eight_pixels() -> None:
    """Half planes 8 columns apart are within the tolerance of ceil(0.008 * hypot(480, 854)) = 8, 9 columns are not."""
    truth, near, far = (np.arange(854)[None].repeat(480, axis=0) < edge for edge in (400, 408, 409))
    assert boundary_f(near, truth) == 1.0
    assert boundary_f(far, truth) == 0.0


def test_values_worked_out_by_hand() -> None:
    truth, prediction = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[4:8, 4:8] = True
    prediction[4:8, 6:10] = True
    assert jaccard(prediction, truth) == pytest.approx(8 / 24)
    # Each boundary is a ring of 16 pixels around rows 3 to 7, columns 3 to 7 of the truth and 5 to 9 of the prediction.
    # These of the true ring are on the other one, or next to it; the prediction's mirror them.
    near = {(row, column) for row in (3, 7) for column in (5, 6, 7)} | {(row, 7) for row in (4, 6)}
    near |= {(row, 4) for row in (3, 7)}
    assert boundary_f(prediction, truth, bound=1) == pytest.approx(len(near) / 16)


def test_empty_masks() -> None:
    nothing, something, everything = np.zeros((30, 40), bool), np.zeros((30, 40), bool), np.ones((30, 40), bool)
    something[5:9, 5:9] = True
    assert (jaccard(nothing, nothing), boundary_f(nothing, nothing)) == (1.0, 1.0)
    assert (jaccard(something, nothing), boundary_f(something, nothing)) == (0.0, 0.0)
    assert (jaccard(nothing, something), boundary_f(nothing, something)) == (0.0, 0.0)
    assert boundary_f(everything, nothing) == 1.0, "a full mask has no boundary either"
    assert jaccard(everything, nothing) == 0.0


def test_numbers_count_as_masks_and_stay_as_they_are() -> None:
    truth = blob(3, (40, 50)).astype(np.uint8) * 255
    before = truth.copy()
    assert jaccard(truth // 255, truth) == 1.0 and boundary_f(truth // 255, truth) == 1.0
    assert np.array_equal(truth, before)


@pytest.mark.parametrize("measure", [jaccard, boundary_f])
def test_sizes_must_agree(measure) -> None:
    with pytest.raises(ValueError, match="one size"):
        measure(np.zeros((4, 5), bool), np.zeros((5, 4), bool))


def published_statistics(values: np.ndarray) -> tuple[float, float, float]:
    """The published definition with its bins cast to uint8, for series of up to 256 values."""
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10) - 1
    ends = ends.astype(np.uint8)
    bins = [values[int(ends[i]) : int(ends[i + 1]) + 1] for i in range(4)]
    return np.nanmean(values), np.nanmean(values > 0.5), np.nanmean(bins[0]) - np.nanmean(bins[3])


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 9, 57, 100, 255, 256])
def test_statistics_up_to_256_frames(length: int) -> None:
    values = np.random.default_rng(length).random(length)
    found = statistics(values)
    assert (found.mean, found.recall, found.decay) == pytest.approx(published_statistics(values), abs=1e-12)


def test_statistics_beyond_256_frames() -> None:
    """A ramp of 400: the first bin is frames 1 to 101, the last 300 to 400, so 50 to 349 apart in the middle."""
    values = np.arange(400) / 400
    found = statistics(values)
    assert found.decay == pytest.approx((50 - 349) / 400)
    assert found.mean == pytest.approx(399 / 800)
    assert found.recall == pytest.approx(199 / 400), "a half is not above a half"
    assert published_statistics(values)[2] != pytest.approx(found.decay, abs=0.1), "what the cast would give"


def test_statistics_without_a_number() -> None:
    found = statistics(np.array([np.nan, 1.0, 0.6, 0.2, np.nan]))
    assert found.mean == pytest.approx(0.6)
    assert found.recall == pytest.approx(2 / 5)
    assert found.decay == pytest.approx(1.0 - 0.2)
    assert math.isnan(statistics(np.full(5, np.nan)).mean)


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((2, 2))])
def test_statistics_needs_a_series(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="series"):
        statistics(values)
