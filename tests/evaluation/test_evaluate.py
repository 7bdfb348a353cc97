"""Scores of simple trackers on small sequences."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vcut.errors import InputError
from vcut.evaluation.dataset import Sequence, find_sequences
from vcut.evaluation.evaluate import Judged, baseline_copy, evaluate
from vcut.evaluation.report import KEYS, SequenceScore
from vcut.masks.labels import Labels

Write = Callable[..., Path]


def perfect(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    """Reads the answers; between annotations, it says nothing."""
    for index in range(sequence.start, len(sequence.frames)):
        yield sequence.truth(index) if index in sequence.annotations else np.zeros_like(first.labels)


def empty(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    for _ in sequence.frames[sequence.start :]:
        yield np.zeros_like(first.labels)


def square(left: int, identifier: int = 1, width: int = 10) -> np.ndarray:
    labels = np.zeros((40, 120), np.uint8)
    labels[10:20, left : left + width] = identifier
    return labels


def test_perfect(dense_root: Path) -> None:
    report = evaluate(find_sequences(dense_root), perfect)
    assert report.mean() == {"J&F": 1, "J": 1, "J-recall": 1, "J-decay": 0, "F": 1, "F-recall": 1, "F-decay": 0}
    assert report.sequence_mean() == report.mean()


def test_empty(dense_root: Path) -> None:
    mean = evaluate(find_sequences(dense_root), empty).mean()
    assert set(mean.values()) == {0.0}


def test_copy_of_the_first_mask(dense_root: Path) -> None:
    """Object 1 slides 2 of its 16 columns a frame, object 3 stands; frames 1 to 8 are judged."""
    (score,) = evaluate(find_sequences(dense_root), baseline_copy).sequences
    moving, still = score.objects
    overlap = np.array([max(0, 16 - 2 * frame) / (16 + min(16, 2 * frame)) for frame in range(1, 9)])
    assert (score.frames, score.scored) == (10, 8)
    assert moving.identifier == 1 and moving.region.mean == pytest.approx(overlap.mean())
    assert moving.region.recall == pytest.approx(np.mean(overlap > 0.5))
    assert moving.region.decay == pytest.approx(overlap[:3].mean() - overlap[5:].mean())
    assert still.identifier == 3 and still.region.mean == 1.0 and still.boundary.mean == 1.0
    assert score.mean()["J"] == pytest.approx((overlap.mean() + 1) / 2)


def test_mean_is_over_objects_not_sequences(write_sequence: Write) -> None:
    pair = square(5) + square(30, 2)
    write_sequence("pair", dict.fromkeys(range(4), pair), 4)
    root = write_sequence("lost", {0: square(5), 1: square(90), 2: square(90), 3: square(90)}, 4)
    report = evaluate(find_sequences(root), baseline_copy)
    assert report.mean()["J"] == pytest.approx(2 / 3)
    assert report.sequence_mean()["J"] == pytest.approx(1 / 2)


def test_first_and_last_of_a_dense_sequence_do_not_count(write_sequence: Write) -> None:
    root = write_sequence("ant", {0: square(5), 1: square(5), 2: square(5), 3: square(90)}, 4)
    assert evaluate(find_sequences(root), baseline_copy).mean()["J"] == 1.0


def test_sparse_sequence(write_sequence: Write) -> None:
    root = write_sequence("ant", {2: square(5), 5: square(5), 8: square(90)}, 10)
    given: list[int] = []

    def count(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        for labels in baseline_copy(sequence, first):
            given.append(len(given))
            yield labels

    (score,) = evaluate(find_sequences(root), count).sequences
    assert score.mean()["J"] == pytest.approx(0.5), "frames 5 and 8"
    assert score.frames == 8 == len(given) and score.scored == 2


def test_object_that_vanishes_and_one_that_joins(write_sequence: Write) -> None:
    root = write_sequence("ant", {0: square(5), 1: square(5), 2: square(60, 2), 3: square(60, 2)}, 4)
    (score,) = evaluate(find_sequences(root), perfect).sequences
    assert [entry.identifier for entry in score.objects] == [1]
    assert score.mean()["J"] == 1.0


def test_prediction_at_frame_size_is_judged_at_annotation_size(write_sequence: Write) -> None:
    root = write_sequence("ant", {index: square(5) for index in range(3)}, 3, size=(240, 80))
    shapes = []

    def watch(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        for labels in baseline_copy(sequence, first):
            shapes.append(labels.shape)
            yield labels

    assert evaluate(find_sequences(root), watch).mean()["J&F"] == 1.0
    assert set(shapes) == {(80, 240)}


def test_predictor_may_reuse_its_map(dense_root: Path) -> None:
    def reuse(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        labels = np.empty_like(first.labels)
        for index in range(len(sequence.frames)):
            labels[:] = sequence.truth(index)
            yield labels

    assert evaluate(find_sequences(dense_root), reuse).mean()["J&F"] == 1.0


def test_seconds_are_those_of_the_predictor(dense_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of our own: 2 s to start, 1 s a map, and 100 s each time the answers are read, which do not count."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    truth = Sequence.truth

    def slow_truth(sequence: Sequence, index: int) -> np.ndarray:
        now[0] += 100
        return truth(sequence, index)

    def predict(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        now[0] += 2
        for labels in baseline_copy(sequence, first):
            now[0] += 1
            yield labels

    monkeypatch.setattr(Sequence, "truth", slow_truth)
    (score,) = evaluate(find_sequences(dense_root), predict).sequences
    assert score.seconds == 12 and score.fps == pytest.approx(10 / 12)


def test_each_sequence_is_reported_as_it_ends(write_sequence: Write) -> None:
    write_sequence("ant", {index: square(5) for index in range(3)}, 3)
    root = write_sequence("bee", {index: square(5) for index in range(4)}, 4)
    seen: list[SequenceScore] = []
    started: list[tuple[str, int]] = []

    def watch(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        started.append((sequence.name, len(seen)))
        return baseline_copy(sequence, first)

    report = evaluate(find_sequences(root), watch, on_sequence=seen.append)
    assert started == [("ant", 0), ("bee", 1)]
    assert tuple(seen) == report.sequences


def test_json(dense_root: Path) -> None:
    found = json.loads(json.dumps(evaluate(find_sequences(dense_root), baseline_copy).to_json(), allow_nan=False))
    assert set(found) == {"mean", "sequence_mean", "sequences"}
    assert set(found["mean"]) == set(KEYS)
    (sequence,) = found["sequences"]
    assert {"name", "objects", "frames", "scored", "seconds", "fps", "per_object", *KEYS} == set(sequence)
    assert (sequence["name"], sequence["objects"], sequence["frames"], sequence["scored"]) == ("slide", 2, 10, 8)
    assert [entry["id"] for entry in sequence["per_object"]] == [1, 3]
    for key in KEYS:
        assert sequence[key] == pytest.approx(np.mean([entry[key] for entry in sequence["per_object"]]))
        assert found["mean"][key] == pytest.approx(sequence[key])
    assert found["mean"]["J&F"] == pytest.approx((found["mean"]["J"] + found["mean"]["F"]) / 2)


def test_rows(dense_root: Path) -> None:
    report = evaluate(find_sequences(dense_root), perfect)
    slide, mean = report.rows()
    assert len(slide) == len(mean) == len(report.columns)
    assert slide[:4] == ("slide", "2", "10", "1.000") and mean[:4] == ("mean over objects", "2", "10", "1.000")


def test_rows_of_objects(write_sequence: Write) -> None:
    write_sequence("lone", dict.fromkeys(range(4), square(5)), 4)
    first, later = square(5) + square(30, 2), square(90) + square(30, 2)
    root = write_sequence("pair", {0: first, 1: later, 2: later, 3: later}, 4)
    report = evaluate(find_sequences(root), baseline_copy)
    assert [row[0] for row in report.rows()] == ["lone", "pair", "mean over objects"]
    rows = report.rows(per_object=True)
    assert [row[0] for row in rows] == ["lone", "pair", "pair:1", "pair:2", "mean over objects"]
    assert {len(row) for row in rows} == {len(report.columns)}
    place = report.columns.index("J")
    assert [row[place] for row in rows] == ["1.000", "0.500", "0.000", "1.000", "0.667"]


def test_each_judged_frame_is_shown(dense_root: Path) -> None:
    seen: list[int] = []

    def check(frame: Judged) -> None:
        seen.append(frame.index)
        assert frame.sequence.name == "slide" and np.array_equal(frame.truth, frame.sequence.truth(frame.index))
        assert np.array_equal(frame.labels, frame.sequence.truth(0))
        moved = 2 * frame.index
        assert frame.region == pytest.approx((max(0, 16 - moved) / (16 + min(16, moved)) + 1) / 2)

    evaluate(find_sequences(dense_root), baseline_copy, on_frame=check)
    assert seen == list(range(1, 9))


class TestRefused:
    def test_no_sequence(self) -> None:
        with pytest.raises(InputError, match="no sequence"):
            evaluate([], baseline_copy)

    @pytest.mark.parametrize(("annotated", "frames"), [([0], 5), ([0, 1], 2), ([4], 5)])
    def test_nothing_to_judge_is_found_before_anything_runs(
        self, write_sequence: Write, annotated: list[int], frames: int
    ) -> None:
        write_sequence("ant", {index: square(5) for index in range(3)}, 3)
        root = write_sequence("bee", {index: square(5) for index in annotated}, frames)
        scores: list[SequenceScore] = []
        with pytest.raises(InputError, match=f"sequence bee has {len(annotated)} annotated frame"):
            evaluate(find_sequences(root), baseline_copy, on_sequence=scores.append)
        assert scores == []

    def test_too_few_maps(self, dense_root: Path) -> None:
        with pytest.raises(ValueError, match="no map for frame 1 of slide"):
            evaluate(find_sequences(dense_root), lambda sequence, first: [first.labels])

    def test_map_of_another_size(self, dense_root: Path) -> None:
        with pytest.raises(ValueError, match=r"shape \(24, 64\) for frame 0 of slide"):
            evaluate(find_sequences(dense_root), lambda sequence, first: [first.labels[:24]] * 10)
