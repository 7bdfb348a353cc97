"""Sums over many locations or channels, whose last bits depend on how many threads share them.

While the number of threads of a network changes as it works (:mod:`vcut.engine.cores`), these have one number all the
time, so that a clip comes out the same every time. Convolutions do not need that, and are nearly all of the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Result = TypeVar("Result")


class _Here(threading.local):
    """Of each thread that networks work in."""

    threads: int | None = None


_here = _Here()


def fix_threads(count: int | None) -> None:
    """How many threads functions marked :func:`in_order` have that this thread calls; ``None``: all there are."""
    _here.threads = count


def in_order(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Marks a function that sums over many locations or channels."""

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        if _here.threads is None:
            return function(*args, **kwargs)
        before = torch.get_num_threads()
        torch.set_num_threads(_here.threads)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(before)

    return call
