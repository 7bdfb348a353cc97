"""Masks as they are after a while: a bit off, with parts missing and parts too much.

In clips of a few frames the masks that a network remembers are still nearly right. In use they are its own after
hundreds of frames, and what it cannot put right again stays. So some are spoilt before they are remembered; what is
asked of the frame after them is the truth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SHIFT = 0.02
"""Standard deviation of how far edges move, of the frame's side."""

KNOTS = 5
"""Places a side at which that is drawn; between them it changes smoothly."""

PATCHES = 2
"""Patches a clip that get another label."""

RADIUS = (0.04, 0.16)
"""Of a patch, of the frame's side."""

GRID = 16
"""Cells a side in which places of patches are drawn."""


def drift(masks: Tensor, share: float) -> Tensor:
    """Spoils the masks of some clips.

    Args:
        masks: B,N,H,W soft masks in 0..1 that sum to at most 1.
        share: of the clips that are changed.

    Returns:
        Masks of the same kind; gradients pass.
    """
    chosen = torch.rand(len(masks), 1, 1, 1, device=masks.device) < share
    planes = torch.cat([1 - masks.sum(1, keepdim=True), masks], 1)
    return torch.where(chosen, _patched(_moved(planes)), planes)[:, 1:]


def _moved(planes: Tensor) -> Tensor:
    """Edges elsewhere, by a smooth random field."""
    batch, _, height, width = planes.shape
    knots = SHIFT * 2 * torch.randn(batch, 2, KNOTS, KNOTS, device=planes.device)
    field = functional.interpolate(knots, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    still = torch.eye(2, 3, device=planes.device).expand(batch, 2, 3)
    grid = functional.affine_grid(still, [batch, 1, height, width], align_corners=False)
    return functional.grid_sample(planes.float(), grid + field, padding_mode="border", align_corners=False)


def _patched(planes: Tensor) -> Tensor:
    """Some patches, most of them on or near objects, with another label to a random degree."""
    batch, count, height, width = planes.shape
    device = planes.device
    near = functional.adaptive_max_pool2d(1 - planes[:, :1].detach(), GRID)
    near = functional.max_pool2d(near, 3, 1, 1).flatten(1) + 0.02
    ys = torch.linspace(0, 1, height, device=device)[:, None]
    xs = torch.linspace(0, 1, width, device=device)
    for _ in range(PATCHES):
        # one cell, with chances like its value (Gumbel's trick: torch.multinomial would wait for a GPU)
        cell = (near.log() - torch.empty_like(near).exponential_().log()).argmax(1)
        y, x = cell // GRID, cell % GRID
        y, x = ((place + torch.rand(batch, device=device)) / GRID for place in (y, x))
        low, high = RADIUS
        radius = low + (high - low) * torch.rand(batch, 1, 1, device=device)
        away = torch.hypot(ys - y[:, None, None], xs - x[:, None, None]) / radius
        rough = functional.interpolate(
            torch.randn(batch, 1, GRID, GRID, device=device), (height, width), mode="bilinear"
        )
        inside = torch.sigmoid(8 * (1 - away + 0.4 * rough[:, 0])) * torch.rand(batch, 1, 1, device=device).sqrt()
        label = torch.randint(count, (batch,), device=device)
        painted = functional.one_hot(label, count)[:, :, None, None].to(planes.dtype)
        planes = torch.lerp(planes, painted.expand_as(planes), inside[:, None].expand_as(planes))
    return planes
