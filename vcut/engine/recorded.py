"""A step of fixed shapes, recorded once and replayed: on a GPU one launch instead of some hundreds (CUDA graphs).

What is remembered has a fixed size, so from frame to frame nothing changes but values: all that a step reads and writes
stays where it is in memory. A step has two parts, as what is found may decide how the frame is remembered. On other
devices a step is worked through on that memory, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vcut.engine.upload import Upload
from vcut.models.base import Memory

Look = Callable[[Tensor, Sequence[Memory]], tuple[Tensor, Any]]
"""The first part of a step: of a frame H,W,3 uint8 on the device and what is remembered it gives what is found, and
what is needed to remember it. Neither part may wait for the device."""

Remember = Callable[[Any, Sequence[Memory], bool], list[Memory]]
"""The second part: of what is needed, what is remembered, and whether the frame is to be remembered in full, it gives
what is remembered then, of the same shapes."""


class RecordedStep:
    """Steps of one clip.

    Args:
        look, remember: what a step does; which of two kinds the second part is, may depend on what the first has found.
        upload: brings frames to where it runs.
        shape: of the frames, H,W,3.
        memories: what is remembered before the first of these steps.

    Attributes:
        memories: what is remembered now; the same tensors after each step, with other values.
    """

    def __init__(
        self, look: Look, remember: Remember, upload: Upload, shape: tuple[int, ...], memories: Sequence[Memory]
    ) -> None:
        self.memories = [memory.map(torch.clone) for memory in memories]
        self._work = look, remember
        self._upload = upload
        self._frame = torch.empty(shape, dtype=torch.uint8, device=upload.device)
        self._found: tuple[Tensor, Any] | None = None
        self._replays: tuple[Callable[[], None], dict[bool, Callable[[], None]]] | None = None

    def prepare(self) -> None:
        """Records the parts where that is still to be done; nothing is worked through.

        Raises:
            RuntimeError: they cannot be recorded here.
        """
        if self._replays is None:
            look = self._record(self._look_once)
            kinds = {fully: self._record(partial(self._remember_once, fully)) for fully in (False, True)}
            self._replays = look, kinds

    def look(self, rgb: np.ndarray) -> Tensor:
        """What is found in the next frame; both parts are prepared."""
        self._upload(rgb, self._frame)
        self._replays[0]()
        found = self._found[0]
        return found.clone() if found.device.type == "cuda" else found  # the next replay writes to the same place

    def remember(self, fully: bool) -> None:
        """Remembers that frame."""
        self._replays[1][fully]()

    def _record(self, part: Callable[[], None]) -> Callable[[], None]:
        if self._upload.device.type != "cuda":
            return part
        graph = torch.cuda.CUDAGraph()
        # other threads may use the GPU meanwhile, for mattes
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            part()
        return graph.replay

    def _look_once(self) -> None:
        self._found = self._work[0](self._frame, self.memories)

    def _remember_once(self, fully: bool) -> None:
        memories = self._work[1](self._found[1], self.memories, fully)
        for past, new in zip(self.memories, memories, strict=True):
            for old, value in zip(past.tensors, new.tensors, strict=True):
                if value is not old:
                    old.copy_(value)
