"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import av
import torch

import vcut
from vcut.cpu import cpu_field
from vcut.engine.runtime import Runtime


def describe_system(runtime: Runtime) -> dict[str, Any]:
    """Hardware, versions, number format and threads, as plain values."""
    gpu = torch.cuda.get_device_properties(runtime.device) if runtime.device.type == "cuda" else None
    return {
        "processor": cpu_field("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpu": gpu.name if gpu else None,
        "gpu_memory_bytes": gpu.total_memory if gpu else None,
        "system": platform.platform(),
        "runtime": runtime.name,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "av": av.__version__,
        "vcut": vcut.__version__,
    }


def name_of(system: dict[str, Any]) -> str:
    """In a line: ``AMD EPYC, 2 threads, cpu bf16, torch 2.15.0``."""
    place = system["gpu"] or f"{system['processor']}, {system['threads']} threads"
    return f"{place}, {system['runtime']}, torch {system['torch']}, vcut {system['vcut']}"


def available_memory() -> int:
    """Bytes that can still be had without swapping."""
    info = Path("/proc/meminfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
