"""How much work a step is, by stage: multiply-adds and bytes, and the least time that they take on a machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from vcut.engine.int8 import ByteConv
from vcut.engine.runtime import Runtime

MATRIX = 2048
"""Side of the matrices whose product shows what a machine can multiply."""

BLOCK = 256 << 20
"""Bytes whose copy shows what it can move."""

TRIES = 4
"""The best of so many counts."""


@dataclass(frozen=True)
class Machine:
    """What a machine can do at most: multiply-adds and bytes (read and written) a second."""

    macs: float
    bytes: float

    def floor(self, macs: float, size: float) -> float:
        """Seconds that so many multiply-adds and bytes take at least (roofline)."""
        return max(macs / self.macs, size / self.bytes)


H200 = Machine(989e12 / 2, 4.8e12)
"""One NVIDIA H200 by its data sheet: dense bf16, HBM3e."""


class StageWork:
    """Counts work by stage; takes the place of :class:`vcut.times.StageTimes`.

    Attributes:
        macs: multiply-adds of matrix products and convolutions.
        bytes: that operations read and wrote, each tensor once an operation; views are free. What a fused kernel or a
            cache saves is not known here.
    """

    def __init__(self) -> None:
        self.macs: dict[str, float] = defaultdict(float)
        self.bytes: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Adds the work inside to a stage."""
        with _Count() as count:
            yield
        self.macs[stage] += count.macs
        self.bytes[stage] += count.bytes


class _Count(TorchDispatchMode):
    """Work of all operations inside."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0.0
        self.bytes = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._overloadpacket not in flop_registry:  # composites are counted by their parts
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            self.macs += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result) / 2
        if not func.is_view:
            self.bytes += sum(_size(leaf) for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor))
        return result


def probe(runtime: Runtime) -> Machine:
    """What this machine does when it does nothing else: the product of two large matrices, and a copy."""
    cuda = runtime.device.type == "cuda"
    side = 4 * MATRIX if cuda else MATRIX
    matrices = torch.randn(2, side, side, device=runtime.device).to(runtime.floats)
    block = torch.empty(BLOCK, dtype=torch.uint8, device=runtime.device)
    copy = torch.empty_like(block)
    if runtime.dtype == torch.int8:
        layer, picture = ByteConv(nn.Conv2d(side, side, 1, bias=False)), matrices[:1].view(1, side, -1, 64)
        with torch.inference_mode():
            product = _best(lambda: layer(picture), runtime.wait)
    else:
        product = _best(lambda: matrices[0] @ matrices[1], runtime.wait)
    return Machine(side**3 / product, 2 * BLOCK / _best(lambda: copy.copy_(block), runtime.wait))


def _best(work: Callable[[], Any], wait: Callable[[], None]) -> float:
    seconds = []
    for _ in range(TRIES + 1):
        begin = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:])


def _size(tensor: Tensor) -> int:
    """Bytes behind a tensor; what is repeated by a view counts once."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
