"""Tensors that follow from sizes alone, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")

KEPT = 16
"""Of each function, those asked for last."""


def constants(count: int) -> Callable[[Callable[Parameters, Made]], Callable[Parameters, Made]]:
    """Keeps the tensors that a function makes of hashable arguments, among them the device; not to be written to.

    They may be made while a clip is cut, and serve to learn: so inference mode is left. While a CUDA graph is recorded,
    they are made anew, as part of it: it goes on using them when they are no longer kept here.

    Args:
        count: of the results asked for last.
    """

    def keep(make: Callable[Parameters, Made]) -> Callable[Parameters, Made]:
        kept = lru_cache(count)(torch.inference_mode(False)(make))

        @wraps(make)
        def get(*args: Parameters.args, **names: Parameters.kwargs) -> Made:
            recording = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
            return make(*args, **names) if recording else kept(*args, **names)

        return get

    return keep


constant = constants(KEPT)
