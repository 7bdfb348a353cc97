"""Where and in which number format a model runs."""

from __future__ import annotations

import copy
import ctypes
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import torch
from torch import nn

from vcut.engine.int8 import bytes_pay, in_bytes
from vcut.errors import DeviceError, OptionError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}
"""By their names; in int8 only convolutions are (:mod:`vcut.engine.int8`), the rest is fp32."""

Module = TypeVar("Module", bound=nn.Module)

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
"""Parameters of glibc's mallopt(3)."""

MALLOC = {M_MMAP_THRESHOLD: 32 << 20, M_TRIM_THRESHOLD: 1 << 30, M_TOP_PAD: 64 << 20, M_ARENA_MAX: 1}
"""Bytes; 32 MiB is the highest threshold that glibc takes. And one heap for all threads: with one for the thread that
makes mattes and writes, too, 1080p to ProRes has a peak of 1.60 GB instead of 1.40."""


@dataclass(frozen=True)
class Runtime:
    """A device and the number format of its matrix products; what needs float32 keeps it (autocast)."""

    device: torch.device
    dtype: torch.dtype

    @property
    def floats(self) -> torch.dtype:
        """The number format of what is in no 8 bits."""
        return torch.float32 if self.dtype == torch.int8 else self.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """The context to run a model in."""
        if self.floats == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.floats)

    def prepare(self, model: Module) -> Module:
        """A copy of a model to infer with: here, in this number format, channels last (fastest for convolutions)."""
        ready = copy.deepcopy(model).eval().requires_grad_(False)
        for parameter in ready.parameters():
            parameter.data = parameter.data.to(self.floats)
        ready = ready.to(self.device, memory_format=torch.channels_last)
        return in_bytes(ready) if self.dtype == torch.int8 else ready

    def wait(self) -> None:
        """Waits until a GPU has done what it was given; a CPU has."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @property
    def name(self) -> str:
        """For people: ``cpu bf16``."""
        return f"{self.device.type} {next(k for k, v in DTYPES.items() if v == self.dtype)}"


@cache
def keep_freed_memory() -> None:
    """Lets glibc keep what the model frees for its next step, instead of returning it to the system page by page.

    Every step allocates and frees the same large tensors; without this a CPU spends 10 to 15 % of a step on page
    faults. Does nothing on systems without glibc. The environment's own MALLOC_ settings go first.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)


def flush_denormals() -> None:
    """Lets this thread, and those that it starts from now on, take floats below 1e-38 for zero.

    A softmax over many places makes such weights, and a CPU multiplies them a hundred times slower: ``stm`` takes 0.5
    instead of 1.7 s a frame and trains twice as fast; reading in ``gam`` is a fifth faster.
    """
    torch.set_flush_denormal(True)


def choose_runtime(device: str = "auto", dtype: str = "auto") -> Runtime:
    """The best there is, or what is asked for.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto``, ``fp32``, ``bf16``, ``fp16``, ``int8``. ``auto`` is bf16 where the hardware multiplies it, else
            fp16 on CUDA, int8 on CPUs that multiply bytes, and fp32 elsewhere.

    Raises:
        OptionError: an unknown name.
        DeviceError: a device or format that is not to be had here.
    """
    chosen = _device(device)
    if chosen.type == "cpu":
        keep_freed_memory()
        flush_denormals()
    if dtype == "auto":
        return Runtime(chosen, _best_dtype(chosen))
    if dtype not in DTYPES:
        raise OptionError(f"unknown --dtype '{dtype}'", f"known ones: auto, {', '.join(DTYPES)}")
    if chosen.type == "cpu" and dtype == "fp16":
        raise DeviceError("fp16 is not supported on the CPU", "use --dtype bf16 or fp32")
    if dtype == "int8" and not (chosen.type == "cpu" and bytes_pay()):
        raise DeviceError("int8 needs a CPU that multiplies bytes (VNNI)", "use --dtype auto")
    return Runtime(chosen, DTYPES[dtype])


def training_dtype(device: torch.device) -> torch.dtype:
    """Number format of a training step: bf16 where the hardware multiplies it, else fp32.

    fp16 is too narrow for gradients, and emulated bf16 is several times slower than fp32.
    """
    best = _best_dtype(device)
    return best if best == torch.bfloat16 else torch.float32


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdigit())):
        raise OptionError(f"unknown --device '{name}'", f"known ones: {', '.join(DEVICES)}, cuda:N")
    if kind == "cuda" and (not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count()):
        raise DeviceError(f"no CUDA device for --device {name}", "use --device cpu, or check the NVIDIA driver")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("no Apple GPU for --device mps", "use --device cpu")
    return torch.device(name)


def _best_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu":
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return torch.bfloat16 if native() else torch.int8 if bytes_pay() else torch.float32
    return torch.float32
