"""Plots of a report; matplotlib comes with the extra ``plots``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vcut.atomic import replacing
from vcut.bench.network import SIZES
from vcut.bench.report import Report
from vcut.bench.system import name_of
from vcut.errors import OptionError
from vcut.training.plot import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"gam-s": "#2864b4", "gam": "#1e8246", "gc": "#c8501e", "stm": "#7a7a7a"}


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
    return [_save(folder / name, fill, report) for name, fill in plots]


def _lengths(axes: Axes, report: Report, memory: bool) -> None:
    for curve in report.lengths:
        if memory:
            total = zip(curve.context_bytes, curve.working_bytes, strict=True)
            values = [(held + work) / 1e6 for held, work in total]
        else:
            values = [1000 / ms for ms in curve.step_ms]
        axes.plot(curve.frames, values, "o-", ms=3, color=COLOURS.get(curve.model), label=curve.model)
    axes.set(xscale="log", yscale="log", xlabel="frames seen")
    axes.set_ylabel("remembered, and taken by the read, MB" if memory else "frames a second")
    axes.legend()


def _sizes(axes: Axes, report: Report) -> None:
    for model in dict.fromkeys(result.case.model for result in report.networks):
        rows = [r for r in report.networks if r.case.model == model and r.case.objects == 1 and not r.error]
        pixels = [SIZES[r.case.size][0] * SIZES[r.case.size][1] / 1e6 for r in rows]
        axes.plot(pixels, [r.fps for r in rows], "o-", ms=3, color=COLOURS.get(model), label=model)
    axes.set(xscale="log", yscale="log", xlabel="megapixels the network sees, one object", ylabel="frames a second")
    axes.legend()


def _save(path: Path, fill: Callable[[Axes], None], report: Report) -> Path:
    try:
        import matplotlib
    except ImportError:
        raise OptionError("plots need matplotlib", "pip install 'vcut-video[plots]'") from None
    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(STYLE), replacing(path) as temporary:
        figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
        fill(axes)
        axes.set_title(name_of(report.system), fontsize=7, loc="left")
        figure.savefig(temporary, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return path
