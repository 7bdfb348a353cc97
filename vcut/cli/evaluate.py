"""``vcut evaluate``: region similarity J and contour accuracy F on annotated sequences, or transfer errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcut.cli import console
from vcut.cli.choices import (
    DEFAULT_RULE,
    DEFAULT_SIZE,
    Aggregation,
    Device,
    Dtype,
    FinetuneFirst,
    OneWeights,
    Roi,
    Scales,
    Size,
)
from vcut.errors import OptionError

if TYPE_CHECKING:
    from vcut.evaluation.dataset import Sequence
    from vcut.evaluation.report import SequenceScore
    from vcut.evaluation.subject import Subject
    from vcut.evaluation.task import Task
    from vcut.evaluation.transfer import TransferOptions
    from vcut.evaluation.transfer_report import TransferScore

COMPARISON, TRANSFER = "Several networks", "Masks carried a few frames"


def evaluate(
    root: Annotated[Path, typer.Argument(help="Folder in DAVIS layout: JPEGImages/ and Annotations/.")],
    weights: OneWeights = None,
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
    aggregation: Aggregation = DEFAULT_RULE,
    scales: Scales = None,
    roi: Roi = None,
    finetune_first: FinetuneFirst = 0,
    refine: Annotated[
        bool, typer.Option("--refine/--no-refine", help="Let labels follow the picture's edges, as segment does.")
    ] = True,
    size: Size = DEFAULT_SIZE,
    device: Device = "auto",
    dtype: Dtype = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME,NAME,…|all",
            help="Compare trained networks by name, and the copied mask, in one table.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write their table to FILE.", rich_help_panel=COMPARISON),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw J&F over speed, as .svg or .png.", rich_help_panel=COMPARISON
        ),
    ] = None,
    transfer: Annotated[
        bool,
        typer.Option(
            "--transfer",
            help="Measure the error of masks carried from key frames, as on JumpCut.",
            rich_help_panel=TRANSFER,
        ),
    ] = False,
    distances: Annotated[
        str | None,
        typer.Option("--distances", metavar="D,D,…", help="Frames forward; 8,16,32.", rich_help_panel=TRANSFER),
    ] = None,
    key_every: Annotated[
        int | None,
        typer.Option("--key-every", metavar="N", help="From one key frame to the next; 16.", rich_help_panel=TRANSFER),
    ] = None,
) -> None:
    """Score a network on annotated sequences, as davis2017-evaluation does, or several side by side.

    With --frames the table has J around frame 100 and J at the end, over the same frames where that is possible.
    With --transfer it has wrong pixels in percent of the objects', at each distance from the key frames.
    """
    from vcut.cli.compare import Files, compare, contenders
    from vcut.engine.rules import check_rule
    from vcut.evaluation.dataset import find_sequences
    from vcut.evaluation.subject import COPY, Subject
    from vcut.evaluation.task import Task
    from vcut.options import check_finetune, check_size, parse_scales

    check_size(size)
    check_finetune(finetune_first)
    if baseline not in (None, COPY):
        raise OptionError(f"unknown --baseline '{baseline}'", f"the one known is '{COPY}'")
    _fit_together(
        ("--model", model, "--weights", weights),
        ("--model", model, "--per-object", per_object),
        ("--transfer", transfer, "--frames", frames),
        ("--transfer", transfer, "--per-object", per_object),
        ("--transfer", transfer, "--pictures", pictures),
        ("--transfer", transfer, "--plot", plot),
    )
    _are_for("--model", model, {"--markdown": markdown, "--plot": plot})
    _are_for("--transfer", transfer, {"--distances": distances, "--key-every": key_every})
    seen = parse_scales(scales) if scales is not None else None
    rule = check_rule(aggregation)
    subject = Subject(weights, baseline is not None, size, device, dtype, rule, seen, roi, finetune_first, refine)
    shown = {key: value for key, value in {"frames": frames, "enlarge": enlarge}.items() if value is not None}
    subjects = [subject] if model is None else contenders(model, subject)
    task = Task(_shown(find_sequences(root, split), **shown), _transfer(transfer, distances, key_every), pictures)
    if model is None:
        _score(subject, task, shown, json_file, per_object)
        return
    data = {"data": str(root)} | ({"split": split} if split else {}) | {"sequences": len(task.sequences)}
    compare(subjects, task, data | shown, Files(json_file, markdown, plot))


def _fit_together(*pairs: tuple[str, Any, str, Any]) -> None:
    """Raises OptionError when both options of a pair are given."""
    for one, first, other, second in pairs:
        if first not in (None, False) and second not in (None, False):
            raise OptionError(f"{one} and {other} do not go together", "leave one of them out")


def _are_for(option: str, value: Any, others: dict[str, Any]) -> None:
    """Raises OptionError when options are given without the one that they belong to."""
    for other, given in others.items():
        if given is not None and value in (None, False):
            raise OptionError(f"{other} is for {option}", f"add {option}, or leave {other} out")


def _shown(sequences: list[Sequence], frames: int | None = None, enlarge: int | None = None) -> list[Sequence]:
    """The sequences as they are to be shown to a network."""
    from vcut.evaluation.enlarge import enlarged
    from vcut.evaluation.loop import looped

    if enlarge is not None:
        sequences = [enlarged(sequence, enlarge) for sequence in sequences]
    if frames is not None:
        sequences = [looped(sequence, frames) for sequence in sequences]
    return sequences


def _transfer(asked: bool, distances: str | None, every: int | None) -> TransferOptions | None:
    if not asked:
        return None
    from vcut.evaluation.transfer import TransferOptions, parse_distances

    given = {"distances": None if distances is None else parse_distances(distances), "every": every}
    return TransferOptions(**{name: value for name, value in given.items() if value is not None})


def _score(subject: Subject, task: Task, shown: dict[str, int], json_file: Path | None, per_object: bool) -> None:
    """Scores one, and prints a row a sequence."""
    from vcut.bench.report import write_text

    task.check()
    ready = subject.load()
    with console.progress("sequences") as progress:
        bar = progress.add_task("evaluate", total=len(task.sequences), rate="")

        def scored(row: SequenceScore | TransferScore) -> None:
            progress.update(bar, advance=1, description=row.name, rate=row.headline)

        report = task.score(ready.predict, scored)
    for text in ready.notices():
        console.notice(text)
    console.result(report.columns, report.rows(per_object) if per_object else report.rows())
    if json_file is not None:
        write_text(json_file, json.dumps({**report.to_json(), **ready.facts, **shown}, indent=1))
