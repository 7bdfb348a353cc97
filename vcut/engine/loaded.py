"""Models of weight files: loaded and made ready once in a process, however many clips it cuts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vcut.engine.runtime import Runtime
from vcut.models.base import SegmentationModel
from vcut.weights import load_model
from vcut.weights.digest import stamp

KEPT = 2
"""Models that are held; those used last."""


def shared_model(path: Path, runtime: Runtime) -> tuple[SegmentationModel, SegmentationModel]:
    """The model of a weight file as it is loaded, and as :meth:`Runtime.prepare` makes it of that.

    Both are the same objects for all who ask, until the file changes: not to be changed.

    Raises:
        WeightsError: as :func:`vcut.load_model`.
    """
    return _ready(*stamp(path), runtime)


@lru_cache(KEPT)
def _loaded(path: Path, size: int, changed: int) -> SegmentationModel:
    return load_model(path)


@lru_cache(KEPT)
def _ready(path: Path, size: int, changed: int, runtime: Runtime) -> tuple[SegmentationModel, SegmentationModel]:
    model = _loaded(path, size, changed)
    return model, runtime.prepare(model)
