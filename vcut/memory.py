"""The most memory that this process held. No torch unless it is there already."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


def peak_memory() -> dict[str, int]:
    """Bytes: the most that this process held so far, and the most on the GPU."""
    peaks = {}
    if resident := _resident():
        peaks["resident"] = resident
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        peaks["gpu"] = torch.cuda.max_memory_allocated()
    return peaks


def peak_bytes(device: str) -> int:
    """The most memory that a network on this device took so far, bytes; 0 where the system does not tell.

    Args:
        device: as torch names it. On ``cuda`` it is what was allocated there by this process; elsewhere all that the
            process holds.
    """
    if not device.startswith("cuda"):
        return peak_memory().get("resident", 0)
    torch = sys.modules.get("torch")
    return 0 if torch is None else torch.cuda.max_memory_allocated(device)


def forget_peak(device: str) -> None:
    """Lets :func:`peak_bytes` begin anew, where the system can: on a GPU, and on Linux.

    Args:
        device: as torch names it.
    """
    torch = sys.modules.get("torch")
    if device.startswith("cuda") and torch is not None:
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may not allow it
            RESET.write_text("5")


def _resident() -> int:
    """Bytes; 0 on Windows.

    Linux's VmHWM is of the program that runs now. What getrusage tells there begins with all that the process held
    that started this one: a child of a large one would never look small.
    """
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
