"""``vcut segment``: cut objects out of one clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights
from vcut.errors import PartialError
from vcut.video.formats import FORMATS

if TYPE_CHECKING:
    from vcut.video.probe import VideoInfo


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
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
    weights: Weights = None,
    rate: Annotated[str, typer.Option("--rate", help="Frames per second of a folder of pictures.")] = "25",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there.")] = False,
) -> None:
    """Carry a mask of the first frame through a clip, and write a cut-out.

    [bold]vcut segment clip.mp4 --mask frame0.png -o cutout.mov[/bold]
    """
    from vcut.options import SegmentOptions, parse_ids, parse_rate
    from vcut.video.span import Span

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
        overwrite=overwrite,
    )
    from vcut.pipeline import segment_video

    progress = console.progress("frames")
    task = progress.add_task(source.name, total=None, rate="")

    def started(info: VideoInfo, outputs: list[Path]) -> None:
        total = span.length(info.frames_estimate, info.rate)
        progress.update(task, total=total and max(total, 1))
        progress.start()

    def advanced(frames: int) -> None:
        speed = progress.tasks[0].speed
        progress.update(task, completed=frames, rate=f"{speed:.1f} fps" if speed else "")

    try:
        summary = segment_video(options, on_start=started, on_frame=advanced, on_notice=console.notice)
    finally:
        progress.stop()
    fps = summary.frames / summary.model_seconds if summary.model_seconds else 0.0
    written = ", ".join(map(str, summary.outputs))
    console.done(
        f"{written}: {summary.frames} frames, {len(summary.objects)} object(s), {', '.join(summary.formats)}; "
        f"{summary.seconds:.1f} s, network {fps:.1f} frames/s on {summary.runtime}"
    )
    if summary.losses:
        raise PartialError("; ".join(summary.losses), f"what could be read is in {written}")
