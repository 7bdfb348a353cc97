"""``vcut evaluate --model``: trained networks side by side, with the copied first mask as their baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcut.cli import console
from vcut.errors import ComparisonError, OptionError
from vcut.evaluation.comparison import Comparison, Row
from vcut.evaluation.subject import Subject
from vcut.weights.manifest import find_entry, load_manifest

if TYPE_CHECKING:
    from vcut.evaluation.report import SequenceScore
    from vcut.evaluation.task import Task
    from vcut.evaluation.transfer_report import TransferScore

ALL = "all"
"""Stands for every name in the manifest."""


@dataclass(frozen=True)
class Files:
    """What a comparison is written to, besides stdout; ``None`` for nothing."""

    json: Path | None = None
    markdown: Path | None = None
    plot: Path | None = None


def contenders(names: str, common: Subject) -> list[Subject]:
    """The networks that ``--model`` names, each once, and the baseline after them.

    Args:
        names: of weights in the manifest, with commas, or :data:`ALL`.
        common: how each of them runs.

    Raises:
        OptionError: there is no name.
        WeightsError: an unknown one.
    """
    words = [word.strip() for word in names.split(",") if word.strip()]
    if not words:
        raise OptionError(f"--model '{names}' names no network", f"give for example gam-s,gam, or {ALL}")
    found = load_manifest() if words == [ALL] else [find_entry(word).name for word in dict.fromkeys(words)]
    networks = [replace(common, weights=name, baseline=False) for name in found]
    return [*networks, replace(common, weights=None, baseline=True)]


def compare(subjects: list[Subject], task: Task, data: dict[str, Any], files: Files) -> None:
    """Scores them, prints one table, and writes the files.

    Args:
        subjects: with the same options, as :func:`contenders` makes them.
        task: what they are scored on.
        data: the same, for people.
        files: what is written.

    Raises:
        VcutError: what is asked for makes no sense or cannot be done here; found before anything is run.
        ComparisonError: some could not be scored. All else is printed and written.
    """
    import torch

    from vcut.bench.plots import check_plot
    from vcut.bench.system import describe_system, name_of
    from vcut.engine.runtime import choose_runtime
    from vcut.evaluation import compare as networks

    common = subjects[0]
    if files.plot is not None:
        check_plot(files.plot)
    runtime = choose_runtime(common.device, common.dtype)
    task.check()
    subjects = [replace(subject, device=str(runtime.device)) for subject in subjects]
    with console.progress("sequences") as progress:
        bar = progress.add_task("evaluate", total=len(subjects) * len(task.sequences), rate="")

        def scored(subject: Subject, score: SequenceScore | TransferScore) -> None:
            progress.update(bar, advance=1, description=f"{subject.name}: {score.name}", rate=score.headline)

        def ended(row: Row) -> None:
            progress.update(bar, completed=(1 + [s.name for s in subjects].index(row.name)) * len(task.sequences))
            for text in row.notices:
                console.notice(f"{row.name}: {text}")
            if row.error:
                console.error(f"{row.name}: {row.error}")

        rows = networks.compare(subjects, task, torch.get_num_threads(), scored, ended)
    comparison = Comparison(describe_system(runtime), data | _settings(common, task), tuple(rows))
    console.result(comparison.columns, comparison.table())
    console.done(f"measured on {name_of(comparison.system)}")
    _write(comparison, files)
    if comparison.failed:
        names = ", ".join(row.name for row in comparison.failed)
        raise ComparisonError(f"{len(comparison.failed)} of {len(rows)} could not be scored ({names})", "see above why")


def _settings(common: Subject, task: Task) -> dict[str, Any]:
    """What holds for all rows, as plain values."""
    settings: dict[str, Any] = {"size": common.size, "aggregation": common.aggregation}
    if common.scales is not None:
        settings["scales"] = list(common.scales)
    if common.finetune:
        settings["finetune_first"] = common.finetune
    if not common.refine:
        settings["refine"] = False
    if task.transfer:
        settings |= {"distances": list(task.transfer.distances), "key_every": task.transfer.every}
    return settings


def _write(comparison: Comparison, files: Files) -> None:
    from vcut.bench.report import write_text
    from vcut.evaluation.plot import draw

    if files.json:
        write_text(files.json, json.dumps(comparison.to_json(), indent=1) + "\n")
    if files.markdown:
        write_text(files.markdown, comparison.markdown())
    if files.plot:
        draw(comparison, files.plot)
