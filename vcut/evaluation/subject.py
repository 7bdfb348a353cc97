"""What is scored: a network, by its weights, or the copied first mask; and how it runs. No torch until it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vcut.engine.rules import DEFAULT_RULE, Rule
from vcut.evaluation.evaluate import Predictor, baseline_copy
from vcut.options import DEFAULT_SIZE
from vcut.weights.manifest import DEFAULT

COPY = "copy"
"""The name of the baseline: the first mask, repeated."""


@dataclass(frozen=True)
class Ready:
    """A subject that can be run.

    Attributes:
        predict: runs it.
        parameters: of the network; 0 for a baseline.
        facts: what is run, as plain values.
        notices: sentences for the user, once it has run (:attr:`vcut.engine.propagator.Propagator.notices`).
    """

    predict: Predictor
    parameters: int
    facts: dict[str, Any]
    notices: Callable[[], list[str]] = field(default=lambda: [])


@dataclass(frozen=True)
class Subject:
    """A network or the baseline.

    Attributes:
        weights: as ``--weights`` takes them; ``None`` for the default ones.
        baseline: score :data:`COPY` instead; the rest does not matter then.
        size: shorter side of the picture that the network sees, pixels.
        device, dtype: as :func:`vcut.engine.runtime.choose_runtime` takes them.
        aggregation: how objects share the pixels (:func:`vcut.engine.aggregate.combine`).
        scales: of the frame, for RGMP (:func:`vcut.models.rgmp.at_scales`).
        roi: as :class:`vcut.engine.propagator.Propagator` takes it.
        finetune: steps of fine-tuning on each first frame (:func:`vcut.training.first_frame.finetune`).
        refine: as :class:`vcut.engine.propagator.Propagator` takes it.
    """

    weights: str | None = None
    baseline: bool = False
    size: int = DEFAULT_SIZE
    device: str = "auto"
    dtype: str = "auto"
    aggregation: Rule = DEFAULT_RULE
    scales: tuple[float, ...] | None = None
    roi: bool | None = None
    finetune: int = 0
    refine: bool = True

    @property
    def name(self) -> str:
        """For people."""
        return COPY if self.baseline else self.weights or DEFAULT

    def load(self) -> Ready:
        """Loads the network, if it is one.

        Raises:
            OptionError: an unknown device or number format, or scales that are not for this network.
            DeviceError: a device or number format that is not to be had here.
            WeightsError: the weights are missing, damaged or untrained.
        """
        if self.baseline:
            return Ready(baseline_copy, 0, {"baseline": COPY})
        from vcut.weights import load_model, resolve

        resolve(self.weights)  # what is missing is found before torch is waited for
        from vcut.engine.propagator import Propagator
        from vcut.engine.runtime import choose_runtime
        from vcut.evaluation.network import NetworkPredictor
        from vcut.models.rgmp import at_scales

        runtime = choose_runtime(self.device, self.dtype)
        model = load_model(self.weights)
        facts = {
            "weights": self.weights or "default",
            "size": self.size,
            "runtime": runtime.name,
            "aggregation": self.aggregation,
        }
        if self.scales is not None:
            model = at_scales(model, self.scales)
            facts["scales"] = list(self.scales)
        if self.finetune:
            facts["finetune_first"] = self.finetune
        propagator = Propagator(model, runtime, self.size, rule=self.aggregation, roi=self.roi, refine=self.refine)
        predict = NetworkPredictor(propagator, self.finetune)
        facts |= {"roi": propagator.roi, "refine": propagator.refine}
        parameters = sum(p.numel() for p in model.parameters())
        return Ready(predict, parameters, facts, lambda: propagator.notices)
