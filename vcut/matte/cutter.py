"""From a frame and what the network found in it to what is written of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vcut.engine.step import Step
from vcut.matte.matte import Matte
from vcut.matte.options import MatteOptions
from vcut.video.cutout import Cutout, Layer, through
from vcut.video.depth import at_depth, is_deep
from vcut.video.source import Frame


class Cutter:
    """Makes the cut-outs of a clip's frames, one after another.

    Args:
        edges: what edges are to look like; ``None`` where no output shows them: opacity is that of the labels then.
        deep: give opacity in 16 bits for 8-bit frames, too.
        labels: make the label maps at once, as some output shows them; else when they are asked for.
    """

    def __init__(self, edges: MatteOptions | None, deep: bool = False, labels: bool = True) -> None:
        self._matte = Matte(edges) if edges else None
        self._deep = deep
        self._labels = labels

    def __call__(self, frame: Frame, step: Step) -> Cutout:
        """The next frame's; with ``edges.separate`` each object is cut out by itself, too."""
        if self._matte is None:
            return Cutout(frame, step.labels, np.where(step.labels > 0, 255, 0).astype(np.uint8))
        labels = step.labels if self._labels else lambda: step.labels
        rgb = at_depth(frame.rgb, False)
        result = self._matte(rgb, step.probabilities, step.picture_of(rgb))
        layers = [
            self._layer(frame, rgb, alpha, window, colour)
            for alpha, window, colour in zip(result.alpha, result.windows, result.foreground, strict=True)
        ]
        if not self._matte.options.separate:
            return Cutout(frame, labels, layers[0].alpha, layers[0].colour)
        whole = np.maximum.reduce([layer.alpha for layer in layers])
        return Cutout(frame, labels, whole, objects=dict(zip(step.ids, layers, strict=True)))

    def _layer(
        self, frame: Frame, rgb: np.ndarray, alpha: Tensor, window: tuple[slice, slice] | None, colour: Tensor
    ) -> Layer:
        deep = self._deep or is_deep(frame.rgb)
        opacity = np.zeros(alpha.shape, np.uint16 if deep else np.uint8)
        if window is not None:
            levels = (alpha[window] * np.iinfo(opacity.dtype).max).round_()
            opacity[window] = levels.to(torch.int32 if deep else torch.uint8).cpu().numpy()
        return Layer(through(opacity, frame.alpha), _at_depth_of(frame.rgb, rgb, colour.cpu().numpy()))


def _at_depth_of(source: np.ndarray, shown: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Colours found in 8 bits, in the depth of the source: what was changed of ``shown`` is changed of ``source``."""
    if not is_deep(source):
        return colour
    result = source.copy()
    changed = np.flatnonzero((colour != shown).any(2))
    flat, old, new = (array.reshape(-1, 3)[changed].astype(np.int32) for array in (source, shown, colour))
    result.reshape(-1, 3)[changed] = (flat + (new - old) * 257).clip(0, 65535)
    return result
