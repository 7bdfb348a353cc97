"""Speed against accuracy, as GC (ECCV 2020, Fig. 4) and GAM (CVM 2023, Fig. 7c) draw it; needs the extra ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vcut.bench.plots import COLOURS, save
from vcut.evaluation.comparison import Comparison
from vcut.evaluation.subject import COPY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURE = "J&F"
"""What is plotted against frames a second."""


def draw(comparison: Comparison, path: Path) -> Path:
    """A named point a network: mean J&F over frames a second, these on a logarithmic axis.

    The copied first mask is a dotted line: its speed is no network's, and would squeeze the others together. Networks
    that could not be scored are left out. In an SVG each point is in a group whose id is ``point-`` and its name.

    Args:
        comparison: of J and F.
        path: an ``.svg`` or ``.png``, replaced if there.

    Raises:
        OptionError: another ending, or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    return save(path, lambda axes: _fill(axes, comparison), comparison.system)


def _fill(axes: Axes, comparison: Comparison) -> None:
    from matplotlib.ticker import LogFormatter

    for row in comparison.rows:
        if row.report is None:
            continue
        height = row.report.mean()[MEASURE]
        if row.name == COPY:
            axes.axhline(height, color="#909090", linestyle=":", gid=f"point-{row.name}")
            place, transform = (0, height), axes.get_yaxis_transform()
        else:
            axes.plot(row.report.fps, height, "o", color=COLOURS.get(row.name), gid=f"point-{row.name}")
            place, transform = (row.report.fps, height), axes.transData
        axes.annotate(row.name, place, (5, 4), transform, "offset points")
    axes.set_xscale("log")
    axes.margins(0.2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))  # when close together
    axes.set(xlabel="frames a second", ylabel=f"{MEASURE}, mean over objects")
