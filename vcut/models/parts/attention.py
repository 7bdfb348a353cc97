"""Channel-wise attention (GAM 3.3, Eq. 4-7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcut.models.parts.order import in_order


class ChannelAttention(nn.Module):
    """Lets channels that fire together strengthen each other; starts as the identity (alpha = 0).

    The paper's ``R = f1 f2`` sums over locations, which grows with resolution; it is divided by their number here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(()))

    @in_order
    def forward(self, x: Tensor) -> Tensor:
        """B*N,C,H,W to the same."""
        flat = x.flatten(2)
        relation = torch.matmul(flat, flat.transpose(1, 2)).float() / flat.shape[2]
        weights = relation.softmax(1).to(flat.dtype)
        return x + self.alpha.to(x.dtype) * torch.matmul(weights.transpose(1, 2), flat).view_as(x)
