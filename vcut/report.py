"""The report of a run: what went in, what came out, with what, and how long it took."""

from __future__ import annotations

import json
import platform
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import torch

import vcut
from vcut.atomic import replacing
from vcut.errors import VcutError
from vcut.identity import bytes_of
from vcut.memory import peak_memory
from vcut.options import SegmentOptions, plain_options
from vcut.video.probe import VideoInfo
from vcut.weights.digest import sha256_once

if TYPE_CHECKING:
    from vcut.pipeline import Summary

FORMAT = "vcut-report-1"


def describe(options: SegmentOptions, summary: Summary | None = None, error: VcutError | None = None) -> dict[str, Any]:
    """A run as plain values: ``status`` is ``done``, ``partial`` (part of the source could not be read) or ``failed``.

    Args:
        options: what was asked.
        summary: what was done, of a run that ended.
        error: what went wrong, of one that did not.
    """
    report: dict[str, Any] = {
        "format": FORMAT,
        "status": "failed" if summary is None else "partial" if summary.losses else "done",
        "versions": {
            "vcut": vcut.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "av": av.__version__,
        },
        "options": plain_options(options),
    }
    if error is not None:
        report["error"] = {"message": str(error), "exit_code": error.exit_code}
    if summary is not None:
        report |= facts(summary)
    return report


def write_report(
    path: Path, options: SegmentOptions, summary: Summary | None = None, error: VcutError | None = None
) -> None:
    """Writes :func:`describe` as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(describe(options, summary, error), indent=1, ensure_ascii=False) + "\n")


def facts(summary: Summary) -> dict[str, Any]:
    """What a run did, as plain values."""
    return {
        "input": source_facts(summary.info),
        "outputs": [
            {"path": str(path), "format": name, "bytes": bytes_of(path)}
            for path, name in zip(summary.outputs, summary.formats, strict=True)
        ],
        "objects": [{"id": i, "name": name} for i, name in summary.objects.items()],
        "model": {
            "architecture": summary.architecture,
            "weights": str(summary.weights),
            "sha256": sha256_once(summary.weights),
            "runtime": summary.runtime,
            "context_bytes": summary.memory_bytes,
        },
        "frames": summary.frames,
        "frames_resumed": summary.resumed,
        "seconds": {"total": summary.seconds, **summary.stages},
        "peak_memory_bytes": peak_memory(),
        "notices": list(summary.notices),
        "losses": list(summary.losses),
    }


def source_facts(info: VideoInfo) -> dict[str, Any]:
    """A source as plain values."""
    return {
        "path": str(info.path),
        "kind": info.kind,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "mirrored": info.mirrored,
        "rate": _exact(info.rate),
        "time_base": _exact(info.time_base),
        "frames_estimate": info.frames_estimate,
        "duration": info.duration,
        "pixel_aspect": _exact(info.pixel_aspect),
        "depth": info.depth,
        "alpha": info.has_alpha,
        "audio": info.has_audio,
        "interlaced": info.interlaced,
        "colour": {name: None if tag is None else int(tag) for name, tag in vars(info.colour).items()},
    }


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
