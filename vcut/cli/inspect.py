"""``vcut inspect``: what a network holds of a clip, as heat maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights


def inspect(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A video, a folder of pictures, shot_%04d.png, or - for y4m.")
    ],
    mask: Annotated[Path, typer.Option("--mask", "-m", help="Mask of the first frame; background black.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Sheet to write (.png); INPUT_inspect.png if left out.")
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            "--frames", metavar="N,N,…", help="Frames to show, e.g. 0,20,40; a few evenly spaced if left out."
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="Frame (56) or time (2.5s) that the mask is of; begin there.")
    ] = None,
    objects: Annotated[str | None, typer.Option("--objects", help="Only these, e.g. 1,3.")] = None,
    weights: Weights = None,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
    deinterlace: Annotated[
        bool | None, typer.Option("--deinterlace/--no-deinterlace", help="What to do with an interlaced clip.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a sheet that is there.")] = False,
) -> None:
    """See inside: a sheet of heat maps of what the network holds on the way.

    A row for each frame: the frame with its mask outlined, then the maps.

    gc, gam: keys of the context, two most inside the first mask, two outside.

    gam: channel attention before and after; mask embedding; first mask, matched.

    giel: all objects together, and each. rgmp: its two streams of features.
    """
    from vcut.inspection.asked import parse_frames
    from vcut.inspection.run import InspectOptions, inspect_clip
    from vcut.options import parse_ids
    from vcut.video.span import parse_moment

    options = InspectOptions(
        input=source,
        mask=mask,
        output=output,
        frames=parse_frames(frames) if frames is not None else None,
        start=parse_moment(start, "--start") if start is not None else 0,
        objects=parse_ids(objects) if objects is not None else None,
        weights=weights,
        size=size,
        device=device,
        dtype=dtype,
        deinterlace=deinterlace,
        overwrite=overwrite,
    )
    with console.progress("frames") as progress:
        task = progress.add_task("inspect", total=None, rate="")
        sheet = inspect_clip(
            options,
            on_frame=lambda done, total: progress.update(task, completed=done, total=total),
            on_notice=console.notice,
        )
    rows = f"{len(sheet.frames)} frame{'' if len(sheet.frames) == 1 else 's'}"
    console.done(f"{sheet.path}: {rows}; {', '.join(sheet.columns)}")
