"""Carries masks from frame to frame: the state of one clip, one step a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vcut.engine.aggregate import combine
from vcut.engine.preprocess import Geometry, fit
from vcut.engine.recorded import RecordedStep
from vcut.engine.roi import WHOLE_EVERY, bounded, find_region, goes_beyond, occupied
from vcut.engine.room import too_large
from vcut.engine.rules import DEFAULT_RULE, Rule
from vcut.engine.runtime import Runtime, choose_runtime
from vcut.engine.step import LEVELS, Step
from vcut.engine.upload import Upload
from vcut.engine.whereabouts import cells, have_left
from vcut.errors import DeviceError, InputError, MaskError, ResumeError
from vcut.models.base import Features, Memory, SegmentationModel, other_objects
from vcut.models.region import Region
from vcut.times import Stages, StageTimes


class Propagator:
    """Masks of a first frame, carried through the frames after it.

    Args:
        model: trained, e.g. from :func:`vcut.load_model`.
        runtime: device and number format; the best there is when left out.
        size: shorter side of the picture the model sees; clips are shrunk or enlarged to it.
        every: a frame in so many is remembered in full, instead of the model's own ``remember_every``; more of them
            where objects move fast (:mod:`vcut.engine.whereabouts`).
        roi: look at frames after the first only where the objects are (:mod:`vcut.engine.roi`), if the model can; at
            most of those to be remembered, too, if it can keep such a part. On a CPU when left out. Without, frames are
            looked at in full, and objects found where they would be looked for.
        times: where the time of steps is added up: ``preprocess``, ``encode``, ``segment`` (context read and mask
            decoder), ``aggregate``, ``remember``.
        recorded: replay a recorded step from the second on (:mod:`vcut.engine.recorded`), if the model can, looks at
            frames in full and no stages are timed; on a GPU when left out.
        ready: the model as ``runtime`` has prepared it already, perhaps for other clips, too; nothing here changes it.
        rule: how objects share the pixels (:func:`vcut.engine.aggregate.combine`).
        refine: label maps follow the edges of the picture (:mod:`vcut.matte.outline`); else they are the network's own.

    Attributes:
        given: the model, before it was prepared.
        records: whether steps are to be recorded.
        memories: what is remembered of the clip, for each group of objects that go through the model together.
        notices: sentences for the user about what had to be changed on the way (a number format that failed).
    """

    def __init__(
        self,
        model: SegmentationModel,
        runtime: Runtime | None = None,
        size: int = 480,
        every: int | None = None,
        times: Stages | None = None,
        ready: SegmentationModel | None = None,
        rule: Rule = DEFAULT_RULE,
        roi: bool | None = None,
        recorded: bool | None = None,
        refine: bool = True,
    ) -> None:
        self.times = times or StageTimes()
        self.runtime = runtime or choose_runtime()
        self.model = ready or self.runtime.prepare(model)
        self.given = model
        self.size = size
        self.every = every or model.config.remember_every
        self.rule: Rule = rule
        self.refine = refine
        self.roi = self.model.by_region and (self.runtime.device.type == "cpu" if roi is None else roi)
        wanted = self.runtime.device.type == "cuda" if recorded is None else recorded
        self.records = wanted and self.model.steady and not self.roi and times is None
        self._recorded: RecordedStep | None = None
        self._upload = Upload(self.runtime.device)
        self._at_once = self.model.objects_at_once
        self._frames = 0
        self.notices: list[str] = []
        self._geometry: Geometry | None = None
        self._ids: tuple[int, ...] = ()
        self.memories: list[Memory] = []
        self._then: Tensor | None = None  # cells of the objects in the last frame that was remembered in full
        self._region: Region | None = None  # where the next frame is looked at; None for all of it
        self._near: Tensor | None = None  # cells that the objects of the next frame are near to, where all is looked at
        self._first: tuple[np.ndarray, np.ndarray] | None = None  # kept until a first step has worked

    @property
    def round(self) -> int:
        """Steps from one frame whose objects are looked for anywhere, and that is remembered, to the next."""
        return self.every * (WHOLE_EVERY if self.model.keeps_region else 1)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all that is remembered; the same after every frame for models with a fixed-size context."""
        return sum(memory.nbytes for memory in self.memories)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, on the CPU: nested dictionaries of numbers and tensors for torch.save.

        Raises:
            InputError: no first frame yet.
        """
        if self._geometry is None:
            raise InputError("no first frame yet", "call start() with a frame and its mask")
        return {
            "architecture": self.model.architecture,
            "dtype": str(self.runtime.dtype),
            "source": self._geometry.source,
            "size": self.size,
            "every": self.every,
            "rule": self.rule,
            "roi": self.roi,
            "region": self._region and self._region.to_dict(),
            "near": None if self._near is None else self._near.cpu(),
            "then": None if self._then is None else self._then.cpu(),
            "ids": self._ids,
            "at_once": self._at_once,
            "frames": self._frames,
            "memories": [memory.map(lambda tensor: tensor.to("cpu", copy=True)).to_dict() for memory in self.memories],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where :meth:`state` was taken: the next step gives what it would have given there.

        Raises:
            ResumeError: the state of another network, size or number format.
        """
        names = ("architecture", "dtype", "size", "every", "rule", "roi")
        mine = (self.model.architecture, str(self.runtime.dtype), self.size, self.every, self.rule, self.roi)
        if mine != tuple(state.get(name) for name in names):
            raise ResumeError("the saved state is of a run with another network, size or number format", "start anew")
        self._geometry = fit(*state["source"], self.size)
        self._ids = tuple(state["ids"])
        self._at_once = state["at_once"]
        self._frames = state["frames"]
        self._region = state["region"] and Region.from_dict(state["region"])
        near, then = state["near"], state["then"]
        self._near = None if near is None else near.to(self.runtime.device)
        self._then = None if then is None else then.to(self.runtime.device)
        self._first = None
        self._recorded = None
        memories = [self.model.memory.from_dict(memory) for memory in state["memories"]]
        self.memories = [memory.map(lambda tensor: tensor.to(self.runtime.device)) for memory in memories]

    @torch.inference_mode()
    def start(self, rgb: np.ndarray, labels: np.ndarray) -> Step:
        """Takes the first frame and its masks, forgetting any clip before.

        Args:
            rgb: H,W,3 uint8.
            labels: H,W uint8, 0 background, any other value an object's id.

        Raises:
            MaskError: no object, or another size than the frame.
            DeviceError: not enough memory.
        """
        if labels.shape != rgb.shape[:2]:
            raise MaskError(f"mask is {labels.shape[1]}x{labels.shape[0]}, frame is {rgb.shape[1]}x{rgb.shape[0]}")
        self._ids = tuple(int(i) for i in np.unique(labels) if i)
        if not self._ids:
            raise MaskError("mask marks no object", "paint the object in a colour other than black")
        self._geometry = fit(*rgb.shape[:2], self.size)
        self._first = (rgb, labels)
        return self._within_memory(lambda: self._begin(rgb, labels))

    def _begin(self, rgb: np.ndarray, labels: np.ndarray) -> Step:
        self.memories = []
        self._frames = 0
        self._recorded = None
        self._near = None
        masks = self._geometry.masks_to_model(labels, self._ids, self.runtime.device)
        picture = self._geometry.shrunk(self._upload(rgb))
        frame = self._geometry.to_model(picture)
        with self.runtime.autocast():
            self.memories = self._remembered([], frame, self.model.encode(frame), masks, True)
            self._frames = 1
            self._look_near(masks)
        planes = torch.cat([(1 - masks.sum(1, keepdim=True)).clamp_(0, 1), masks], 1)
        found = self._rounded(planes)
        self._then = cells(found[1:]) if self.model.follows else None
        return self._result(rgb, found, labels, picture)

    @torch.inference_mode()
    def step(self, rgb: np.ndarray) -> Step:
        """Cuts the next frame.

        Args:
            rgb: H,W,3 uint8, of the first frame's size.

        Raises:
            InputError: another size than the first frame's, or no first frame yet.
            DeviceError: not enough memory.
        """
        if self._geometry is None:
            raise InputError("no first frame yet", "call start() with a frame and its mask")
        if rgb.shape[:2] != self._geometry.source:
            height, width = self._geometry.source
            raise InputError(f"frame is {rgb.shape[1]}x{rgb.shape[0]}, the first one was {width}x{height}")

        def go_on() -> Step:
            if not self.memories:  # forgotten for want of memory
                self._begin(*self._first)
            return self._go_on(rgb)

        return self._replayed(rgb) or self._within_memory(go_on)

    def _replayed(self, rgb: np.ndarray) -> Step | None:
        """The next frame's by a recorded step; ``None`` where there is none."""
        if self._recorded is None:
            return None
        try:
            self._recorded.prepare()
        except RuntimeError as error:  # by the driver, or for want of memory; nothing has been done yet
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            self.notices.append(f"a step cannot be recorded as a CUDA graph ({reason}): going on without")
            self.records, self._recorded = False, None
            return None
        found = self._recorded.look(rgb)
        self._recorded.remember(self._due(found))
        self._frames += 1
        self._look_anywhere()
        return self._result(rgb, found)

    def _go_on(self, rgb: np.ndarray) -> Step:
        with self.times("preprocess"):
            picture = self._geometry.shrunk(self._upload(rgb))
            frame = self._geometry.to_model(picture)
        with self.runtime.autocast():
            features, logits, region = self._look(frame)
            failed = self._first is not None and not logits.isfinite().all()
            if not failed:
                with self.times("aggregate"):
                    probabilities = combine(logits, self.rule)
                    found = self._rounded(probabilities)
                with self.times("remember"):
                    masks, fully = probabilities[:, 1:], self._due(found)
                    self.memories = self._remembered(self.memories, frame, features, masks, fully, region)
                    self._frames += 1
                    self._look_near(masks)
        if failed:
            self._fall_back(*self._first)
            return self._go_on(rgb)
        self._first = None
        if self.records:  # a first step has worked
            self._recorded = RecordedStep(self._seen_whole, self._kept, self._upload, rgb.shape, self.memories)
            self.memories = self._recorded.memories
        return self._result(rgb, found, picture=picture)

    def _within_memory(self, attempt: Callable[[], Step]) -> Step:
        """What an attempt gives; where the first frames do not fit, with all forgotten and fewer objects at once."""
        while True:
            try:
                return attempt()
            except torch.OutOfMemoryError:
                pass  # all that follows needs the memory that its traceback holds
            if self._first is None:
                raise DeviceError("out of memory", "close what else uses the device, then go on with --resume")
            self.memories = []
            count = min(self._at_once, len(self._ids))
            if count == 1:
                raise too_large(self.size, self._fits)
            self._at_once = -(-count // 2)
            self.notices.append(f"out of memory: going on with {self._at_once} objects at once")

    def _fits(self, size: int) -> None:
        """Cuts two frames at another size, one object at a time."""
        other = Propagator(self.given, self.runtime, size, self.every, ready=self.model, rule=self.rule, roi=self.roi)
        other._ids, other._at_once = self._ids, 1
        other._geometry = fit(*self._first[0].shape[:2], size)
        other._begin(*self._first)
        other._go_on(self._first[0])

    def _seen_whole(self, rgb: Tensor, memories: Sequence[Memory]) -> tuple[Tensor, tuple[Tensor, Features, Tensor]]:
        """The first part of a step as work that is always the same (:data:`vcut.engine.recorded.Look`)."""
        frame = self._geometry.to_model(self._geometry.shrunk(rgb))
        with self.runtime.autocast():
            features = self.model.encode(frame)
            probabilities = combine(self._found_in(features, memories), self.rule)
        return self._rounded(probabilities), (frame, features, probabilities[:, 1:])

    def _kept(self, seen: tuple[Tensor, Features, Tensor], memories: Sequence[Memory], fully: bool) -> list[Memory]:
        """The second part (:data:`vcut.engine.recorded.Remember`)."""
        with self.runtime.autocast():
            self._note(seen[2])
            return self._remembered(memories, *seen, fully)

    def _look(self, frame: Tensor) -> tuple[Features, Tensor, Region | None]:
        """Features of a frame, or of a region of it; logits 1,N,H,W of the whole; and that region."""
        region = self._region
        if region is not None:
            with self.times("encode"):
                features = self.model.encode(region.around.cut(frame, 1))
            with self.times("segment"):
                parts = zip(self.memories, region.split(self._at_once), strict=True)
                found = [self.model.segment_within(memory, features, part) for memory, part in parts]
                logits = torch.cat(found, 1)
                if not goes_beyond(logits[0], region):
                    return features, logits, region
        with self.times("encode"):
            features = self.model.encode(frame)
        with self.times("segment"):
            return features, self._found_in(features, self.memories), None

    def _found_in(self, features: Features, memories: Sequence[Memory]) -> Tensor:
        """Logits 1,N,H,W of a frame that is looked at in full."""
        logits = torch.cat([self.model.segment(memory, features) for memory in memories], 1)
        return logits if self._near is None else bounded(logits, self._near)

    def _look_near(self, masks: Tensor) -> None:
        """The next frame's objects are looked for near where they are in one with such masks, or anywhere."""
        self._region = find_region(self._shown(masks)[0]) if self.roi and self._frames % self.round else None
        self._note(masks)
        self._look_anywhere()

    def _note(self, masks: Tensor) -> None:
        """Where objects are, for a next frame that is looked at in full; the tensor stays, recorded steps read it."""
        if self.model.by_region and not self.roi:
            now = occupied(self._shown(masks)[0])
            self._near = now if self._near is None else self._near.copy_(now)

    def _look_anywhere(self) -> None:
        """Objects are as good as everywhere once a round."""
        if self._near is not None and self._frames % self.round == 0:
            self._near.fill_(True)

    def _due(self, found: Tensor) -> bool:
        """Whether a frame of such label probabilities N+1,h,w is remembered in full: one of so many is, and one whose
        objects are no longer where the last such frame shows them."""
        due = self._frames % self.every == 0
        if self._then is None:
            return due
        now = cells(found[1:])
        due = due or bool(have_left(self._then, now))
        self._then = now if due else self._then
        return due

    def recall(self, rgb: np.ndarray, levels: np.ndarray, labels: np.ndarray | None = None) -> Step:
        """The step of an earlier frame, after :meth:`restore`; what is remembered stays as it is.

        Args:
            rgb: H,W,3 uint8, that frame.
            levels: of that step (:attr:`Step.levels`).
            labels: H,W uint8, the mask, where it is the first frame's.
        """
        probabilities = torch.from_numpy(levels.view(np.int16)).to(self.runtime.device).float() / LEVELS
        return self._result(rgb, probabilities, labels)

    def _rounded(self, planes: Tensor) -> Tensor:
        """Label probabilities 1,N+1,H,W as they leave: N+1,h,w, without padding, in steps."""
        return (self._geometry.unpadded(planes)[0].float() * LEVELS).round_() / LEVELS

    def _result(
        self, rgb: np.ndarray, probabilities: Tensor, labels: np.ndarray | None = None, picture: Tensor | None = None
    ) -> Step:
        return Step(probabilities, self._ids, self._geometry, rgb if self.refine else None, labels, picture)

    def _shown(self, masks: Tensor) -> Tensor:
        """Masks 1,n,h,w of all that goes through the model: the objects', and by the rule of unions all merged."""
        if self.rule != "union":
            return masks
        return torch.cat([masks, masks.sum(1, keepdim=True).clamp(0, 1)], 1)

    def _groups(self, masks: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The masks 1,n,h,w and the others' of the objects that go through the model together, group by group."""
        shown, others = self._shown(masks), other_objects(masks)
        if self.rule == "union":  # beside all merged there is nothing else
            others = torch.cat([others, torch.zeros_like(others[:, :1])], 1)
        own, others = (planes.split(self._at_once, 1) for planes in (shown, others))
        return list(zip(own, others, strict=True))

    def _remembered(
        self,
        past: Sequence[Memory],
        frame: Tensor,
        features: Features,
        masks: Tensor,
        fully: bool,
        region: Region | None = None,
    ) -> list[Memory]:
        """What is known after a frame: of its masks alone, or ``fully``, as that of the first must be; then of all of
        it, or of the region that it was looked at in."""
        groups = self._groups(masks)
        known = zip(past or [None] * len(groups), groups, strict=True)
        if not fully:
            return [self.model.glance(memory, *group) for memory, group in known]
        if region is None:
            return [self.model.remember(memory, features, frame, *group) for memory, group in known]
        return [self.model.remember_within(memory, features, frame, *group, region) for memory, group in known]

    def _fall_back(self, rgb: np.ndarray, labels: np.ndarray) -> None:
        """Half precision gave no finite numbers (GTX 16xx do so): starts again in fp32."""
        if self.runtime.dtype == torch.float32:
            raise InputError("the model gives no finite numbers", "are these weights whole? try 'vcut weights verify'")
        self.notices.append(f"{self.runtime.name} gives no finite numbers here: going on in fp32")
        self.runtime = Runtime(self.runtime.device, torch.float32)
        self.model = self.runtime.prepare(self.given)
        self._begin(rgb, labels)
