"""Sequences played back and forth, and the windows that show a drift."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vcut.errors import OptionError
from vcut.evaluation.dataset import Sequence, find_sequences
from vcut.evaluation.evaluate import baseline_copy, evaluate
from vcut.evaluation.loop import looped
from vcut.evaluation.report import KEYS
from vcut.masks.labels import Labels


def listed(frames: int, annotated: Iterable[int] | None = None) -> Sequence:
    """A sequence by its names alone; every frame is annotated unless told which."""
    indices = range(frames) if annotated is None else annotated
    names = [Path(f"{index:05d}") for index in range(frames)]
    return Sequence("ant", [name.with_suffix(".jpg") for name in names], {i: names[i] for i in indices}, (1,), False)


def visits(loop: Sequence, steps: Iterable[int]) -> list[int]:
    return [int(loop.frames[step].stem) for step in steps]


def test_back_and_forth() -> None:
    loop = looped(listed(4), 151)
    assert visits(loop, range(151)) == [0, 1, 2, 3, 2, 1] * 25 + [0]
    assert {step: path.stem for step, path in loop.annotations.items()} == {
        step: path.stem for step, path in enumerate(loop.frames)
    }
    assert loop.dense and loop.scored == list(range(1, 150))


def test_it_turns_at_the_first_annotated_frame() -> None:
    loop = looped(listed(10, [3, 6, 9]), 160)
    assert loop.start == 0 and visits(loop, range(14)) == [3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 4]
    assert loop.scored == list(range(3, 160, 3)), "each visit of an annotated frame, the first one's too"
    assert all(path.stem == loop.frames[step].stem for step, path in loop.annotations.items())


def test_a_sequence_longer_than_the_loop_is_cut() -> None:
    loop = looped(listed(400), 150)
    assert visits(loop, range(150)) == list(range(150))


class TestWindows:
    @pytest.mark.parametrize("frames", [150, 199, 300, 1000])
    @pytest.mark.parametrize("length", [2, 5, 12, 43, 60, 80, 400])
    def test_of_dense_sequences(self, length: int, frames: int) -> None:
        loop = looped(listed(length), frames)
        early, late = loop.windows["J@100"], loop.windows["J@end"]
        assert early == tuple(range(88, 113))
        assert late == tuple(range(late[0], late[0] + 25)) and late[0] > 112 and late[-1] <= frames - 2
        period = 2 * (length - 1)
        again = [shift for shift in range(period, frames, period) if 24 < shift <= frames - 2 - 112]
        if again:
            assert late[0] == 88 + again[-1] and visits(loop, late) == visits(loop, early)
        else:
            assert late[-1] == frames - 2

    def test_the_last_passage_of_a_usual_clip(self) -> None:
        """80 frames come round every 158: 5 rounds after 88 is 878, and a sixth would be at 1036."""
        assert looped(listed(80), 1000).windows["J@end"] == tuple(range(878, 903))

    def test_of_a_sparse_sequence(self) -> None:
        """Of 31 frames every fifth: a round is 60 frames, and 50 to 150 repeats, whole and apart, at 170 to 270."""
        windows = looped(listed(31, range(0, 31, 5)), 300).windows
        assert windows == {"J@100": tuple(range(50, 151, 5)), "J@end": tuple(range(170, 271, 5))}

    def test_of_a_sparse_sequence_without_a_second_passage(self) -> None:
        windows = looped(listed(200, range(0, 200, 10)), 200).windows
        assert windows == {"J@100": tuple(range(50, 151, 10)), "J@end": (160, 170, 180, 190)}


def overlap(frame: int) -> float:
    """J of object 1 of ``moving_block`` with its first mask."""
    return max(0, 16 - 2 * frame) / (16 + min(16, 2 * frame))


def test_each_visit_is_judged_by_its_own_annotation(dense_root: Path) -> None:
    (sequence,) = find_sequences(dense_root)
    (score,) = evaluate([looped(sequence, 200)], baseline_copy).sequences
    ramp = [*range(10), *range(8, 0, -1)]
    values = np.array([overlap(ramp[step % 18]) for step in range(200)])
    moving, still = score.objects
    assert (score.frames, score.scored) == (200, 198)
    assert moving.region.mean == pytest.approx(values[1:199].mean())
    assert moving.drift["J@100"] == pytest.approx(values[88:113].mean())
    assert moving.drift["J@end"] == pytest.approx(moving.drift["J@100"]), "the same frames, so no drift"
    assert still.drift == {"J@100": 1.0, "J@end": 1.0}
    assert score.mean()["J@end"] == pytest.approx((moving.drift["J@end"] + 1) / 2)


def forgetful(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    """Knows the answers for 150 frames, then loses object 3."""
    for index in range(len(sequence.frames)):
        labels = sequence.truth(index)
        yield labels if index < 150 else np.where(labels == 3, np.uint8(0), labels)


def test_drift_is_reported(dense_root: Path) -> None:
    (sequence,) = find_sequences(dense_root)
    report = evaluate([looped(sequence, 250)], forgetful)
    assert report.columns == ("sequence", "objects", "frames", *KEYS, "J@100", "J@end", "fps")
    slide, mean = report.rows()
    assert slide[-3:-1] == mean[-3:-1] == ("1.000", "0.500")
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    (entry,) = found["sequences"]
    assert found["mean"]["drift"] == entry["drift"] == {"J@100": 1.0, "J@end": 0.5}
    assert [each["drift"]["J@end"] for each in entry["per_object"]] == [1.0, 0.0]
    assert set(found["mean"]) == {*KEYS, "drift"}


def test_frames_are_not_held(dense_root: Path) -> None:
    def watching(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        for index in range(len(sequence.frames)):
            assert sequence.frame(index).shape == (48, 64, 3)
            yield first.labels.copy()

    def peak(frames: int) -> int:
        loop = looped(find_sequences(dense_root)[0], frames)
        tracemalloc.start()
        try:
            evaluate([loop], watching)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(150)  # what is loaded once
    assert peak(600) - peak(150) < 450 * 48 * 64 / 4, "not even a quarter of the label maps"


class TestRefused:
    @pytest.mark.parametrize("frames", [149, 0, -5])
    def test_too_few_frames(self, frames: int) -> None:
        with pytest.raises(OptionError, match=f"--frames {frames} is too few to see a drift; give 150"):
            looped(listed(20), frames)

    def test_one_frame(self) -> None:
        with pytest.raises(OptionError, match="sequence ant has one frame"):
            looped(listed(5, [4]), 200)

    def test_nothing_to_judge_around_frame_100(self) -> None:
        with pytest.raises(OptionError, match="sequence ant has no annotated frame within 50 of frame 100"):
            looped(listed(300, [0, 10, 299]), 400)

    def test_nothing_to_judge_after_it(self) -> None:
        sequence = listed(101, [0, 100])
        with pytest.raises(OptionError, match=r"--frames 200 is too few for ant: .* after frame 100; give more"):
            looped(sequence, 200)
        assert looped(sequence, 301).windows == {"J@100": (100,), "J@end": (300,)}


def test_sequences_with_and_without_windows_have_a_mean(write_sequence: Callable[..., Path]) -> None:
    labels = np.zeros((12, 16), np.uint8)
    labels[2:5, 2:8] = 1
    write_sequence("ant", dict.fromkeys(range(4), labels), 4)
    ant, bee = find_sequences(write_sequence("bee", dict.fromkeys(range(4), labels), 4))
    report = evaluate([looped(ant, 150), bee], baseline_copy)
    assert set(report.mean()) == set(KEYS) and {len(row) for row in report.rows()} == {len(report.columns)}
