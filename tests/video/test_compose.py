"""Straight alpha, overlay drawing and padding."""

from __future__ import annotations

import numpy as np

from vcut.masks.palette import davis_palette
from vcut.video.compose import overlay, pad_to_even, straight_rgba

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
