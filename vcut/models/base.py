"""The one interface every model answers: ``encode``, ``remember``, ``segment``.

Shapes: B clips (1 when a clip is being cut), N objects a clip, H x W a frame padded to the stride of 16. Objects are a
batch dimension; inside a model they are folded into it as B*N, object fastest.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args, get_type_hints

import torch
from torch import Tensor, nn

from vcut.models.maps import Map
from vcut.models.parts.constant import constant

if TYPE_CHECKING:
    from vcut.models.region import Region

STRIDE = 16
"""Frames are padded to a multiple of this."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet statistics of RGB in 0..1, as the trunks were trained with."""


class TensorRecord:
    """Mixin for dataclasses of tensors (nested records, tuples of tensors, plain values and ``None`` allowed)."""

    def map(self, function: Any) -> Self:
        """The same record with ``function`` applied to every tensor in it."""
        changed = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changed[field.name] = function(value)
            elif isinstance(value, tuple):
                changed[field.name] = tuple(function(part) if isinstance(part, Tensor) else part for part in value)
            elif isinstance(value, TensorRecord):
                changed[field.name] = value.map(function)
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionaries of tensors and ``None``, as can be saved; back by :meth:`from_dict`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {name: v.to_dict() if isinstance(v, TensorRecord) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From :meth:`to_dict`. Raises TypeError for fields that the record does not have."""
        hints = get_type_hints(cls)
        kept = {}
        for name, value in values.items():
            kinds = [k for k in (get_args(hints.get(name)) or (hints.get(name),)) if isinstance(k, type)]
            record = next((kind for kind in kinds if issubclass(kind, TensorRecord)), None)
            kept[name] = record.from_dict(value) if record and isinstance(value, dict) else value
        return cls(**kept)

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors held, always in the same order."""
        found: list[Tensor] = []
        self.map(found.append)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors held."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)


@dataclass(frozen=True)
class Features(TensorRecord):
    """What a frame looks like, shared by all objects. Names end in their stride.

    Shapes: ``f2``: B,C2,H/2,W/2; ``f4``, ``f8``, ``f16`` likewise; ``key``: B,C_K,H/16,W/16; ``query``:
    B,C_N,H/16,W/16; ``value``: B,C_M,H/16,W/16. A model leaves out what it does not use; one whose encoder sees the
    mask from its first layer shares only a :class:`Picture`.
    """

    f2: Tensor
    f4: Tensor
    f8: Tensor
    f16: Tensor
    key: Tensor | None
    query: Tensor
    value: Tensor


@dataclass(frozen=True)
class Picture(TensorRecord):
    """A frame as it is: ``rgb`` B,3,H,W, normalised."""

    rgb: Tensor


@dataclass(frozen=True)
class Memory(TensorRecord):
    """What is known of the objects from past frames; of a fixed size in time for all but ``stm``."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a network; stored in its weight file.

    Attributes:
        remember_every: a frame in so many is remembered in full when a clip is cut; of the others only the masks are
            (:meth:`SegmentationModel.glance`). The papers remember every frame.
    """

    remember_every: int = 1

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From :meth:`to_dict`; lists become tuples. Raises TypeError for an unknown field."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


class SegmentationModel(nn.Module):
    """A network that carries masks from frame to frame.

    Attributes:
        architecture: name in :mod:`vcut.models.registry`.
        config: its sizes.
        memory: the class of what it remembers.
        objects_at_once: objects that go through it together when a clip is cut; more go through in groups with a memory
            each, so that what a step needs stays bounded. A network that shares work among objects takes all of them
            and sees to the bound itself.
        by_region: it can look at a part of a frame (:meth:`segment_within`).
        follows: it looks for objects near where the last remembered frame shows them, so that frame is to be renewed
            sooner where they have left it (:mod:`vcut.engine.whereabouts`).
        keeps_region: what it has seen of such a part it can remember, too (:meth:`remember_within`).
        steady: what it remembers keeps its shape from the first frame on, so that a step is always the same work.
    """

    architecture: str
    config: ModelConfig
    memory: ClassVar[type[Memory]]
    objects_at_once: ClassVar[int] = 8
    by_region: ClassVar[bool] = False
    follows: bool = False
    keeps_region: bool = False
    steady: ClassVar[bool] = False

    def align(self) -> None:
        """Lets parts that should begin training alike do so, once an untrained model has its trunks: a place must get
        the same key when it is remembered as when it is looked for."""

    @abstractmethod
    def encode(self, frames: Tensor) -> Features | Picture:
        """Features of frames: B,3,H,W, RGB in 0..1, H and W multiples of 16. Once a frame, for all objects."""

    @abstractmethod
    def remember(
        self, memory: Memory | None, features: Features | Picture, frames: Tensor, masks: Tensor, others: Tensor
    ) -> Memory:
        """A new memory that knows this frame too.

        Args:
            memory: what was known before, ``None`` at the first frame.
            features: of ``frames``.
            frames: B,3,H,W, RGB in 0..1.
            masks: B,N,H,W, soft masks in 0..1 after aggregation.
            others: B,N,H,W, for each object the sum of all others' masks (:func:`other_objects`); an argument of
                its own so that many objects can go through in groups.
        """

    def glance(self, memory: Memory, masks: Tensor, others: Tensor) -> Memory:
        """A new memory after a frame that is not worth :meth:`remember`: only what is cheap to keep of its masks."""
        return memory

    @abstractmethod
    def segment(self, memory: Memory, features: Features | Picture) -> Tensor:
        """Logits B,N,H,W (float32) of each object in the frame, before aggregation."""

    def segment_within(self, memory: Memory, features: Features, region: Region) -> Tensor:
        """:meth:`segment` of one frame, whose ``features`` are those of ``region.around`` alone.

        An object is looked for in its own window; elsewhere its logits are :data:`vcut.models.region.NOWHERE`.
        """
        raise NotImplementedError(f"{self.architecture} looks at whole frames")

    def remember_within(
        self, memory: Memory, features: Features, frames: Tensor, masks: Tensor, others: Tensor, region: Region
    ) -> Memory:
        """:meth:`remember` of one frame, but not the first, whose ``features`` are those of ``region.around`` alone.

        What was known of the rest of the frame stays. ``frames``, ``masks`` and ``others`` are whole.
        """
        raise NotImplementedError(f"{self.architecture} remembers whole frames")

    def segment_to_learn(self, memory: Memory, features: Features) -> tuple[Tensor, Tensor | None]:
        """:meth:`segment`, and logits B,1,H,W (float32) of all objects together where the network makes a map of them
        that is to be scored, too."""
        return self.segment(memory, features), None

    def inspect(
        self, memory: Memory, features: Features | Picture, frames: Tensor, masks: Tensor, others: Tensor, first: Tensor
    ) -> list[Map]:
        """What the model holds of a frame of one clip (B = 1), as maps to look at; none where it has nothing to show.

        Args:
            memory: what the frame was segmented with; for the first frame what is known after it.
            features: of ``frames``.
            frames, masks, others: as :meth:`remember` is given them.
            first: 1,N,H,W, the masks of the clip's first frame.
        """
        return []


def normalise(frames: Tensor) -> Tensor:
    """RGB in 0..1 to what the trunks were trained on."""
    scale = _channels(tuple(1 / s for s in STD), frames.device)
    shift = _channels(tuple(-m / s for m, s in zip(MEAN, STD, strict=True)), frames.device)
    return torch.addcmul(shift, frames, scale)


@constant
def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """1,C,1,1. Each is filled in on the device: a copy from the CPU could not be part of a CUDA graph."""
    return torch.cat([torch.full((1, 1, 1, 1), value, device=device) for value in values], 1)


def fold_objects(tensor: Tensor) -> Tensor:
    """B,N,... to B*N,..."""
    return tensor.flatten(0, 1)


def per_object(tensor: Tensor, objects: int) -> Tensor:
    """Repeats B,... for every object: B*N,... (a view without copy when B is 1)."""
    if objects == 1:
        return tensor
    if tensor.shape[0] == 1:
        return tensor.expand(objects, *tensor.shape[1:])
    return tensor.repeat_interleave(objects, 0)


def mask_pairs(masks: Tensor, others: Tensor) -> Tensor:
    """Each object's mask and the others', as mask encoders take them: two B,N,H,W to B*N,2,H,W."""
    return torch.stack([fold_objects(masks), fold_objects(others)], 1)


def other_objects(masks: Tensor) -> Tensor:
    """For each object the sum of the others' masks, B,N,H,W in 0..1."""
    return (masks.sum(1, keepdim=True) - masks).clamp(0, 1)
