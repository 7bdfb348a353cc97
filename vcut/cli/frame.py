"""``vcut frame``: one exact frame of a clip, upright, to draw a mask on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcut.cli import console


def frame(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file, or a folder of pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write (.png).")],
    at: Annotated[int, typer.Option("--at", min=0, metavar="N", help="Number of the frame, from 0.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a picture that is there.")] = False,
) -> None:
    """Write the exact, upright frame of a clip to draw the mask on."""
    from vcut.video.still import save_frame

    width, height = save_frame(source, output, at, overwrite)
    console.done(f"{output}: frame {at}, {width}x{height}")
