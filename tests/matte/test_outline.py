"""Label maps of pictures whose edges are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vcut.matte.field import widest
from vcut.matte.outline import outline

from .conftest import HEIGHT, SCALE, WIDTH, disc, soft_map, texture

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def networks_own(probabilities: Tensor) -> np.ndarray:
    """H,W: the best label of each pixel, enlarged, as the network sees it."""
    planes = functional.interpolate(probabilities[None], scale_factor=SCALE, mode="bilinear")[0]
    return planes.argmax(0).numpy()


def drawn(shapes: list[Tensor]) -> tuple[np.ndarray, Tensor]:
    """A picture of shapes (H,W) in colours of their own over texture, and what a network says of them: N+1,h,w."""
    picture = texture()
    for shape, colour in zip(shapes, ((0.9, 0.5, 0.15), (0.2, 0.9, 0.3)), strict=False):
        picture = torch.lerp(picture, torch.tensor(colour)[:, None, None].expand_as(picture), shape)
    soft = torch.cat([soft_map(shape)[1:] for shape in shapes])
    probabilities = torch.cat([(1 - soft.sum(0, keepdim=True)).clamp(min=0), soft])
    rgb = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return rgb, probabilities


@pytest.mark.parametrize("device", DEVICES)
def test_edges_of_labels_follow_the_picture(strands, device):
    labels = outline(strands.rgb, strands.probabilities.to(device), [7]).cpu().numpy()
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 7}
    truth = strands.alpha.numpy() > 0.5
    wrong, before = ((found != truth).sum() for found in (labels > 0, networks_own(strands.probabilities) > 0))
    assert wrong < 0.6 * before


def test_objects_that_touch_share_the_edge_between_them():
    one, two = disc(200), disc(300) * (1 - disc(200))
    rgb, probabilities = drawn([one, two])
    truth = np.where(one > 0.5, 3, np.where(two > 0.5, 9, 0))
    before = np.array([0, 3, 9])[networks_own(probabilities)]
    labels = outline(rgb, probabilities, [3, 9]).numpy()
    assert (labels != truth).sum() < 0.5 * (before != truth).sum()
    for i in (3, 9):
        assert (labels == i).sum() == pytest.approx((truth == i).sum(), rel=0.01)


def test_an_object_that_is_gone_has_no_label():
    rgb, probabilities = drawn([disc(), torch.zeros(HEIGHT, WIDTH)])
    assert set(np.unique(outline(rgb, probabilities, [1, 2]).numpy())) == {0, 1}
    probabilities[1:] = 0
    assert not outline(rgb, probabilities, [1, 2]).any()


def test_where_colours_say_nothing_labels_stay_the_networks():
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    _, probabilities = drawn([disc(200), disc(300) * (1 - disc(200))])
    labels = outline(grey, probabilities, [1, 2]).numpy()
    assert (labels != networks_own(probabilities)).mean() < 0.002


@pytest.mark.parametrize("shape", [(2, 13, 31), (1, 1, 5), (3, 4, 4)])
@pytest.mark.parametrize("distance", [0, 1, 2, 5, 8, 40])
def test_widest_is_the_largest_in_the_square_around(shape, distance):
    planes = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    square = functional.pad(planes, [distance] * 4, value=-torch.inf).unfold(1, 2 * distance + 1, 1)
    assert torch.equal(widest(planes, distance), square.unfold(2, 2 * distance + 1, 1).amax((-1, -2)))
