"""The DAVIS measures J (region), F (boundary) and their statistics, as davis2017-evaluation defines them.

Written for speed with numpy alone: boundaries are compared on a crop around both of them, and dilation by a
disk of radius r is r growing row segments, each shifted up and down, instead of r * r shifts.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from vcut.masks.extent import extent


@dataclass(frozen=True)
class Statistics:
    """Mean, recall (share above 0.5) and decay (first quarter less last quarter) of a series of J or F."""

    mean: float
    recall: float
    decay: float


def jaccard(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two H x W masks (not zero = inside); 1 when both are empty.

    Raises:
        ValueError: the shapes differ, or are not H x W.
    """
    prediction, truth = _as_masks(prediction, truth)
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def boundary_f(prediction: np.ndarray, truth: np.ndarray, bound: float = 0.008) -> float:
    """F measure of the boundaries of two H x W masks (not zero = inside), within a tolerance.

    Args:
        prediction: the mask to judge.
        truth: the right one.
        bound: the tolerance as a share of the picture's diagonal, rounded up to pixels; from 1 on, in pixels.

    Returns:
        2PR / (P + R): P the share of predicted boundary near the true one, R the share of true boundary near
        the predicted one. No boundary in both is 1, in one of them 0.

    Raises:
        ValueError: the shapes differ, or are not H x W.
    """
    prediction, truth = _as_masks(prediction, truth)
    radius = math.ceil(bound if bound >= 1 else bound * math.hypot(*prediction.shape))
    drawn, wanted = _boundary(prediction), _boundary(truth)
    count_drawn, count_wanted = np.count_nonzero(drawn), np.count_nonzero(wanted)
    if not count_drawn or not count_wanted:
        return 1.0 if count_drawn == count_wanted else 0.0
    crop = extent(drawn | wanted)
    drawn, wanted = drawn[crop], wanted[crop]
    precision = np.count_nonzero(drawn & _dilate(wanted, radius)) / count_drawn
    recall = np.count_nonzero(wanted & _dilate(drawn, radius)) / count_wanted
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def statistics(values: np.ndarray) -> Statistics:
    """Mean, recall and decay of the values of one object over its frames.

    NaN is left out of the means (in recall it counts as a miss). Decay takes four bins that share their end
    frames. davis2017-evaluation keeps the bins' ends as uint8, so its decay is wrong beyond 256 frames; here
    it is right, and the same up to 256.

    Raises:
        ValueError: there are no values.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values must be a series of at least one, not of shape {values.shape}")
    ends = (np.round(np.linspace(1, values.size, 5) + 1e-10) - 1).astype(int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        mean = np.nanmean(values)
        first, last = (np.nanmean(values[ends[quarter] : ends[quarter + 1] + 1]) for quarter in (0, 3))
    return Statistics(float(mean), float(np.mean(values > 0.5)), float(first - last))


def _as_masks(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if prediction.shape != truth.shape or truth.ndim != 2:
        raise ValueError(f"masks must be H x W of one size, not {prediction.shape} and {truth.shape}")
    return prediction.astype(bool, copy=False), truth.astype(bool, copy=False)


def _boundary(mask: np.ndarray) -> np.ndarray:
    """The pixels that differ from their right, lower or lower right neighbour: H x W bool.

    In the last row only the right neighbour counts, in the last column only the lower one; the corner is
    none.
    """
    edge = np.zeros_like(mask)
    here = mask[:-1, :-1]
    edge[:-1, :-1] = (here ^ mask[:-1, 1:]) | (here ^ mask[1:, :-1]) | (here ^ mask[1:, 1:])
    edge[-1, :-1] = mask[-1, :-1] ^ mask[-1, 1:]
    edge[:-1, -1] = mask[:-1, -1] ^ mask[1:, -1]
    return edge


def _dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """A bool mask grown by the disk ``x*x + y*y <= radius*radius``, cut at the borders."""
    grown = np.zeros_like(mask)
    segment = mask.copy()
    reach = 0
    for offset in range(radius, -1, -1):
        half = math.isqrt(radius * radius - offset * offset)
        for step in range(reach + 1, half + 1):
            segment[:, step:] |= mask[:, :-step]
            segment[:, :-step] |= mask[:, step:]
        reach = max(reach, half)
        if offset < len(mask):
            grown[offset:] |= segment[: len(mask) - offset]
            grown[: len(mask) - offset] |= segment[offset:]
    return grown
