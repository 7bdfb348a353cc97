"""From the network's probabilities to what a compositor takes: alpha and foreground colours at the source's size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vcut.engine.preprocess import resized
from vcut.matte.edges import reach, shape_edges
from vcut.matte.field import MARGIN, SEEN, Field, find_field, lay_out, widest
from vcut.matte.foreground import colour_sides, foreground_band
from vcut.matte.options import MatteOptions
from vcut.matte.refine import CERTAIN, colour_line, openness, refine_band, refine_field
from vcut.matte.steady import Past, blend, blend_picture, stillness

BLEED = 8
"""How far the object's colours go on beyond its soft zone, where alpha is 0, in pixels of the model's picture: scaling
and filters mix them in, and thin parts that were not found lie there."""


@dataclass(frozen=True)
class MatteResult:
    """The matte of one frame.

    Shapes: ``alpha``: K,H,W float32 in 0..1; ``foreground``: K,H,W,3 uint8, straight (not premultiplied), to be laid
    over anything with ``alpha``. K is 1, or the number of objects where they are separate. The foreground is the frame
    inside the object and away from its edges; next to them it has the object's colours, also where alpha is 0.
    """

    alpha: Tensor
    foreground: Tensor


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
    def __call__(self, rgb: np.ndarray | Tensor, probabilities: Tensor) -> MatteResult:
        """The next frame's matte.

        Args:
            rgb: H,W,3 uint8, the source's frame.
            probabilities: N+1,h,w in 0..1 at the model's resolution (without padding), background first. Everything is
                computed where they are.

        Raises:
            ValueError: shapes that do not fit.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or probabilities.ndim != 3 or len(probabilities) < 2:
            raise ValueError(f"no matte of rgb {tuple(rgb.shape)} and probabilities {tuple(probabilities.shape)}")
        frame = (torch.from_numpy(rgb) if isinstance(rgb, np.ndarray) else rgb).to(probabilities.device).contiguous()
        planes = probabilities[1:] if self.options.separate else 1 - probabilities[:1]
        planes = planes.float().clamp(0, 1)
        # In planes, shrunk or not: pixel by pixel, weighing colours by place takes many times as long.
        picture = resized(frame, (planes.shape[1], planes.shape[2])).contiguous()
        past, still = self._recall(frame, picture, planes)
        alpha = torch.zeros(len(planes), *frame.shape[:2], device=frame.device)
        foreground = frame.expand(len(planes), *frame.shape).clone()
        band = torch.zeros_like(planes, dtype=torch.bool)
        margin = MARGIN + math.ceil(self._reach * planes.shape[1] / frame.shape[0])
        windows = []
        for k, plane in enumerate(planes):
            field = find_field(picture, plane, (frame.shape[0], frame.shape[1]), margin)
            if field is not None:
                before = None if past is None else (past.alpha[k], past.band[k], still)
                windows.append((k, self._cut(field, frame, before, alpha[k], foreground[k], band[k])))
        if self.options.steady:
            mean = picture if past is None else blend_picture(picture, past.picture.float(), still)
            self.past = Past(mean.half(), alpha.half(), band)
        if self._reach:
            for k, window in windows:
                self._shape(alpha[k], window)
        return MatteResult(alpha, foreground)

    def _recall(self, frame: Tensor, picture: Tensor, planes: Tensor) -> tuple[Past | None, Tensor | None]:
        """The past, and h,w where it still holds; ``None`` where there is none that fits."""
        past = self.past if self.options.steady else None
        fits = past is not None and past.alpha.shape == (len(planes), *frame.shape[:2])
        if not fits or past.picture.shape != picture.shape:
            return None, None
        past = past.map(lambda tensor: tensor.to(frame.device))
        return past, stillness(picture, past.picture.float())

    def _cut(
        self,
        field: Field,
        frame: Tensor,
        before: tuple[Tensor, Tensor, Tensor] | None,
        alpha: Tensor,
        foreground: Tensor,
        band: Tensor,
    ) -> tuple[slice, slice]:
        """One object of a frame.

        Args:
            field: its window.
            frame: H,W,3 uint8.
            before: of the past, alpha H,W, band h,w, and h,w where it still holds.
            alpha, foreground, band: H,W; H,W,3 uint8; h,w bool: to be written.

        Returns:
            the rows and columns of the source that the window covers.
        """
        open_, line = openness(field.probability), colour_line(field)
        asked = open_ > CERTAIN
        field.put(asked, band)
        if before is not None:
            held = field.cut(before[2])
            asked |= field.cut(before[1]) & (held > 0)
        if self._reach:
            asked = widest(asked, math.ceil(self._reach * field.scale[0]))
        if self.options.colours:
            asked |= widest(asked, BLEED) & (field.probability < SEEN)
        rows, columns, pixels = lay_out(field, asked, frame, alpha)
        values = refine_band(field, line, open_, pixels)
        if before is not None:
            values = blend(values, before[0].flatten()[pixels.index].float(), pixels.sample(held[None])[0])
        alpha.view(-1)[pixels.index] = values
        if self.options.colours:
            sides = colour_sides(field, refine_field(field, line, open_))
            colours = foreground_band(sides, pixels, values).mul_(255).round_()
            levels = torch.empty(len(pixels.index), 3, dtype=torch.uint8, device=frame.device).copy_(colours.T)
            foreground.view(-1, 3)[pixels.index] = levels
        return rows, columns

    def _shape(self, alpha: Tensor, window: tuple[slice, slice]) -> None:
        options = self.options
        part = alpha[window][None]
        alpha[window] = shape_edges(part, options.edge == "crisp", options.grow, options.feather)[0]
