"""Transfer errors as a table and for JSON; :mod:`vcut.evaluation.transfer` says what they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vcut.evaluation.report import rate_of


@dataclass(frozen=True)
class Transfer:
    """One mask that was carried forward.

    Attributes:
        key: index of the key frame in its sequence.
        distance: frames that it was carried.
        error: wrong pixels in percent of the objects'.
    """

    key: int
    distance: int
    error: float


@dataclass(frozen=True)
class TransferScore:
    """The transfers of one sequence.

    Attributes:
        name: the sequence's.
        transfers: by key frame, then by distance.
        distances: that were asked for.
        frames: how many frames the predictor gave, for all key frames together.
        seconds: the time spent inside the predictor, for all ``frames``.
    """

    name: str
    transfers: tuple[Transfer, ...]
    distances: tuple[int, ...]
    frames: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames a second of the predictor, as :attr:`vcut.evaluation.report.SequenceScore.fps`."""
        return rate_of([self])

    @property
    def headline(self) -> str:
        """Its score in a word or two."""
        return f"error {max(self.mean().values()):.1f} %"

    def mean(self) -> dict[str, float]:
        """The mean error over key frames, percent, by ``d=8`` and so on."""
        return {
            _name(distance): float(np.mean([t.error for t in self.transfers if t.distance == distance]))
            for distance in self.distances
        }

    def to_json(self) -> dict[str, Any]:
        """Everything about the sequence; errors are in percent."""
        return {
            "name": self.name,
            "frames": self.frames,
            "seconds": self.seconds,
            "fps": self.fps,
            **self.mean(),
            "transfers": [asdict(transfer) for transfer in self.transfers],
        }


@dataclass(frozen=True)
class TransferReport:
    """The transfer errors of a data set.

    Attributes:
        sequences: the score of each.
        distances, every: as in :class:`vcut.evaluation.transfer.TransferOptions`.
    """

    sequences: tuple[TransferScore, ...]
    distances: tuple[int, ...]
    every: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of :meth:`rows`; errors are in percent of the objects' pixels."""
        return ("sequence", "transfers", "frames", *map(_name, self.distances), "fps")

    @property
    def fps(self) -> float:
        """Frames a second of the predictor, over all sequences."""
        return rate_of(self.sequences)

    def mean(self) -> dict[str, float]:
        """The mean over sequences, each the mean over its key frames, percent, by ``d=8`` and so on."""
        means = [score.mean() for score in self.sequences]
        return {name: float(np.mean([mean[name] for mean in means])) for name in map(_name, self.distances)}

    def figures(self) -> list[str]:
        """The values of :meth:`mean`, for a table."""
        return _figures(self.mean().values())

    def rows(self) -> list[tuple[str, ...]]:
        """A table under :attr:`columns`: a row a sequence, then the mean over them."""
        rows = [
            _row(score.name, len(score.transfers), score.frames, _figures(score.mean().values()), score.fps)
            for score in self.sequences
        ]
        transfers = sum(len(score.transfers) for score in self.sequences)
        frames = sum(score.frames for score in self.sequences)
        return [*rows, _row("mean over sequences", transfers, frames, self.figures(), self.fps)]

    def to_json(self) -> dict[str, Any]:
        """``transfer`` (the options), ``mean`` and ``sequences``, for :func:`json.dump`; errors are in percent."""
        return {
            "transfer": {"distances": list(self.distances), "key_every": self.every},
            "mean": self.mean(),
            "sequences": [score.to_json() for score in self.sequences],
        }


def _name(distance: int) -> str:
    return f"d={distance}"


def _figures(errors: Iterable[float]) -> list[str]:
    return [f"{error:.2f}" for error in errors]


def _row(name: str, transfers: int, frames: int, figures: list[str], fps: float) -> tuple[str, ...]:
    return (name, str(transfers), str(frames), *figures, f"{fps:.1f}")
