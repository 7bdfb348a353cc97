"""``vcut evaluate``: region similarity J and contour accuracy F on annotated sequences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import DEFAULT_SIZE, Device, Dtype, Size, Weights
from vcut.errors import OptionError

TABLE_WIDTH = 150
"""Columns of text when stdout is not a terminal."""

if TYPE_CHECKING:
    from vcut.evaluation.report import Report, SequenceScore


def evaluate(
    root: Annotated[Path, typer.Argument(help="Folder in DAVIS layout: JPEGImages/ and Annotations/.")],
    weights: Weights = None,
    split: Annotated[str | None, typer.Option("--split", help="Only the sequences of ImageSets/*/SPLIT.txt.")] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="'copy': score the first mask, repeated, instead of a network.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the scores to FILE.")] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", metavar="N", help="Play each sequence back and forth until N frames were seen."),
    ] = None,
    enlarge: Annotated[
        int | None,
        typer.Option("--enlarge", metavar="PX", help="Enlarge the frames first, to this shorter side."),
    ] = None,
    per_object: Annotated[bool, typer.Option("--per-object", help="Print a row for each object too.")] = False,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="DIR", help="Write a contact sheet of each sequence to DIR.")
    ] = None,
    aggregation: Annotated[
        str,
        typer.Option("--aggregation", metavar="RULE", help="How objects share pixels: product, union, naive, winner."),
    ] = "product",
    scales: Annotated[
        str | None,
        typer.Option(
            "--scales", metavar="S,S,…", help="rgmp: scales of the frame whose masks are averaged, 0.5,0.75,1."
        ),
    ] = None,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Score a network on annotated sequences, as davis2017-evaluation does.

    With --frames the table has J around frame 100 and J at the end, over the same frames where that is possible.
    """
    from vcut.evaluation.dataset import find_sequences
    from vcut.evaluation.enlarge import enlarged
    from vcut.evaluation.evaluate import baseline_copy
    from vcut.evaluation.evaluate import evaluate as score
    from vcut.evaluation.loop import looped
    from vcut.evaluation.sheet import Sheets
    from vcut.options import check_size

    check_size(size)
    if baseline not in (None, "copy"):
        raise OptionError(f"unknown --baseline '{baseline}'", "the one known is 'copy'")
    sequences = find_sequences(root, split)
    if enlarge is not None:
        sequences = [enlarged(sequence, enlarge) for sequence in sequences]
    if frames is not None:
        sequences = [looped(sequence, frames) for sequence in sequences]
    sheets = Sheets(pictures) if pictures is not None else None
    if baseline:
        predict, subject = baseline_copy, {"baseline": baseline}
    else:
        from vcut.engine.aggregate import check_rule
        from vcut.engine.runtime import choose_runtime
        from vcut.evaluation.network import NetworkPredictor
        from vcut.models.rgmp import set_scales
        from vcut.weights import load_model

        rule = check_rule(aggregation)
        runtime = choose_runtime(device, dtype)
        model = load_model(weights)
        subject = {"weights": weights or "default", "size": size, "runtime": runtime.name, "aggregation": rule}
        if scales is not None:
            set_scales(model, scales)
            subject["scales"] = scales
        predict = NetworkPredictor(model, runtime, size, rule)
    subject |= {key: value for key, value in {"frames": frames, "enlarge": enlarge}.items() if value is not None}
    with console.progress("sequences") as progress:
        task = progress.add_task("evaluate", total=len(sequences), rate="")

        def scored(row: SequenceScore) -> None:
            progress.update(task, advance=1, description=row.name, rate=f"J&F {100 * row.mean()['J&F']:.1f}")
            if sheets is not None:
                sheets.write(row)

        report = score(sequences, predict, scored, on_frame=sheets.add if sheets is not None else None)
    _print(report, per_object)
    if json_file is not None:
        _write(json_file, {**report.to_json(), **subject})


def _print(report: Report, per_object: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*report.columns, box=box.SIMPLE)
    for column in table.columns:
        column.no_wrap = True
    for row in report.rows(per_object):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table)


def _write(path: Path, content: dict[str, object]) -> None:
    import json

    from vcut.atomic import replacing

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
