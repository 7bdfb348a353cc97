"""Plots of a report; matplotlib comes with the extra ``plots``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcut.atomic import replacing
from vcut.bench.network import SIZES
from vcut.bench.report import Report
from vcut.bench.system import name_of
from vcut.errors import OptionError
from vcut.training.plot import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"gam-s": "#2864b4", "gam": "#1e8246", "gc": "#c8501e", "stm": "#7a7a7a"}

SUFFIXES = {".svg": "Date", ".png": "Software"}
"""Kinds of files, and what in them would change from day to day, or with matplotlib."""


def draw(report: Report, folder: Path) -> list[Path]:
    """Draws what a report has: ``time-length.svg``, ``memory-length.svg``, ``speed-size.svg``.

    Raises:
        OptionError: matplotlib is not installed.
        OutputError: a file cannot be written.
    """
    plots: list[tuple[str, Callable[[Axes], None]]] = []
    if report.lengths:
        plots.append(("time-length.svg", lambda axes: _lengths(axes, report, memory=False)))
        plots.append(("memory-length.svg", lambda axes: _lengths(axes, report, memory=True)))
    if len({result.case.size for result in report.networks}) > 1:
        plots.append(("speed-size.svg", lambda axes: _sizes(axes, report)))
    return [save(folder / name, fill, report.system) for name, fill in plots]


def _lengths(axes: Axes, report: Report, memory: bool) -> None:
    for curve in report.lengths:
        if memory:
            total = zip(curve.context_bytes, curve.working_bytes, strict=True)
            values = [(held + work) / 1e6 for held, work in total]
        else:
            values = [1000 / ms for ms in curve.step_ms]
        axes.plot(curve.frames, values, "o-", ms=3, color=COLOURS.get(curve.model), label=curve.model)
    axes.set_xlabel(f"frames seen, {report.lengths[0].size}, one object")
    axes.set_ylabel("remembered, and taken by the read, MB" if memory else "frames a second")
    _logarithmic(axes)
    axes.legend()


def _sizes(axes: Axes, report: Report) -> None:
    for model in dict.fromkeys(result.case.model for result in report.networks):
        rows = [r for r in report.networks if r.case.model == model and r.case.objects == 1 and not r.error]
        pixels = [SIZES[r.case.size][0] * SIZES[r.case.size][1] / 1e6 for r in rows]
        axes.plot(pixels, [r.fps for r in rows], "o-", ms=3, color=COLOURS.get(model), label=model)
    axes.set(xlabel="megapixels the network sees, one object", ylabel="frames a second")
    _logarithmic(axes)
    axes.legend()


def _logarithmic(axes: Axes) -> None:
    """Both axes, with plain numbers at 1, 2 and 5 of every power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def check_plot(path: Path) -> None:
    """Raises OptionError when a plot of that name cannot be drawn: no SVG or PNG, or matplotlib is not installed."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"{path} is neither an SVG nor a PNG", "give a name that ends in .svg or .png")
    if find_spec("matplotlib") is None:
        raise OptionError("plots need matplotlib", "pip install 'vcut-video[plots]'")


def save(path: Path, fill: Callable[[Axes], None], system: dict[str, Any]) -> Path:
    """Draws one plot, with what it was measured on above it; the same bytes for the same figures.

    Args:
        path: an ``.svg`` or ``.png``, replaced if there.
        fill: draws into the axes.
        system: see :func:`vcut.bench.system.describe_system`.

    Raises:
        OptionError: as :func:`check_plot`.
        OutputError: the file cannot be written.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    kind = path.suffix.lower().removeprefix(".")
    with matplotlib.rc_context(STYLE), replacing(path) as temporary:
        figure = Figure(figsize=(6, 3.6), dpi=150, layout="constrained")
        axes = figure.subplots()
        fill(axes)
        axes.set_title(name_of(system), fontsize=7, loc="left")
        figure.savefig(temporary, format=kind, metadata={SUFFIXES[f".{kind}"]: None})
    return path
