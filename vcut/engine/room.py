"""What to tell a user whose device has too little memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from vcut.errors import DeviceError

SIZES = (1440, 1080, 720, 480, 360, 240)
"""Of the picture the network sees, its shorter side; those that are tried."""


def too_large(size: int, attempt: Callable[[int], object]) -> DeviceError:
    """The error of a clip that does not fit, with the size that would.

    Args:
        size: that does not.
        attempt: cuts two frames at another size; raises ``torch.OutOfMemoryError`` where that does not fit, either.
    """
    return DeviceError(f"out of memory at --size {size}, one object at a time", _advice(size, attempt))


def _advice(size: int, attempt: Callable[[int], object]) -> str:
    for smaller in (s for s in SIZES if s < size):
        try:
            attempt(smaller)
        except torch.OutOfMemoryError:
            continue
        return f"--size {smaller} fits, as does --device cpu"
    return "close what else uses the device, or give --device cpu"
