"""Mattes of pictures whose alpha and colours are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from vcut.errors import OptionError
from vcut.matte.matte import Matte
from vcut.matte.options import MatteOptions
from vcut.matte.scores import colour_error, sad

from .conftest import SCALE, disc, show, soft_map, texture

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def plain(truth) -> torch.Tensor:
    """H,W: the soft map, upsampled."""
    return functional.interpolate(truth.probabilities[None, 1:], scale_factor=SCALE, mode="bilinear")[0, 0]


def planes(rgb: np.ndarray | torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(rgb).permute(2, 0, 1).float() / 255


def distance_to_edge() -> torch.Tensor:
    """H,W: pixels outside (above 0) or inside the scene's disc."""
    return torch.hypot(torch.arange(480) + 0.5 - 240, torch.arange(360)[:, None] + 0.5 - 180) - 80


@pytest.mark.parametrize("device", DEVICES)
def test_a_sharp_disc_gets_its_edge_back(scene, device):
    result = Matte()(scene.rgb, scene.probabilities.to(device))
    alpha = result.alpha.cpu()
    assert alpha.shape == (1, 360, 480)
    assert alpha.dtype == torch.float32
    assert result.foreground.shape == (1, 360, 480, 3)
    assert result.foreground.dtype == torch.uint8
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert sad(alpha[0], scene.alpha) < 0.4 * sad(plain(scene), scene.alpha)


def test_no_haze_outside_and_no_holes_inside(scene):
    alpha, soft = Matte()(scene.rgb, scene.probabilities).alpha[0], plain(scene)
    distance = distance_to_edge()
    assert (alpha[distance > 20] == 0).all()
    assert (alpha[distance < -20] == 1).all()
    for near, side in (((distance > 3) & (distance < 20), 0), ((distance < -3) & (distance > -20), 1)):
        assert (alpha[near] - side).abs().mean() < 0.1 * (soft[near] - side).abs().mean()


def test_a_hard_mask_is_refined_too(scene):
    hard = (scene.probabilities > 0.5).float()
    blocky = functional.interpolate(hard[None, 1:], scale_factor=SCALE, mode="nearest")[0, 0]
    assert sad(Matte()(scene.rgb, hard).alpha[0], scene.alpha) < 0.6 * sad(blocky, scene.alpha)


def test_where_colours_say_nothing_the_probability_stays():
    alpha = disc()
    grey = np.full((360, 480, 3), 128, np.uint8)
    probabilities = soft_map(alpha)
    up = functional.interpolate(probabilities[None, 1:], scale_factor=SCALE, mode="bilinear")[0, 0]
    assert (Matte()(grey, probabilities).alpha[0] - up).abs().max() < 0.06


def test_hair_is_found_and_loses_the_backgrounds_colour(strands):
    result = Matte()(strands.rgb, strands.probabilities)
    assert sad(result.alpha[0], strands.alpha) < 0.6 * sad(plain(strands), strands.alpha)
    colours = strands.colour[:, None, None].expand(3, 360, 480)
    own = colour_error(planes(strands.rgb), colours, strands.alpha)
    assert colour_error(planes(result.foreground[0]), colours, strands.alpha) < 0.5 * own


def test_colours_are_the_frames_where_alpha_is_one(scene):
    result = Matte()(scene.rgb, scene.probabilities)
    opaque = result.alpha[0] == 1
    assert opaque.sum() > 15000
    assert (result.foreground[0][opaque].numpy() == scene.rgb[opaque.numpy()]).all()


def test_what_growing_shows_has_the_objects_colours(scene):
    result = Matte(MatteOptions(grow=5))(scene.rgb, scene.probabilities)
    ring = (distance_to_edge() > 1.5) & (distance_to_edge() < 4)
    assert result.alpha[0][ring].mean() > 0.97
    error = (planes(result.foreground[0]) - scene.colour[:, None, None]).abs().mean(0)[ring]
    assert error.mean() < 0.05


def test_separate_objects_get_alphas_of_their_own():
    left, right = disc(x=150, radius=50), disc(x=330, radius=60)
    ground = texture()
    truth = show(torch.maximum(left, right), ground)
    soft = torch.cat([soft_map(left)[1:], soft_map(right)[1:]])
    probabilities = torch.cat([1 - soft.sum(0, keepdim=True), soft])
    result = Matte(MatteOptions(separate=True))(truth.rgb, probabilities)
    together = Matte()(truth.rgb, probabilities)
    assert result.foreground.shape == (2, 360, 480, 3)
    for alpha, own in zip(result.alpha, (left, right), strict=True):
        assert sad(alpha, own) < 0.3
    assert sad(together.alpha[0], truth.alpha) < 0.5


def test_nothing_there_gives_an_empty_matte(scene):
    nothing = torch.zeros(2, 120, 160)
    nothing[0] = 1
    result = Matte(MatteOptions(grow=3, feather=4))(scene.rgb, nothing)
    assert result.alpha.max() == 0
    assert (result.foreground[0].numpy() == scene.rgb).all()


def test_an_object_that_fills_the_frame_is_opaque(scene):
    everything = torch.zeros(2, 120, 160)
    everything[1] = 1
    assert Matte()(scene.rgb, everything).alpha.min() == 1


def test_sizes_need_not_be_multiples(scene):
    probabilities = functional.interpolate(scene.probabilities[None], (101, 135), mode="bilinear")[0]
    alpha = Matte()(scene.rgb, probabilities).alpha[0]
    assert sad(alpha, scene.alpha) < 0.5 * sad(plain(scene), scene.alpha)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"edge": "hard"}, "--edge"),
        ({"grow": 101.0}, "--grow"),
        ({"grow": -101.0}, "--shrink"),
        ({"grow": float("nan")}, "--grow"),
        ({"feather": -1.0}, "--feather"),
        ({"feather": float("inf")}, "--feather"),
    ],
)
def test_senseless_options_are_refused_in_one_line(options, named):
    with pytest.raises(OptionError, match=named) as refused:
        MatteOptions(**options)
    assert "\n" not in str(refused.value)


def test_shapes_that_do_not_fit_are_refused(scene):
    with pytest.raises(ValueError, match="no matte"):
        Matte()(scene.rgb, scene.probabilities[:1])
