"""What untagged and half-tagged material is taken for."""

from __future__ import annotations

import pytest

from vcut.video.colour import SRGB, ColourTags, decided, encoding_tags, swscale_matrix

BT709 = ColourTags(1, 1, 1, 1)
BT601 = ColourTags(6, 6, 6, 1)


@pytest.mark.parametrize(("height", "expected"), [(719, BT601), (720, BT709), (2160, BT709), (480, BT601)])
def test_untagged(height: int, expected: ColourTags) -> None:
    assert decided(ColourTags(), height) == expected


@pytest.mark.parametrize(("width", "expected"), [(1279, BT601), (1280, BT709), (1920, BT709)])
def test_untagged_films_are_wide(width: int, expected: ColourTags) -> None:
    assert decided(ColourTags(), 536, width) == expected


def test_hdr_stays_what_it_is() -> None:
    for transfer in (16, 18):
        tags = ColourTags(matrix=9, primaries=9, transfer=transfer, range=1)
        assert decided(tags, 2160, 3840) == encoding_tags(tags, 2160, 3840) == tags


def test_tags_win_over_size() -> None:
    assert decided(ColourTags(matrix=1), 480) == BT709
    assert decided(ColourTags(matrix=9, transfer=16), 480) == ColourTags(9, 9, 16, 1)
    assert decided(ColourTags(matrix=5, range=2), 1080) == ColourTags(5, 6, 6, 2)


@pytest.mark.parametrize("matrix", [None, *range(15)])
def test_every_matrix_ends_as_one_that_can_be_converted(matrix: int | None) -> None:
    assert swscale_matrix(decided(ColourTags(matrix=matrix), 1080)) is not None


def test_pictures_are_written_in_limited_range() -> None:
    assert encoding_tags(SRGB, 1080) == ColourTags(matrix=1, primaries=1, transfer=13, range=1)
    assert encoding_tags(ColourTags(range=2), 480).range == 1
