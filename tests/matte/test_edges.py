"""Edges move, sharpen and soften by the pixels asked for."""

from __future__ import annotations

import math

import pytest
import torch

from vcut.matte.edges import reach, shape_edges

from .conftest import disc


def radius(alpha: torch.Tensor) -> float:
    """Of the disc of this area."""
    return math.sqrt(float(alpha.sum()) / math.pi)


def ramp(alpha: torch.Tensor) -> float:
    """Pixels from 10 to 90 % along the middle row, at the left edge."""
    row = alpha[180, :240]
    low, high = (int((row > level).nonzero()[0]) for level in (0.1, 0.9))
    below, above = row[low - 1], row[high - 1]
    first = low - float((row[low] - 0.1) / (row[low] - below))
    return high - float((row[high] - 0.9) / (row[high] - above)) - first


@pytest.mark.parametrize("distance", [1, 3, 2.5, 12, -1, -4, -7.5])
def test_growing_moves_the_edge_by_so_many_pixels(distance):
    grown = shape_edges(disc()[None], grow=distance)[0]
    assert radius(grown) - radius(disc()) == pytest.approx(distance, abs=0.3)


def test_growing_is_round():
    grown = shape_edges(disc(radius=4)[None], grow=20)[0]
    for angle in torch.linspace(0, 2 * math.pi, 17):
        inside = (180 + 22.5 * torch.sin(angle)).int(), (240 + 22.5 * torch.cos(angle)).int()
        outside = (180 + 26.5 * torch.sin(angle)).int(), (240 + 26.5 * torch.cos(angle)).int()
        assert grown[inside] == 1
        assert grown[outside] == 0


@pytest.mark.parametrize("width", [2, 6, 15])
def test_feather_is_as_wide_as_asked(width):
    feathered = shape_edges(disc(radius=120)[None], feather=width)[0]
    assert ramp(feathered) == pytest.approx(width, rel=0.15, abs=0.4)
    assert radius(feathered) == pytest.approx(120.5, abs=0.5)


def test_crisp_makes_a_soft_edge_a_line_where_it_was():
    soft = shape_edges(disc()[None], feather=12)
    crisp = shape_edges(soft, crisp=True)[0]
    assert ramp(soft[0]) > 10
    assert ramp(crisp) < 2
    assert radius(crisp) == pytest.approx(radius(disc()), abs=0.5)
    assert ((crisp > 0.05) & (crisp < 0.95)).sum() > 100, "the line is anti-aliased"


def test_nothing_changes_beyond_the_reach():
    for options in ({"grow": 6.0}, {"feather": 9.0}, {"crisp": True, "grow": -3.0}):
        far = reach(options.get("crisp", False), options.get("grow", 0.0), options.get("feather", 0.0)) + 2
        changed = (shape_edges(disc()[None], **options)[0] - disc()).abs() > 0.01
        distance = (torch.hypot(torch.arange(480) + 0.5 - 240, torch.arange(360)[:, None] + 0.5 - 180) - 80).abs()
        assert changed.any()
        assert distance[changed].max() <= far


def test_asking_nothing_changes_nothing():
    alpha = disc()[None]
    assert shape_edges(alpha) is alpha
