"""Tensors that follow from sizes alone, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec

import torch
from torch import Tensor

Parameters = ParamSpec("Parameters")

KEPT = 16
"""Of each function, those asked for last."""


def constant(make: Callable[Parameters, Tensor]) -> Callable[Parameters, Tensor]:
    """Keeps the tensors that a function makes of hashable arguments, among them the device; not to be written to.

    They may be made while a clip is cut, and serve to learn: so inference mode is left. While a CUDA graph is recorded,
    they are made anew, as part of it: it goes on using them when they are no longer kept here.
    """
    kept = lru_cache(KEPT)(torch.inference_mode(False)(make))

    @wraps(make)
    def get(*args: Parameters.args, **names: Parameters.kwargs) -> Tensor:
        recording = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
        return make(*args, **names) if recording else kept(*args, **names)

    return get
