"""A network as a predictor for :func:`vcut.evaluation.evaluate.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vcut.engine.propagator import Propagator
from vcut.evaluation.dataset import Sequence
from vcut.masks.labels import Labels


class NetworkPredictor:
    """Carries a sequence's first annotation through its frames.

    Args:
        propagator: runs the network.
        finetune: steps of fine-tuning on each sequence's first frame (:func:`vcut.training.first_frame.finetune`).
    """

    def __init__(self, propagator: Propagator, finetune: int = 0) -> None:
        self.propagator = propagator
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
        tuned = finetune(mine.given, rgb, first.labels, self._finetune, mine.runtime.device)
        return Propagator(tuned, mine.runtime, mine.size, mine.every, rule=mine.rule, roi=mine.roi, refine=mine.refine)
