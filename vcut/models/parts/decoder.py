"""Decoders: stride 16 features of each object to its logits."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from vcut.models.base import Features, per_object
from vcut.models.parts.layers import ResBlock, conv1, conv3, upsample


class Refine(nn.Module):
    """One step up: the finer features of the frame join (STM's refinement module).

    Args:
        skip: channels of the frame features.
        inputs: channels from below.
        outputs: channels out.
        slim: a plain convolution for the skip and one residual block after, instead of the paper's two blocks.
    """

    def __init__(self, skip: int, inputs: int, outputs: int, slim: bool) -> None:
        super().__init__()
        self.skip = conv3(skip, outputs) if slim else nn.Sequential(conv3(skip, outputs), ResBlock(outputs))
        self.squeeze = conv1(inputs, outputs) if inputs != outputs else nn.Identity()
        self.block = ResBlock(outputs)

    def forward(self, x: Tensor, skip: Tensor, objects: int, extra: Tensor | None = None) -> Tensor:
        """``x``: B*N,C,h,w; ``skip``: B,S,2h,2w, used by all objects; ``extra``: B*N,outputs,2h,2w, added. A
        skip of odd size has a row or column less."""
        x = upsample(self.squeeze(x), 2)[..., : skip.shape[-2], : skip.shape[-1]]
        x = x + per_object(self.skip(skip), objects)
        return self.block(x if extra is None else x + extra)


class Decoder(nn.Module):
    """STM's decoder, with sizes.

    Args:
        skips: channels of the frame features at strides 2, 4 and 8.
        widths: channels at strides 16, 8 and 4 (STM: 256 each).
        slim: see :class:`Refine`.
        fine: when above 0, a last step to stride 2 with so many channels, for thin parts; else logits are at stride 4.
    """

    def __init__(self, skips: tuple[int, int, int], widths: tuple[int, int, int], slim: bool, fine: int) -> None:
        super().__init__()
        self.block16 = ResBlock(widths[0])
        self.refine8 = Refine(skips[2], widths[0], widths[1], slim)
        self.refine4 = Refine(skips[1], widths[1], widths[2], slim)
        self.fine = fine
        if fine:
            self.skip2 = conv1(skips[0], fine)
            self.squeeze2 = conv1(widths[2], fine)
            self.mix2 = conv3(fine, fine)
            self.predict = conv3(fine, 1)
        else:
            self.predict = conv3(widths[2], 1)

    def forward(self, x: Tensor, features: Features, objects: int, embedding: Tensor | None) -> Tensor:
        """``x``: B*N,widths[0],H/16,W/16; ``embedding``: B*N,widths[2],H/4,W/4 -> logits B,N,H,W, float32."""
        x = self.block16(x)
        x = self.refine8(x, features.f8, objects)
        x = self.refine4(x, features.f4, objects, embedding)
        if self.fine:
            x = upsample(self.squeeze2(functional.relu(x)), 2) + per_object(self.skip2(features.f2), objects)
            x = functional.relu(self.mix2(functional.relu(x)), inplace=True)
        else:
            x = functional.relu(x)
        logits = upsample(self.predict(x).float(), 2 if self.fine else 4)
        return logits.view(-1, objects, *logits.shape[-2:])
