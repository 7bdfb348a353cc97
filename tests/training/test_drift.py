"""Masks that are spoilt before they are remembered."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vcut.training.drift import drift


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
