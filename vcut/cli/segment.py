"""``vcut segment``: cut objects out of one clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights
from vcut.errors import PartialError

if TYPE_CHECKING:
    from vcut.video.probe import VideoInfo


def segment(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of pictures.")],
    mask: Annotated[Path, typer.Option("--mask", "-m", help="Mask of the first frame; background black.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write.")] = None,
    fmt: Annotated[
        str | None,
        typer.Option("--format", "-f", help="labels, matte, prores, webm or overlay; told from OUTPUT when left out."),
    ] = None,
    start: Annotated[int, typer.Option("--start", metavar="N", help="Frame the mask is of; begin there.")] = 0,
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
    from vcut.options import SegmentOptions, parse_rate

    options = SegmentOptions(
        input=source,
        mask=mask,
        output=output,
        format=fmt,
        size=size,
        device=device,
        dtype=dtype,
        weights=weights,
        rate=parse_rate(rate),
        start=start,
        overwrite=overwrite,
    )
    from vcut.pipeline import segment_video

    progress = console.progress("frames")
    task = progress.add_task(source.name, total=None, rate="")

    def started(info: VideoInfo, output: Path) -> None:
        total = info.frames_estimate
        progress.update(task, total=total and max(total - start, 1))
        progress.start()

    def advanced(frames: int) -> None:
        speed = progress.tasks[0].speed
        progress.update(task, completed=frames, rate=f"{speed:.1f} fps" if speed else "")

    try:
        summary = segment_video(options, on_start=started, on_frame=advanced, on_notice=console.notice)
    finally:
        progress.stop()
    fps = summary.frames / summary.model_seconds if summary.model_seconds else 0.0
    console.done(
        f"{summary.output}: {summary.frames} frames, {len(summary.objects)} object(s), {summary.format}; "
        f"{summary.seconds:.1f} s, network {fps:.1f} frames/s on {summary.runtime}"
    )
    if summary.losses:
        raise PartialError("; ".join(summary.losses), f"what could be read is in {summary.output}")
