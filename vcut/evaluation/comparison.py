"""Networks scored on the same sequences, side by side: as a table, Markdown and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vcut.evaluation.report import Report
from vcut.evaluation.transfer_report import TransferReport
from vcut.markdown import table

FORMAT = "vcut-comparison-1"

NOTHING = "-"
"""In the cells of what could not be scored."""


@dataclass(frozen=True)
class Row:
    """What one network, or the baseline, came to.

    Attributes:
        name: its weights' name in the manifest, or ``copy``.
        report: its scores.
        parameters: how many it has.
        peak_bytes: the most memory that its process held, or on CUDA that was allocated there.
        notices: sentences for the user.
        error: why it could not be scored; there are no scores then.
    """

    name: str
    report: Report | TransferReport | None = None
    parameters: int = 0
    peak_bytes: int = 0
    notices: tuple[str, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Name, ``error`` (null where there is none) and, of a network that was scored, all else."""
        if self.report is None:
            return {"name": self.name, "error": self.error}
        return {
            "name": self.name,
            "error": None,
            "parameters": self.parameters,
            "peak_bytes": self.peak_bytes,
            "fps": self.report.fps,
            "notices": list(self.notices),
            **self.report.to_json(),
        }


@dataclass(frozen=True)
class Comparison:
    """All rows, and what they hold for.

    Attributes:
        system: see :func:`vcut.bench.system.describe_system`.
        settings: what was scored on and how, as plain values, the same for all.
        rows: in the order in which they were asked for.
    """

    system: dict[str, Any]
    settings: dict[str, Any]
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[Row]:
        """Those that could not be scored."""
        return [row for row in self.rows if row.report is None]

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of :meth:`table`."""
        return ("network", *self._measures(), "fps", "peak MB", "parameters")

    def table(self) -> list[tuple[str, ...]]:
        """A row each: its mean scores, frames a second of the predictor, megabytes, parameters in millions."""
        return [(row.name, *self._cells(row)) for row in self.rows]

    def markdown(self) -> str:
        """The table, the hardware it was measured on, and why a row is empty."""
        from vcut.bench.system import name_of

        memory = "allocated on the GPU" if self.system["gpu"] else "resident, each network in a process of its own"
        settings = ", ".join(f"{key.replace('_', ' ')} {_text(value)}" for key, value in self.settings.items())
        parts = [
            f"Measured by `vcut evaluate --model` on {name_of(self.system)} ({settings}). Peak MB: {memory}.",
            table(self.columns, self.table()),
            *(f"{row.name} could not be scored: {' '.join(row.error.split())}." for row in self.failed),
        ]
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> dict[str, Any]:
        """As plain values; scores of each as ``vcut evaluate --json`` has them, under ``networks``."""
        return {
            "format": FORMAT,
            "system": self.system,
            "settings": self.settings,
            "networks": [row.to_json() for row in self.rows],
        }

    def _measures(self) -> list[str]:
        return next((list(row.report.mean()) for row in self.rows if row.report is not None), [])

    def _cells(self, row: Row) -> list[str]:
        if row.report is None:
            return [NOTHING] * (len(self.columns) - 1)
        return [
            *row.report.figures(),
            f"{row.report.fps:.2f}",
            f"{row.peak_bytes / 1e6:.0f}",
            f"{row.parameters / 1e6:.2f} M",
        ]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
