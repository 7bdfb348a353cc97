"""Transfer errors on small sequences, against values worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vcut.errors import InputError, OptionError
from vcut.evaluation.dataset import Sequence, find_sequences
from vcut.evaluation.enlarge import enlarged
from vcut.evaluation.evaluate import baseline_copy
from vcut.evaluation.transfer import (
    TransferOptions,
    measure_transfer,
    parse_distances,
    transfer_error,
)
from vcut.evaluation.transfer_report import TransferScore
from vcut.masks.labels import Labels

Write = Callable[..., Path]

SHORT = TransferOptions(distances=(1, 2, 4), every=3)


def square(left: int, identifier: int = 1, size: int = 10) -> np.ndarray:
    """Labels 24 x 96 with a square of so many pixels a side."""
    labels = np.zeros((24, 96), np.uint8)
    labels[7 : 7 + size, left : left + size] = identifier
    return labels


def perfect(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    """Reads the answers."""
    for index in range(sequence.start, len(sequence.frames)):
        yield sequence.truth(index)


def empty(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    for _ in sequence.frames[sequence.start :]:
        yield np.zeros_like(first.labels)


def slide(write: Write, step: int, frames: int = 10, name: str = "slide") -> Path:
    """A square that moves right by so many pixels a frame."""
    return write(name, {index: square(2 + step * index) for index in range(frames)}, frames)


def test_a_perfect_predictor_has_no_error_and_an_empty_one_misses_all(write_sequence: Write) -> None:
    sequences = find_sequences(slide(write_sequence, 2))
    assert measure_transfer(sequences, perfect, SHORT).mean() == {"d=1": 0, "d=2": 0, "d=4": 0}
    assert measure_transfer(sequences, empty, SHORT).mean() == {"d=1": 100, "d=2": 100, "d=4": 100}


def test_a_copied_square_is_wrong_where_it_was_and_where_it_is(write_sequence: Write) -> None:
    """Moved by m of its 10 columns it misses m and has m too many: 2 m / 10, and 200 % at most."""
    report = measure_transfer(find_sequences(slide(write_sequence, 3)), baseline_copy, SHORT)
    assert report.mean() == {"d=1": pytest.approx(60), "d=2": pytest.approx(120), "d=4": pytest.approx(200)}


def test_by_default_it_is_jumpcut_s_protocol(write_sequence: Write) -> None:
    """Key frames 0, 16, 32, ..., each followed by 32 frames at least; errors 8, 16 and 32 frames on."""
    root = write_sequence("still", dict.fromkeys(range(70), square(4)), 70)
    (score,) = measure_transfer(find_sequences(root), baseline_copy).sequences
    assert [(t.key, t.distance) for t in score.transfers] == [(key, d) for key in (0, 16, 32) for d in (8, 16, 32)]
    assert score.frames == 3 * 33, "carried once from each key frame"


def test_masks_are_carried_through_all_frames_between_from_the_key_frame_s_annotation(write_sequence: Write) -> None:
    starts: list[tuple[str, int]] = []
    seen: list[str] = []

    def watch(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        starts.append((sequence.frames[0].stem, int(np.flatnonzero(first.labels.any(axis=0))[0])))
        for index, labels in enumerate(baseline_copy(sequence, first)):
            seen.append(sequence.frames[index].stem)
            yield labels

    measure_transfer(find_sequences(slide(write_sequence, 2)), watch, SHORT)
    assert starts == [("00000", 2), ("00003", 8)]
    assert seen == [f"{index:05d}" for index in [0, 1, 2, 3, 4, 3, 4, 5, 6, 7]]


def test_the_first_key_frame_is_the_first_annotated_one(write_sequence: Write) -> None:
    root = write_sequence("late", {index: square(2 + index) for index in range(3, 13)}, 13)
    (score,) = measure_transfer(find_sequences(root), baseline_copy, SHORT).sequences
    assert sorted({transfer.key for transfer in score.transfers}) == [3, 6]


def test_the_mean_is_over_key_frames_then_over_sequences(write_sequence: Write) -> None:
    """One sequence with two key frames, standing still after the first, and one of one key frame that moves."""
    lefts = [2, 4, 6, 8, 10, 10, 10, 10]
    write_sequence("halts", {index: square(left) for index, left in enumerate(lefts)}, 8)
    root = slide(write_sequence, 1, frames=5)
    halts, moves = measure_transfer(find_sequences(root), baseline_copy, SHORT).sequences
    assert halts.mean() == {"d=1": pytest.approx(40), "d=2": pytest.approx(60), "d=4": pytest.approx(100)}
    assert moves.mean() == {"d=1": pytest.approx(20), "d=2": pytest.approx(40), "d=4": pytest.approx(80)}
    both = measure_transfer(find_sequences(root), baseline_copy, SHORT).mean()
    assert both == {"d=1": pytest.approx(30), "d=2": pytest.approx(50), "d=4": pytest.approx(90)}


def test_several_objects_are_judged_together(write_sequence: Write) -> None:
    """Two squares of 100 pixels; one moves by 2 columns a frame: 40 of 200 pixels are wrong after one."""
    root = write_sequence("two", {i: square(2 + 2 * i) + square(60, 3) for i in range(6)}, 6)
    report = measure_transfer(find_sequences(root), baseline_copy, SHORT)
    assert report.mean()["d=1"] == pytest.approx(20)


def test_objects_taken_for_each_other_are_wrong_and_newcomers_are_background() -> None:
    one, other = square(4), square(40, 2)
    assert transfer_error(square(4, 2) + square(40, 1), one + other, (1, 2)) == 100
    assert transfer_error(one, one + other, (1,)) == 0
    assert transfer_error(one, other, (1,)) is None


def test_where_there_is_no_object_nothing_is_measured(write_sequence: Write) -> None:
    """Gone in frames 3 and 4: frame 3 is no key frame, and four frames after frame 0 there is no area to divide by."""
    annotations = {index: square(4) * (index not in (3, 4)) for index in range(11)}
    root = write_sequence("hides", annotations, 11)
    (score,) = measure_transfer(find_sequences(root), baseline_copy, SHORT).sequences
    assert [(t.key, t.distance, t.error) for t in score.transfers] == [
        (0, 1, 0),
        (0, 2, 0),
        (6, 1, 0),
        (6, 2, 0),
        (6, 4, 0),
    ]


def test_enlarged_frames_are_judged_at_the_size_of_annotations(write_sequence: Write) -> None:
    (sequence,) = find_sequences(slide(write_sequence, 3))
    shapes = set()

    def watch(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        shapes.add((first.labels.shape, sequence.frame(0).shape))
        yield from baseline_copy(sequence, first)

    report = measure_transfer([enlarged(sequence, 48)], watch, SHORT)
    assert shapes == {((48, 192), (48, 192, 3))} and report.mean()["d=1"] == pytest.approx(60)


def test_black_and_white_annotations(write_sequence: Write) -> None:
    root = write_sequence("white", {index: square(2 + 3 * index, 255) for index in range(6)}, 6)
    assert measure_transfer(find_sequences(root), baseline_copy, SHORT).mean()["d=1"] == pytest.approx(60)


def test_table_and_json_agree(write_sequence: Write) -> None:
    slide(write_sequence, 2)
    root = slide(write_sequence, 1, name="slower")
    seen: list[TransferScore] = []
    report = measure_transfer(find_sequences(root), baseline_copy, SHORT, seen.append)
    assert tuple(seen) == report.sequences
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["transfer"] == {"distances": [1, 2, 4], "key_every": 3}
    assert [row[0] for row in report.rows()] == [*(s["name"] for s in found["sequences"]), "mean over sequences"]
    for row, values in zip(report.rows(), [*found["sequences"], found["mean"]], strict=True):
        cells = dict(zip(report.columns, row, strict=True))
        assert [cells[name] for name in ("d=1", "d=2", "d=4")] == [f"{values[n]:.2f}" for n in ("d=1", "d=2", "d=4")]
    for sequence in found["sequences"]:
        assert sequence["fps"] == pytest.approx(sequence["frames"] / sequence["seconds"])
        errors = [t["error"] for t in sequence["transfers"] if t["distance"] == 2]
        assert len(errors) == 2 and sequence["d=2"] == pytest.approx(np.mean(errors))


class TestRefused:
    """In one line, before anything is run."""

    def refuse(self, root: Path, words: str, options: TransferOptions = SHORT) -> None:
        scores: list[TransferScore] = []
        with pytest.raises(InputError, match=words) as caught:
            measure_transfer(find_sequences(root), baseline_copy, options, scores.append)
        assert scores == [] and "\n" not in str(caught.value) and caught.value.fix

    def test_a_sparse_sequence(self, write_sequence: Write) -> None:
        slide(write_sequence, 1, name="fine")
        root = write_sequence("sparse", {index: square(4) for index in (1, 3, 9)}, 10)
        self.refuse(root, "sequence sparse has annotations for 3 of 9 frames; transfers need every frame annotated")

    def test_one_that_is_too_short(self, write_sequence: Write) -> None:
        slide(write_sequence, 1, name="fine")
        root = slide(write_sequence, 1, frames=4, name="short")
        self.refuse(root, "sequence short has 4 frames, too few to carry a mask 4 frames forward")

    def test_an_object_that_is_never_there_so_much_later(self, write_sequence: Write) -> None:
        root = write_sequence("goes", {index: square(4) * (index < 4) for index in range(8)}, 8)
        self.refuse(root, "sequence goes has no key frame with an object that is there 4 frames later")

    def test_none_at_all(self) -> None:
        with pytest.raises(InputError, match="no sequence"):
            measure_transfer([], baseline_copy, SHORT)

    @pytest.mark.parametrize("text", ["", "8,x", "0,8", "-1"])
    def test_distances_that_are_none(self, text: str) -> None:
        with pytest.raises(OptionError, match="are not numbers of frames"):
            replace(SHORT, distances=parse_distances(text))

    def test_key_frames_that_never_come(self) -> None:
        with pytest.raises(OptionError, match="--key-every 0 is no number of frames"):
            replace(SHORT, every=0)


def test_distances_are_put_in_order() -> None:
    assert parse_distances("32,8,16,8") == (8, 16, 32)
