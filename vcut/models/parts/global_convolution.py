"""Global convolution block (RGMP 3.1, after Peng et al. 2017): finds in one map what is anywhere near in another."""

from __future__ import annotations

from torch import Tensor, nn

from vcut.models.parts.layers import ResBlock


class GlobalConvolution(nn.Module):
    """``1 x k`` then ``k x 1``, plus ``k x 1`` then ``1 x k``, then a residual block; no norm.

    Args:
        inputs: channels in; of the two streams together.
        outputs: channels of all convolutions (the paper: 256).
        kernel: k, odd (the paper: 7).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.row_first = _pair(inputs, outputs, (1, kernel), (kernel, 1))
        self.column_first = _pair(inputs, outputs, (kernel, 1), (1, kernel))
        self.block = ResBlock(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B*N,inputs,h,w to B*N,outputs,h,w."""
        return self.block(self.row_first(x) + self.column_first(x))


def _pair(inputs: int, outputs: int, first: tuple[int, int], second: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, first, padding=(first[0] // 2, first[1] // 2)),
        nn.Conv2d(outputs, outputs, second, padding=(second[0] // 2, second[1] // 2)),
    )
