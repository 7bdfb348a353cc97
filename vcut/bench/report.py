"""Results as JSON, Markdown and tables, and against those of another day."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vcut.atomic import replacing
from vcut.bench.files import FileResult
from vcut.bench.length import LengthCurve
from vcut.bench.network import NetworkResult
from vcut.bench.system import name_of
from vcut.bench.work import H200, Machine
from vcut.errors import InputError
from vcut.markdown import table

FORMAT = "vcut-bench-1"

NETWORK_COLUMNS = (
    "network", "size", "objects", "frames/s", "as used", "median ms", "p95 ms", "GMAC", "context MB", "peak MB"
)  # fmt: skip
STAGE_COLUMNS = ("network", "size", "objects", "preprocess", "encode", "read", "decode", "aggregate", "remember")
WORK_COLUMNS = ("network", "size", "objects", "stage", "GMAC", "MB", "floor ms", "ms", "ms / floor", "H200 floor ms")
FILE_STAGES = ("decode", "network", "matte", "wait", "write")
FILE_COLUMNS = ("weights", "size", "objects", "format", "frames/s", *FILE_STAGES, "peak MB")


@dataclass
class Report:
    """All that one ``vcut bench`` measured.

    Attributes:
        system: see :func:`vcut.bench.system.describe_system`.
        machine: what this machine can do at most, where that was measured.
        networks, files, lengths: the results.
    """

    system: dict[str, Any]
    machine: Machine | None = None
    networks: list[NetworkResult] = field(default_factory=list)
    files: list[FileResult] = field(default_factory=list)
    lengths: list[LengthCurve] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "format": FORMAT,
            "system": self.system,
            "machine": asdict(self.machine) if self.machine else None,
            "networks": [result.to_json() for result in self.networks],
            "files": [result.to_json() for result in self.files],
            "lengths": [curve.to_json() for curve in self.lengths],
        }

    def network_rows(self) -> list[tuple[str, ...]]:
        """Under :data:`NETWORK_COLUMNS`."""
        rows = []
        for result in self.networks:
            case = result.case
            name = case.model if result.trained else f"{case.model} (random weights)"
            head = (name, case.size, str(case.objects))
            if result.error:
                rows.append((*head, result.error, *[""] * (len(NETWORK_COLUMNS) - 4)))
                continue
            figures = (
                f"{result.fps:.2f}",
                f"{result.used_fps:.2f}" if result.used_fps else "",
                f"{result.median_ms:.1f}",
                f"{result.p95_ms:.1f}",
                f"{result.gmac:.1f}",
                f"{result.context_bytes / 1e6:.1f}",
                f"{result.peak_bytes / 1e6:.0f}",
            )
            rows.append((*head, *figures))
        return rows

    def stage_rows(self) -> list[tuple[str, ...]]:
        """Under :data:`STAGE_COLUMNS`, milliseconds."""
        return [
            (r.case.model, r.case.size, str(r.case.objects), *(f"{r.stages_ms[s]:.1f}" for s in STAGE_COLUMNS[3:]))
            for r in self.networks
            if not r.error
        ]

    def work_rows(self) -> list[tuple[str, ...]]:
        """Under :data:`WORK_COLUMNS`: stages and their sum, milliseconds; the H200's bytes are those of bf16."""
        if self.machine is None:
            return []
        rows = []
        for r in self.networks:
            total = [0.0] * 5
            for stage in r.stages_ms:
                macs, size, ms = r.stages_gmac[stage] * 1e9, r.stages_mb[stage] * 1e6, r.stages_ms[stage]
                there = size if "16" in self.system["runtime"] else size / 2
                floor, best = 1000 * self.machine.floor(macs, size), 1000 * H200.floor(macs, there)
                figures = [macs / 1e9, size / 1e6, floor, ms, best]
                total = [a + b for a, b in zip(total, figures, strict=True)]
                rows.append((r.case.model, r.case.size, str(r.case.objects), stage, *_work_figures(figures)))
            if r.stages_ms:
                rows.append((r.case.model, r.case.size, str(r.case.objects), "all", *_work_figures(total)))
        return rows

    def file_rows(self) -> list[tuple[str, ...]]:
        """Under :data:`FILE_COLUMNS`, stages in milliseconds a frame."""
        rows = []
        for result in self.files:
            case = result.case
            head = (case.weights, case.size, str(case.objects), case.format)
            if result.error:
                rows.append((*head, result.error, *[""] * (len(FILE_COLUMNS) - 5)))
                continue
            stages = [f"{result.stages_ms.get(stage, 0):.1f}" for stage in FILE_STAGES]
            rows.append((*head, f"{result.fps:.2f}", *stages, f"{result.peak_bytes / 1e6:.0f}"))
        return rows

    def length_rows(self) -> list[tuple[str, ...]]:
        """Network, frames seen, milliseconds a step, megabytes remembered, megabytes of the read."""
        return [
            (c.model, str(n), f"{ms:.1f}", f"{held / 1e6:.1f}", f"{work / 1e6:.1f}")
            for c in self.lengths
            for n, ms, held, work in zip(c.frames, c.step_ms, c.context_bytes, c.working_bytes, strict=True)
        ]

    def markdown(self) -> str:
        """All tables."""
        parts = [f"Measured by `vcut bench` on {name_of(self.system)}."]
        if self.networks:
            parts += [
                "**Network**, from a frame in memory to its probabilities: frames in full, step by step, and as"
                " `vcut segment` does it here, in regions (CPU) or recorded (GPU):",
                table(NETWORK_COLUMNS, self.network_rows()),
            ]
            parts += ["Milliseconds by stage:", table(STAGE_COLUMNS, self.stage_rows())]
        if self.machine:
            peak = f"{self.machine.macs / 1e9:.0f} GMAC/s, {self.machine.bytes / 1e9:.0f} GB/s"
            parts += [f"**Work** of a mean step, and the least time it takes at {peak}:"]
            parts += [table(WORK_COLUMNS, self.work_rows())]
        if self.files:
            parts += ["**File to file**, stages in milliseconds a frame:", table(FILE_COLUMNS, self.file_rows())]
        if self.lengths:
            columns = ("network", "frames seen", "ms a step", "remembered MB", "read takes MB")
            parts += ["**Against length**:", table(columns, self.length_rows())]
            parts += [f"{curve.model}: {curve.stopped}." for curve in self.lengths if curve.stopped]
        return "\n\n".join(parts) + "\n"


