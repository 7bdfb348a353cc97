"""Packs and the clips drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from vcut.errors import InputError
from vcut.training.augment import Motion, colour_matrix, draw_motion, draw_path, recolour, sample
from vcut.training.clips import Batches, ClipMaker
from vcut.training.options import TrainOptions
from vcut.training.pack import open_packs


def test_packs_hold_the_pictures(data, packs):
    assert {name: len(pack) for name, pack in packs.items()} == {"stills": 7, "backgrounds": 1, "video": 8}
    assert [len(clip) for clip in packs["video"].clips] == [8]
    file = data / "static/discs/images/3.webp"
    index = 1 + 3  # sets in order of their names: cut, discs
    assert np.array_equal(packs["stills"].image(index), np.array(Image.open(file)))
    assert np.array_equal(packs["stills"].mask(index), np.array(Image.open(data / "static/discs/masks/3.png")))
    assert packs["stills"].objects(index) == [1] and packs["stills"].objects(0) == [1]


def test_no_data_is_an_error_in_one_line(tmp_path):
    with pytest.raises(InputError, match="nothing to pack"):
        open_packs(tmp_path, tmp_path / "packed")


def test_a_layer_at_rest_is_the_layer():
    rng = np.random.default_rng(0)
    still = Motion(0, 0, 0, 0, 0)
    planes = torch.rand(3, 64, 64)
    for _ in range(20):  # flips and turns are drawn too: keep the plain one
        path = draw_path(rng, 2, still, (0.0, 0.0), (32, 32))
        path.linear[:] = np.diag([32.0, 32.0])
        seen = sample(planes, (32, 32), path, 64, "zeros")
    torch.testing.assert_close(seen, planes.expand(2, -1, -1, -1), atol=1e-4, rtol=1e-4)


def test_motion_moves_and_keeps_values_in_range():
    rng = np.random.default_rng(1)
    planes = torch.rand(3, 50, 70)
    path = draw_path(rng, 4, draw_motion(rng), (0.1, -0.2), (30, 30))
    seen = recolour(sample(planes, (35, 25), path, 48, "reflection"), colour_matrix(rng, 1.0))
    assert seen.shape == (4, 3, 48, 48) and seen.min() >= 0 and seen.max() <= 1
    assert (seen[0] - seen[3]).abs().mean() > 0.01


@pytest.mark.parametrize("video", [False, True])
def test_clips_have_targets_in_their_first_frame(packs, video):
    maker = ClipMaker(packs, 64)
    seen = set()
    for seed in range(12):
        frames, labels = maker.clip(np.random.default_rng(seed), 4, 2, video)
        assert frames.shape == (4, 3, 64, 64) and frames.dtype == torch.uint8
        assert labels.shape == (4, 64, 64) and labels.dtype == torch.uint8
        first = set(labels[0].unique().tolist()) - {0}
        assert first in ({1}, {1, 2}) and set(labels.unique().tolist()) <= first | {0}
        seen |= first
    assert seen == {1, 2}


def test_a_batch_is_determined_by_its_step(packs):
    options = TrainOptions(steps=10, batch=2, size=64, video_from=0.5, long_from=0.5, clip=3, long_clip=5)
    batches = Batches(ClipMaker(packs, 64), options)
    a, b, other = batches[3], batches[3], batches[4]
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    assert not torch.equal(a[0], other[0])
    assert a[0].shape[:2] == (2, 3) and batches[5][0].shape[:2] == (2, 5)
