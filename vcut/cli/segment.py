"""``vcut segment``: cut objects out of one clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vcut.cli.cutting import cutting_options
from vcut.cli.watch import BarWatch, JsonWatch, QuietWatch
from vcut.errors import OptionError, PartialError

RUN = "The run"


@cutting_options
def segment(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, a folder of pictures, shot_%04d.png, or - for y4m.")
    ],
    mask: Annotated[Path, typer.Option("--mask", "-m", help="Mask of the first frame; background black.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.", rich_help_panel=RUN)
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a JSON file about the run.", rich_help_panel=RUN)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell of the progress in lines of JSON on stdout.", rich_help_panel=RUN)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.", rich_help_panel=RUN)] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="More about the source and the time.", rich_help_panel=RUN)
    ] = False,
    **cutting: Any,
) -> None:
    """Carry a mask of the first frame through a clip, and write a cut-out.

    [bold]vcut segment clip.mp4 --mask frame0.png -o cutout.mov[/bold]
    """
    from vcut.options import SegmentOptions

    if quiet and verbose:
        raise OptionError("--quiet and --verbose contradict each other", "give one of them")
    options = SegmentOptions(input=source, mask=mask, output=output, resume=resume, report=report, **cutting)
    from vcut.pipeline import segment_video

    watch = (
        JsonWatch(options.span) if as_json else QuietWatch() if quiet else BarWatch(options.span, source.name, verbose)
    )
    with watch:
        summary = segment_video(options, on_start=watch.started, on_frame=watch.advanced, on_notice=watch.noticed)
        watch.ended(summary)
        if summary.losses:
            written = ", ".join(map(str, summary.outputs))
            raise PartialError("; ".join(summary.losses), f"what could be read is in {written}")