def _work_figures(figures: list[float]) -> tuple[str, ...]:
    macs, size, floor, ms, best = figures
    ratio = f"{ms / floor:.1f}" if floor else ""
    return f"{macs:.2f}", f"{size:.0f}", f"{floor:.1f}", f"{ms:.1f}", ratio, f"{best:.3f}"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def compare(old: Path, report: Report, slower: float = 1.1) -> list[tuple[str, ...]]:
    """What became slower or faster than in a report of before: name, frames a second then and now, their ratio.

    Args:
        old: a file of JSON that ``vcut bench`` wrote.
        report: of now.
        slower: ratio of times from which on a row counts as a regression, and is marked.

    Raises:
        InputError: the file is no such report.
    """
    try:
        before = json.loads(old.read_text(encoding="utf-8"))
        assert before["format"] == FORMAT
        known = {_key(row["case"]): row["fps"] for row in (*before["networks"], *before["files"]) if not row["error"]}
    except OSError as error:
        raise InputError(f"cannot read {old}: {error.strerror}", "check the path") from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise InputError(f"{old} is not a report of vcut bench", "give what --json wrote") from error
    rows = []
    for result in (*report.networks, *report.files):
        case = result.to_json()["case"]
        then = known.get(_key(case))
        if then and not result.error:
            ratio = result.fps / then
            mark = "slower" if ratio < 1 / slower else "faster" if ratio > slower else ""
            name = " ".join(str(value) for key, value in case.items() if key != "frames")
            rows.append((name, f"{then:.2f}", f"{result.fps:.2f}", f"{ratio:.2f}", mark))
    return rows


def _key(case: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted((key, value) for key, value in case.items() if key != "frames"))
