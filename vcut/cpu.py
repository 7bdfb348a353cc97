"""What Linux says of this machine's processor."""

from __future__ import annotations

from pathlib import Path


def cpu_field(name: str) -> str:
    """A field of the first processor in ``/proc/cpuinfo``, such as ``model name``; empty where there is none."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")
