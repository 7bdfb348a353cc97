"""``vcut train``: train a model from stills and video, and export the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcut.cli import console
from vcut.cli.choices import Device


def train(
    run: Annotated[Path, typer.Option("--run", help="Folder of the run; a run that is in it is gone on with.")],
    data: Annotated[Path, typer.Option("--data", help="Folder with static/, backgrounds/ and video/.")],
    packed: Annotated[Path, typer.Option("--packed", help="Folder of the packed data (4 GB).")] = Path("packed"),
    backbones: Annotated[
        Path | None, typer.Option("--backbones", help="Folder of ImageNet trunks that a new run starts from.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Weights that a new run starts from, instead.")] = None,
    architecture: Annotated[str | None, typer.Option("--model", help="gam-s, gam or gc.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Optimizer steps in all.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Clips a step.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="Side of the training frames, pixels.")] = None,
    clip: Annotated[int | None, typer.Option("--clip", help="Frames a clip at first.")] = None,
    long_clip: Annotated[int | None, typer.Option("--long-clip", help="Frames a clip later on.")] = None,
    long_from: Annotated[float | None, typer.Option("--long-from", help="Share of steps before long clips.")] = None,
    video: Annotated[float | None, typer.Option("--video", help="Share of clips from video, later on.")] = None,
    video_from: Annotated[float | None, typer.Option("--video-from", help="Share of the steps before video.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Highest learning rate.")] = None,
    warmup: Annotated[int | None, typer.Option("--warmup", help="Steps of rising learning rate.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything drawn.")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Stop and save after so long.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Loader processes.")] = 1,
    device: Device = "auto",
) -> None:
    """Train a model. Stop it at any time: the same command goes on where it was.

    The running mean of the weights is written to RUN/weights.safetensors at every stop.
    """
    import math
    import signal

    from vcut.engine.runtime import choose_runtime
    from vcut.training.options import TrainOptions
    from vcut.training.pack import open_packs
    from vcut.training.trainer import Progress, Trainer
    from vcut.weights import load_model

    given = {
        "architecture": architecture,
        "steps": steps,
        "batch": batch,
        "size": size,
        "clip": clip,
        "long_clip": long_clip,
        "long_from": long_from,
        "video": video,
        "video_from": video_from,
        "rate": rate,
        "warmup": warmup,
        "seed": seed,
    }
    given = {key: value for key, value in given.items() if value is not None}
    fresh = not (run / "options.json").exists()
    packs = open_packs(data, packed)
    trainer = Trainer(
        run,
        TrainOptions(**given) if given or fresh else None,
        choose_runtime(device, "fp32").device,
        backbones,
        load_model(start) if start else None,
    )

    def show(state: Progress) -> None:
        console.stderr().print(
            f"step {state.step}/{trainer.options.steps}  loss {state.loss:.3f}  IoU {state.overlap:.3f}  "
            f"{state.clips_per_second:.2f} clips/s  rate {state.rate:.2g}  {state.hours:.2f} h"
        )

    # both stop a run that keeps its progress, also one started in the background, where Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = False
    try:
        ended = trainer.train(packs, show, seconds=60 * minutes if minutes else math.inf, workers=workers)
    finally:
        path = trainer.export()
        console.done(f"{path}: step {trainer.step} of {trainer.options.steps}" + ("" if ended else ", not at its end"))
