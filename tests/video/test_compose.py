"""Straight alpha, compositing, drawing, panels and depth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vcut.masks.palette import davis_palette
from vcut.video.compose import checkerboard, over, overlay, pad_to_even, panels, straight_rgba
from vcut.video.cutout import Cutout, Layer, for_object
from vcut.video.depth import at_depth, levels
from vcut.video.source import Frame

RGB = np.random.default_rng(0).integers(1, 255, (9, 11, 3), np.uint8)


def test_colour_is_kept_wherever_something_shows() -> None:
    alpha = np.zeros((9, 11), np.uint8)
    alpha[2:5, 3:7] = 255
    alpha[5, 3:7] = 1
    rgba = straight_rgba(RGB, alpha)
    assert np.array_equal(rgba[..., 3], alpha)
    assert np.array_equal(rgba[alpha > 0][:, :3], RGB[alpha > 0])
    assert not rgba[alpha == 0].any()


def test_overlay_tints_objects_and_leaves_the_rest() -> None:
    labels = np.zeros((9, 11), np.uint8)
    labels[1:8, 1:6] = 1
    labels[1:8, 6:10] = 7
    before = RGB.copy()
    drawn = overlay(RGB, labels)
    assert np.array_equal(RGB, before)
    assert np.array_equal(drawn[labels == 0], RGB[labels == 0])
    for label, inner in ((1, np.s_[2:7, 2:5]), (7, np.s_[2:7, 7:9])):
        half = (RGB[inner].astype(int) + davis_palette()[label]) / 2
        assert np.abs(drawn[inner] - half).max() <= 1
    border = np.ones_like(labels, bool)
    for inner in (np.s_[2:7, 2:5], np.s_[2:7, 7:9]):
        border[inner] = False
    assert (drawn[border & (labels > 0)] == 255).all()


def test_an_object_at_the_picture_edge_has_no_line_there() -> None:
    drawn = overlay(RGB, np.full((9, 11), 2, np.uint8))
    assert not (drawn == 255).all(axis=2).any()


def test_padding_repeats_the_last_row_and_column() -> None:
    padded = pad_to_even(RGB)
    assert padded.shape == (10, 12, 3)
    assert np.array_equal(padded[:9, :11], RGB)
    assert np.array_equal(padded[9, :11], RGB[8])
    assert np.array_equal(padded[:9, 11], RGB[:, 10])
    assert pad_to_even(padded).shape == (10, 12, 3)


def test_hidden_pixels_at_an_edge_take_the_colour_they_lie_beside() -> None:
    rgb = np.full((40, 50, 3), (0, 0, 255), np.uint8)
    alpha = np.zeros((40, 50), np.uint8)
    alpha[:20, :20] = 200
    rgb[:20, :20] = (200, 100, 50)
    rgba = straight_rgba(rgb, alpha, spread=True)
    assert np.array_equal(rgba[..., 3], alpha)
    assert (rgba[:32, :32, :3] == (200, 100, 50)).all()  # the blocks of 16 that the edge goes through
    assert not rgba[32:].any()
    assert not rgba[:, 32:].any()
    deep = straight_rgba(rgb * np.uint16(257), alpha * np.uint16(257), spread=True)
    assert np.array_equal(deep, rgba * np.uint16(257))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_composite_is_the_sum_by_alpha(kind: type) -> None:
    top = np.iinfo(kind).max
    random = np.random.default_rng(1)
    rgb, backdrop = random.integers(0, top, (2, 30, 40, 3), kind, endpoint=True)
    alpha = random.integers(0, top, (30, 40), kind, endpoint=True)
    alpha[:8], alpha[:, :6] = 0, top
    before = backdrop.copy()
    weight = (alpha / top)[..., None]
    exact = rgb * weight + backdrop * (1 - weight)
    assert np.abs(over(rgb, alpha, backdrop) - exact).max() <= 0.5 + 1e-6
    assert np.array_equal(backdrop, before)
    nothing = over(rgb, np.zeros_like(alpha), backdrop)
    assert np.array_equal(nothing, backdrop)
    assert np.array_equal(over(rgb, np.full_like(alpha, top), backdrop), rgb)


def test_panels_lie_side_by_side_and_shrink_to_what_players_take() -> None:
    red, green = (np.full((20, 30, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))
    picture = panels([red, green, red])
    assert picture.shape == (20, 90, 3)
    assert (picture[:, 30:60] == (0, 255, 0)).all()
    wide = panels([np.zeros((108, 1920, 3), np.uint8)] * 3)
    assert wide.shape == (72, 3840, 3)


def test_checkerboard() -> None:
    board = checkerboard(20, 40)
    assert board.shape == (20, 40, 3)
    assert [int(board[0, column, 0]) for column in (0, 15, 16, 32)] == [102, 102, 153, 102]
    assert board[16, 0, 0] == 153


def test_one_object_alone() -> None:
    labels = np.zeros((9, 11), np.uint8)
    labels[:, :4], labels[:, 4:] = 1, 7
    alpha = np.full((9, 11), 200, np.uint8)
    frame = Frame(0, 0, Fraction(1, 25), RGB)
    alone = for_object(Cutout(frame, labels, alpha), 7)
    assert np.array_equal(alone.alpha, np.where(labels == 7, 200, 0))
    assert np.array_equal(alone.labels, np.where(labels == 7, 7, 0))
    soft = np.full((9, 11), 90, np.uint8)
    assert np.array_equal(for_object(Cutout(frame, labels, alpha, objects={7: Layer(soft)}), 7).alpha, soft)
    assert not for_object(Cutout(frame, labels, alpha, objects={7: Layer(soft)}), 3).alpha.any()


def test_depth_is_exact_upwards_and_rounded_downwards() -> None:
    every = np.arange(256, dtype=np.uint8)
    deep = at_depth(every, True)
    assert deep.dtype == np.uint16
    assert deep[-1] == 65535
    assert np.array_equal(at_depth(deep, False), every)
    values = np.arange(65536, dtype=np.uint16)
    assert np.abs(at_depth(values, False) - values / 257).max() <= 0.51
    assert at_depth(every, False) is every
    with pytest.raises(ValueError, match="float64"):
        at_depth(np.zeros(3), True)


def test_levels_are_the_nearest() -> None:
    for values in (np.arange(256, dtype=np.uint8), np.arange(65536, dtype=np.uint16)):
        exact = 64 + values / values[-1] * 876
        assert np.abs(levels(values, 64, 940) - exact).max() <= 0.5 + 1e-9
