"""Contact sheets, read back from their files."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import OutputError
from vcut.evaluation.dataset import Sequence, find_sequences
from vcut.evaluation.evaluate import Judged, baseline_copy, evaluate
from vcut.evaluation.sheet import COLUMNS, TILE_HEIGHT, Sheets
from vcut.masks.labels import Labels
from vcut.tiles import CAPTION_HEIGHT, GAP

Write = Callable[..., Path]

SCALE = TILE_HEIGHT // 48
"""Tile pixels for a pixel of the frames here, which are 48 x 64."""


def box(left: int) -> np.ndarray:
    """Labels 48 x 64: object 4, rows 10 to 29, twenty wide."""
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, left : left + 20] = 4
    return labels


def grey(index: int) -> int:
    return 20 + 10 * index


@pytest.fixture
def shaded(write_sequence: Write) -> Callable[[int], Path]:
    """Write a dense sequence ``shade`` of so many frames, whose greys tell their indices; object 4 slides right."""

    def write(frames: int) -> Path:
        root = write_sequence("shade", {index: box(10 + index) for index in range(frames)}, frames)
        for index, path in enumerate(sorted((root / "JPEGImages" / "shade").iterdir())):
            Image.new("RGB", (64, 48), (grey(index),) * 3).save(path)
        return root

    return write


def blind_at(lost: int) -> Callable[[Sequence, Labels], Iterator[np.ndarray]]:
    """Gives the answers but for one frame."""

    def predict(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        for index in range(len(sequence.frames)):
            yield np.zeros_like(first.labels) if index == lost else sequence.truth(index)

    return predict


def make(root: Path, predict: Callable[..., Iterator[np.ndarray]], folder: Path) -> None:
    sheets = Sheets(folder)
    evaluate(find_sequences(root), predict, on_sequence=sheets.write, on_frame=sheets.add)


def tiles(path: Path, width: int = 64 * SCALE) -> list[np.ndarray]:
    """The tiles of a sheet, H x W x 3 with their captions, without the empty places at its end."""
    pixels = np.array(Image.open(path)).astype(int)
    height = TILE_HEIGHT + CAPTION_HEIGHT
    rows, columns = pixels.shape[0] // (height + GAP), pixels.shape[1] // (width + GAP)
    assert pixels.shape == (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3) and columns <= COLUMNS
    corners = [
        (GAP + row * (height + GAP), GAP + column * (width + GAP)) for row in range(rows) for column in range(columns)
    ]
    found = [pixels[top : top + height, left : left + width] for top, left in corners]
    return [tile for tile in found if tile.std() > 0]


def shown(tile: np.ndarray) -> int:
    """The index of the frame in a tile, by its grey."""
    return round((tile[4 * SCALE, 60 * SCALE, 0] - 20) / 10)


def is_marked(tile: np.ndarray) -> bool:
    red, green, blue = tile[:TILE_HEIGHT, :2].reshape(-1, 3).T
    return bool((red > 200).all() and (green < 100).all() and (blue < 100).all())


@pytest.mark.parametrize(
    ("lost", "expected"),
    [(8, [0, 1, 5, 8, 14, 18]), (5, [0, 1, 5, 9, 14, 18]), (17, [0, 1, 5, 9, 14, 17]), (2, [0, 2, 5, 9, 14, 18])],
)
def test_frames_are_spread_and_the_worst_is_among_them(
    shaded: Callable[[int], Path], tmp_path: Path, lost: int, expected: list[int]
) -> None:
    """Frames 1 to 18 are judged."""
    make(shaded(20), blind_at(lost), tmp_path / "new" / "sheets")
    found = tiles(tmp_path / "new" / "sheets" / "shade.png")
    assert [shown(tile) for tile in found] == expected
    assert [shown(tile) for tile in found if is_marked(tile)] == [lost]
    assert [path.name for path in (tmp_path / "new" / "sheets").iterdir()] == ["shade.png"], "nothing else is left"


@pytest.mark.parametrize(("frames", "expected"), [(3, [0, 1]), (5, [0, 1, 2, 3]), (7, [0, 1, 2, 3, 4, 5])])
def test_few_frames(shaded: Callable[[int], Path], tmp_path: Path, frames: int, expected: list[int]) -> None:
    make(shaded(frames), baseline_copy, tmp_path / "sheets")
    found = tiles(tmp_path / "sheets" / "shade.png")
    assert [shown(tile) for tile in found] == expected
    assert is_marked(found[-1]) and not any(is_marked(tile) for tile in found[:-1]), "the copy gets worse all the time"


def test_prediction_is_tinted_and_truth_outlined(shaded: Callable[[int], Path], tmp_path: Path) -> None:
    """Object 4 is navy, (0, 0, 128); the copied mask begins at column 10, the true one of frame 8 at 18."""
    make(shaded(10), baseline_copy, tmp_path)
    tile = tiles(tmp_path / "shade.png")[-1]
    assert shown(tile) == 8
    row = tile[20 * SCALE]
    tint, plain = [grey(8) / 2, grey(8) / 2, (grey(8) + 128) / 2], [grey(8)] * 3
    assert np.abs(row[11 * SCALE : 17 * SCALE] - tint).max() <= 2, "predicted, not true"
    assert np.abs(row[19 * SCALE : 29 * SCALE] - tint).max() <= 2, "predicted and true"
    assert np.abs(row[31 * SCALE : 37 * SCALE] - plain).max() <= 2, "true, not predicted"
    assert (row[[18 * SCALE, 38 * SCALE - 1]] == 255).all() and (row == 255).all(axis=-1).sum() == 2
    assert (tile[10 * SCALE, 19 * SCALE : 37 * SCALE] == 255).all(), "the upper edge"
    assert tile[TILE_HEIGHT:].max() > 200, "a caption"


def test_the_given_frame_shows_its_mask(shaded: Callable[[int], Path], tmp_path: Path) -> None:
    make(shaded(10), blind_at(4), tmp_path)
    row = tiles(tmp_path / "shade.png")[0][20 * SCALE]
    assert np.abs(row[11 * SCALE : 29 * SCALE] - [10, 10, 74]).max() <= 2
    assert (row[[10 * SCALE, 30 * SCALE - 1]] == 255).all()


def test_upright_frames_have_room_for_captions(write_sequence: Write, tmp_path: Path) -> None:
    root = write_sequence("tall", {index: box(10).T.copy() for index in range(4)}, 4, size=(96, 128))
    make(root, baseline_copy, tmp_path)
    with Image.open(tmp_path / "tall.png") as sheet:
        assert sheet.size == (3 * (190 + GAP) + GAP, TILE_HEIGHT + CAPTION_HEIGHT + 2 * GAP)


def test_a_sheet_for_each_sequence(write_sequence: Write, tmp_path: Path) -> None:
    write_sequence("ant", {index: box(10) for index in range(3)}, 3)
    root = write_sequence("bee", {index: box(10 + 9 * index) for index in range(4)}, 4)
    make(root, baseline_copy, tmp_path / "sheets")
    assert [len(tiles(tmp_path / "sheets" / f"{name}.png")) for name in ("ant", "bee")] == [2, 3]


def test_few_pictures_are_held(shaded: Callable[[int], Path], tmp_path: Path) -> None:
    """Each frame of the copy is worse than the one before, so each is the worst for a while."""
    sheets = Sheets(tmp_path / "sheets")
    alive: list[int] = []

    def pictures() -> int:
        return sum(isinstance(thing, Image.Image) for thing in gc.get_objects())

    def watch(frame: Judged) -> None:
        sheets.add(frame)
        alive.append(pictures())

    root = shaded(22)
    gc.collect()
    before = pictures()
    evaluate(find_sequences(root), baseline_copy, on_sequence=sheets.write, on_frame=watch)
    assert len(alive) == 20 and max(alive) - before <= 8
    gc.collect()
    assert pictures() == before, "and none after"


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "sheets"):
        with pytest.raises(OutputError, match="cannot make the folder"):
            Sheets(folder)
