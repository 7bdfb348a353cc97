"""RGMP's decoder (3.1): one refinement module a stride, down to stride 4."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from vcut.models.parts.decoder import Refine
from vcut.models.parts.layers import conv3, upsample


class RefinementDecoder(nn.Module):
    """Features of each object to its logits; the skips, too, are of each object, whose mask the encoder has seen.

    The paper's last layer gives two maps to a softmax; that is a sigmoid of their difference, the one map here.

    Args:
        skips: channels of the target stream, from the stride after that of the input down to 4.
        inputs: channels in.
        widths: channels of each module (the paper: 256).
        slim: see :class:`vcut.models.parts.decoder.Refine`.
    """

    def __init__(self, skips: Sequence[int], inputs: int, widths: Sequence[int], slim: bool) -> None:
        super().__init__()
        shapes = zip(skips, pairwise((inputs, *widths)), strict=True)
        self.steps = nn.ModuleList(Refine(skip, below, width, slim) for skip, (below, width) in shapes)
        self.predict = conv3(widths[-1], 1)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """``x``: B*N,inputs,h,w; ``skips``: B*N,C,2h,2w, then 4h,4w, ... H/4,W/4 -> logits B*N,1,H,W, float32."""
        for refine, skip in zip(self.steps, skips, strict=True):
            x = refine(x, skip, 1)
        return upsample(self.predict(functional.relu(x)).float(), 4)
