"""Models of weight files: loaded and made ready once in a process, however many clips it cuts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from vcut.engine.runtime import Runtime
from vcut.models.base import SegmentationModel
from vcut.models.rgmp import at_scales
from vcut.weights import load_model
from vcut.weights.digest import stamp

KEPT = 2
"""Models that are held; those used last."""


def shared_model(
    path: Path, runtime: Runtime, scales: tuple[float, ...] | None = None
) -> tuple[SegmentationModel, SegmentationModel]:
    """The model of a weight file as it is loaded, and as :meth:`Runtime.prepare` makes it of that.

    Both are the same objects for all who ask, until the file changes: not to be changed.

    Args:
        path: the file.
        runtime: where it is to run.
        scales: see :func:`vcut.models.rgmp.at_scales`; ``None`` for what its config says.

    Raises:
        OptionError: scales for a model that has none.
        WeightsError: as :func:`vcut.load_model`.
    """
    return _ready(*stamp(path), runtime, scales)


@lru_cache(KEPT)
def _loaded(path: Path, size: int, changed: int) -> SegmentationModel:
    return load_model(path)


@lru_cache(KEPT)
def _ready(
    path: Path, size: int, changed: int, runtime: Runtime, scales: tuple[float, ...] | None
) -> tuple[SegmentationModel, SegmentationModel]:
    model = _loaded(path, size, changed)
    if scales is not None:
        model = at_scales(model, scales)
    return model, runtime.prepare(model)
