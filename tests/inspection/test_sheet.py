"""What a row of a sheet looks like."""

from __future__ import annotations

import numpy as np

from vcut.inspection.heat import heat
from vcut.inspection.panels import Panel
from vcut.inspection.sheet import OUTLINE, TILE_HEIGHT, row
from vcut.tiles import CAPTION_HEIGHT, LEAST_WIDTH


def test_colours_grow_brighter_with_the_numbers() -> None:
    colours = heat(np.linspace(2, 4, 100)[None], 2, 4)[0].astype(int)
    assert colours[0].tolist() == [0, 0, 0] and colours.shape == (100, 3)
    light = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > 0).all() and light[-1] > 230
    assert np.array_equal(heat(np.array([[-9.0, 99.0]]), 2, 4)[0], colours[[0, -1]]), "beyond the range: its ends"
    assert not heat(np.full((3, 3), 7.0), 7, 7).any()
    assert not (colours == OUTLINE).all(1).any()


def test_padding_is_left_out_and_objects_are_outlined() -> None:
    """A frame of 45 x 80 whose maps are 4 x 5 locations, of which the lower half is padding."""
    values = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [9, 9, 9, 9, 9]], np.float32)
    labels = np.zeros((45, 80), np.uint8)
    labels[9:18, 16:32], labels[27:36, 48:64] = 1, 2
    panel = Panel("object 2: something with a name that is long", values, 0, 1, 2)
    whole = Panel("all", values, 0, 9, None)
    frame = np.full((45, 80, 3), 77, np.uint8)
    tiles = row(frame, labels, ["frame 3", "gam"], [panel, whole], (0.5, 1.0))
    assert [tile.height for tile in tiles] == [TILE_HEIGHT + 2 * CAPTION_HEIGHT] * 3
    assert tiles[0].width == 320 and tiles[1].width >= 320
    pixels = [np.array(tile)[:TILE_HEIGHT, :320] for tile in tiles]
    assert (pixels[0][20, 20] == 77).all()
    assert pixels[1][10, 310].sum() > 550 and not pixels[1][-1, 0].any(), "of the padding nothing is seen"
    outlined = [(tile == OUTLINE).all(-1) for tile in pixels]
    first, second = (slice(36, 72), slice(64, 128)), (slice(108, 144), slice(192, 256))
    for edges in (outlined[0], outlined[2]):
        assert edges[first].any() and edges[second].any()
    assert not outlined[1][first].any() and outlined[1][second].any(), "its own alone"
    assert np.array(tiles[1])[TILE_HEIGHT : TILE_HEIGHT + CAPTION_HEIGHT].max() > 200, "a caption"
    assert np.array(tiles[1])[TILE_HEIGHT + CAPTION_HEIGHT :].max() > 200, "and a range"


def test_upright_frames_have_room_for_captions() -> None:
    panel = Panel("key", np.zeros((5, 2), np.float32), 0, 1, None)
    tiles = row(np.zeros((160, 40, 3), np.uint8), np.zeros((160, 40), np.uint8), ["frame 0", "gc"], [panel], (1.0, 1.0))
    assert {tile.width for tile in tiles} == {LEAST_WIDTH}
