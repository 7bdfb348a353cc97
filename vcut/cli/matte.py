"""``vcut matte-score``: alpha and foreground colours on composited clips whose truth is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights
from vcut.errors import OptionError

TABLE_WIDTH = 110
"""Columns of text when stdout is not a terminal."""

MIN_HEIGHT, MAX_HEIGHT = 270, 2160

if TYPE_CHECKING:
    from vcut.matte.measure import ClipScore, MatteReport


def matte_score(
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Folder with static/SET/{images,alpha} and backgrounds/.")
    ],
    weights: Weights = None,
    clips: Annotated[int, typer.Option("--clips", metavar="N", help="Clips to make, each of another cut-out.")] = 6,
    half: Annotated[
        str, typer.Option("--half", help="'held-out', or 'tune', the pictures that constants were chosen on.")
    ] = "held-out",
    height: Annotated[int, typer.Option("--height", metavar="PX", help="Lines of the clips, which are 16:9.")] = 1080,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the scores to FILE.")] = None,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Score the matte against plain upsampling of the network's probability.

    SAD is in thousands of pixels, MSE times 1000, the gradient error by 1000; foreground colour and flicker are of 255.
    """
    if clips < 1:
        raise OptionError(f"--clips {clips} is none", "give 1 or more")
    if not MIN_HEIGHT <= height <= MAX_HEIGHT:
        raise OptionError(f"--height {height} is out of range", f"give {MIN_HEIGHT} to {MAX_HEIGHT}")
    from vcut.engine.runtime import choose_runtime
    from vcut.matte.composite import find_cutouts
    from vcut.matte.measure import measure
    from vcut.options import check_size
    from vcut.weights import load_model

    check_size(size)
    cutouts = find_cutouts(data, half)[:clips]
    runtime = choose_runtime(device, dtype)
    model = load_model(weights)
    with console.progress("clips") as progress:
        task = progress.add_task("matte", total=len(cutouts), rate="")

        def scored(clip: ClipScore) -> None:
            rate = f"SAD {clip.plain['SAD']:.1f} > {clip.matte['SAD']:.1f}"
            progress.update(task, advance=1, description=clip.name.split("/")[-1], rate=rate)

        report = measure(cutouts, data, model, runtime, size, height, on_clip=scored)
    _print(report)
    if json_file is not None:
        subject = {"weights": weights or "default", "half": half, "height": height, "size": size}
        _write(json_file, {**report.to_json(), **subject, "runtime": runtime.name})


def _print(report: MatteReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vcut.matte.measure import KEYS

    table = Table("clip", "", *KEYS, box=box.SIMPLE)
    for column in table.columns:
        column.no_wrap = True
    for row in report.rows():
        table.add_row(*row)
    out = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    out.print(table)
    times = {side: sum(getattr(clip, f"{side}_seconds") for clip in report.clips) for side in ("model", "matte")}
    model, matte = (1000 * seconds / len(report.clips) for seconds in times.values())
    out.print(f"time a frame: {model:.0f} ms in the network, {matte:.0f} ms in the matte")


def _write(path: Path, content: dict[str, object]) -> None:
    import json

    from vcut.atomic import replacing

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
