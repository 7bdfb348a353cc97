"""Loss over the aggregated label probabilities, as the masks are used (RGMP 3.3: aggregation is part of training)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vcut.engine.aggregate import aggregate_logits
from vcut.models.base import Features, SegmentationModel, other_objects
from vcut.training.drift import drift

EDGE = 5
"""Side of the square around a pixel that holds another label where the pixel is next to an edge."""


@dataclass(frozen=True)
class Weights:
    """What counts how much; see :class:`vcut.training.options.TrainOptions`."""

    hard: float = 0.4
    edge: float = 0.0
    distil: float = 0.0


def clip_loss(logits: Tensor, labels: Tensor, weights: Weights, taught: Tensor | None = None) -> Tensor:
    """Bootstrapped cross-entropy plus Dice, and what else has a weight.

    Args:
        logits: B,N+1,H,W label logits after aggregation, background first.
        labels: B,H,W integers in 0..N.
        weights: ``hard`` is the share of pixels, the hardest, that the cross-entropy is averaged over.
        taught: a teacher's logits, of the shape of ``logits``.

    Returns:
        Scalar. Dice is averaged over all targets; one that is absent and not predicted costs nothing.
    """
    labels = labels.long()
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    loss = hardest(entropy, weights.hard)
    if weights.edge:
        band = near_edge(labels)
        loss = loss + weights.edge * (entropy * band).sum() / band.sum().clamp(min=1)
    if taught is not None:
        soft = functional.cross_entropy(logits, taught.softmax(1), reduction="none")
        loss = loss + weights.distil * hardest(soft, weights.hard)
    probabilities = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(probabilities.dtype)
    overlap = (probabilities * truth).sum((2, 3))
    total = probabilities.sum((2, 3)) + truth.sum((2, 3))
    smooth = 0.001 * labels.shape[-1] * labels.shape[-2]
    dice = 1 - (2 * overlap + smooth) / (total + smooth)
    return loss + dice.mean()


def hardest(losses: Tensor, share: float) -> Tensor:
    """Mean of the highest of some losses, of any shape; at least of one."""
    return losses.flatten().topk(max(1, int(share * losses.numel())), sorted=False).values.mean()


def foreground_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_mask of GIEL Eq. 13: binary cross-entropy of the map of all objects together.

    The other half, the cross-entropy of labels, is in :func:`clip_loss`, where it is over the hardest pixels and Dice
    joins it, as for every network; lambda is 1, as in 3.4.

    Args:
        logits: B,1,H,W.
        labels: B,H,W integers, 0 background.
    """
    return functional.binary_cross_entropy_with_logits(logits, (labels > 0)[:, None].to(logits.dtype))


def near_edge(labels: Tensor) -> Tensor:
    """B,H,W labels to B,H,W float: 1 where another label is at most ``EDGE // 2`` pixels away."""
    values = labels[:, None].float()
    high = functional.max_pool2d(values, EDGE, 1, EDGE // 2)
    low = -functional.max_pool2d(-values, EDGE, 1, EDGE // 2)
    return (high != low)[:, 0].float()


def carry(
    model: SegmentationModel,
    frames: Tensor,
    labels: Tensor,
    glances: Sequence[bool] = (),
    spoilt: float = 0.0,
    given: int = 1,
    objects: int | None = None,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Carries the first masks through a clip; soft masks are fed on, never thresholded.

    Args:
        model: any.
        frames: B,T,3,H,W in 0..1.
        labels: B,T,H,W integers in 0..N, of which only the given frames are looked at (and the N of all).
        glances: for each frame, whether only its masks are kept, as the engine does between remembered frames.
        spoilt: share of the masks that are not kept as they are (:mod:`vcut.training.drift`). The first one is always
            remembered as it is and, where no other is given, once more, spoilt as if it had come later.
        given: frames whose masks are known. That of the first is remembered as it is, others as predicted ones are.
        objects: N; where it is not told, a GPU is waited for to learn it.

    Yields:
        For each frame after those the label logits B,N+1,H,W after aggregation, and those of all objects together,
        B,1,H,W, where the model has them (:meth:`vcut.models.base.SegmentationModel.segment_to_learn`).
    """
    length = frames.shape[1]
    objects = objects or max(1, int(labels.max()))
    seen = frames.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    all_features = frame_by_frame(model.encode(seen), length)

    def truth(t: int) -> Tensor:
        return functional.one_hot(labels[:, t].long(), objects + 1).permute(0, 3, 1, 2)[:, 1:].float()

    masks = truth(0)
    absent = (masks.sum((2, 3)) == 0)[:, :, None, None]
    memory = model.remember(None, all_features[0], frames[:, 0], masks, other_objects(masks))
    if spoilt and given == 1:
        masks = drift(masks, spoilt)
        memory = model.remember(memory, all_features[0], frames[:, 0], masks, other_objects(masks))
    for t in range(1, length):
        features = all_features[t]
        if t < given:
            masks = truth(t).masked_fill(absent, 0.0)
        else:
            each, together = model.segment_to_learn(memory, features)
            logits = aggregate_logits(each.masked_fill(absent, -100.0))
            yield logits, together
            masks = logits.softmax(1)[:, 1:]
        if t < length - 1:
            if spoilt:
                masks = drift(masks, spoilt)
            others = other_objects(masks)
            if t < len(glances) and glances[t]:
                memory = model.glance(memory, masks, others)
            else:
                memory = model.remember(memory, features, frames[:, t], masks, others)


def frame_by_frame(features: Features, length: int) -> list[Features]:
    """Features of ``length`` frames of B clips, L*B,..., frame by frame.

    Backwards, a split costs one copy; an index would cost zeros of the whole for each frame, and their sum.
    """
    parts = [x.chunk(length) for x in features.tensors]

    def at(t: int) -> Features:
        left = iter(parts)
        return features.map(lambda _: next(left)[t])

    return [at(t) for t in range(length)]


def unroll(
    model: SegmentationModel,
    frames: Tensor,
    labels: Tensor,
    weights: Weights,
    teacher: SegmentationModel | None = None,
    glances: Sequence[bool] = (),
    spoilt: float = 0.0,
    given: int = 1,
    objects: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores every frame of a clip after those that are given.

    Args:
        model: what is trained.
        frames: B,T,3,H,W in 0..1.
        labels: B,T,H,W integers in 0..N.
        weights: of the parts of the loss.
        teacher: carries the same masks, and its soft ones are learnt.
        glances, spoilt, given, objects: see :func:`carry`.

    Returns:
        Mean loss of the predicted frames, and their mean intersection over union (of all targets in the batch).
    """
    taught: list[Tensor | None] = [None] * (frames.shape[1] - given)
    if teacher is not None:
        with torch.no_grad():
            taught = [logits for logits, _ in carry(teacher, frames, labels, given=given, objects=objects)]
    losses, scores = [], []
    for t, (logits, together) in enumerate(carry(model, frames, labels, glances, spoilt, given, objects), given):
        losses.append(clip_loss(logits, labels[:, t], weights, taught[t - given]))
        if together is not None:
            losses[-1] = losses[-1] + foreground_loss(together, labels[:, t])
        with torch.no_grad():
            scores.append(mean_overlap(logits, labels[:, t]))
    return torch.stack(losses).mean(), torch.stack(scores).mean()


def mean_overlap(logits: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of all pixels of each object over the batch, averaged over objects."""
    best = logits.amax(1)
    values = []
    for i in range(1, logits.shape[1]):
        p, g = logits[:, i] >= best, truth == i
        values.append((p & g).sum() / (p | g).sum().clamp(min=1))
    return torch.stack(values).mean()
