"""A network as a predictor for :func:`vcut.evaluation.evaluate.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcut.engine.aggregate import Rule
from vcut.engine.propagator import Propagator
from vcut.engine.runtime import Runtime
from vcut.evaluation.dataset import Sequence
from vcut.masks.labels import Labels
from vcut.models.base import SegmentationModel


class NetworkPredictor:
    """Carries a sequence's first annotation through its frames.

    Args:
        model: trained.
        runtime: where it runs.
        size: shorter side of the picture it sees.
        rule: how objects share the pixels (:func:`vcut.engine.aggregate.combine`).
    """

    def __init__(self, model: SegmentationModel, runtime: Runtime, size: int, rule: Rule = "product") -> None:
        self.propagator = Propagator(model, runtime, size, rule=rule)

    def __call__(self, sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        """Label maps H,W uint8 from the first annotated frame on."""
        yield self.propagator.start(sequence.frame(sequence.start), first.labels).labels
        for index in range(sequence.start + 1, len(sequence.frames)):
            yield self.propagator.step(sequence.frame(index)).labels
