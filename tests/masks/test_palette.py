"""The DAVIS palette and indexed files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import OutputError
from vcut.masks.palette import davis_palette, save_indexed


def test_known_colours() -> None:
    palette = davis_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        7: (128, 128, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    assert {identifier: tuple(palette[identifier].tolist()) for identifier in known} == known


def test_colours_differ_and_cannot_be_changed() -> None:
    assert len(np.unique(davis_palette(), axis=0)) == 256
    with pytest.raises(ValueError):
        davis_palette()[0] = 1


@pytest.mark.parametrize("into_file", [False, True])
def test_saved_file_holds_ids_and_whole_palette(tmp_path: Path, into_file: bool) -> None:
    labels = np.arange(256, dtype=np.uint8).repeat(6).reshape(48, 32)[::-1]
    target = io.BytesIO() if into_file else tmp_path / "labels.png"
    save_indexed(target, labels)
    with Image.open(target) as picture:
        assert picture.format == "PNG" and picture.mode == "P"
        assert picture.getpalette() == davis_palette().ravel().tolist()
        assert np.array_equal(np.array(picture), labels)


def test_few_ids_still_get_the_whole_palette(tmp_path: Path) -> None:
    save_indexed(tmp_path / "labels.png", np.eye(8, dtype=np.uint8))
    with Image.open(tmp_path / "labels.png") as picture:
        assert len(picture.getpalette()) == 768


def test_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        save_indexed(tmp_path / "nowhere" / "labels.png", np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("labels", [np.zeros((4, 4), np.int64), np.zeros((4, 4, 3), np.uint8)])
def test_other_arrays_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 H x W"):
        save_indexed(tmp_path / "labels.png", labels)
