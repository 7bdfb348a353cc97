"""Draws training runs for a model card: loss, IoU and, where it was judged, J&F on dev, over the clips seen.

matplotlib comes with the extra ``plots`` and is imported only when something is drawn.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcut.atomic import replacing
from vcut.errors import InputError, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS, MARKS = 300, 100
"""Points that a curve of loss or IoU, and marks that J&F has at most, over all stages: the file stays small."""

WINDOW = 1 / 40
"""Share of a stage's rows that are averaged for one point of loss and IoU."""

LOSS, IOU, DEV = "#c8501e", "#2864b4", "#1e8246"

STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "vcut",  # the same names inside, and so the same bytes, every time
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Stage:
    """One run.

    Attributes:
        name: its folder's.
        clips: seen, at each row of its log; rising.
        loss, overlap: means since the row before.
        dev: J&F, 0 to 1; NaN where it was not judged.
    """

    name: str
    clips: np.ndarray
    loss: np.ndarray
    overlap: np.ndarray
    dev: np.ndarray


def plot_log(log: Path, out: Path) -> None:
    """:func:`plot_logs` of one run."""
    plot_logs([log], out)


def plot_logs(logs: Sequence[Path], out: Path) -> None:
    """Draws runs that went on from one another, one after the other, as an SVG: the same bytes for the same logs.

    Args:
        logs: ``log.csv`` of each run; the ``options.json`` beside it says how many clips a step has.
        out: the picture, replaced if there.

    Raises:
        InputError: a log or its options are missing or damaged.
        OptionError: no logs, or matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    if not logs:
        raise OptionError("no training run to draw", "give the log.csv of one")
    stages = [read_stage(log) for log in logs]
    try:
        import matplotlib.style
    except ImportError as error:
        raise OptionError("drawing needs matplotlib", "pip install 'vcut-video[plots]'") from error
    with matplotlib.style.context(["default", STYLE]), replacing(out) as temporary:
        _draw(stages).savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})


def read_stage(log: Path) -> Stage:
    """What a run's folder says of its course. Raises InputError when it is missing or damaged."""
    options = log.with_name("options.json")
    try:
        batch = int(json.loads(options.read_text(encoding="utf-8"))["batch"])
    except OSError as error:
        raise InputError(f"cannot read {options} ({error.strerror})", "give a log.csv in its run's folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{options} does not say how many clips a step has", "restore it") from error
    rows: list[tuple[int, float, float, float]] = []
    try:
        with log.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for fields in reader:
                try:
                    row = _row(fields)
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(f"line {reader.line_num} of {log} is not of a training log", "mend it") from error
                # a run that was killed does the steps after its checkpoint again
                while rows and rows[-1][0] >= row[0]:
                    rows.pop()
                rows.append(row)
    except OSError as error:
        raise InputError(f"cannot read {log} ({error.strerror})", "give a run's log.csv") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{log} is not a training log ({error})", "give a run's log.csv") from error
    if not rows:
        raise InputError(f"{log} has no steps yet", "train for longer")
    steps, loss, overlap, dev = np.array(rows, float).T
    return Stage(log.absolute().parent.name, steps * batch, loss, overlap, dev)


def _row(fields: dict[str, str]) -> tuple[int, float, float, float]:
    """Step, loss, overlap and J&F of one row; logs of older versions have no ``dev``."""
    dev = fields.get("dev")
    return int(fields["step"]), float(fields["loss"]), float(fields["overlap"]), float(dev) if dev else math.nan


def _draw(stages: Sequence[Stage]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    starts = np.cumsum([0, *(stage.clips[-1] for stage in stages)])[:-1]
    for stage, start in zip(stages, starts, strict=True):
        clips = start + stage.clips
        some = _thin(len(clips), POINTS // len(stages))
        above.plot(clips[some], _smooth(stage.loss)[some], color=LOSS)
        below.plot(clips[some], _smooth(stage.overlap)[some], color=IOU)
        judged = np.flatnonzero(~np.isnan(stage.dev))
        judged = judged[_thin(len(judged), MARKS // len(stages))]
        below.plot(clips[judged], stage.dev[judged], color=DEV, marker="o", markersize=3)
    above.set_yscale("log")
    above.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    above.yaxis.set_minor_locator(NullLocator())
    above.yaxis.set_major_formatter("{x:g}")
    below.xaxis.set_major_formatter("{x:,.0f}")
    below.set_xlim(left=0)
    below.set_xlabel("clips seen")
    above.set_ylabel("training loss", color=LOSS)
    dev = np.concatenate([stage.dev for stage in stages])
    _legend(
        below, {"training IoU": IOU} | ({} if np.isnan(dev).all() else {f"dev J&F, best {np.nanmax(dev):.3f}": DEV})
    )
    if len(stages) > 1:
        _name_stages(above, below, stages, starts)
    return figure


def _smooth(values: np.ndarray) -> np.ndarray:
    """Centred means over :data:`WINDOW`, of fewer rows at the ends; NaN and infinity count for nothing."""
    window = np.ones(2 * round(len(values) * WINDOW / 2) + 1)
    good = np.isfinite(values)
    sums = np.convolve(np.where(good, values, 0), window)
    counts = np.convolve(good, window)
    margin = len(window) // 2
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means[margin : margin + len(values)]


def _thin(rows: int, points: int) -> np.ndarray:
    """Indices of at most so many rows (two at least), evenly spread, first and last included."""
    return np.unique(np.linspace(0, rows - 1, min(rows, max(2, points))).round().astype(int))


def _legend(axes: Axes, colours: dict[str, str]) -> None:
    """Names of curves beside each other above the panel, out of the curves' way."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    axes.legend(handles=lines, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(lines), borderaxespad=0)


def _name_stages(above: Axes, below: Axes, stages: Sequence[Stage], starts: np.ndarray) -> None:
    for stage, start in zip(stages, starts, strict=True):
        for axes in (above, below):
            axes.axvline(start, color="#909090", linewidth=0.8, linestyle=":")
        above.annotate(stage.name, (start, 1), (0, 3), above.get_xaxis_transform(), "offset points")
