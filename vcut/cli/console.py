"""What people read while a command runs. It goes to stderr, so that stdout stays free for results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

WIDTH = 150
"""Columns of text when stdout is not a terminal."""


@cache
def stderr() -> Console:
    """The one console for messages."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def error(text: str) -> None:
    """One line that says what went wrong."""
    _line("bold red", "error", text)


def notice(text: str) -> None:
    """One line that the user should know."""
    _line("yellow", "note", text)


def done(text: str) -> None:
    """One line that says what was made."""
    _line("green", "done", text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    stderr().print(drawn)


def result(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings, on stdout: what the command was run for. Cells are never wrapped."""
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=box.SIMPLE)
    for column in drawn.columns:
        column.no_wrap = True
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(drawn)


def progress(unit: str) -> Progress:
    """A progress bar that counts ``unit``, not started yet; a total of ``None`` pulses."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr(),
    )


def _line(style: str, label: str, text: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((label, style), ": ", " ".join(text.split())))
