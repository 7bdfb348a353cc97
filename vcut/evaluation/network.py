"""A network as a predictor for :func:`vcut.evaluation.evaluate.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcut.engine.propagator import Propagator
from vcut.engine.rules import DEFAULT_RULE, Rule
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
        finetune: steps of fine-tuning on each sequence's first frame (:func:`vcut.training.first_frame.finetune`).
    """

    def __init__(
        self, model: SegmentationModel, runtime: Runtime, size: int, rule: Rule = DEFAULT_RULE, finetune: int = 0
    ) -> None:
        self.propagator = Propagator(model, runtime, size, rule=rule)
        self._model = model
        self._finetune = finetune

    def __call__(self, sequence: Sequence, first: Labels) -> Iterator[np.ndarray]:
        """Label maps H,W uint8 from the first annotated frame on."""
        propagator = self._for(sequence, first)
        yield propagator.start(sequence.frame(sequence.start), first.labels).labels
        for index in range(sequence.start + 1, len(sequence.frames)):
            yield propagator.step(sequence.frame(index)).labels

    def _for(self, sequence: Sequence, first: Labels) -> Propagator:
        if not self._finetune:
            return self.propagator
        from vcut.training.first_frame import finetune

        mine = self.propagator
        rgb = sequence.frame(sequence.start)
        tuned = finetune(self._model, rgb, first.labels, self._finetune, mine.runtime.device)
        return Propagator(tuned, mine.runtime, mine.size, rule=mine.rule)
