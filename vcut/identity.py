"""What a run must have in common with one that was stopped, to go on with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import vcut
from vcut.weights.digest import sha256_once

if TYPE_CHECKING:
    from vcut.engine.runtime import Runtime
    from vcut.masks.labels import Labels
    from vcut.options import SegmentOptions
    from vcut.video.probe import VideoInfo


def identify(options: SegmentOptions, info: VideoInfo, mask: Labels, weights: Path, runtime: Runtime) -> dict[str, str]:
    """All that the network's probabilities follow from, by the names that users know it by."""
    # a clip from storage lies in another folder each time
    place = options.input.name if options.input.exists() else options.input.absolute()
    return {
        "version of vcut": vcut.__version__,
        "input": f"{place} {info.width}x{info.height} {state_of(options.input)}",
        "mask": hashlib.sha256(mask.labels.tobytes()).hexdigest(),
        "network (--weights)": sha256_once(weights),
        "device or --dtype": runtime.name,
        "--size": str(options.size),
        "--aggregation": options.aggregation,
        "--scales": str(options.scales),
        "--roi": str(options.roi),
        "--finetune-first": str(options.finetune),
        "--start or --end": f"{options.span}",
        "--rate": str(options.rate),
        "choice to --tone-map": str(options.tone_map),
        "choice to --deinterlace": str(options.deinterlace),
    }


def state_of(path: Path) -> str:
    """Size and time of change of a file, or of all that a folder holds."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        facts = "".join(f"{file.name} {state_of(file)}\n" for file in files)
        return hashlib.sha256(facts.encode()).hexdigest()
    if path.is_file():
        stat = path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"
    return "pattern"


def bytes_of(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; -1 when it is not there."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return path.stat().st_size if path.is_file() else -1
