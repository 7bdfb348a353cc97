"""Run a tracker over annotated sequences and score it as DAVIS does, one frame in memory at a time.

A score is taken for each object over the frames of :attr:`Sequence.scored`, at the size of the annotation.
The mean of a data set is, as in davis2017-evaluation, over all objects; the mean over sequences is reported
beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vcut.errors import InputError
from vcut.evaluation.dataset import Sequence
from vcut.evaluation.davis import Statistics, boundary_f, jaccard, statistics
from vcut.masks.labels import Labels, resize_labels

Predictor = Callable[[Sequence, Labels], Iterable[np.ndarray]]
"""Called with a sequence and its first annotation at frame size; yields a label map (H x W uint8, user ids,
frame size) for each frame from the first annotated one on, that one included."""

KEYS = ("J&F", "J", "J-recall", "J-decay", "F", "F-recall", "F-decay")


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object over the scored frames of its sequence."""

    identifier: int
    region: Statistics
    boundary: Statistics

    def to_json(self) -> dict[str, float]:
        """The scores by the names of :data:`KEYS`, as fractions."""
        region, boundary = self.region, self.boundary
        both = (region.mean + boundary.mean) / 2
        values = (
            both,
            region.mean,
            region.recall,
            region.decay,
            boundary.mean,
            boundary.recall,
            boundary.decay,
        )
        return dict(zip(KEYS, values, strict=True))


@dataclass(frozen=True)
class SequenceScore:
    """The scores of one sequence.

    Attributes:
        name: its name.
        objects: the score of each object, by ascending id.
        frames: how many frames the predictor gave.
        scored: how many of them were judged.
        seconds: the time spent inside the predictor, for all ``frames``.
    """

    name: str
    objects: tuple[ObjectScore, ...]
    frames: int
    scored: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames a second of the predictor alone; reading annotations and scoring are left out."""
        return self.frames / max(self.seconds, 1e-9)

    def mean(self) -> dict[str, float]:
        """The mean over the objects, by the names of :data:`KEYS`."""
        return _mean([score.to_json() for score in self.objects])

    def to_json(self) -> dict[str, Any]:
        """Everything about the sequence; scores are fractions."""
        return {
            "name": self.name,
            "objects": len(self.objects),
            "frames": self.frames,
            "scored": self.scored,
            "seconds": self.seconds,
            "fps": self.fps,
            **self.mean(),
            "per_object": [{"id": score.identifier, **score.to_json()} for score in self.objects],
        }


@dataclass(frozen=True)
class Report:
    """The scores of a data set."""

    sequences: tuple[SequenceScore, ...]

    COLUMNS = ("sequence", "objects", "frames", *KEYS, "fps")

    def mean(self) -> dict[str, float]:
        """The mean over all objects of all sequences: the DAVIS-2017 score."""
        return _mean([score.to_json() for sequence in self.sequences for score in sequence.objects])

    def sequence_mean(self) -> dict[str, float]:
        """The mean over sequences, each the mean over its objects."""
        return _mean([sequence.mean() for sequence in self.sequences])

    def to_json(self) -> dict[str, Any]:
        """``mean``, ``sequence_mean`` and ``sequences``, ready for :func:`json.dump`; scores are
        fractions."""
        return {
            "mean": self.mean(),
            "sequence_mean": self.sequence_mean(),
            "sequences": [sequence.to_json() for sequence in self.sequences],
        }

    def rows(self) -> list[tuple[str, ...]]:
        """A table under :attr:`COLUMNS`: a row a sequence, then the mean over all objects."""
        rows = [_row(score.name, len(score.objects), score.frames, score.mean(), score.fps) for score in self.sequences]
        objects = sum(len(score.objects) for score in self.sequences)
        frames = sum(score.frames for score in self.sequences)
        seconds = sum(score.seconds for score in self.sequences)
        return [*rows, _row("mean over objects", objects, frames, self.mean(), frames / max(seconds, 1e-9))]


def baseline_copy(sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
    """The predictor that says nothing ever moves: the first mask for every frame."""
    for _ in sequence.frames[sequence.start :]:
        yield first.labels


def evaluate(
    sequences: Iterable[Sequence],
    predict: Predictor,
    on_sequence: Callable[[SequenceScore], None] | None = None,
) -> Report:
    """Score a predictor on sequences.

    Args:
        sequences: what :func:`~vcut.evaluation.dataset.find_sequences` found.
        predict: the tracker. A map that it yields may be overwritten by it once the next one is asked for.
        on_sequence: called with the score of each sequence as soon as it is known.

    Raises:
        InputError: there is no sequence, one has no frame to judge (checked before anything is run), or an
            annotation cannot be read.
        ValueError: the predictor yields too few maps, or maps of a wrong size.
    """
    sequences = list(sequences)
    if not sequences:
        raise InputError("there is no sequence to evaluate")
    for sequence in sequences:
        if not sequence.scored:
            raise InputError(
                f"sequence {sequence.name} has {len(sequence.annotations)} annotated frames, none to judge",
                "a dense sequence needs three, a sparse one two",
            )
    scores = []
    for sequence in sequences:
        scores.append(_evaluate_sequence(sequence, predict))
        if on_sequence is not None:
            on_sequence(scores[-1])
    return Report(tuple(scores))


def _evaluate_sequence(sequence: Sequence, predict: Predictor) -> SequenceScore:
    first = sequence.first()
    scored = set(sequence.scored)
    values: dict[int, list[tuple[float, float]]] = {identifier: [] for identifier in sequence.ids}
    clock = _Stopwatch()
    with clock:
        maps = iter(predict(sequence, first))
    for index in range(sequence.start, len(sequence.frames)):
        with clock:
            labels = next(maps, None)
        if labels is None or labels.shape != first.labels.shape:
            found = "no map" if labels is None else f"a map of shape {labels.shape}"
            raise ValueError(f"predictor gave {found} for frame {index} of {sequence.name}")
        if index in scored:
            truth = sequence.truth(index)
            if labels.shape != truth.shape:
                labels = resize_labels(labels, (truth.shape[1], truth.shape[0]))
            for identifier, series in values.items():
                drawn, wanted = labels == identifier, truth == identifier
                series.append((jaccard(drawn, wanted), boundary_f(drawn, wanted)))
    objects = tuple(
        ObjectScore(identifier, *(statistics(np.array(measure)) for measure in zip(*series, strict=True)))
        for identifier, series in values.items()
    )
    return SequenceScore(sequence.name, objects, len(sequence.frames) - sequence.start, len(scored), clock.seconds)


class _Stopwatch:
    """Adds up the time spent in its ``with`` blocks, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([score[key] for score in scores])) for key in KEYS}


def _row(name: str, objects: int, frames: int, scores: dict[str, float], fps: float) -> tuple[str, ...]:
    return (name, str(objects), str(frames), *(f"{scores[key]:.3f}" for key in KEYS), f"{fps:.1f}")
