"""Sequences shown larger than they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import InputError, OptionError
from vcut.evaluation.dataset import Sequence, find_sequences
from vcut.evaluation.enlarge import enlarged
from vcut.evaluation.evaluate import baseline_copy, evaluate
from vcut.masks.labels import Labels

Write = Callable[..., Path]


def ellipse(height: int, width: int, across: float) -> np.ndarray:
    """Labels H x W: object 2 is an ellipse, ``across`` of the picture wide and high."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(np.hypot(x, y) < across, np.uint8(2), np.uint8(0))


@pytest.fixture
def noisy(write_sequence: Write) -> Sequence:
    """Four frames, 40 x 60, of noise; the object grows."""
    root = write_sequence("noise", {index: ellipse(40, 60, 0.4 + 0.1 * index) for index in range(4)}, 4)
    for index, path in enumerate(sorted((root / "JPEGImages" / "noise").iterdir())):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(path, quality=95)
    return find_sequences(root)[0]


def test_frames_and_first_annotation_grow_together(noisy: Sequence) -> None:
    shown = enlarged(noisy, 100)
    assert noisy.size() == (60, 40) and shown.size() == (150, 100)
    with Image.open(noisy.frames[2]) as image:
        assert np.array_equal(shown.frame(2), np.array(image.resize((150, 100), Image.Resampling.BICUBIC)))
        assert np.array_equal(noisy.frame(2), np.array(image))
    first = shown.first()
    assert first.ids == (2,) and first.labels.shape == (100, 150) and set(np.unique(first.labels)) == {0, 2}
    grown = first.labels[1::5, 1::5]  # 5 pixels for 2: each second one of the old is hit in its middle
    assert np.array_equal(grown, noisy.truth(0)[0::2, 0::2])


def test_an_upright_frame(write_sequence: Write) -> None:
    root = write_sequence("tall", {index: ellipse(60, 40, 0.5) for index in range(3)}, 3)
    shown = enlarged(find_sequences(root)[0], 80)
    assert shown.frame(1).shape == (120, 80, 3) and shown.first().labels.shape == (120, 80)


@pytest.mark.parametrize("side", [40, 41, 97, 200])
def test_enlarging_alone_changes_no_score(noisy: Sequence, side: int) -> None:
    plain, shown = (evaluate([sequence], baseline_copy).mean() for sequence in (noisy, enlarged(noisy, side)))
    assert shown == plain and 0 < plain["J"] < 1


def test_maps_are_judged_at_the_size_of_the_annotation(noisy: Sequence) -> None:
    shapes: set[tuple[int, ...]] = set()

    def answers(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        for index in range(len(sequence.frames)):
            shapes.add(sequence.frame(index).shape)
            yield sequence.truth(index).repeat(3, axis=0).repeat(3, axis=1)

    assert evaluate([enlarged(noisy, 120)], answers).mean()["J&F"] == 1.0
    assert shapes == {(120, 180, 3)}


@pytest.mark.parametrize("side", [39, 0, -1, 4321])
def test_what_does_not_enlarge_is_refused(noisy: Sequence, side: int) -> None:
    with pytest.raises(OptionError, match=f"--enlarge {side} .* noise, 60 x 40; give 40 to 4320"):
        enlarged(noisy, side)


def test_damaged_frame(noisy: Sequence) -> None:
    whole = noisy.frames[1].read_bytes()
    noisy.frames[1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"frame .*00001\.jpg cannot be read"):
        enlarged(noisy, 80).frame(1)
