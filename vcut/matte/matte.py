"""From the network's probabilities to what a compositor takes: alpha and foreground colours at the source's size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vcut.engine.preprocess import shrunk
from vcut.matte.edges import reach, shape_edges
from vcut.matte.field import MARGIN, SEEN, Field, find_field, lay_out, widest
from vcut.matte.foreground import colour_sides, foreground_band
from vcut.matte.options import MatteOptions
from vcut.matte.refine import CERTAIN, colour_line, openness, refine_band, refine_field
from vcut.matte.steady import Past, blend, compare

BLEED = 8
"""How far the object's colours go on beyond its soft zone, where alpha is 0, in pixels of the model's picture: scaling
and filters mix them in, and thin parts that were not found lie there."""


@dataclass(frozen=True)
class MatteResult:
    """The matte of one frame.

    Shapes: ``alpha``: K,H,W float32 in 0..1; ``foreground``: K,H,W,3 uint8, straight (not premultiplied), to be laid
    over anything with ``alpha``. K is 1, or the number of objects where they are separate. The foreground is the frame
    inside the object and away from its edges; next to them it has the object's colours, also where alpha is 0.

    Attributes:
        windows: K, the rows and columns outside of which alpha is 0; ``None`` where all of it is.
    """

    alpha: Tensor
    foreground: Tensor
    windows: tuple[tuple[slice, slice] | None, ...]


class Matte:
    """Makes the matte of one frame after another.

    Args:
        options: how.

    Attributes:
        past: what is remembered of the clip (``None`` before its first frame); may be kept and put back.
    """

    def __init__(self, options: MatteOptions | None = None) -> None:
        self.options = options or MatteOptions()
        self._reach = reach(self.options.edge == "crisp", self.options.grow, self.options.feather)
        self.past: Past | None = None

    def reset(self) -> None:
        """Forgets the clip; to be called where another one begins, or another shot."""
        self.past = None

    @torch.inference_mode()
    def __call__(self, rgb: np.ndarray | Tensor, probabilities: Tensor, picture: Tensor | None = None) -> MatteResult:
        """The next frame's matte.

        Args:
            rgb: H,W,3 uint8, the source's frame.
            probabilities: N+1,h,w in 0..1 at the model's resolution (without padding), background first. Everything is
                computed where they are.
            picture: the frame as :func:`vcut.engine.preprocess.shrunk` gives it for the model, if it is at hand.

        Raises:
            ValueError: shapes that do not fit.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or probabilities.ndim != 3 or len(probabilities) < 2:
            raise ValueError(f"no matte of rgb {tuple(rgb.shape)} and probabilities {tuple(probabilities.shape)}")
        frame = (torch.from_numpy(rgb) if isinstance(rgb, np.ndarray) else rgb).to(probabilities.device).contiguous()
        source = (frame.shape[0], frame.shape[1])
        planes = probabilities[1:] if self.options.separate else 1 - probabilities[:1]
        planes = planes.float()
        picture = shrunk(frame, (planes.shape[1], planes.shape[2])) if picture is None else picture
        past = self._recall(planes, source)
        new = Past.begin(planes, source, past) if self.options.steady else None
        alpha = torch.zeros(len(planes), *source, device=frame.device)
        foreground = frame.expand(len(planes), *frame.shape).clone()
        margin = MARGIN + math.ceil(self._reach * planes.shape[1] / source[0])
        windows = []
        for k, plane in enumerate(planes):
            field = find_field(picture, plane, source, margin)
            windows.append(field and field.covers)
            if field is not None:
                self._cut(k, field, frame, past, new, alpha[k], foreground[k])
        self.past = new
        for one, window in zip(alpha, windows, strict=True):
            if self._reach and window is not None:
                self._shape(one, window)
        return MatteResult(alpha, foreground, tuple(windows))

    def _recall(self, planes: Tensor, source: tuple[int, int]) -> Past | None:
        """The past; ``None`` where there is none that fits such planes K,h,w, and a source of this size."""
        past = self.past if self.options.steady else None
        if past is None or past.band.shape != planes.shape or past.alpha.shape[1:] != source:
            return None
        return past.map(lambda tensor: tensor.to(planes.device))

    def _cut(
        self,
        k: int,
        field: Field,
        frame: Tensor,
        past: Past | None,
        new: Past | None,
        alpha: Tensor,
        foreground: Tensor,
    ) -> None:
        """One object of a frame.

        Args:
            k: which.
            field: its window.
            frame: H,W,3 uint8.
            past: what is remembered, if anything.
            new: what is to be remembered, written in the window, if anything.
            alpha, foreground: H,W; H,W,3 uint8: to be written.
        """
        open_, line = openness(field.probability), colour_line(field)
        asked = open_ > CERTAIN
        still, mean = (None, field.picture) if past is None else compare(field, past.picture)
        if new is not None:
            field.put(asked, new.band[k])
            field.put(mean, new.picture)
        if past is not None:
            asked |= field.cut(past.band[k]) & (still > 0)
        if self._reach:
            asked = widest(asked, math.ceil(self._reach * field.scale[0]))
        if self.options.colours:
            asked |= widest(asked, BLEED) & (field.probability < SEEN)
        pixels = lay_out(field, asked, frame, alpha)
        values = refine_band(field, line, open_, pixels)
        if past is not None:
            before = past.alpha[k].view(-1).index_select(0, pixels.index).float()
            values = blend(values, before, pixels.sample(still[None])[0])
        alpha.view(-1).index_copy_(0, pixels.index, values)
        if new is not None:
            new.alpha[k][field.covers] = alpha[field.covers].half()
        if self.options.colours:
            sides = colour_sides(field, refine_field(field, line, open_))
            colours = foreground_band(sides, pixels, values).mul_(255).round_()
            levels = torch.empty(len(pixels.index), 3, dtype=torch.uint8, device=frame.device).copy_(colours.T)
            foreground.view(-1, 3).index_copy_(0, pixels.index, levels)

    def _shape(self, alpha: Tensor, window: tuple[slice, slice]) -> None:
        options = self.options
        part = alpha[window][None]
        alpha[window] = shape_edges(part, options.edge == "crisp", options.grow, options.feather)[0]
