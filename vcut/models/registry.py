"""Names of the architectures, and the one place that builds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vcut.errors import OptionError, WeightsError
from vcut.models.base import ModelConfig, SegmentationModel
from vcut.models.gam import GAM, SMALL, GAMConfig
from vcut.models.gc import GC, GCConfig

ARCHITECTURES: dict[str, tuple[Callable[[Any], SegmentationModel], ModelConfig]] = {
    "gc": (GC, GCConfig()),
    "gam": (GAM, GAMConfig()),
    "gam-s": (lambda config: GAM(config, "gam-s"), SMALL),
}


def build_model(architecture: str, config: dict[str, Any] | None = None) -> SegmentationModel:
    """An untrained model.

    Args:
        architecture: a name in :data:`ARCHITECTURES`.
        config: fields that differ from the architecture's own.

    Raises:
        OptionError: unknown architecture.
        WeightsError: a config field that this version does not know.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise OptionError(f"unknown architecture '{architecture}'", f"known ones: {known}")
    build, base = ARCHITECTURES[architecture]
    try:
        return build(type(base).from_dict({**base.to_dict(), **(config or {})}))
    except TypeError as error:
        raise WeightsError(f"config of '{architecture}' does not fit this version of vcut ({error})") from error


def load_trunks(model: SegmentationModel, folder: Path) -> None:
    """Starts a model's trunks from ImageNet: ``folder/resnetNN-trunk-imagenet.safetensors``."""
    for trunk in model.trunks():
        path = folder / f"{trunk.name}-trunk-imagenet.safetensors"
        if not path.is_file():
            raise WeightsError(f"no ImageNet trunk at {path}", "give its folder with --backbones")
        trunk.load_imagenet(path)
