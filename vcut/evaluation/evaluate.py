"""Run a tracker over annotated sequences and score it as DAVIS does, one frame in memory at a time.

A score is taken for each object over the frames of :attr:`Sequence.scored`, at the size of the annotation.
The mean of a data set is, as in davis2017-evaluation, over all objects; the mean over sequences is reported
beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vcut.errors import InputError
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.davis import boundary_f, jaccard, statistics
from vcut.evaluation.report import ObjectScore, Report, SequenceScore
from vcut.masks.labels import Labels, resize_labels

Predictor = Callable[[Sequence, Labels], Iterable[np.ndarray]]
"""Called with a sequence and its first annotation at frame size; yields a label map (H x W uint8, user ids,
frame size) for each frame from the first annotated one on, that one included."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One frame that was judged, at the size of its annotation.

    Attributes:
        sequence: the one it belongs to.
        index: its index in the sequence.
        labels: H x W uint8, the predictor's map; it may be overwritten once the next frame is asked for.
        truth: H x W uint8, the annotation.
        region: J, the mean over the objects.
    """

    sequence: Sequence
    index: int
    labels: np.ndarray
    truth: np.ndarray
    region: float


def baseline_copy(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    """The predictor that says nothing ever moves: the first mask for every frame."""
    for _ in sequence.frames[sequence.start :]:
        yield first.labels


def evaluate(
    sequences: Iterable[Sequence],
    predict: Predictor,
    on_sequence: Callable[[SequenceScore], None] | None = None,
    on_frame: Callable[[Judged], None] | None = None,
) -> Report:
    """Score a predictor on sequences.

    Args:
        sequences: what :func:`~vcut.evaluation.dataset.find_sequences` found, as it is or changed by
            :func:`~vcut.evaluation.loop.looped` or :func:`~vcut.evaluation.enlarge.enlarged`.
        predict: the tracker. A map that it yields may be overwritten by it once the next one is asked for.
        on_sequence: called with the score of each sequence as soon as it is known.
        on_frame: called with each frame that is judged, in order.

    Raises:
        InputError: there is no sequence, one has no frame to judge (checked before anything is run), or an
            annotation cannot be read.
        ValueError: the predictor yields too few maps, or maps of a wrong size.
    """
    sequences = list(sequences)
    check(sequences)
    scores = []
    for sequence in sequences:
        scores.append(_evaluate_sequence(sequence, predict, on_frame))
        if on_sequence is not None:
            on_sequence(scores[-1])
    return Report(tuple(scores))


def check(sequences: Collection[Sequence]) -> None:
    """Raises InputError when there is no sequence, or one has no frame to judge."""
    if not sequences:
        raise InputError("there is no sequence to evaluate")
    for sequence in sequences:
        if not sequence.scored:
            raise InputError(
                f"sequence {sequence.name} has {len(sequence.annotations)} annotated frames, none to judge",
                "a dense sequence needs three, a sparse one two",
            )


class Stopwatch:
    """Adds up the time spent in its ``with`` blocks, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


def predicted(
    sequence: Sequence, first: Labels, predict: Predictor, clock: Stopwatch
) -> Iterator[tuple[int, np.ndarray]]:
    """The index and the map (H x W uint8, frame size) of each frame from the first annotated one on.

    Args:
        sequence, first: what the predictor is called with.
        predict: the tracker.
        clock: runs while the predictor does.

    Raises:
        ValueError: the predictor yields too few maps, or maps of a wrong size.
    """
    with clock:
        maps = iter(predict(sequence, first))
    for index in range(sequence.start, len(sequence.frames)):
        with clock:
            labels = next(maps, None)
        if labels is None or labels.shape != first.labels.shape:
            found = "no map" if labels is None else f"a map of shape {labels.shape}"
            raise ValueError(f"predictor gave {found} for frame {index} of {sequence.name}")
        yield index, labels


def at_size_of(truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A map at the size of an annotation, by the nearest pixel."""
    return labels if labels.shape == truth.shape else resize_labels(labels, (truth.shape[1], truth.shape[0]))


def _evaluate_sequence(
    sequence: Sequence, predict: Predictor, on_frame: Callable[[Judged], None] | None
) -> SequenceScore:
    first = sequence.first()
    places = {index: place for place, index in enumerate(sequence.scored)}
    values = np.zeros((len(sequence.ids), 2, len(places)))
    clock = Stopwatch()
    for index, labels in predicted(sequence, first, predict, clock):
        if index in places:
            truth = sequence.truth(index)
            labels = at_size_of(truth, labels)
            now = values[..., places[index]]
            for row, identifier in zip(now, sequence.ids, strict=True):
                drawn, wanted = labels == identifier, truth == identifier
                row[:] = jaccard(drawn, wanted), boundary_f(drawn, wanted)
            if on_frame is not None:
                on_frame(Judged(sequence, index, labels, truth, float(now[:, 0].mean())))
    windows = {name: [places[index] for index in window] for name, window in sequence.windows.items()}
    objects = tuple(
        ObjectScore(
            identifier,
            statistics(region),
            statistics(boundary),
            {name: float(region[window].mean()) for name, window in windows.items()},
        )
        for identifier, (region, boundary) in zip(sequence.ids, values, strict=True)
    )
    return SequenceScore(sequence.name, objects, len(sequence.frames) - sequence.start, len(places), clock.seconds)
