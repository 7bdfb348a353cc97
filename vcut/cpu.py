"""The processor: what Linux says of it, and how its idle threads wait. No torch."""

from __future__ import annotations

import os
from pathlib import Path

SPIN = 20_000
"""Rounds that an idle thread of libgomp waits before it sleeps: 0.3 ms on an AMD EPYC (Zen 5). Its own 300,000 are
8 ms, in which it keeps decoder and encoder from the core; the network's layers follow one another much faster."""


def let_idle_threads_sleep() -> None:
    """To be called before torch is imported: libgomp looks at its settings once. The user's own go first."""
    if not any(name in os.environ for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")):
        os.environ["GOMP_SPINCOUNT"] = str(SPIN)


def cpu_field(name: str) -> str:
    """A field of the first processor in ``/proc/cpuinfo``, such as ``model name``; empty where there is none."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")
