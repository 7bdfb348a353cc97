"""``vcut bench``: how fast this machine is, how much memory it takes, and that neither grows with the clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import Device, Dtype
from vcut.errors import OptionError

if TYPE_CHECKING:
    from vcut.bench.report import Report
    from vcut.models.base import SegmentationModel

WHAT = "What is measured"


def bench(
    models: Annotated[
        str, typer.Option("--models", help="Names of weights or architectures, with commas.", rich_help_panel=WHAT)
    ] = "gam-s,gam,gc",
    sizes: Annotated[
        str, typer.Option("--sizes", help="384x384, 480p, 720p, 1080p, 2k, 4k, with commas.", rich_help_panel=WHAT)
    ] = "480p,1080p",
    objects: Annotated[str, typer.Option("--objects", help="Numbers of objects.", rich_help_panel=WHAT)] = "1,5",
    frames: Annotated[int, typer.Option("--frames", help="Timed frames a network.", rich_help_panel=WHAT)] = 20,
    files: Annotated[
        str,
        typer.Option("--files", help="Formats of whole runs, file to file; 'none' for none.", rich_help_panel=WHAT),
    ] = "prores,webm,labels",
    length: Annotated[
        int,
        typer.Option("--length", help="Longest clip of curves against length, 384x384; 0: none.", rich_help_panel=WHAT),
    ] = 0,
    patience: Annotated[
        float,
        typer.Option(
            "--patience",
            metavar="SECONDS",
            help="For the curve of one network; lengths that would take longer are left out.",
            rich_help_panel=WHAT,
        ),
    ] = 60.0,
    work: Annotated[
        bool,
        typer.Option("--work", help="Count each stage's work, and the least time it takes here.", rich_help_panel=WHAT),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="The default network at 480p: a minute on a CPU.", rich_help_panel=WHAT),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything to FILE.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write tables to FILE.")] = None,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="DIR", help="Draw plots (SVG) into DIR.")] = None,
    against: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Show what changed since this --json.")
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Measure networks and whole runs on this machine.

    Frames are made up; cost does not depend on what they show. Architectures without trained weights (stm-paper) are
    measured with random ones, and said to be.
    """
    from vcut.bench.files import FileCase, measure_file
    from vcut.bench.length import LENGTHS, measure_length
    from vcut.bench.network import NetworkCase, measure_network
    from vcut.bench.report import FILE_COLUMNS, NETWORK_COLUMNS, STAGE_COLUMNS, WORK_COLUMNS, Report, compare
    from vcut.bench.system import describe_system, name_of
    from vcut.bench.work import probe
    from vcut.engine.runtime import choose_runtime
    from vcut.weights import load_manifest
    from vcut.weights.manifest import DEFAULT

    if quick:
        models, sizes, objects, files, length, frames = DEFAULT, "480p", "1", "prores", 0, min(frames, 10)
    names, places, counts, formats = _words(models), _sizes(sizes), _counts(objects), _formats(files)
    if frames < 1:
        raise OptionError(f"--frames {frames} are none", "give 1 or more")
    runtime = choose_runtime(device, dtype)
    report = Report(describe_system(runtime), probe(runtime) if work else None)
    trained = [name for name in names if name in load_manifest()]
    cases = [(name, size, count) for name in names for size in places for count in counts]
    whole = [(trained[0], size, fmt) for size in places for fmt in formats] if trained else []
    longer = [*dict.fromkeys((*names, "stm"))] if length else []
    with console.progress("measurements") as progress:
        task = progress.add_task("bench", total=len(cases) + len(whole) + len(longer), rate="")
        for name, size, count in cases:
            progress.update(task, description=f"{name} {size}, {count} object(s)")
            report.networks.append(measure_network(NetworkCase(name, size, count, frames), *_model(name), runtime))
            progress.advance(task)
        for name, size, fmt in whole:
            progress.update(task, description=f"{size} to {fmt}")
            report.files.append(measure_file(FileCase(name, size, 1, 3 * frames, fmt), device, dtype))
            progress.advance(task)
        for name in longer:
            progress.update(task, description=f"{name} against length")
            lengths = [n for n in LENGTHS if n <= length]
            report.lengths.append(measure_length(name, _model(name)[0], runtime, lengths=lengths, seconds=patience))
            progress.advance(task)
    console.table(NETWORK_COLUMNS, report.network_rows())
    console.table(STAGE_COLUMNS, report.stage_rows())
    if work:
        console.table(WORK_COLUMNS, report.work_rows())
    if report.files:
        console.table(FILE_COLUMNS, report.file_rows())
    if report.lengths:
        console.table(("network", "frames seen", "ms a step", "remembered MB", "read takes MB"), report.length_rows())
    if against:
        console.table(("what", "frames/s then", "now", "ratio", ""), compare(against, report))
    _write(report, json_file, markdown, plots)
    console.done(f"measured on {name_of(report.system)}")


def _write(report: Report, json_file: Path | None, markdown: Path | None, plots: Path | None) -> None:
    from vcut.bench.report import write_text

    if json_file:
        write_text(json_file, json.dumps(report.to_json(), indent=1) + "\n")
    if markdown:
        write_text(markdown, report.markdown())
    if plots:
        from vcut.bench.plots import draw

        for path in draw(report, plots):
            console.done(str(path))


def _model(name: str) -> tuple[SegmentationModel, bool]:
    """A network by the name of its weights, or of its architecture with random ones; and whether it is trained."""
    from vcut.models.registry import build_model
    from vcut.weights import load_manifest, load_model

    return (load_model(name), True) if name in load_manifest() else (build_model(name).eval(), False)


def _words(text: str) -> list[str]:
    return [*dict.fromkeys(word.strip() for word in text.split(",") if word.strip())]


def _sizes(text: str) -> list[str]:
    from vcut.bench.network import SIZES

    words = _words(text)
    for word in words:
        if word not in SIZES:
            raise OptionError(f"--sizes: there is no '{word}'", f"known ones: {', '.join(SIZES)}")
    return words


def _counts(text: str) -> list[int]:
    try:
        counts = [int(word) for word in _words(text)]
    except ValueError:
        counts = [0]
    if not counts or not all(0 < count < 256 for count in counts):
        raise OptionError(f"--objects '{text}' are not numbers of objects", "give for example 1,5")
    return counts


def _formats(text: str) -> list[str]:
    from vcut.video.formats import FORMATS

    words = [] if text == "none" else _words(text)
    for word in words:
        if word not in FORMATS:
            raise OptionError(f"--files: there is no format '{word}'", f"known ones: {', '.join(FORMATS)}")
    return words
