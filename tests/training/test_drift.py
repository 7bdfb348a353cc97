"""Masks that are spoilt before they are remembered."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vcut.models.base import Picture, SegmentationModel
from vcut.models.rgmp import RGMPMemory
from vcut.training.drift import drift
from vcut.training.losses import carry


@pytest.fixture
def masks() -> Tensor:
    """16,2,96,96: two soft objects side by side in each clip."""
    planes = torch.zeros(16, 2, 96, 96)
    planes[:, 0, 30:70, 20:45] = 0.9
    planes[:, 1, 30:70, 50:80] = 0.7
    return planes


def test_masks_stay_masks(masks: Tensor) -> None:
    torch.manual_seed(0)
    spoilt = drift(masks, 1.0)
    assert spoilt.shape == masks.shape
    assert float(spoilt.min()) >= 0
    assert float(spoilt.sum(1).max()) <= 1 + 1e-5


def test_the_given_share_of_clips_is_spoilt_and_objects_are_still_there(masks: Tensor) -> None:
    torch.manual_seed(0)
    assert torch.equal(drift(masks, 0.0), masks)
    changed = [bool(clip) for _ in range(4) for clip in ((drift(masks, 0.5) - masks).abs().amax((1, 2, 3)) > 0.05)]
    assert 16 < sum(changed) < 48
    spoilt = drift(masks, 1.0)
    change = (spoilt - masks).abs().mean((1, 2, 3))
    assert float(change.min()) > 0
    both = torch.minimum(spoilt, masks).sum((2, 3)) / torch.maximum(spoilt, masks).sum((2, 3))
    assert 0.4 < float(both.mean()) < 0.95


def test_it_follows_from_the_seed_and_lets_gradients_pass(masks: Tensor) -> None:
    torch.manual_seed(3)
    first = drift(masks, 0.5)
    torch.manual_seed(3)
    asked = masks.clone().requires_grad_()
    again = drift(asked, 0.5)
    assert torch.equal(first, again)
    again.square().sum().backward()
    assert float(asked.grad.abs().sum()) > 0


class Recorder(SegmentationModel):
    """Remembers which masks it was shown, and predicts the last ones."""

    architecture = "recorder"

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Tensor] = []

    def trunks(self) -> list:
        return []

    def encode(self, frames: Tensor) -> Picture:
        return Picture(frames)

    def remember(self, memory, features, frames, masks, others):
        self.shown.append(masks)
        return memory or RGMPMemory((), masks)

    def glance(self, memory, masks, others):
        return memory

    def segment(self, memory, features: Picture) -> Tensor:
        return 8 * self.shown[-1] - 4


def test_the_second_mask_of_clips_with_a_first_frame_apart_is_given_and_not_judged() -> None:
    labels = torch.zeros(2, 4, 32, 32, dtype=torch.long)
    for t in range(4):
        labels[:, t, 8:24, 4 + 4 * t : 16 + 4 * t] = 1
    frames = torch.rand(2, 4, 3, 32, 32)
    model = Recorder()
    predicted = list(carry(model, frames, labels, given=2))
    assert len(predicted) == 2
    assert torch.equal(model.shown[0][:, 0], (labels[:, 0] == 1).float())
    assert torch.equal(model.shown[1][:, 0], (labels[:, 1] == 1).float())
    assert torch.equal(predicted[0][0].argmax(1), labels[:, 1])

    torch.manual_seed(0)
    spoilt = Recorder()
    list(carry(spoilt, frames, labels, spoilt=1.0, given=2))
    assert torch.equal(spoilt.shown[0], model.shown[0]), "the first is remembered as it is"
    assert not torch.equal(spoilt.shown[1], model.shown[1]), "the second as the network's own might be"
