"""A step of fixed shapes, recorded once and replayed: on a GPU one launch instead of some hundreds (CUDA graphs).

What is remembered has a fixed size, so from frame to frame nothing changes but values: all that a step reads and writes
stays where it is in memory. On other devices a step is worked through on that memory, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from vcut.engine.upload import Upload
from vcut.models.base import Memory

Work = Callable[[Tensor, Sequence[Memory], bool], tuple[Tensor, list[Memory]]]
"""A step: of a frame H,W,3 uint8 on the device, what is remembered, and whether the frame is to be remembered in full,
it gives what is found, and what is remembered then, of the same shapes. It must not wait for the device."""


class RecordedStep:
    """Steps of one clip. There are two kinds, each recorded when it is first asked for.

    Args:
        work: what a step does.
        upload: brings frames to where it runs.
        shape: of the frames, H,W,3.
        memories: what is remembered before the first of these steps.

    Attributes:
        memories: what is remembered now; the same tensors after each step, with other values.
    """

    def __init__(self, work: Work, upload: Upload, shape: tuple[int, ...], memories: Sequence[Memory]) -> None:
        self.memories = [memory.map(torch.clone) for memory in memories]
        self._work = work
        self._upload = upload
        self._frame = torch.empty(shape, dtype=torch.uint8, device=upload.device)
        self._replays: dict[bool, Callable[[], Tensor]] = {}

    def prepare(self, remember: bool) -> None:
        """Records such a step where that is still to be done; nothing is worked through.

        Raises:
            RuntimeError: it cannot be recorded here.
        """
        if remember not in self._replays:
            self._replays[remember] = self._record(remember)

    def __call__(self, rgb: np.ndarray, remember: bool) -> Tensor:
        """What is found in the next frame, by a step of a kind that is prepared."""
        self._upload(rgb, self._frame)
        return self._replays[remember]()

    def _record(self, remember: bool) -> Callable[[], Tensor]:
        if self._upload.device.type != "cuda":
            return lambda: self._once(remember)
        graph = torch.cuda.CUDAGraph()
        # other threads may use the GPU meanwhile, for mattes
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            found = self._once(remember)

        def replay() -> Tensor:
            graph.replay()
            return found.clone()  # the next replay writes to the same place

        return replay

    def _once(self, remember: bool) -> Tensor:
        found, memories = self._work(self._frame, self.memories, remember)
        for past, new in zip(self.memories, memories, strict=True):
            for old, value in zip(past.tensors, new.tensors, strict=True):
                if value is not old:
                    old.copy_(value)
        return found
