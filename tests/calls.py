"""Functions to call in other processes: there a module has to be importable, which test modules are not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vcut.atomic import replacing
from vcut.errors import InputError
from vcut.memory import forget_peak, peak_bytes

Tell = Callable[[Any], None]


def add(one: int, other: int, tell: Tell) -> int:
    tell("adding")
    tell(one)
    return one + other


def who(tell: Tell) -> tuple[int, int]:
    """This process, and the most memory that it held."""
    return os.getpid(), peak_bytes("cpu")


def hold(size: int, tell: Tell) -> tuple[int, int, int, int]:
    """The most memory held before so many bytes, with them, without them again, and once that was forgotten."""
    before = peak_bytes("cpu")
    held = np.ones(size, np.uint8)
    large = peak_bytes("cpu")
    del held
    later = peak_bytes("cpu")
    forget_peak("cpu")
    return before, large, later, peak_bytes("cpu")


def refuse(tell: Tell) -> None:
    raise InputError("there is nothing here", "look elsewhere")


def divide(tell: Tell) -> float:
    return 1 / 0


def die(signal: int, tell: Tell) -> None:
    os.kill(os.getpid(), signal)
    time.sleep(60)


def write_slowly(path: Path, tell: Tell) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        tell((os.getpid(), temporary))
        time.sleep(600)
