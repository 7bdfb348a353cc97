"""GIEL's support set: which frames are in it, how much each of them counts, and how it is read.

Shapes: C_K channels of a key, T frames, L = H/16 * W/16 locations of a frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vcut.models.parts.layers import conv1
from vcut.models.parts.order import in_order


def surplus(times: tuple[int, ...]) -> int:
    """Which one of three or more frames to leave out: an index into their ascending times.

    The first and the newest stay (3.4, 3.3). Of the rest goes the one whose neighbours are closest to each other, the
    oldest of equals, so that what stays is spread over all that was seen. Stands for the paper's temporal sampling
    (3.4, after TSN), which draws from all past frames and so would have to keep them.
    """
    return min(range(1, len(times) - 1), key=lambda i: times[i + 1] - times[i - 1])


class TemporalAttention(nn.Module):
    """How much each frame of the support set counts (3.3, Figure 3).

    First key, the frame's own key and the query's key are each summarised by a 1x1 convolution and the mean over
    locations; three 1x1 convolutions make a weight of the three. Inferred: a ReLU after each convolution but the last,
    a softmax over frames as the normalisation, widths as the keys'.

    Args:
        channels: C_K.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.own, self.query = (conv1(channels, channels) for _ in range(3))
        self.regress = nn.Sequential(
            conv1(3 * channels, channels),
            nn.ReLU(inplace=True),
            conv1(channels, channels),
            nn.ReLU(inplace=True),
            conv1(channels, 1),
        )

    def start_equal(self) -> None:
        """All frames count alike until training says otherwise."""
        nn.init.zeros_(self.regress[-1].weight)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """``query`` B,C_K,H/16,W/16 and ``key`` B,C_K,T,L to B,T, float32: logarithms of weights that sum to 1."""
        own = _mean(self.own(key).relu(), 3)
        first = _mean(self.first(key[:, :, :1]).relu(), 3)
        current = _mean(self.query(query).relu(), 2, 3)
        x = torch.cat([first.expand_as(own), own, current.expand_as(own)], 1)
        return self.regress(x).flatten(1).float().log_softmax(1)


@in_order
def _mean(x: Tensor, *axes: int) -> Tensor:
    return x.mean(axes, keepdim=True)


@in_order
def correlate(query: Tensor, key: Tensor, weights: Tensor) -> Tensor:
    """How much of every kept location goes to every location of the frame (Eq. 4), with weighed frames (3.3).

    The paper does not say where the weights of frames come in. Inferred: they multiply the exponentials of the softmax,
    so that equal ones leave Eq. 4 as it is and columns sum to 1 in any case. Likeness is divided by the root of C_K, as
    in :mod:`vcut.models.stm`.

    Args:
        query: B,C_K,H/16,W/16.
        key: B,C_K,T,L.
        weights: B,T, their logarithms.

    Returns:
        B,T*L,L float32.
    """
    likeness = torch.matmul(key.flatten(2).transpose(1, 2), query.flatten(2)).float() / key.shape[1] ** 0.5
    return (likeness + weights.repeat_interleave(key.shape[3], 1)[:, :, None]).softmax(1)


@in_order
def read(values: Tensor, correlation: Tensor, size: tuple[int, int]) -> Tensor:
    """The memory reading of Eq. 5 and 9 for one or more values a location.

    Args:
        values: B,N,C,T,L.
        correlation: B,T*L,L of :func:`correlate`.
        size: H/16,W/16.

    Returns:
        B*N,C,H/16,W/16.
    """
    b, n, c = values.shape[:3]
    found = torch.matmul(values.reshape(b, n * c, -1), correlation.to(values.dtype))
    return found.view(b * n, c, *size)
