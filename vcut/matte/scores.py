"""How far an alpha and foreground colours are from their truth.

SAD, MSE and the gradient error are those of *A Perceptually Motivated Online Benchmark for Image Matting* (Rhemann et
al., CVPR 2009), over the whole picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

GRADIENT_SIGMA = 1.4
"""Standard deviation of the Gaussian derivatives in the gradient error, pixels."""

SOFT = (0.02, 0.98)
"""True alpha between these makes the soft zone, where foreground colours are judged."""


def sad(alpha: Tensor, truth: Tensor) -> float:
    """Sum of absolute differences of two H,W alphas in 0..1, by 1000."""
    return float((alpha - truth).abs().sum()) / 1000


def mse(alpha: Tensor, truth: Tensor) -> float:
    """Mean squared difference, times 1000."""
    return float((alpha - truth).square().mean()) * 1000


def gradient_error(alpha: Tensor, truth: Tensor) -> float:
    """Sum of squared differences of the gradients' lengths (Gaussian derivatives), by 1000."""
    return float((_gradient(alpha) - _gradient(truth)).square().sum()) / 1000


def colour_error(foreground: Tensor, truth: Tensor, alpha: Tensor) -> float:
    """Mean absolute difference of foreground colours in the soft zone, weighted by the true alpha, of 255.

    Args:
        foreground: 3,H,W in 0..1.
        truth: 3,H,W in 0..1, the colours the object was composited with.
        alpha: H,W, the true one; 0 is returned where it has no soft zone.
    """
    weight = alpha * ((alpha > SOFT[0]) & (alpha < SOFT[1]))
    total = float(weight.sum())
    return float(((foreground - truth).abs().mean(0) * weight).sum()) / total * 255 if total else 0.0


def flicker(alpha: Tensor, before: Tensor, truth: Tensor) -> float:
    """Mean absolute change of alpha in the soft zone between two frames that show the same, of 255."""
    soft = (truth > SOFT[0]) & (truth < SOFT[1])
    return float((alpha - before).abs()[soft].mean()) * 255 if soft.any() else 0.0


def _gradient(alpha: Tensor) -> Tensor:
    """H,W: length of the gradient."""
    half = math.ceil(3 * GRADIENT_SIGMA)
    x = torch.arange(-half, half + 1, dtype=torch.float32, device=alpha.device)
    bell = torch.exp(-x.square() / (2 * GRADIENT_SIGMA**2))
    bell /= bell.sum()
    slope = -x * bell / GRADIENT_SIGMA**2

    def filtered(across: Tensor, down: Tensor) -> Tensor:
        padded = functional.pad(alpha[None, None], [half] * 4, mode="replicate")
        return functional.conv2d(functional.conv2d(padded, across[None, None, None]), down[None, None, :, None])[0, 0]

    return torch.hypot(filtered(slope, bell), filtered(bell, slope))
