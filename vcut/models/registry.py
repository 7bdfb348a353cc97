"""Names of the architectures, and the one place that builds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vcut.errors import OptionError, WeightsError
from vcut.models.base import ModelConfig, SegmentationModel
from vcut.models.gam import GAM, MEDIUM, SMALL, GAMConfig
from vcut.models.gc import GC, NORMALISED, GCConfig
from vcut.models.giel import FAST_GIEL, GIEL, SLIM_GIEL, GIELConfig
from vcut.models.parts.backbone import Trunk
from vcut.models.rgmp import LIGHT, RGMP, RGMPConfig
from vcut.models.stm import SLIM_STM, STM, STMConfig

ARCHITECTURES: dict[str, tuple[Callable[[Any, str], SegmentationModel], ModelConfig]] = {
    "gc": (GC, NORMALISED),
    "gc-paper": (GC, GCConfig()),
    "gam": (GAM, MEDIUM),
    "gam-paper": (GAM, GAMConfig()),
    "gam-s": (GAM, SMALL),
    "giel": (GIEL, SLIM_GIEL),
    "giel-fast": (GIEL, FAST_GIEL),
    "giel-paper": (GIEL, GIELConfig()),
    "rgmp": (RGMP, LIGHT),
    "rgmp-paper": (RGMP, RGMPConfig()),
    "stm": (STM, SLIM_STM),
    "stm-paper": (STM, STMConfig()),
}
"""The networks as their papers define them have ``-paper`` in their names; the others are what we train and ship."""


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
        return build(type(base).from_dict({**base.to_dict(), **(config or {})}), architecture)
    except TypeError as error:
        raise WeightsError(f"config of '{architecture}' does not fit this version of vcut ({error})") from error


def rebuild_model(architecture: str, config: dict[str, Any]) -> SegmentationModel:
    """The network of a weight file. Fields younger than the file are as their class has them: off.

    Args:
        architecture: a name in :data:`ARCHITECTURES`.
        config: the file's.

    Raises:
        OptionError, WeightsError: as :func:`build_model`.
    """
    if architecture in ARCHITECTURES:
        config = {**type(ARCHITECTURES[architecture][1])().to_dict(), **config}
    return build_model(architecture, config)


def load_trunks(model: SegmentationModel, folder: Path) -> None:
    """Starts a model's trunks from ImageNet: ``folder/resnetNN-trunk-imagenet.safetensors``."""
    for trunk in model.trunks():
        path = folder / f"{trunk.name}-trunk-imagenet.safetensors"
        if not path.is_file():
            raise WeightsError(f"no ImageNet trunk at {path}", "give its folder with --backbones")
        trunk.load_imagenet(path)


def take_over(model: SegmentationModel, source: SegmentationModel) -> float:
    """Starts a model from another one's weights: every tensor whose name and shape are the same, except trunks of
    another kind, which stay as they are. A trunk without a namesake there starts from the other one's frame encoder.

    Returns:
        Share of the model's weights outside its trunks that was taken over, 0 to 1.
    """
    mine, theirs = _trunks(model), _trunks(source)
    in_trunk = tuple(f"{name}." for name in mine)
    foreign = tuple(f"{name}." for name, trunk in mine.items() if not _alike(trunk, theirs.get(name)))
    given = source.state_dict()
    taken = {
        key: given[key]
        for key, tensor in model.state_dict().items()
        if key in given and given[key].shape == tensor.shape and not key.startswith(foreign)
    }
    model.load_state_dict(taken, strict=False)
    for name, trunk in mine.items():
        if name not in theirs and _alike(trunk, source.trunks()[0]):
            trunk.take_over(source.trunks()[0])
    total = sum(t.numel() for key, t in model.state_dict().items() if not key.startswith(in_trunk))
    return sum(t.numel() for key, t in taken.items() if not key.startswith(in_trunk)) / total


def same_trunks(model: SegmentationModel, source: SegmentationModel) -> bool:
    """Whether all trunks of a model are taken over from another one by :func:`take_over`."""
    theirs = _trunks(source)
    given = ((trunk, theirs.get(name, source.trunks()[0])) for name, trunk in _trunks(model).items())
    return all(_alike(trunk, other) and other.deep >= trunk.deep for trunk, other in given)


def _trunks(model: SegmentationModel) -> dict[str, Trunk]:
    """A model's trunks by where they are."""
    return {name: part for name, part in model.named_modules() if isinstance(part, Trunk)}


def _alike(one: Trunk, other: Trunk | None) -> bool:
    """Whether one trunk can start from another, as far as that goes."""
    return other is not None and one.name == other.name
