"""Loss over the aggregated label probabilities, as the masks are used (RGMP 3.3: aggregation is part of training)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vcut.engine.aggregate import aggregate_logits
from vcut.models.base import Features, SegmentationModel, other_objects


def clip_loss(logits: Tensor, labels: Tensor, hard: float) -> Tensor:
    """Bootstrapped cross-entropy plus Dice.

    Args:
        logits: B,N+1,H,W label logits after aggregation, background first.
        labels: B,H,W integers in 0..N.
        hard: share of pixels, the hardest, that the cross-entropy is averaged over.

    Returns:
        Scalar. Dice is averaged over the objects that are in the frame, and over those that are predicted though
        absent.
    """
    labels = labels.long()
    entropy = functional.cross_entropy(logits, labels, reduction="none").flatten()
    kept = entropy.topk(max(1, int(hard * entropy.numel()))).values.mean()
    probabilities = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(probabilities.dtype)
    overlap = (probabilities * truth).sum((2, 3))
    total = probabilities.sum((2, 3)) + truth.sum((2, 3))
    smooth = 0.001 * labels.shape[-1] * labels.shape[-2]
    dice = 1 - (2 * overlap + smooth) / (total + smooth)
    return kept + dice.mean()


def unroll(model: SegmentationModel, frames: Tensor, labels: Tensor, hard: float) -> tuple[Tensor, Tensor]:
    """Carries the first mask through a clip and scores every later frame. Soft masks are fed on, never thresholded.

    Args:
        model: what is trained.
        frames: B,T,3,H,W in 0..1.
        labels: B,T,H,W integers in 0..N.
        hard: see :func:`clip_loss`.

    Returns:
        Mean loss of the T-1 predicted frames, and their mean intersection over union (of all targets in the batch).
    """
    batch, length = frames.shape[:2]
    objects = int(labels.max())
    all_features = model.encode(frames.flatten(0, 1).contiguous(memory_format=torch.channels_last))

    def at(t: int) -> Features:
        return all_features.map(lambda x: x.unflatten(0, (batch, length))[:, t])

    first = functional.one_hot(labels[:, 0].long(), objects + 1).permute(0, 3, 1, 2)[:, 1:].float()
    absent = (first.sum((2, 3)) == 0)[:, :, None, None]
    memory = model.remember(None, at(0), frames[:, 0], first, other_objects(first))
    losses, scores = [], []
    for t in range(1, length):
        features = at(t)
        logits = aggregate_logits(model.segment(memory, features).masked_fill(absent, -100.0))
        losses.append(clip_loss(logits, labels[:, t], hard))
        with torch.no_grad():
            scores.append(mean_overlap(logits, labels[:, t]))
        if t < length - 1:
            masks = logits.softmax(1)[:, 1:]
            memory = model.remember(memory, features, frames[:, t], masks, other_objects(masks))
    return torch.stack(losses).mean(), torch.stack(scores).mean()


def mean_overlap(logits: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of all pixels of each object over the batch, averaged over objects."""
    best = logits.amax(1)
    values = []
    for i in range(1, logits.shape[1]):
        p, g = logits[:, i] >= best, truth == i
        values.append((p & g).sum() / (p | g).sum().clamp(min=1))
    return torch.stack(values).mean()
