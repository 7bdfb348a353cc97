"""What an evaluation found, as a table and for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from vcut.evaluation.davis import Statistics

KEYS = ("J&F", "J", "J-recall", "J-decay", "F", "F-recall", "F-decay")


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object over the scored frames of its sequence.

    Attributes:
        identifier: the object's id.
        region: J.
        boundary: F.
        drift: its mean J in the windows of its sequence, if that has some, by their names.
    """

    identifier: int
    region: Statistics
    boundary: Statistics
    drift: Mapping[str, float] = field(default_factory=dict)

    def scores(self) -> dict[str, float]:
        """The scores by the names of :data:`KEYS`, then those of the windows; all are fractions."""
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
        return {**dict(zip(KEYS, values, strict=True)), **self.drift}

    def to_json(self) -> dict[str, Any]:
        """The id and the scores."""
        return {"id": self.identifier, **_to_json(self.scores())}


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
        """Frames a second of the predictor alone, with the reading (and enlarging) of its frames; reading annotations
        and scoring are left out."""
        return rate_of([self])

    @property
    def headline(self) -> str:
        """Its score in a word or two."""
        return f"J&F {100 * self.mean()['J&F']:.1f}"

    def mean(self) -> dict[str, float]:
        """The mean over the objects, by the names of :meth:`ObjectScore.scores`."""
        return _mean(score.scores() for score in self.objects)

    def to_json(self) -> dict[str, Any]:
        """Everything about the sequence; scores are fractions, those of windows are under ``drift``."""
        return {
            "name": self.name,
            "objects": len(self.objects),
            "frames": self.frames,
            "scored": self.scored,
            "seconds": self.seconds,
            "fps": self.fps,
            **_to_json(self.mean()),
            "per_object": [score.to_json() for score in self.objects],
        }


@dataclass(frozen=True)
class Report:
    """The scores of a data set."""

    sequences: tuple[SequenceScore, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of :meth:`rows`."""
        return ("sequence", "objects", "frames", *self.mean(), "fps")

    @property
    def fps(self) -> float:
        """Frames a second of the predictor, over all frames of all sequences; see :attr:`SequenceScore.fps`."""
        return rate_of(self.sequences)

    def figures(self) -> list[str]:
        """The values of :meth:`mean`, for a table."""
        mean = self.mean()
        return _figures(mean, mean)

    def mean(self) -> dict[str, float]:
        """The mean over all objects of all sequences: the DAVIS-2017 score."""
        return _mean(score.scores() for sequence in self.sequences for score in sequence.objects)

    def sequence_mean(self) -> dict[str, float]:
        """The mean over sequences, each the mean over its objects."""
        return _mean(sequence.mean() for sequence in self.sequences)

    def to_json(self) -> dict[str, Any]:
        """``mean``, ``sequence_mean`` and ``sequences``, ready for :func:`json.dump`; scores are
        fractions."""
        return {
            "mean": _to_json(self.mean()),
            "sequence_mean": _to_json(self.sequence_mean()),
            "sequences": [sequence.to_json() for sequence in self.sequences],
        }

    def rows(self, per_object: bool = False) -> list[tuple[str, ...]]:
        """A table under :attr:`columns`: a row a sequence, then the mean over all objects.

        Args:
            per_object: put a row for each of its objects, such as ``schoolgirls:3``, under a sequence of several.
        """
        mean = self.mean()
        rows = []
        for score in self.sequences:
            own = _row(score.name, len(score.objects), score.frames, _figures(score.mean(), mean), score.fps)
            rows.append(own)
            if per_object and len(score.objects) > 1:
                rows += [
                    (f"{score.name}:{entry.identifier}", "", "", *_figures(entry.scores(), mean), "")
                    for entry in score.objects
                ]
        objects = sum(len(score.objects) for score in self.sequences)
        frames = sum(score.frames for score in self.sequences)
        return [
            *rows,
            _row("mean over objects", objects, frames, self.figures(), self.fps),
        ]


class Timed(Protocol):
    """So many frames of a predictor took so many seconds."""

    frames: int
    seconds: float


def rate_of(parts: Iterable[Timed]) -> float:
    """Frames a second of a predictor over several sequences."""
    parts = list(parts)
    return sum(part.frames for part in parts) / max(sum(part.seconds for part in parts), 1e-9)


def _mean(scores: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each score that all have."""
    scores = list(scores)
    return {
        key: float(np.mean([score[key] for score in scores]))
        for key in scores[0]
        if all(key in score for score in scores)
    }


def _to_json(scores: dict[str, float]) -> dict[str, Any]:
    own = {key: scores[key] for key in KEYS}
    drift = {key: score for key, score in scores.items() if key not in KEYS}
    return {**own, "drift": drift} if drift else own


def _figures(scores: dict[str, float], keys: Iterable[str]) -> list[str]:
    return [f"{scores[key]:.3f}" for key in keys]


def _row(name: str, objects: int, frames: int, figures: list[str], fps: float) -> tuple[str, ...]:
    return (name, str(objects), str(frames), *figures, f"{fps:.1f}")
