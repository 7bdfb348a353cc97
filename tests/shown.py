"""What each format is to show of a cut-out, and when: the yardstick for what readers find in a file."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from vcut.masks.palette import davis_palette
from vcut.video.cutout import Cutout
from vcut.video.formats import Format


def expected(fmt: Format, cutout: Cutout, backdrop: tuple[int, int, int]) -> np.ndarray:
    """H x W x 4 levels of 255 that a row shows of a cut-out, in floating point; ``backdrop`` lies behind composites."""
    top = np.iinfo(cutout.alpha.dtype).max / 255
    frame, rgb, alpha = cutout.frame.rgb / top, cutout.rgb / top, cutout.alpha / top
    grey = np.repeat(alpha[..., None], 3, axis=2)
    tint = davis_palette()[cutout.labels].astype(float)
    match fmt.content:
        case "cutout":
            return np.dstack((rgb, alpha))
        case "matte":
            picture = grey
        case "labels":
            picture = tint
        case "overlay":
            picture = np.where(cutout.labels[..., None] > 0, (frame + tint) / 2, frame)
        case "composite":
            behind = np.array((0, 255, 0) if fmt.name == "green" else backdrop)
            picture = (rgb * grey + behind * (255 - grey)) / 255
        case "split":
            picture = np.hstack((frame, grey, (rgb * grey + np.array(backdrop) * (255 - grey)) / 255))
    if fmt.even_size:
        height, width = picture.shape[:2]
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.dstack((picture, np.full(picture.shape[:2], 255.0)))


def shown_times(fmt: Format, times: list[Fraction], rate: Fraction) -> list[Fraction]:
    """Those of ``times`` whose frames are in the result: all; in animations at most 15 a second, evenly spread.

    An animation takes every so many frames of the average rate; of a clip with another rhythm what comes later by less
    than half a frame too little.
    """
    if fmt.kind != "animation":
        return times
    step = math.ceil(rate / 15) / rate
    kept = times[:1]
    for time in times[1:]:
        if time - kept[-1] >= step - 1 / rate / 2:
            kept.append(time)
    return kept
