"""Edges rest where the picture does, and nowhere else."""

from __future__ import annotations

import torch

from vcut.matte.matte import Matte
from vcut.matte.options import MatteOptions
from vcut.matte.scores import sad

from .conftest import disc, show, soft_map, texture


def unsteady(alpha: torch.Tensor, seed: int) -> torch.Tensor:
    """2,h,w: a soft map whose edge differs from frame to frame."""
    generator = torch.Generator().manual_seed(seed)
    soft = soft_map(alpha)[1:]
    wobble = torch.randn(1, 1, 15, 20, generator=generator)
    wobble = torch.nn.functional.interpolate(wobble, soft.shape[1:], mode="bicubic")[0]
    soft = (soft + 0.1 * wobble * 4 * soft * (1 - soft)).clamp(0, 1)
    return torch.cat([1 - soft, soft])


def mattes(steady: bool, frames: int = 8) -> torch.Tensor:
    """T,H,W: of a disc that stands still, in noise, while the soft map is unsteady."""
    matte, ground = Matte(MatteOptions(steady=steady)), texture()
    truths = [show(disc(), ground, noise=t) for t in range(frames)]
    return torch.cat([matte(truth.rgb, unsteady(truth.alpha, t)).alpha for t, truth in enumerate(truths)])


def test_a_static_shot_flickers_less():
    def flicker(alphas: torch.Tensor) -> float:
        return float((alphas[3:] - alphas[2:-1]).abs().sum())

    steady, free = mattes(True), mattes(False)
    assert flicker(steady) < 0.4 * flicker(free)
    assert sad(steady[-1], disc()) < 1.05 * sad(free[-1], disc())


def test_what_moves_leaves_no_ghost():
    ground = texture()
    steady, free = Matte(), Matte(MatteOptions(steady=False))
    for t in range(6):
        truth = show(disc(x=150 + 12 * t), ground, noise=t)
        kept, fresh = (m(truth.rgb, truth.probabilities).alpha[0] for m in (steady, free))
        assert (kept - fresh).abs().max() < 0.1
        assert sad(kept, truth.alpha) < 1.02 * sad(fresh, truth.alpha)


def test_slow_motion_does_not_lag_behind():
    ground = texture()
    steady, free = Matte(), Matte(MatteOptions(steady=False))
    for t in range(16):
        truth = show(disc(x=200 + 0.4 * t), ground, noise=t)
        kept, fresh = (m(truth.rgb, truth.probabilities).alpha[0] for m in (steady, free))
    assert sad(kept, truth.alpha) < sad(fresh, truth.alpha) + 0.1


def test_a_thing_that_vanishes_is_gone_at_once():
    ground, matte = texture(), Matte()
    for t in range(4):
        truth = show(disc(), ground, noise=t)
        matte(truth.rgb, truth.probabilities)
    empty = show(disc(radius=-5), ground, noise=9)
    assert matte(empty.rgb, empty.probabilities).alpha.max() == 0


def test_a_reset_forgets_and_a_kept_past_goes_on():
    ground = texture()
    truths = [show(disc(), ground, noise=t) for t in range(4)]
    maps = [unsteady(disc(), t) for t in range(4)]
    matte, again = Matte(), Matte()
    for truth, soft in zip(truths[:3], maps[:3], strict=True):
        matte(truth.rgb, soft)
    assert matte.past.nbytes < 3 * 360 * 480
    again.past = matte.past
    last = matte(truths[3].rgb, maps[3]).alpha
    assert torch.equal(again(truths[3].rgb, maps[3]).alpha, last)
    matte.reset()
    fresh = Matte()(truths[3].rgb, maps[3]).alpha
    assert torch.equal(matte(truths[3].rgb, maps[3]).alpha, fresh)
    assert not torch.equal(fresh, last)


def test_another_size_begins_anew(scene):
    matte = Matte()
    matte(scene.rgb, scene.probabilities)
    half = scene.rgb[::2, ::2].copy()
    expected = Matte()(half, scene.probabilities).alpha
    assert torch.equal(matte(half, scene.probabilities).alpha, expected)
