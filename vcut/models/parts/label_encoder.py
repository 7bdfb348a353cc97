"""GIEL's label encoder (3.2, Eq. 7): one object's labels in a frame to what its values are multiplied by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Norm(nn.BatchNorm2d):
    """Batch norm in float32, whatever format the network is in."""

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        mean, variance = self.running_mean, self.running_var
        return functional.batch_norm(x.float(), mean, variance, weight, bias, self.training, self.momentum, self.eps)


class LabelEncoder(nn.Module):
    """Two convolutions, each with batch norm (3.3).

    The paper gives neither kernels nor inner channels. Inferred: each convolution has stride 4, which makes 16
    together, and a ReLU is between them.

    Args:
        hidden: channels inside.
        outputs: channels out (C/2).
    """

    def __init__(self, hidden: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, hidden, 7, 4, 3)
        self.norm1 = Norm(hidden)
        self.conv2 = nn.Conv2d(hidden, outputs, 7, 4, 3)
        self.norm2 = Norm(outputs)

    def forward(self, labels: Tensor) -> Tensor:
        """B*N,3,H,W (:func:`label_tensors`) to B*N,outputs,H/16,W/16, float32."""
        x = functional.relu(self.norm1(self.conv1(labels)), inplace=True)
        return self.norm2(self.conv2(x.to(labels.dtype)))


def label_tensors(masks: Tensor, others: Tensor) -> Tensor:
    """For each object its own mask, the others' and the background: two B,N,H,W to B*N,3,H,W."""
    return torch.stack([masks, others, (1 - masks - others).clamp(min=0)], 2).flatten(0, 1)
