"""``vcut ablate``: what the parts of the training recipe are worth. ``vcut plot``: a run's curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import Device


def ablate(
    run: Annotated[Path, typer.Option("--run", help="Folder of the runs; those that are done are kept.")],
    data: Annotated[Path, typer.Option("--data", help="Folder with static/, backgrounds/ and video/.")],
    dev: Annotated[Path, typer.Option("--dev", help="Sequences to score on.")],
    backbones: Annotated[Path, typer.Option("--backbones", help="Folder of ImageNet trunks.")],
    packed: Annotated[Path, typer.Option("--packed", help="Folder of the packed data (4 GB).")] = Path("packed"),
    only: Annotated[list[str] | None, typer.Option("--only", help="A variant by its name; may be repeated.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of each, instead of 300.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Loader processes.")] = 1,
    device: Device = "auto",
) -> None:
    """Train short variants of gam-s, each with one thing changed, and print their scores as a Markdown table."""
    from dataclasses import replace

    from vcut.engine.propagator import Propagator
    from vcut.engine.runtime import choose_runtime
    from vcut.evaluation.dataset import find_sequences
    from vcut.evaluation.evaluate import evaluate
    from vcut.evaluation.network import NetworkPredictor
    from vcut.models.base import SegmentationModel
    from vcut.training import ablation
    from vcut.training.pack import open_packs
    from vcut.training.trainer import Progress

    runtime = choose_runtime(device, "auto")
    sequences = find_sequences(dev)

    def judge(model: SegmentationModel) -> ablation.Scores:
        means = evaluate(sequences, NetworkPredictor(Propagator(model, runtime))).mean()
        return {key: means[key] for key in ("J&F", "J", "F")}

    def show(name: str, state: Progress) -> None:
        console.stderr().print(f"{name}: step {state.step}  loss {state.loss:.3f}  IoU {state.overlap:.3f}")

    rows = ablation.ablate(
        run,
        open_packs(data, packed),
        judge,
        runtime.device,
        base=replace(ablation.BASE, steps=steps) if steps else ablation.BASE,
        backbones=backbones,
        names=only or tuple(ablation.VARIANTS),
        report=show,
        workers=workers,
    )
    typer.echo(ablation.table(rows))


def plot(
    runs: Annotated[list[Path], typer.Argument(help="Folders of training runs, stages of one recipe in their order.")],
    out: Annotated[Path, typer.Option("--out", help="The SVG file to write.")],
) -> None:
    """Draw loss, IoU and dev J&F of training runs (needs the extra 'plots')."""
    from vcut.training.plot import plot_logs

    plot_logs([run / "log.csv" for run in runs], out)
    console.done(str(out))
