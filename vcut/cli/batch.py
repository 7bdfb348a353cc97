"""``vcut batch``: cut objects out of all clips of a folder or a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcut.cli import console
from vcut.cli.cutting import cutting_options
from vcut.errors import BatchError, OptionError, OutputError

if TYPE_CHECKING:
    from vcut.batch.run import Batch, Engine

RUN, CLUSTER = "The run", "Several machines"
ENGINES = ("local", "ray")


@cutting_options
def batch(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|LIST",
            help="Clips, each with its mask; or a .csv, .jsonl or .yaml list. Here, or s3://, gs://.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder for results; FOLDER_cut if left out."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", help="Processes side by side: 1; on Ray as many as fit.", rich_help_panel=RUN
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.", rich_help_panel=RUN)] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also clips that failed before.", rich_help_panel=RUN)
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in the middle of clips that were stopped.", rich_help_panel=RUN)
    ] = False,
    chunk: Annotated[
        int | None,
        typer.Option(
            "--chunk", metavar="N", help="Hand a clip on after N frames, the others first.", rich_help_panel=RUN
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell of the progress in lines of JSON on stdout.", rich_help_panel=RUN)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.", rich_help_panel=RUN)] = False,
    engine: Annotated[str, typer.Option("--engine", help="local, or ray.", rich_help_panel=CLUSTER)] = "local",
    address: Annotated[
        str, typer.Option("--address", help="Of the Ray cluster; auto finds one here.", rich_help_panel=CLUSTER)
    ] = "auto",
    cpus: Annotated[float, typer.Option("--cpus-per-worker", help="Cores, and threads.", rich_help_panel=CLUSTER)] = 2,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus-per-worker", help="0.5 for two on a GPU; 1 if there are any.", rich_help_panel=CLUSTER),
    ] = None,
    **cutting: Any,
) -> None:
    """Cut objects out of all clips of a folder; what is done already is left alone.

    The mask of clip.mp4 is clip.png, clip_mask.png, clip.mask.png or masks/clip.png beside it; DAVIS folders work, too.
    """
    from vcut.batch.find import find_clips
    from vcut.batch.listing import SUFFIXES, read_list
    from vcut.batch.plan import check_common, plan
    from vcut.batch.run import Batch
    from vcut.batch.storage import is_folder, place, reaching
    from vcut.cli.batch_watch import BarsWatch, JsonLines, Silence

    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers} are none", "give 1 or more")
    if chunk is not None and chunk < 1:
        raise OptionError(f"--chunk {chunk} is no number of frames", "give 1 or more")
    if engine not in ENGINES:
        raise OptionError(f"there is no --engine '{engine}'", f"known ones: {', '.join(ENGINES)}")

    def workforce(jobs: int) -> Engine:
        if engine == "ray":
            from vcut.batch.cluster import Cluster, ClusterOptions

            return Cluster(ClusterOptions(address, workers or 0, cpus, gpus))
        from vcut.batch.pool import Pool

        return Pool(min(workers or 1, jobs), _gpus(cutting))

    check_common(cutting)
    source = place(folder)
    is_list = source.suffix.lower() in SUFFIXES and not is_folder(source)
    name = source.absolute().stem if is_list else source.absolute().name
    if out is None and not name:
        raise OptionError(f"{folder} has no name that results could go by", "say where they go with --out")
    target = place(out) if out else source.absolute().with_name(f"{name}_cut")
    found = read_list(source) if is_list else find_clips(source, leave_out=target)
    with reaching(source), reaching(target, OutputError):
        work = Batch(plan(found, target, cutting), target)
    if dry_run:
        console.table(("clip", "what", "result"), [_row(task) for task in work.tasks])
        return
    left = work.left(retry_failed)
    watch = JsonLines(left) if as_json else Silence(left) if quiet else BarsWatch(left)
    with watch:
        work.run(watch.told, workforce, resume=resume, retry_failed=retry_failed, chunk=chunk)
    _conclude(work, len(left), quiet or as_json)


def _row(task: Any) -> tuple[str, str, str]:
    known = {None: "to do", "failed": "failed before", "impossible": "cannot be done", "partial": "done, in part"}
    result = task.job.problem or ", ".join(map(str, task.job.outputs))
    return task.job.name, known.get(task.before, task.before), result


def _conclude(work: Batch, tried: int, quiet: bool) -> None:
    """The table of results; an error when clips failed."""
    outcome, failures = work.outcome(), work.failures()
    if not quiet:
        if failures:
            console.table(("clip", "why it was not cut"), failures)
        parts = [f"{count} {status}" for status, count in sorted(outcome.items())]
        console.done(f"{len(work.tasks)} clips: {', '.join(parts)}; {tried} tried now; {work.record.path}")
    if failures:
        names = ", ".join(name for name, _ in failures[:3]) + (", ..." if len(failures) > 3 else "")
        raise BatchError(
            f"{len(failures)} of {len(work.tasks)} clips could not be cut ({names})", f"{work.record.path} says why"
        )


def _gpus(cutting: dict[str, Any]) -> int:
    if cutting.get("device", "auto") not in ("auto", "cuda"):
        return 0
    import torch

    return torch.cuda.device_count()
