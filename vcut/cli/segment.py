"""``vcut segment``: cut objects out of one clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights
from vcut.cli.watch import BarWatch, JsonWatch, QuietWatch
from vcut.errors import OptionError, PartialError
from vcut.video.formats import FORMATS

EDGES, RUN = "The edges", "The run"


def segment(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, a folder of pictures, shot_%04d.png, or - for y4m.")
    ],
    mask: Annotated[Path, typer.Option("--mask", "-m", help="Mask of the first frame; background black.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write.")] = None,
    fmt: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help=f"{', '.join(FORMATS)}; several with commas. Told from OUTPUT if left out."
        ),
    ] = None,
    background: Annotated[
        str | None, typer.Option("--background", "-b", help="A colour, picture or video to put behind the objects.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Frame (56) or time (2.5s) that the mask is of; begin there.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", help="Frame or time to end before.")] = None,
    objects: Annotated[str | None, typer.Option("--objects", help="Cut only these, e.g. 1,3.")] = None,
    split: Annotated[bool, typer.Option("--split-objects", help="A file for each object.")] = False,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Keep the sound.")] = True,
    deinterlace: Annotated[
        bool | None, typer.Option("--deinterlace/--no-deinterlace", help="What to do with an interlaced clip.")
    ] = None,
    tone_map: Annotated[bool, typer.Option("--tone-map", help="Make ordinary video of an HDR clip.")] = False,
    edge: Annotated[
        str, typer.Option("--edge", help="soft, as in the picture, or crisp.", rich_help_panel=EDGES)
    ] = "soft",
    grow: Annotated[
        float, typer.Option("--grow", metavar="PX", help="Move edges outwards.", rich_help_panel=EDGES)
    ] = 0,
    shrink: Annotated[
        float, typer.Option("--shrink", metavar="PX", help="Move edges inwards.", rich_help_panel=EDGES)
    ] = 0,
    feather: Annotated[float, typer.Option("--feather", metavar="PX", help="Soften edges.", rich_help_panel=EDGES)] = 0,
    names: Annotated[
        Path | None, typer.Option("--names", help='JSON, {"1": "dog"}; or MASK.json beside the mask.')
    ] = None,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
    weights: Weights = None,
    rate: Annotated[str, typer.Option("--rate", help="Frames per second of a folder of pictures.")] = "25",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
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
) -> None:
    """Carry a mask of the first frame through a clip, and write a cut-out.

    [bold]vcut segment clip.mp4 --mask frame0.png -o cutout.mov[/bold]
    """
    from vcut.matte.options import MatteOptions
    from vcut.options import SegmentOptions, parse_ids, parse_rate
    from vcut.video.span import Span

    if quiet and verbose:
        raise OptionError("--quiet and --verbose contradict each other", "give one of them")
    if grow and shrink:
        raise OptionError("--grow and --shrink contradict each other", "give one of them")
    if min(grow, shrink) < 0:
        raise OptionError("--grow and --shrink are not negative", "the one is the other's opposite")
    span = Span.parse(start, end)
    options = SegmentOptions(
        input=source,
        mask=mask,
        output=output,
        format=fmt,
        background=background,
        size=size,
        device=device,
        dtype=dtype,
        weights=weights,
        rate=parse_rate(rate),
        span=span,
        objects=parse_ids(objects) if objects else None,
        split=split,
        audio=audio,
        deinterlace=deinterlace,
        tone_map=tone_map,
        overwrite=overwrite,
        edges=MatteOptions(edge, grow - shrink, feather),
        names=names,
        resume=resume,
        report=report,
    )
    from vcut.pipeline import segment_video

    watch = JsonWatch(span) if as_json else QuietWatch() if quiet else BarWatch(span, source.name, verbose)
    with watch:
        summary = segment_video(options, on_start=watch.started, on_frame=watch.advanced, on_notice=watch.noticed)
        watch.ended(summary)
        if summary.losses:
            written = ", ".join(map(str, summary.outputs))
            raise PartialError("; ".join(summary.losses), f"what could be read is in {written}")
